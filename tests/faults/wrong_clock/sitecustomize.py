"""Put on a process' path, it sets that process' clocks wrong by as many seconds as WRONG_BY says."""

import ctypes
import datetime as dt
import gc
import os
import time

_BY = float(os.environ.get("WRONG_BY", "0"))  # noqa: TID251 - there are no settings here
_now, _time = dt.datetime.now, time.time  # noqa: TID251 - what is set wrong


def _wrong(_: type, tz: dt.tzinfo | None = None) -> dt.datetime:
    return _now(tz) + dt.timedelta(seconds=_BY)


if _BY:
    time.time = lambda: _time() + _BY
    gc.get_referents(dt.datetime.__dict__)[0]["now"] = classmethod(_wrong)
    ctypes.pythonapi.PyType_Modified(ctypes.py_object(dt.datetime))
