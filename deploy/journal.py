"""What happened at a target: an append-only file of records, each on disk before the next act."""

import errno
import fcntl
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from pydantic import ValidationError

from deploy import failpoints
from deploy.errors import JournalError, OldFenceError, SeenApprovalError
from deploy.records import (
    RECORD,
    BeganRecord,
    ClosedRecord,
    EndedRecord,
    Record,
    SeenRecord,
    StopRecord,
    SwitchedRecord,
    VerifiedRecord,
)

BY_HAND = "by-hand:"
"""What the name of an order begins with that a person gave at a shell."""


class _Hiding:
    """What takes secrets out of a record before it is written; nothing, until somebody knows some."""

    clean: Callable[[Record], Record] = staticmethod(lambda record: record)


def keep_secret(clean: Callable[[Record], Record]) -> None:
    """Let no journal that this process writes hold what `clean` takes out of a record."""
    _Hiding.clean = staticmethod(clean)


class Journal:
    """The records of one service in one environment, in a file at the target.

    A record that was torn by a crash was never acknowledged and is dropped; a damaged line
    anywhere else raises JournalError, because a journal that cannot be read proves nothing.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def records(self) -> tuple[Record, ...]:
        """Return every record, oldest first."""
        return tuple(reversed(list(self.newest_first())))

    def newest_first(self) -> Iterator[Record]:
        """Yield the records from the last to the first; only those asked for are parsed."""
        lines = self._lines()
        for number in range(len(lines), 0, -1):
            yield self._parsed(lines[number - 1], number)

    def of(self, approval_id: str) -> tuple[Record, ...]:
        """Return the records of one approval, oldest first."""
        name = approval_id.encode()
        named = ((n, line) for n, line in enumerate(self._lines(), start=1) if name in line)
        records = (self._parsed(line, number) for number, line in named)
        return tuple(record for record in records if _approval(record) == approval_id)

    def begin(self, record: BeganRecord) -> None:
        """Use an approval up; raise SeenApprovalError or OldFenceError, having written nothing."""
        with self._locked() as file:
            self.check(record.approval_id, record.fence)
            self._write(file, record)

    def check(self, approval_id: str, fence: int) -> None:
        """Raise SeenApprovalError or OldFenceError if an order with these may not begin."""
        if self.of(approval_id):
            raise SeenApprovalError(
                "This approval has begun once already. It was not run again; ask for a new one."
            )
        last = self._last_fence()
        shared = approval_id.startswith(BY_HAND) and fence == by_hand_fence(self.newest_first())
        if last is not None and fence <= last and not shared:
            raise OldFenceError(
                f"Operation number {fence} is not newer than {last}, the last seen at the target. "
                "Nothing was run; check that no older copy of the threads is in use."
            )

    def close(self, record: ClosedRecord) -> None:
        """Shut out an order whose worker was given up; one that has ended stays as it ended.

        From here on its worker can neither begin it nor act for it, should it wake.
        """
        with self._locked() as file:
            seen = self.of(record.approval_id)
            if not any(isinstance(r, EndedRecord | ClosedRecord) for r in seen):
                fence = max(record.fence, self._last_fence() or 0)
                self._write(file, record.model_copy(update={"fence": fence}))

    def append(self, record: VerifiedRecord) -> None:
        """Add a record that belongs to no order."""
        with self._locked() as file:
            self._write(file, record)

    def note(self, record: SeenRecord | StopRecord) -> None:
        """Add what was seen of, or asked for, an order that runs elsewhere and has not ended."""
        with self._locked() as file:
            if self._end_of(record.approval_id) is None:
                self._write(file, record)

    def finish(self, end: EndedRecord, *before: SwitchedRecord) -> EndedRecord:
        """Record how an order ended elsewhere, unless that is recorded; return what stands."""
        with self._locked() as file:
            stands = self._end_of(end.approval_id)
            if stands is not None:
                return stands
            records: tuple[Record, ...] = (*before, end)
            for record in records:
                self._write(file, record)
            return end

    @contextmanager
    def owned(self, fence: int) -> Iterator[Callable[[Record], None]]:
        """Hold the journal while acting for the order with this fence, so that no other begins.

        Gives the function that writes records meanwhile; raises OldFenceError if a newer order
        has begun, or this one was closed.
        """
        with self._locked() as file:
            if self._owner() != fence:
                raise OldFenceError(
                    "A newer operation has begun at the target, or this one was given up. It "
                    "changed nothing more; look at what is live now."
                )
            yield lambda record: self._write(file, record)

    def _end_of(self, approval_id: str) -> EndedRecord | None:
        ends = (r for r in self.of(approval_id) if isinstance(r, EndedRecord))
        return next(ends, None)

    def _last_fence(self) -> int | None:
        fenced = (r for r in self.newest_first() if isinstance(r, BeganRecord | ClosedRecord))
        last = next(fenced, None)
        return last.fence if last else None

    def _owner(self) -> int | None:
        """Return the fence of the last order that began, unless it or a later one was closed."""
        closed: list[ClosedRecord] = []
        for record in self.newest_first():
            if isinstance(record, ClosedRecord):
                closed.append(record)
            if isinstance(record, BeganRecord):
                shut = (
                    record.approval_id == c.approval_id or record.fence < c.fence for c in closed
                )
                return None if any(shut) else record.fence
        return None

    def _lines(self) -> list[bytes]:
        return self._content().split(b"\n")[:-1]  # after the last newline nothing was acknowledged

    def _content(self) -> bytes:
        try:
            return self.path.read_bytes()
        except FileNotFoundError:
            return b""
        except OSError as error:
            raise JournalError(f"The journal {self.path} cannot be read: {error}.") from error

    def _parsed(self, line: bytes, number: int) -> Record:
        try:
            return RECORD.validate_json(line)
        except ValidationError:
            raise JournalError(
                f"Line {number} of the journal {self.path} is damaged. Nothing was run; restore "
                "the line, or move the journal away once you know what is live."
            ) from None

    @contextmanager
    def _locked(self) -> Iterator[int]:
        flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
        try:
            is_new = not self.path.exists()
            file = os.open(self.path, flags, 0o644)
            if is_new:
                sync_directory(self.path.parent)
        except OSError as error:
            raise JournalError(f"The journal {self.path} cannot be opened: {error}.") from error
        try:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield file
        finally:
            os.close(file)

    def _write(self, file: int, record: Record) -> None:
        whole = self._content().rfind(b"\n") + 1  # what a crash tore is written over
        try:
            os.ftruncate(file, whole)
            os.lseek(file, whole, os.SEEK_SET)
            failpoints.at("journal.write.before")
            _write_all(file, _Hiding.clean(record).model_dump_json().encode() + b"\n")
            os.fsync(file)
            failpoints.at("journal.write.after")
        except OSError as error:
            with suppress(OSError):
                os.ftruncate(file, whole)
            raise JournalError(
                f"The journal {self.path} cannot be written: {error}. Make room on its disk; "
                "then look at what is live before you deploy again."
            ) from error


def by_hand_fence(newest_first: Iterable[Record]) -> int:
    """Return the fence of an order by hand: that of the last one, if it has ended.

    So it takes no number that the bot, who counts its own operations, will need.
    """
    ended: set[str] = set()
    for record in newest_first:
        if isinstance(record, EndedRecord):
            ended.add(record.approval_id)
        elif isinstance(record, BeganRecord | ClosedRecord):
            return record.fence if record.approval_id in ended else record.fence + 1
    return 0


def sync_directory(path: Path) -> None:
    """Make the names in a directory as durable as the files they stand for."""
    directory = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


def _write_all(file: int, line: bytes) -> None:
    if os.write(file, line) != len(line):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def _approval(record: Record) -> str | None:
    return None if isinstance(record, VerifiedRecord) else record.approval_id
