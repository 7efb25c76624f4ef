"""The templates: every word that a model is told, by file name, with the phrases for events.

Pure: sources are given. Where they are read from is left to `models.templates`; when a phrase is
used, to `showing`, `hiding` and `cutting`.
"""

import json
from collections.abc import Mapping
from functools import cached_property

from jinja2 import DictLoader, Environment, StrictUndefined

DEPLOY = "deploy"
EVENTS = "events.j2"
BUILT_IN = "built-in/"
"""Where a team's own template finds the one that it stands for."""


_SAMPLES: dict[str, tuple[object, ...]] = {
    "change": ("deploy", "service", "sha", "environment"),
    "commit": ("sha", "time", "author", "subject"),
    "tag": ("name", "sha", "time"),
    "live": (
        {
            "service": "s",
            "environment": "e",
            "live": "sha",
            "since": "time",
            "held": "why",
            "verified": False,
            "behind": 1,
            "running": True,
            "by": "person",
            "held_by": "person",
            "held_until": "time",
            "only_warns": False,
            "line": 1,
            "frozen": "until then: why",
            "problem": "why",
        },
    ),
    "try": ("ref_missing",),
    "letters": (1,),
    "items": (1,),
    "turn": ("person", "words", "end"),
}
"""Every phrase, with values of the kind that it is said with."""


class Words:
    """The phrases of `events.j2`, as functions of plain values; each returns one text.

    A team's own file may hold some of them only.
    """

    def __init__(self, environment: Environment) -> None:
        built_in = vars(environment.get_template(f"{BUILT_IN}{EVENTS}").module)
        self._phrases = {**built_in, **vars(environment.get_template(EVENTS).module)}

    def check(self) -> None:
        """Say every phrase once; whatever is wrong with one is raised."""
        for phrase, values in _SAMPLES.items():
            self.say(phrase, *values)

    def say(self, phrase: str, *values: object) -> str:
        """Return the phrase with the values in it; an unknown one is a KeyError."""
        return str(self._phrases[phrase](*values))


class Templates:
    """All templates, a team's own in place of those of the same name; a missing name is an error."""

    def __init__(self, sources: Mapping[str, str], own: Mapping[str, str] | None = None) -> None:
        built_in = {f"{BUILT_IN}{name}": source for name, source in sources.items()}
        self._sources = {**sources, **(own or {}), **built_in}
        self._environment = Environment(
            loader=DictLoader(self._sources),
            undefined=StrictUndefined,
            autoescape=False,  # noqa: S701 - the words are no HTML; names in them are validated
            trim_blocks=True,
            lstrip_blocks=True,
        )

    def system(self, agent: str, **values: object) -> str:
        """Return the instructions of an agent; one without a template has the deploy agent's."""
        name = f"{agent}.j2" if f"{agent}.j2" in self._sources else f"{DEPLOY}.j2"
        return self._environment.get_template(name).render(**values).strip()

    def source(self, name: str) -> str:
        """Return one template as it is written; an unknown one is a KeyError."""
        return self._sources[name]

    @cached_property
    def words(self) -> Words:
        """The phrases in which events are shown."""
        return Words(self._environment)

    @cached_property
    def canonical(self) -> str:
        """All sources as one text: equal for equal templates."""
        return json.dumps(self._sources, sort_keys=True)
