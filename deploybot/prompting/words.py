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


class Words:
    """The phrases of `events.j2`, as functions of plain values; each returns one text."""

    def __init__(self, environment: Environment) -> None:
        self._phrases = vars(environment.get_template(EVENTS).module)

    def say(self, phrase: str, *values: object) -> str:
        """Return the phrase with the values in it; an unknown one is a KeyError."""
        return str(self._phrases[phrase](*values))


class Templates:
    """All templates; a name that one of them lacks is an error."""

    def __init__(self, sources: Mapping[str, str]) -> None:
        self._sources = dict(sources)
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
