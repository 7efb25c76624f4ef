import base64
import json
from datetime import timedelta
from urllib.parse import quote, quote_plus

import pytest
from attacks.siege import CANARIES, SET
from fakes import NOON, catalog
from hypothesis import given
from hypothesis import strategies as st
from slack_cards import request

from deploy.secret import Secret
from deploybot.events import ApiMessageReceived, ApprovalRequested, ReadReturned, TestsFailed
from deploybot.redaction import LEAST_PART, REMOVED, Redactor, secrets_in

SECRET = 'canary/of+the=sea "and" more: ü'
KNOWING = Redactor([SECRET])
PLAIN = Redactor()
PEM = [
    "-----BEGIN RSA PRIVATE KEY-----",
    "Proc-Type: 4,ENCRYPTED",
    *("MIIEowIBAAKCAQEAuRQ0Zk1lYWRhc2Rhc2Rhc2Rhc2Rhc2Rhc2Rhc2Rhc2Rhc2Rh",) * 5,
    "q83vEjRW==",
    "-----END RSA PRIVATE KEY-----",
]


@pytest.mark.parametrize(
    "written",
    [
        SECRET,
        json.dumps(SECRET)[1:-1],
        json.dumps(SECRET, ensure_ascii=False)[1:-1],
        quote(SECRET),
        quote(SECRET, safe=""),
        quote_plus(SECRET),
        SECRET.encode().hex(),
        SECRET.encode().hex().upper(),
    ],
)
def test_a_known_secret_is_found_however_it_is_written(written: str) -> None:
    assert KNOWING.text(f"before {written} after") == f"before {REMOVED} after"


@given(before=st.binary(max_size=9), after=st.binary(max_size=9), safe=st.booleans())
def test_a_known_secret_is_found_within_anything_that_was_encoded_with_it(
    before: bytes, after: bytes, safe: bool
) -> None:
    encode = base64.urlsafe_b64encode if safe else base64.b64encode

    clean = KNOWING.text(encode(before + SECRET.encode() + after).decode())

    assert REMOVED in clean
    left = clean.replace(REMOVED, "")
    assert len(left) <= len(encode(before + after)) + 8


@pytest.mark.parametrize("length", range(LEAST_PART, len(SECRET)))
def test_a_known_secret_is_found_when_the_end_of_a_line_cut_it_off(length: int) -> None:
    lines = (f"token {SECRET[:length]}", "next")

    assert KNOWING.lines(lines) == (f"token {REMOVED}", "next")


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("key AKIAIOSFODNN7EXAMPLE.", f"key {REMOVED}."),
        ("ghp_" + "a1" * 18, REMOVED),
        ("github_pat_" + "a1" * 30, REMOVED),
        ("use xoxb-1234567890-abc now", f"use {REMOVED} now"),
        ("xapp-1-A0123-456", REMOVED),
        (
            "https://hooks.slack.com/services/T0/B0/abcdef",
            f"https://hooks.slack.com/services/{REMOVED}",
        ),
        ("sk-proj-" + "a" * 20, REMOVED),
        ("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0xx.c2lnbmF0dXJl", REMOVED),
        ("Authorization: Bearer abcdefghij0123456789", f"Authorization: Bearer {REMOVED}"),
        ("authorization: Basic dXNlcjpwYXNz", f"authorization: Basic {REMOVED}"),
        ("https://bot:hunter22@git.example/x", f"https://{REMOVED}@git.example/x"),
        ("redis://:hunter22@localhost:6379", f"redis://{REMOVED}@localhost:6379"),
        ("NPM_TOKEN=abcdefgh1234 npm ci", f"NPM_TOKEN={REMOVED} npm ci"),
        ('{"db_password": "correct-horse"}', f'{{"db_password": "{REMOVED}"}}'),
        ("\n".join(PEM), REMOVED),
        ("\\n".join(PEM), REMOVED),
    ],
)
def test_what_looks_like_a_secret_is_taken_out(text: str, clean: str) -> None:
    assert PLAIN.text(text) == clean


@pytest.mark.parametrize("start", range(len(PEM) - 1))
@pytest.mark.parametrize("end", range(2, len(PEM) + 1))
def test_no_part_of_a_private_key_is_left_in_a_tail(start: int, end: int) -> None:
    shown = PLAIN.lines(("before", *PEM[start:end], "after"))

    assert not [line for line in shown if line.startswith("MIIE")]
    assert (shown[0], shown[-1]) == ("before", "after")


@pytest.mark.parametrize(
    "text",
    [
        "deploy backend v1.2.3 to production",
        "4af9ec0b1f4af9ec0b1f4af9ec0b1f4af9ec0b1f",
        "a" * 64,
        "Rotate the token of the service account (#42)",
        "task-scheduler-for-everything is slow",
        "git@github.com:harbour/shop.git ssh://git@host/x",
        "the password: see the vault",
        "bearer of bad news",
        "-----BEGIN CERTIFICATE-----",
        "",
    ],
)
def test_plain_words_stay_as_they_are(text: str) -> None:
    assert PLAIN.text(text) == text
    assert KNOWING.plain([text, {"k": (text,)}]) == [text, {"k": (text,)}]


@given(st.text())
def test_what_is_clean_stays_clean(text: str) -> None:
    assert KNOWING.text(KNOWING.text(text)) == KNOWING.text(text)


def test_an_event_is_made_clean_throughout() -> None:
    tests = TestsFailed(
        at=NOON,
        by="worker",
        environment="staging",
        live={"backend": "a" * 40},
        summary=f"said {SECRET}",
        tail=("ok", f"x {SECRET}"),
        seconds=1.0,
    )
    result = [{"subject": SECRET, SECRET: {"deep": [SECRET]}}]
    read = ReadReturned(at=NOON, by="agent:deploy", intent="list_git_commits", result=result)

    assert KNOWING.fact(tests).tail == ("ok", f"x {REMOVED}")
    assert KNOWING.fact(tests).summary == f"said {REMOVED}"
    assert KNOWING.fact(read).result == [{"subject": REMOVED, REMOVED: {"deep": [REMOVED]}}]


def test_a_clean_event_is_the_same_object() -> None:
    said = ApiMessageReceived(at=NOON, by="ann", delivery="d", text="the token expired")

    assert KNOWING.fact(said) == said
    assert PLAIN.fact(said).text == "the token expired"


def test_what_decides_what_runs_is_never_changed() -> None:
    asked = request(SECRET)
    event = ApprovalRequested(at=NOON, by="agent:deploy", request=asked)

    clean = KNOWING.fact(event).request

    assert clean.digest == asked.digest == clean.sealed().digest
    assert clean.plan.decides() == asked.plan.decides()
    assert clean.expires_at - NOON == timedelta(minutes=30)
    assert clean.reason == f"Because {REMOVED}"
    assert REMOVED in clean.plan.commits[0].subject


def test_short_words_are_no_secrets() -> None:
    assert Redactor(["", "ann", "main"]).text("ann deploys main") == "ann deploys main"


def test_every_secret_of_the_settings_is_known() -> None:
    known = set(secrets_in(SET))

    assert {canary for canary in CANARIES.values() if "example" not in canary} <= known
    assert "canary-redis-5b1e77a0c2d94f63" in known


def test_variables_with_telling_names_and_passwords_in_addresses_are_known() -> None:
    tables = catalog().model_dump(mode="json")
    tables["services"]["backend"]["target"]["variables"] = {
        "NPM_TOKEN": "n" * 12,
        "LANG": "C.UTF-8",
    }
    tables["environments"]["staging"]["tests_variables"] = {"API_KEY": "k" * 12}
    given = type(catalog()).model_validate(tables)

    known = set(secrets_in(given)) | set(secrets_in({"url": "https://a:p%20w@b.example"}))

    assert {"n" * 12, "k" * 12, "p%20w", "p w"} <= known
    assert "C.UTF-8" not in known


def test_the_value_of_a_named_pair_is_known_without_its_name() -> None:
    known = set(secrets_in(Secret("x-key=a-secret-of-traces,x-team=the%20other%20secret")))

    assert {"a-secret-of-traces", "the%20other%20secret", "the other secret"} <= known
