"""What a journal's records say about the past; every function reads them newest first."""

from collections.abc import Iterable

from deploy.records import Record, SwitchedRecord, VerifiedRecord


def last_switch_to(records: Iterable[Record], sha: str) -> SwitchedRecord | None:
    """Return the record of the last time when `sha` went live."""
    switches = (r for r in records if isinstance(r, SwitchedRecord) and r.sha == sha)
    return next(switches, None)


def is_verified(records: Iterable[Record], sha: str) -> bool:
    """Tell whether tests passed on `sha`, and it was not rolled back from since."""
    for record in records:
        if isinstance(record, VerifiedRecord) and record.sha == sha:
            return True
        if isinstance(record, SwitchedRecord) and record.back and record.previous == sha:
            return False
    return False


def was_rolled_back(records: Iterable[Record], sha: str) -> bool:
    """Tell whether `sha` was ever given up for an earlier release."""
    return any(isinstance(r, SwitchedRecord) and r.back and r.previous == sha for r in records)


def last_verified(records: Iterable[Record], current: str | None) -> str | None:
    """Return the last commit that was live and verified before `current`.

    Never one that was rolled back from after its tests had passed.
    """
    verified: set[str] = set()
    given_up: set[str] = set()
    for record in records:
        if isinstance(record, VerifiedRecord) and record.sha not in given_up:
            verified.add(record.sha)
        elif isinstance(record, SwitchedRecord):
            if record.back and record.previous and record.previous not in verified:
                given_up.add(record.previous)
            if record.sha in verified and record.sha != current:
                return record.sha
    return None
