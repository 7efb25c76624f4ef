from datetime import UTC, datetime

import pytest

from deploy import history
from deploy.records import SwitchedRecord, VerifiedRecord

AT = datetime(2026, 3, 1, 12, tzinfo=UTC)
A, B, C = ("a" * 40, "b" * 40, "c" * 40)


def past(*words: str) -> list[SwitchedRecord | VerifiedRecord]:
    """Return the records of e.g. "a", "a ok", "b", "<a": a is live, verified; b; back to a."""
    records: list[SwitchedRecord | VerifiedRecord] = []
    live = None
    for word in words:
        sha = word.strip("< ok")[0] * 40
        if word.endswith("ok"):
            records.append(VerifiedRecord(at=AT, sha=sha))
            continue
        records.append(
            SwitchedRecord(at=AT, approval_id="x", sha=sha, previous=live, back=word[0] == "<")
        )
        live = sha
    return records[::-1]


@pytest.mark.parametrize(
    ("words", "current", "expected"),
    [
        ((), None, None),
        (("a",), A, None),
        (("a", "a ok"), A, None),
        (("a", "a ok", "b"), B, A),
        (("a", "b", "c"), C, None),
        (("a", "a ok", "b", "c"), C, A),
        (("a", "a ok", "b", "b ok", "c"), C, B),
        (("a", "a ok", "b", "b ok", "<a"), A, None),
        (("a", "a ok", "b", "b ok", "c", "<b"), B, A),
        (("a", "a ok", "b", "b ok", "c", "c ok", "<b"), B, A),
        (("a", "a ok", "b", "b ok", "<a", "b", "b ok", "c"), C, B),
        (("a", "a ok", "b", "b ok", "a"), A, B),
    ],
)
def test_the_way_back_leads_to_what_was_verified_and_never_to_what_was_given_up(
    words, current, expected
):
    assert history.last_verified(past(*words), current) == expected


def test_verified_means_tested_and_not_given_up_since():
    assert not history.is_verified(past("a"), A)
    assert history.is_verified(past("a", "a ok"), A)
    assert history.is_verified(past("a", "a ok", "b"), A)
    assert not history.is_verified(past("a", "b", "b ok", "<a"), B)
    assert history.is_verified(past("a", "b", "b ok", "<a", "b", "b ok"), B)


def test_what_was_given_up_is_remembered():
    assert history.was_rolled_back(past("a", "b", "<a"), B)
    assert not history.was_rolled_back(past("a", "b", "<a"), A)


def test_the_last_time_that_a_commit_went_live_is_found():
    found = history.last_switch_to(past("a", "b", "a", "c"), A)

    assert found is not None
    assert found.previous == B
    assert history.last_switch_to(past("a"), B) is None
