import copy
import json
import pickle
import traceback
from dataclasses import asdict, dataclass

import pytest

from deploy.connections import Connections
from deploy.secret import NO_SECRET, Secret, SecretKey

CANARY = "CANARY-a-secret-5b1e77a0"
TEXT, KEY = Secret(CANARY), SecretKey(CANARY.encode())


@dataclass(frozen=True)
class Owner:
    text: Secret
    key: SecretKey


OWNER = Owner(TEXT, KEY)


@pytest.mark.parametrize("thing", [TEXT, KEY, OWNER, (TEXT, KEY), {"a": TEXT, "b": KEY}])
def test_a_secret_is_not_in_what_is_printed(thing):
    told = [repr(thing), str(thing), f"{thing}", f"{thing!s:>40}", "%s %r" % (thing, thing)]  # noqa: UP031

    assert all("*****" in one and "CANARY" not in one for one in told)


def test_a_secret_is_not_in_a_copy_of_its_owner():
    assert "CANARY" not in repr(asdict(OWNER))
    assert asdict(OWNER)["text"] is TEXT
    assert copy.deepcopy(KEY) is copy.copy(KEY) is KEY
    assert "CANARY" not in repr(vars(OWNER))


def test_a_secret_is_not_in_what_an_exception_says():
    with pytest.raises(ValueError, match=r"\*\*\*") as raised:
        raise ValueError(TEXT, KEY, OWNER)

    told = traceback.TracebackException.from_exception(raised.value, capture_locals=True)
    assert "CANARY-a" not in "".join(told.format()) + repr(raised.value.args)


@pytest.mark.parametrize("thing", [TEXT, KEY, OWNER])
def test_a_secret_is_neither_pickled_nor_put_into_json(thing):
    with pytest.raises(TypeError, match="not pickled"):
        pickle.dumps(thing)
    with pytest.raises(TypeError):
        json.dumps(thing)
    assert "CANARY" not in json.dumps(thing, default=str)


def test_who_asks_for_it_gets_it():
    assert TEXT.get_secret_value() == CANARY
    assert KEY.decode() == CANARY
    assert Secret.of(TEXT) is TEXT
    assert Secret.of(CANARY) == TEXT
    assert bool(TEXT)
    assert not NO_SECRET


def test_keys_to_others_are_secrets_however_they_are_given():
    given = Connections(github_token=CANARY, vercel_token=CANARY, kubernetes_token=CANARY)

    assert "CANARY" not in repr(given) + repr(asdict(given))
