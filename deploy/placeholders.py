"""The words in braces that a configured command may hold, and how they are filled; no shell, ever."""

from collections.abc import Mapping
from string import Formatter

KNOWN = frozenset(
    {"sha", "service", "environment", "release", "port", "url", "operation", "previous_sha"}
)
"""Every placeholder there is. Their values come from checked names, never from free text."""


def used(argv: tuple[str, ...]) -> frozenset[str]:
    """Return the placeholders in `argv`; raise ValueError that names one which is not known."""
    found: set[str] = set()
    for argument in argv:
        try:
            fields = list(Formatter().parse(argument))
        except ValueError as error:
            text = f"{argument!r} has unbalanced braces ({error}); write {{{{ and }}}} for braces"
            raise ValueError(text) from None
        for _, name, specification, conversion in fields:
            if name is None:
                continue
            if name not in KNOWN or specification or conversion:
                known = ", ".join(f"{{{word}}}" for word in sorted(KNOWN))
                raise ValueError(f"unknown placeholder {{{name}}} in {argument!r}; known: {known}")
            found.add(name)
    return frozenset(found)


def fill(argv: tuple[str, ...], values: Mapping[str, str]) -> tuple[str, ...]:
    """Return `argv` with its placeholders filled; those without a value yet stay as they are."""
    shown = {name: f"{{{name}}}" for name in KNOWN} | dict(values)
    return tuple(argument.format_map(shown) for argument in argv)
