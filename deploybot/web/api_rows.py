"""Threads in short, for lists: each is read once, and again only when it has been written to."""

import re
import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence

from deploybot.web.api_models import Row, row_of
from deploybot.web.deps import WebStore

CURSOR = re.compile(r"^(?:[0-9]{1,20}(?:-[A-Za-z0-9:._-]{1,200})?)?$")
"""What a list gives out for its next page."""
KEPT = 20_000
"""Rows kept in memory, about a kilobyte each; the ones not asked for longest go first."""


class Rows:
    """Remembers the row of each thread beside the time of its last write."""

    def __init__(self, store: WebStore, url_of: Callable[[str], str], *, keep: int = KEPT) -> None:
        self._store = store
        self._url_of = url_of
        self._keep = keep
        self._lock = threading.Lock()
        self._rows: OrderedDict[str, tuple[int, Row]] = OrderedDict()

    def of(self, threads: Sequence[str]) -> tuple[Row, ...]:
        """Return these threads in short; one that is not there is left out."""
        found: list[Row] = []
        # The times are asked for first: a row may then be newer than its time, never older.
        for thread_id, written in zip(threads, self._store.written(threads), strict=True):
            if written is None:
                continue
            with self._lock:
                at, row = self._rows.get(thread_id, (None, None))
                if row is not None and at == written:
                    self._rows.move_to_end(thread_id)
                    found.append(row)
                    continue
            row = row_of(self._store.load(thread_id), self._url_of(thread_id))
            found.append(row)
            with self._lock:
                self._rows[thread_id] = (written, row)
                while len(self._rows) > self._keep:
                    self._rows.popitem(last=False)
        return tuple(found)
