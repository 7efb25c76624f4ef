"""Threads that were stored before are decided as before: upgrades change nothing about them."""

import pytest
from golden.record import KINDS, PREFIX
from golden.threads import FOLDER, digest_of, expected, made_of, names, read, sums


@pytest.mark.parametrize("name", names())
def test_what_was_stored_before_is_decided_as_before(name: str) -> None:
    assert made_of(read(name)) == expected(name)


def test_there_is_one_for_each_kind_of_event() -> None:
    kinds = {kind.model_fields["kind"].default for kind in KINDS}

    assert {name.removeprefix(PREFIX) for name in names() if name.startswith(PREFIX)} >= kinds
    for kind in kinds:
        assert read(f"{PREFIX}{kind}").events[-1].kind == kind


def test_they_are_only_added_and_never_changed() -> None:
    files = {path.name for path in FOLDER.iterdir() if path.suffix in (".json", ".jsonl")}

    assert set(sums()) == files
    assert {name: digest_of(FOLDER / name) for name in files} == sums()
