"""The schema a model is held to: strict JSON Schema, built from the intents and the catalog.

Strict mode knows `anyOf`, and knows no `oneOf`, `discriminator` or `default`; every property must
be required and no other may be given. What an answer means is left to `next_step` and `models`.
"""

from functools import lru_cache
from typing import Any

from deploybot.next_step import (
    BY_MODEL,
    CheckDeployments,
    Deploy,
    DeployTogether,
    ListGitCommits,
    ListGitTags,
    RollBack,
    Wait,
)
from deploybot.thread import STEP_BUDGET, Standing

ROLLBACK = "rollback"
NOT_FOR_ROLLBACK: tuple[type, ...] = (Deploy, DeployTogether)
"""The rollback agent brings back what was live; putting something new live is not its task."""

_LEFT_OUT = ("title", "default")
"""Pydantic's additions that strict mode refuses or a model has no use for."""


LAST_STEPS = 2
"""So many steps before the budget is used up nothing is read any more: it must come to an end."""


def not_now(standing: Standing) -> tuple[type, ...]:
    """Return the intents that make no sense as the thread stands, whatever the agent."""
    left: tuple[type, ...] = ()
    if standing.steps >= STEP_BUDGET - LAST_STEPS:
        left = (ListGitCommits, ListGitTags, CheckDeployments)
    return (*left, Wait) if standing.dry_run else left


@lru_cache(maxsize=32)
def answer_schema(
    agent: str,
    services: tuple[str, ...],
    environments: tuple[str, ...],
    left_out: tuple[type, ...] = (),
) -> dict[str, Any]:
    """Return the schema of `{"step": …}`: any one of the intents this agent may choose now.

    The same schema is returned for the same names; it is not to be changed.
    """
    variants = [
        _variant(intent, kind, services, environments)
        for intent, kind in intents(agent, services, left_out).items()
    ]
    return _object({"step": {"anyOf": variants}})


def intents(
    agent: str, services: tuple[str, ...], left_out: tuple[type, ...] = ()
) -> dict[str, type]:
    """Return what an agent may choose, by its name on the wire."""
    found: dict[str, type] = {}
    for kind in BY_MODEL:
        if kind in left_out or (agent == ROLLBACK and issubclass(kind, NOT_FOR_ROLLBACK)):
            continue
        name = str(kind.model_fields["intent"].default)
        if issubclass(kind, Deploy | RollBack):
            found |= {f"{name}_{service}": kind for service in services}
        elif issubclass(kind, DeployTogether) and len(services) < 2:
            continue
        else:
            found[name] = kind
    return found


def _variant(
    intent: str, kind: type, services: tuple[str, ...], environments: tuple[str, ...]
) -> dict[str, Any]:
    schema: dict[str, Any] = _plain(kind.model_json_schema())  # type: ignore[attr-defined]
    properties = schema["properties"]
    if issubclass(kind, DeployTogether):  # written out: strict mode takes no references
        part = schema.pop("$defs")["Part"]["properties"]
        part["service"] = _one_of(part["service"], services)
        properties["parts"] = {"type": "array", "items": _object(part)}
        del properties["in_this_order"]
    properties["intent"] = {"type": "string", "enum": [intent]}
    if issubclass(kind, Deploy | RollBack):
        del properties["service"]
    elif "service" in properties:
        properties["service"] = _one_of(properties["service"], services)
    if "environment" in properties:
        properties["environment"] = _one_of(properties["environment"], environments)
    return _object(properties, schema.get("description", ""))


def _object(properties: dict[str, Any], description: str = "") -> dict[str, Any]:
    described = {"description": description} if description else {}
    return {
        "type": "object",
        **described,
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def _one_of(schema: dict[str, Any], names: tuple[str, ...]) -> dict[str, Any]:
    """Narrow a name, or a name or null, to the names that the catalog knows."""
    if not names:  # an empty enum is no schema
        return schema
    known: dict[str, Any] = {"type": "string", "enum": list(names)}
    if "anyOf" in schema:
        known = {"anyOf": [known, {"type": "null"}]}
    described = {"description": schema["description"]} if "description" in schema else {}
    return {**known, **described}


def _plain(schema: Any) -> Any:
    """Return the schema without what strict mode refuses; names of properties stay."""
    if isinstance(schema, list):
        return [_plain(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    return {
        key: {name: _plain(part) for name, part in value.items()}
        if key == "properties"
        else _plain(value)
        for key, value in schema.items()
        if key not in _LEFT_OUT
    }
