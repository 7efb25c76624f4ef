"""Holding requests and answers against a published OpenAPI 3.0 description."""

import json
import re
from functools import cached_property
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator


class Description:
    """One description, its nullable schemas as JSON Schema knows them."""

    def __init__(self, path: Path) -> None:
        self._text = json.loads(path.read_text(encoding="utf-8"))
        self._validators: dict[int, Draft202012Validator] = {}

    @cached_property
    def components(self) -> dict[str, Any]:
        return {"components": _nullable(self._text["components"])}

    @cached_property
    def _routes(self) -> list[tuple[re.Pattern[str], str, dict[str, Any]]]:
        def pattern(path: str) -> re.Pattern[str]:
            # a git ref spans several parts of a path
            text = re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", path)
            return re.compile(text.replace("(?P<ref>[^/]+)", "(?P<ref>.+)") + "$")

        routes = [(pattern(p), p, _nullable(item)) for p, item in self._text["paths"].items()]
        return sorted(routes, key=lambda route: route[1].count("{"))

    def route(self, method: str, path: str) -> tuple[str, dict[str, str], dict[str, Any]] | None:
        """Return which path it is, what is in its braces, and the operation; None if none."""
        for pattern, name, item in self._routes:
            found = pattern.match(path)
            if found and method.lower() in item:
                return name, found.groupdict(), item[method.lower()]
        return None

    def faults_of_request(
        self, operation: dict[str, Any], braces: dict[str, str], query: dict[str, str], body: Any
    ) -> list[str]:
        """Return what the description does not allow."""
        faults: list[str] = []
        known = [self._resolved(parameter) for parameter in operation.get("parameters", ())]
        given = {"path": braces, "query": query}
        for parameter in known:
            name, where = parameter["name"], parameter["in"]
            value = given.get(where, {}).get(name)
            if value is None:
                if parameter.get("required"):
                    faults.append(f"{name} is missing")
                continue
            tried = [value, _number(value)]
            schema = parameter["schema"]
            if not any(self._validator(schema).is_valid(one) for one in tried):
                faults.append(f"{name}: {value!r} is not allowed")
        names = {parameter["name"] for parameter in known if parameter["in"] == "query"}
        names |= {"per_page", "page"}  # the client pages every list, and GitHub lets it
        faults += [f"{name} is not a parameter" for name in query.keys() - names]
        if "requestBody" in operation:
            schema = operation["requestBody"]["content"]["application/json"]["schema"]
            closed = {**schema, "additionalProperties": schema.get("additionalProperties", False)}
            faults += [error.message for error in self._errors(closed, body)]
        return faults

    def faults_of_answer(self, operation: dict[str, Any], status: int, body: Any) -> list[str]:
        """Return in what an answer is not as described."""
        answer = operation["responses"].get(str(status))
        if answer is None:
            return [f"{status} is not described"]
        content = answer.get("content", {}).get("application/json")
        if content is None:
            return []
        return [error.message[:300] for error in self._errors(content["schema"], body)]

    def schema(self, operation: dict[str, Any], status: int) -> dict[str, Any]:
        """Return the schema of an answer."""
        schema: dict[str, Any] = operation["responses"][str(status)]["content"]["application/json"][
            "schema"
        ]
        return schema

    def filled(self, schema: dict[str, Any], values: Any) -> Any:
        """Return values, with what the schema requires and they lack filled in somehow."""
        schema = self._resolved(schema)
        for choice in ("allOf", "anyOf", "oneOf"):
            if choice in schema:
                schema = self._resolved(schema[choice][0])
        kind = schema.get("type")
        kinds = kind if isinstance(kind, list) else [kind]
        if "array" in kinds and isinstance(values, list):
            return [self.filled(schema["items"], value) for value in values]
        if "object" in kinds or "properties" in schema:
            given = values if isinstance(values, dict) else {}
            properties = schema.get("properties", {})
            names = [*given, *(n for n in schema.get("required", ()) if n not in given)]
            return {name: self._value(properties.get(name, {}), given, name) for name in names}
        return values

    def _value(self, schema: dict[str, Any], given: dict[str, Any], name: str) -> Any:
        if name in given:
            value = given[name]
            return self.filled(schema, value) if isinstance(value, dict | list) else value
        schema = self._resolved(schema)
        for choice in ("allOf", "anyOf", "oneOf"):
            if choice in schema:
                schema = self._resolved(schema[choice][0])
        kind = schema.get("type", "object" if "properties" in schema else None)
        if isinstance(kind, list) and "null" in kind:
            return None
        if "enum" in schema:
            return schema["enum"][0]
        samples: dict[str, Any] = {"integer": 1, "number": 1, "boolean": False, "array": []}
        if kind == "object":
            return self.filled(schema, {})
        if kind == "string":
            times = {"date-time": "2026-01-01T00:00:00Z", "uri": "https://api.example/x"}
            return times.get(schema.get("format", ""), "x")
        return samples.get(kind)

    def _errors(self, schema: dict[str, Any], value: Any) -> list[Any]:
        return list(self._validator(schema).iter_errors(value))

    def _validator(self, schema: dict[str, Any]) -> Draft202012Validator:
        return Draft202012Validator({**schema, **self.components})

    def _resolved(self, schema: dict[str, Any]) -> dict[str, Any]:
        while "$ref" in schema:
            _, _, kind, name = schema["$ref"].split("/")
            schema = self.components["components"][kind][name]
        return schema


def _number(value: str) -> Any:
    return int(value) if value.isdigit() else value


def _nullable(node: Any) -> Any:
    """Return the node with `nullable: true` as a type of its own."""
    if isinstance(node, list):
        return [_nullable(one) for one in node]
    if not isinstance(node, dict):
        return node
    plain = {key: _nullable(value) for key, value in node.items() if key != "nullable"}
    if node.get("nullable") is True:
        if isinstance(plain.get("type"), str):
            plain["type"] = [plain["type"], "null"]
            if "enum" in plain and None not in plain["enum"]:
                plain["enum"] = [*plain["enum"], None]
        else:
            return {"anyOf": [plain, {"type": "null"}]}
    return plain
