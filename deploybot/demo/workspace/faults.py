"""Faults on request: what to do wrong with the next calls of a method; doing it is the route's."""

import threading
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class Fault(BaseModel):
    """One fault for the next `count` calls of `method` (`*`: any; `response_url`: those posts).

    - ratelimit: HTTP 429 with Retry-After `seconds`
    - status: HTTP `status` with a body that is no JSON
    - error: HTTP 200 with `{"ok": false, "error": error}`
    - drop_before: cut the connection, nothing done;  drop_after: do the work, then cut it
    - delay: answer `seconds` late
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    method: str = "*"
    kind: Literal["ratelimit", "status", "error", "drop_before", "drop_after", "delay"]
    count: int = Field(default=1, ge=1)
    seconds: float = Field(default=1.0, ge=0)
    status: int = Field(default=500, ge=400, le=599)
    error: str = "internal_error"


class Faults:
    """The faults still to come, first asked first served."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: list[Fault] = []

    def add(self, fault: Fault) -> None:
        """Ask for a fault."""
        with self._lock:
            self._waiting.append(fault)

    def take(self, method: str) -> Fault | None:
        """Return the fault for this call, if one waits, and count it down."""
        with self._lock:
            for index, fault in enumerate(self._waiting):
                if fault.method in {method, "*"}:
                    if fault.count > 1:
                        self._waiting[index] = fault.model_copy(update={"count": fault.count - 1})
                    else:
                        del self._waiting[index]
                    return fault
        return None

    def waiting(self) -> list[Fault]:
        """Return what is still to come."""
        with self._lock:
            return list(self._waiting)

    def clear(self) -> None:
        """Do nothing wrong from now on."""
        with self._lock:
            self._waiting.clear()
