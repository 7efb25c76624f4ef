"""The example configuration as a person reads it: its keys by table, whether switched on or not."""

import re
from collections import defaultdict
from typing import Any, get_args, get_origin

from pydantic import BaseModel

from deploybot.config import Configuration

HEADER = re.compile(r"^(?:# )?\[{1,2}([a-z0-9_.-]+)\]{1,2}$")
KEY = re.compile(r"^(?:# )?([a-z_]+) = ")
OFF = re.compile(r"^# (?=[a-z_]+ = |\[[a-z0-9_.-]+\]$|\[\[[a-z0-9_.-]+\]\]$)")


def keys_shown(text: str) -> dict[type[BaseModel], set[str]]:
    """Return, for each table's model, the keys that the text shows anywhere; tables count as keys."""
    shown: dict[type[BaseModel], set[str]] = defaultdict(set)
    table: type[BaseModel] = Configuration
    for line in text.splitlines():
        if header := HEADER.match(line):
            table = Configuration
            for name in header[1].split("."):
                shown[table].add(name)
                table = _below(table, name)
        elif key := KEY.match(line):
            shown[table].add(key[1])
    return shown


def switched_on(text: str) -> str:
    """Return the text with every key and table that it only mentions in a comment."""
    return "\n".join(OFF.sub("", line) for line in text.splitlines())


def keys_there_are(table: type[BaseModel] = Configuration) -> dict[type[BaseModel], set[str]]:
    """Return, for each table's model, the keys that it may have."""
    found: dict[type[BaseModel], set[str]] = {}
    for name, annotation in _fields(table).items():
        found.setdefault(table, set()).add(name)
        if (model := _model(annotation)) is not None:
            found |= keys_there_are(model)
    return found


class _Named(BaseModel):
    """Stands for the names that people give to the tables of one kind."""


def _below(table: type[BaseModel], name: str) -> type[BaseModel]:
    """Return the model of the table with this name, be it a key or somebody's own name."""
    if issubclass(table, _Named):
        return _model(table.model_fields["each"].annotation) or table
    annotation = _fields(table)[name]
    model = _model(annotation)
    if model is None:
        raise AssertionError(f"[{name}] is no table of {table.__name__}")
    if get_origin(annotation) is dict:
        return type(f"{name}s", (_Named,), {"__annotations__": {"each": annotation}})
    return model


def _fields(table: type[BaseModel]) -> dict[str, Any]:
    """Return the keys that a person writes: the catalog's tables stand at the top of the file."""
    fields = {
        name: field.annotation for name, field in table.model_fields.items() if not field.exclude
    }
    if table is Configuration:
        catalog = fields.pop("catalog")
        fields |= {name: field.annotation for name, field in catalog.model_fields.items()}
    return fields


def _model(annotation: Any) -> type[BaseModel] | None:
    """Return the model inside an annotation, such as `dict[str, Model]` or `Model | None`."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((m for part in get_args(annotation) if (m := _model(part))), None)
