import json
from contextlib import suppress
from typing import Any

import pytest
from fakes import NOON, PEOPLE, catalog, sha_of
from hypothesis import given
from hypothesis import strategies as st

from deploy.catalog import RepositoryTable
from deploybot.errors import InboundError
from deploybot.inbound.github import Ignored, Push, to_event, verify

SECRET = "It's a Secret to Everybody"
HELLO = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
REPOSITORIES = catalog().repositories
NEW, OLD = sha_of("new"), sha_of("old")


def headers(**given: str) -> list[tuple[str, str]]:
    usual = {
        "Content-Type": "application/json",
        "X-GitHub-Event": "push",
        "X-GitHub-Delivery": "72d3162e-cc78-11e3-81ab-4c9367dc0958",
    }
    return list((usual | {name.replace("_", "-"): value for name, value in given.items()}).items())


def push(**given: Any) -> bytes:
    usual = {
        "ref": "refs/heads/main",
        "before": OLD,
        "after": NEW,
        "deleted": False,
        "repository": {"full_name": "harbour/shop"},
        "pusher": {"name": "ann-gh"},
        "sender": {"login": "ann-gh"},
        "head_commit": {"message": "Merge pull request #42\n\nmore"},
    }
    return json.dumps(usual | given).encode()


def heard(body: bytes, **given: str) -> Push | Ignored:
    return to_event(body, headers(**given), REPOSITORIES, PEOPLE, NOON)


# -- genuine or not ----------------------------------------------------------------


def test_the_published_example_is_genuine() -> None:
    verify([SECRET], b"Hello, World!", [("X-Hub-Signature-256", HELLO)])
    verify(["new", SECRET], b"Hello, World!", [("x-hub-signature-256", HELLO)])


@pytest.mark.parametrize("index", range(len("Hello, World!")))
def test_one_flipped_byte_is_refused(index: int) -> None:
    body = bytearray(b"Hello, World!")
    body[index] ^= 1

    with pytest.raises(InboundError, match="nothing was stored") as refused:
        verify([SECRET], bytes(body), [("X-Hub-Signature-256", HELLO)])

    assert refused.value.status == 401


@pytest.mark.parametrize(
    "given_headers",
    [
        [],
        [("X-Hub-Signature", "sha1=01dc10d0c83e72ed246219cdd91669667fe2ca59")],
        [("X-Hub-Signature-256", "")],
        [("X-Hub-Signature-256", HELLO.upper())],
        [("X-Hub-Signature-256", HELLO + " ")],
        [("X-Hub-Signature-256", "sha256=" + "é" * 64)],
        [("X-Hub-Signature-256", HELLO), ("X-Hub-Signature-256", HELLO)],
        [("X-Hub-Signature-256", "v0=" + "0" * 64)],
    ],
)
def test_garbled_missing_and_doubled_signatures_are_refused(
    given_headers: list[tuple[str, str]],
) -> None:
    with pytest.raises(InboundError):
        verify([SECRET], b"Hello, World!", given_headers)


@pytest.mark.parametrize("secrets", [[], [""]])
def test_no_secret_opens_nothing(secrets: list[str]) -> None:
    with pytest.raises(InboundError):
        verify(secrets, b"Hello, World!", [("X-Hub-Signature-256", HELLO)])


# -- what it tells -----------------------------------------------------------------


def test_a_push_to_the_default_branch_is_an_event() -> None:
    told = heard(push())

    assert isinstance(told, Push)
    event = told.event
    assert (event.repository, event.branch, event.before, event.after) == (
        "shop", "main", OLD, NEW
    )  # fmt: skip
    assert (event.by, event.pusher, event.subject) == ("github", "ann", "Merge pull request #42")


def test_a_push_is_known_by_its_delivery_its_body_and_what_it_says() -> None:
    told = heard(push())
    redelivered = heard(push(), **{"X-GitHub-Delivery": "another"})
    said_again = heard(push(compare="x"), **{"X-GitHub-Delivery": "third"})

    assert isinstance(told, Push)
    assert isinstance(redelivered, Push)
    assert isinstance(said_again, Push)
    assert told.thread == redelivered.thread == said_again.thread
    assert len(set(told.dedupe)) == 3
    assert len(set(told.dedupe) & set(redelivered.dedupe)) == 2
    assert set(told.dedupe) & set(said_again.dedupe) == {f"github:ref:shop:refs/heads/main:{NEW}"}


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"repository": {"full_name": "harbour/other"}}, "not configured: harbour/other"),
        ({"ref": "refs/heads/feature"}, "not the default branch"),
        ({"ref": "refs/heads/main/x"}, "not the default branch"),
        ({"ref": "refs/tags/main"}, "not the default branch"),
        ({"ref": "main"}, "not the default branch"),
        ({"deleted": True, "after": "0" * 40}, "branch deleted: main"),
        ({"after": "0" * 40}, "branch deleted: main"),
    ],
)
def test_what_deploys_nothing_is_ignored_with_a_reason(
    changed: dict[str, Any], reason: str
) -> None:
    told = heard(push(**changed))

    assert isinstance(told, Ignored)
    assert reason in told.reason


@pytest.mark.parametrize("kind", ["ping", "pull_request", "workflow_run", ""])
def test_other_events_are_ignored(kind: str) -> None:
    assert isinstance(heard(b"{}", **{"X-GitHub-Event": kind}), Ignored)


def test_a_form_is_refused() -> None:
    form = {"Content-Type": "application/x-www-form-urlencoded"}

    with pytest.raises(InboundError, match="application/json") as refused:
        heard(b"payload=%7B%7D", **form)

    assert refused.value.status == 415


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"{",
        b"\xff",
        b"null",
        b"[" * 100_000,
        push(ref=5),
        push(repository="harbour/shop"),
        push(after="main"),
        push(after=NEW.upper()),
        push(before=None),
        push(after="--output=x"),
    ],
)
def test_a_push_that_cannot_be_read_is_refused(body: bytes) -> None:
    with pytest.raises(InboundError) as refused:
        heard(body)

    assert refused.value.status == 400


@pytest.mark.parametrize("login", ["../x", "", "a b", "x" * 200, "email:ann@shop.example"])
def test_a_strange_login_is_nobody(login: str) -> None:
    told = heard(push(sender={"login": login}, pusher={"name": login}))

    assert isinstance(told, Push)
    assert told.event.pusher == "github:unknown"


@pytest.mark.parametrize(
    ("full_name", "found"),
    [("harbour/shop", True), ("Harbour/Shop", True), ("evil/shop", False), ("shop", False)],
)
def test_with_an_origin_only_its_own_address_counts(full_name: str, found: bool) -> None:
    table = RepositoryTable.model_validate(
        {"path": "/nowhere", "url": "https://git.example/harbour/shop.git"}
    )
    body = push(repository={"full_name": full_name})

    told = to_event(body, headers(), {"shop": table}, PEOPLE, NOON)

    assert isinstance(told, Push) is found


leaves = st.none() | st.booleans() | st.integers() | st.text()
values = st.recursive(leaves, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner))


@given(st.dictionaries(st.sampled_from(sorted(json.loads(push()))), values))
def test_any_payload_is_heard_ignored_or_refused(changed: dict[str, Any]) -> None:
    told: object = None
    with suppress(InboundError):
        told = heard(push(**changed))

    assert told is None or isinstance(told, Push | Ignored)
