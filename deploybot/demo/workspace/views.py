"""Modals, Homes and the triggers that allow one; what a submission means is decided by the bot."""

import threading
from collections.abc import Callable

from deploybot.demo.workspace.blocks import checked_view
from deploybot.demo.workspace.errors import SlackError
from deploybot.demo.workspace.feed import Feed
from deploybot.demo.workspace.identifiers import Identifiers
from deploybot.demo.workspace.settings import Json, WorkspaceSettings

_MOST_PUSHED = 3


class Views:
    """Who has which modal open, and everybody's Home."""

    def __init__(
        self,
        settings: WorkspaceSettings,
        ids: Identifiers,
        feed: Feed,
        now: Callable[[], float],
    ) -> None:
        self._settings = settings
        self._ids = ids
        self._feed = feed
        self._now = now
        self._lock = threading.RLock()
        self._triggers: dict[str, tuple[str, float]] = {}
        self._used: set[str] = set()
        self.stacks: dict[str, list[Json]] = {}
        self.homes: dict[str, Json] = {}

    def trigger(self, user: str) -> str:
        """Return a fresh trigger of this person, good once and for `trigger_seconds`."""
        trigger = self._ids.trigger()
        with self._lock:
            self._triggers[trigger] = (user, self._now())
        return trigger

    def open(self, trigger: str, view: object, *, push: bool = False) -> Json:
        """Show a modal to whose trigger it is; raise `SlackError` for a used or late one."""
        with self._lock:
            user = self._exchange(trigger)
            stack = self.stacks.get(user, [])
            if push and not stack:
                raise SlackError("not_found")
            if push and len(stack) >= _MOST_PUSHED:
                raise SlackError("push_limit_reached")
            return self._show(user, view, stack if push else [])

    def push(self, user: str, view: object) -> Json:
        """Put a view on top of this person's modal, as the answer to a submission."""
        with self._lock:
            return self._show(user, view, self.stacks.get(user, []))

    def update(
        self, view: object, view_id: str | None, external_id: str | None, known: str | None = None
    ) -> Json:
        """Replace an open view; `known` is the hash the caller saw. Raise not_found, hash_conflict."""
        with self._lock:
            user, place, old = self._place(view_id, external_id)
            if known is not None and known != old["hash"]:
                raise SlackError("hash_conflict")
            kind = str(old["type"])
            shown = self._shape(checked_view(view, kind, self._block_id), user, old)
            if kind == "home":
                self.homes[user] = shown
            else:
                self.stacks[user][place] = shown
            self._tell(user)
            return shown

    def publish(self, user: str, view: object, known: str | None = None) -> Json:
        """Set this person's Home."""
        with self._lock:
            old = self.homes.get(user)
            if known is not None and old is not None and known != old["hash"]:
                raise SlackError("hash_conflict")
            self.homes[user] = self._shape(checked_view(view, "home", self._block_id), user, old)
            self._tell(user)
            return self.homes[user]

    def get(self, user: str, view_id: str) -> Json:
        """Return this person's open view; raise LookupError when it is not open."""
        with self._lock:
            for view in [*self.stacks.get(user, []), *filter(None, [self.homes.get(user)])]:
                if view["id"] == view_id:
                    return view
        raise LookupError(view_id)

    def close(self, user: str, *, everything: bool = False) -> Json | None:
        """Close the top view of this person, or all; return the one that was on top."""
        with self._lock:
            stack = self.stacks.get(user, [])
            top = stack[-1] if stack else None
            self.stacks[user] = [] if everything else stack[:-1]
            self._tell(user)
            return top

    def _exchange(self, trigger: str) -> str:
        if trigger in self._used:
            raise SlackError("exchanged_trigger_id")
        if trigger not in self._triggers:
            raise SlackError("invalid_trigger_id")
        user, at = self._triggers.pop(trigger)
        if self._now() - at > self._settings.trigger_seconds:
            raise SlackError("expired_trigger_id")
        self._used.add(trigger)
        return user

    def _show(self, user: str, view: object, under: list[Json]) -> Json:
        checked = checked_view(view, "modal", self._block_id)
        external = checked.get("external_id")
        taken = {other.get("external_id") for stack in self.stacks.values() for other in stack}
        if external and external in taken:
            raise SlackError("duplicate_external_id")
        shown = self._shape(checked, user, None)
        shown["root_view_id"] = under[0]["id"] if under else shown["id"]
        shown["previous_view_id"] = under[-1]["id"] if under else None
        self.stacks[user] = [*under, shown]
        self._tell(user)
        return shown

    def _place(self, view_id: str | None, external_id: str | None) -> tuple[str, int, Json]:
        for user, stack in self.stacks.items():
            for place, view in enumerate(stack):
                if view["id"] == view_id or (external_id and view["external_id"] == external_id):
                    return user, place, view
        for user, home in self.homes.items():
            if home["id"] == view_id or (external_id and home["external_id"] == external_id):
                return user, 0, home
        raise SlackError("not_found")

    def _shape(self, view: Json, user: str, old: Json | None) -> Json:
        settings = self._settings
        view_id = old["id"] if old else self._ids.short("V")
        return {
            "id": view_id,
            "team_id": settings.team_id,
            "type": view["type"],
            "blocks": view["blocks"],
            "private_metadata": view.get("private_metadata") or "",
            "callback_id": view.get("callback_id") or "",
            "state": {"values": {}},
            "hash": f"{self._ids.ts()}.{self._ids.short(length=8)}",
            "title": view.get("title") or {"type": "plain_text", "text": "View Title"},
            "clear_on_close": bool(view.get("clear_on_close")),
            "notify_on_close": bool(view.get("notify_on_close")),
            "close": view.get("close"),
            "submit": view.get("submit"),
            "previous_view_id": old["previous_view_id"] if old else None,
            "root_view_id": old["root_view_id"] if old else view_id,
            "app_id": settings.app_id,
            "external_id": view.get("external_id") or "",
            "app_installed_team_id": settings.team_id,
            "bot_id": settings.bot_id,
        }

    def _block_id(self) -> str:
        return self._ids.short(length=5)

    def _tell(self, user: str) -> None:
        views = {"stack": self.stacks.get(user, []), "home": self.homes.get(user)}
        self._feed.tell("views", views, frozenset({user}))
