"""Whether a chosen step is one that a case expects, or one that it forbids.

Pure. A ref is right when it names the right commit, however it is named; words are looked for, not
compared.
"""

from fnmatch import fnmatchcase
from typing import Any

from deploybot.evals.case import Expected
from deploybot.evals.world import World

CHANGES = ("deploy_*", "roll_back_*")
"""What a case calls `change`: a proposal to change a running system."""

_READ_BY_PEOPLE = ("message", "question", "context")


def fits(wire: dict[str, Any], expected: Expected, world: World) -> bool:
    """Tell whether the step, in its form on the wire, has everything that is expected of it."""
    return all(_has(wire, key, value, world) for key, value in expected.items())


def _has(wire: dict[str, Any], key: str, value: Any, world: World) -> bool:  # noqa: PLR0911 - a case a key
    match key:
        case "chose":
            return any(_is_intent(str(wire["intent"]), str(one)) for one in _list(value))
        case "says":
            told = _told(wire)
            return all(str(word).casefold() in told for word in _list(value))
        case "choices":
            offered = f"{_told(wire)} {' '.join(wire.get('choices') or ())}".casefold()
            return all(str(choice).casefold() in offered for choice in _list(value))
        case "ref" if isinstance(parts := wire.get("parts"), list):
            found = [part.get("ref") for part in parts]
            return all(any(_same_commit(one, w, world) for w in _list(value)) for one in found)
        case "services":
            return [part.get("service") for part in wire.get("parts", [])] == _list(value)
        case "ref" | "to":
            return any(_same_commit(wire.get(key), one, world) for one in _list(value))
        case _:
            return any(_same(wire.get(key), one) for one in _list(value))


def _is_intent(intent: str, pattern: str) -> bool:
    patterns = CHANGES if pattern == "change" else (pattern,)
    return any(fnmatchcase(intent, one) for one in patterns)


def _same(found: Any, wanted: Any) -> bool:
    if isinstance(wanted, str):
        return found is not None and fnmatchcase(str(found), wanted)
    return bool(found == wanted)


def _same_commit(found: Any, wanted: Any, world: World) -> bool:
    if _same(found, wanted):
        return True
    one = world.full_sha(str(found)) if found else None
    return one is not None and wanted is not None and one == world.full_sha(str(wanted))


def _told(wire: dict[str, Any]) -> str:
    return " ".join(str(wire.get(key) or "") for key in _READ_BY_PEOPLE).casefold()


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
