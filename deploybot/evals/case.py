"""One case: a thread in a compact form, what may come next, and what never may; read from YAML.

Only what a case says. How its thread is told is written in `telling`, how a step is judged in
`judging`.
"""

from collections.abc import Iterable, Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from deploybot.errors import ConfigError
from deploybot.evals.world import World

WORLD = "world.yaml"

Expected = dict[str, Any]
"""`chose` (an intent, perhaps with `*`), `says`, `choices`, and fields of the step."""

_ABOUT_THE_CASE = frozenset({"name", "said", "thread", "never", "may", "world"})


class Case(BaseModel):
    """A thread, and how it may go on."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    group: str
    name: str
    thread: tuple[Any, ...]
    """What happened, in the forms of `telling`."""
    may: tuple[Expected, ...]
    """Any of these is right."""
    never: tuple[Expected, ...] = ()
    """Each of these is wrong wherever it is chosen."""
    world: World


def shipped() -> tuple[Case, ...]:
    """Return the cases that come with deploybot, from a checkout and from a wheel alike."""
    folder = files("prompts").joinpath("evals")
    texts = {entry.name: entry for entry in folder.iterdir() if entry.name.endswith(".yaml")}
    world = yaml.safe_load(texts.pop(WORLD).read_text(encoding="utf-8"))
    return tuple(
        case
        for name in sorted(texts)
        for case in cases_in(texts[name].read_text(encoding="utf-8"), name, world)
    )


def from_paths(paths: Iterable[Path]) -> tuple[Case, ...]:
    """Return the cases of these files, and of the YAML files in these folders."""
    world = yaml.safe_load(files("prompts").joinpath("evals", WORLD).read_text(encoding="utf-8"))
    found: list[Case] = []
    for path in paths:
        inside = sorted(path.glob("*.yaml")) if path.is_dir() else [path]
        for file in inside:
            try:
                text = file.read_text(encoding="utf-8")
            except (OSError, UnicodeDecodeError) as error:
                raise ConfigError(f"{file} cannot be read, so nothing was run: {error}.") from None
            found += cases_in(text, file.name, world) if file.name != WORLD else ()
    return tuple(found)


def cases_in(text: str, name: str, world: dict[str, Any]) -> Iterator[Case]:
    """Yield the cases of one file; raises ConfigError naming the file and the case.

    A file holds `group`, `cases`, and perhaps `world` and `never`, which hold for all of them.
    """
    try:
        table = yaml.safe_load(text)
        group = str(table.get("group", name.removesuffix(".yaml")))
        shared = {**world, **table.get("world", {})}
        for_all = _list(table.get("never", []))
        cases = list(table["cases"])
    except (yaml.YAMLError, AttributeError, KeyError, TypeError) as error:
        raise ConfigError(f"{name} holds no cases, so nothing was run: {error!r}.") from None
    for number, case in enumerate(cases, start=1):
        try:
            yield _case(case, group, shared, for_all)
        except (ValidationError, KeyError, TypeError, AttributeError) as error:
            raise ConfigError(
                f"{name}, case {number} is wrong, so nothing was run: {error}."
            ) from None


def _case(case: dict[str, Any], group: str, shared: dict[str, Any], for_all: list[Any]) -> Case:
    thread = case["thread"] if "thread" in case else [case["said"]]
    alone = {key: value for key, value in case.items() if key not in _ABOUT_THE_CASE}
    may = [_expected(one) for one in case.get("may", [])] + ([alone] if alone else [])
    never = [_expected(one) for one in (*for_all, *_list(case.get("never", [])))]
    return Case(
        group=group,
        name=str(case.get("name") or _last_words(thread)),
        thread=tuple(thread),
        may=tuple(may),
        never=tuple(never),
        world=World.model_validate({**shared, **case.get("world", {})}),
    )


def _expected(one: Any) -> Expected:
    return {"chose": one} if isinstance(one, str) else dict(one)


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _last_words(thread: list[Any]) -> str:
    last = thread[-1]
    return last if isinstance(last, str) else str(next(iter(last.values())))
