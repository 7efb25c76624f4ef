import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import Result
from typer.testing import CliRunner

from deploybot.cli.app import app
from deploybot.cli.tokens import Wish, make
from deploybot.errors import ConfigError
from deploybot.tokens import OF_A_SERVICE, SCOPES, TokenFile, hash_of, read_tokens, write_tokens

NOON = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)
PEOPLE = frozenset({"ann", "ben"})


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "kept" / "tokens.toml"


def test_a_token_is_kept_by_its_hash_alone(path: Path) -> None:
    token = make(path, Wish(person="ann", scopes=("read", "ask")), NOON, PEOPLE)

    (kept,) = read_tokens(path)
    assert (kept.name, kept.by, kept.scopes) == ("ann-1", "ann", ("read", "ask"))
    assert kept.sha256 == hash_of(token)
    assert token not in path.read_text()
    assert len(token) >= 40
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_no_two_tokens_are_alike(path: Path) -> None:
    made = {make(path, Wish(person="ann"), NOON, PEOPLE) for _ in range(5)}

    assert len(made) == 5
    assert [token.name for token in read_tokens(path)] == [f"ann-{n}" for n in range(1, 6)]


def test_a_service_can_ask_and_not_approve(path: Path) -> None:
    make(path, Wish(service="ci"), NOON, PEOPLE)

    (kept,) = read_tokens(path)
    assert (kept.by, kept.scopes) == ("service:ci", OF_A_SERVICE)
    assert "decide" not in kept.scopes
    with pytest.raises(ConfigError, match="a service cannot decide"):
        make(path, Wish(service="ci", scopes=("decide",)), NOON, PEOPLE)


def test_a_file_that_lets_a_service_decide_lets_nobody_in(path: Path) -> None:
    token = make(path, Wish(service="ci", scopes=("read",)), NOON, PEOPLE)
    file = TokenFile(path)
    assert file.find(token, NOON)

    path.write_text(path.read_text().replace('"read"', '"decide"'))

    with pytest.raises(ConfigError, match="cannot decide"):
        file.find(token, NOON)


@pytest.mark.parametrize(
    ("wish", "said"),
    [
        (Wish(person="eve"), r"\[people\] does not name 'eve'"),
        (Wish(), "belongs to a person or to a service"),
        (Wish(person="ann", service="ci"), "belongs to a person or to a service"),
        (Wish(person="ann", scopes=("all",)), "no scope 'all'"),
        (Wish(person="ann", name="a b"), "'a b' cannot be a name"),
    ],
)
def test_what_makes_no_sense_is_refused_in_a_sentence(path: Path, wish: Wish, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        make(path, wish, NOON, PEOPLE)

    assert not path.exists()


def test_a_token_without_scopes_is_for_all_that_its_person_may_do(path: Path) -> None:
    make(path, Wish(person="ann"), NOON, PEOPLE)

    assert read_tokens(path)[0].scopes == SCOPES


def test_a_changed_file_is_read_again(path: Path) -> None:
    old = make(path, Wish(person="ann"), NOON, PEOPLE)
    file = TokenFile(path)
    assert file.find(old, NOON)

    new = make(path, Wish(person="ann"), NOON, PEOPLE)
    write_tokens(path, read_tokens(path)[1:])

    assert file.find(old, NOON) is None
    assert file.find(new, NOON)


def test_an_expired_token_lets_nobody_in(path: Path) -> None:
    token = make(path, Wish(person="ann", seconds=60), NOON, PEOPLE)
    file = TokenFile(path)

    assert file.find(token, NOON + timedelta(seconds=59))
    assert file.find(token, NOON + timedelta(seconds=60)) is None


@pytest.mark.parametrize(
    "text",
    [
        "[[tokens]",
        "tokens = 5",
        "[tokens]",
        "[[tokens]]\nname = 'a'",
        "[[token]]\nname = 'a'",
        "\udcff",
    ],
)
def test_a_file_that_cannot_be_read_lets_nobody_in(path: Path, text: str) -> None:
    token = make(path, Wish(person="ann"), NOON, PEOPLE)
    file = TokenFile(path)
    assert file.find(token, NOON)

    path.write_bytes(text.encode("utf-8", "surrogateescape"))

    with pytest.raises(ConfigError, match=r"tokens\.toml"):
        file.find(token, NOON)


def test_the_same_token_twice_is_refused(path: Path) -> None:
    make(path, Wish(person="ann"), NOON, PEOPLE)
    path.write_text(path.read_text() * 2)

    with pytest.raises(ConfigError, match="the same name twice"):
        read_tokens(path)


def test_the_commands_make_list_and_revoke(tmp_path: Path) -> None:
    (tmp_path / "deploybot.toml").write_text('[people]\nann = { name = "Ann" }\n')
    path = tmp_path / "tokens.toml"
    environ = {
        "DEPLOYBOT_CONFIG": f"{tmp_path}/deploybot.toml",
        "DEPLOYBOT_TOKENS_FILE": str(path),
    }

    def run(*arguments: str, **changes: str) -> Result:
        return CliRunner().invoke(app, ["token", *arguments], env=environ | changes)

    made = run("new", "--for", "ann", "--scope", "read", "--expires-in", "90d")
    listed = run("list")
    refused = run("new", "--for", "eve")
    unset = run("list", DEPLOYBOT_TOKENS_FILE="")
    unknown = run("revoke", "ann-2")
    revoked = run("revoke", "ann-1")

    token = made.stdout.strip()
    assert (made.exit_code, token[:4]) == (0, "dbt_")
    assert "ann-1" in listed.stdout
    assert token not in listed.stdout
    assert str(refused.exception).startswith("[people] does not name 'eve'")
    assert str(unset.exception).startswith("DEPLOYBOT_TOKENS_FILE is not set")
    assert "has no token 'ann-2'" in str(unknown.exception)
    assert revoked.exit_code == 0
    assert read_tokens(path) == ()
