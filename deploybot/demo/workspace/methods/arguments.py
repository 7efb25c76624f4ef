"""The arguments of one Web API call, read with Slack's own errors for what is missing or wrong."""

import json
from collections.abc import Mapping

from deploybot.demo.workspace.errors import SlackError
from deploybot.demo.workspace.settings import Json


class Arguments:
    """What the bot sent: strings from a form or query, any JSON value from a JSON body."""

    def __init__(self, values: Mapping[str, object]) -> None:
        self.values = values

    def need(self, name: str) -> str:
        """Return a required string."""
        value = self.text(name)
        if value is None or value == "":
            raise SlackError("invalid_arguments", f"missing required field: {name}")
        return value

    def text(self, name: str) -> str | None:
        """Return a string, or None when it is not given."""
        value = self.values.get(name)
        if value is None:
            return None
        if isinstance(value, bool | dict | list):
            raise SlackError("invalid_arguments", f"must be a string [json-pointer:/{name}]")
        return str(value)

    def flag(self, name: str) -> bool:
        """Return a boolean; forms say `true` or `1`."""
        return str(self.values.get(name, "")).lower() in {"true", "1"}

    def number(self, name: str, otherwise: int, most: int) -> int:
        """Return a whole number between one and `most`."""
        value = self.text(name)
        if value is None or value == "":
            return otherwise
        if not value.isdecimal() or not 1 <= int(value) <= most:
            raise SlackError("invalid_arguments", f"must be 1 to {most} [json-pointer:/{name}]")
        return int(value)

    def structure(self, name: str, wrong: str) -> object:
        """Return a JSON value, which a form carries as text; raise `wrong` when it is none."""
        value = self.values.get(name)
        if isinstance(value, str):
            try:
                return json.loads(value)
            except ValueError:
                raise SlackError(wrong) from None
        return value

    def page(self, otherwise: int, most: int) -> tuple[int, int]:
        """Return (start, limit) of a cursor page."""
        cursor = self.text("cursor")
        start = 0
        if cursor:
            if not cursor.startswith("next:") or not cursor[5:].isdecimal():
                raise SlackError("invalid_cursor")
            start = int(cursor[5:])
        return start, self.number("limit", otherwise, most)


def cut(things: list[Json], start: int, limit: int) -> tuple[list[Json], str]:
    """Return one page of the things, and the cursor of the next or an empty string."""
    more = start + limit < len(things)
    return things[start : start + limit], f"next:{start + limit}" if more else ""
