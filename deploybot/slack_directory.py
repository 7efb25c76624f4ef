"""Whose Slack account may answer, and who is in which Slack user group: asked of Slack, for a minute.

What cannot be asked within its time raises LookupFailedError: whoever decides refuses then.
"""

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as OutOfTimeError
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from slack_sdk import WebClient

from deploy.approval_tables import GroupTable
from deploybot.accounts import LEFT, NO_ACCOUNT, UNLINKED, Account, refusal_of, vouches_for
from deploybot.approvals import Refusal
from deploybot.config import Configuration, Settings
from deploybot.errors import DeliveryError, LookupFailedError
from deploybot.outbound.slack_calls import RefusedCallError, call, slack_client
from deploybot.ports import People, Person

KEPT_SECONDS = 60.0
LOOK_UP_SECONDS = 5
"""How long one question may take where nobody waits for the answer."""
CLICK_SECONDS = 1.5
"""How long all questions about one click may take together: Slack waits for three seconds."""
MOST_KEPT = 2000
MOST_AT_ONCE = 16

_UNTIL: ContextVar[float | None] = ContextVar("until", default=None)


@contextmanager
def within(seconds: float) -> Iterator[None]:
    """Let all questions that are asked inside take no longer than this, together."""
    token = _UNTIL.set(time.monotonic() + seconds)
    try:
        yield
    finally:
        _UNTIL.reset(token)


@dataclass(frozen=True)
class _Kept:
    at: float
    value: Any


class SlackDirectory:
    """Implements ports.Directory with Slack's user groups and accounts, and the file's own groups.

    `client` must not repeat calls by itself; `team` is the home workspace, or "" for the token's.
    """

    def __init__(
        self,
        client: WebClient,
        *,
        people: People,
        groups: Mapping[str, GroupTable],
        team: str = "",
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._client = client
        self._people = people
        self._groups = groups
        self._team = team
        self._clock = clock
        self._kept: dict[tuple[str, str], _Kept] = {}
        self._lock = threading.Lock()

    def members(self, group: str) -> frozenset[str]:
        """Return who is named in the group, and who of the known people is in it in Slack."""
        table = self._groups.get(group)
        if table is None:
            raise LookupFailedError(f"there is no group {group!r} any more")
        named = frozenset(table.people)
        if not table.slack:
            return named
        users = self._users_of(table.slack)
        found = {person.id for person in self._people.known if person.slack in users}
        unlinked = [one for one in self._people.known if one.email and not one.slack]
        found |= {person.id for person in unlinked if self._is_among(person, users)}
        return named | found

    def refusal(self, person: str, channel: str) -> Refusal | None:
        """Return why the account that answers may not; over other channels, whether it is closed."""
        known = self._people.get(person)
        if channel != "slack":
            return self._left(known)
        if known is None:
            user = person.removeprefix("slack:")
            account = self._account(user) if user != person else None
        elif known.slack:
            account = self._account(known.slack)
        else:
            account = self._linked(known)
            if account is None:
                return UNLINKED
        return refusal_of(account, self._home) if account is not None else NO_ACCOUNT

    def _left(self, person: Person | None) -> Refusal | None:
        """Return that the person has left, if Slack says so now: other channels do without Slack."""
        if person is None or not person.slack:
            return None
        try:
            with within(CLICK_SECONDS):
                account = self._account(person.slack)
        except LookupFailedError:
            return None
        return LEFT if account is not None and account.closed else None

    def people_for(self, user: str) -> People:
        """Return the people, with this Slack user among them if their verified address says who it is.

        When that cannot be found out the user stays a stranger, who may talk and approve nothing.
        """
        known = self._people.known
        unlinked = [one for one in known if one.email and not one.slack]
        if not unlinked or any(person.slack == user for person in known):
            return self._people
        try:
            account = self._account(user)
            if account is None or refusal_of(account, self._home) is not None:
                return self._people
        except LookupFailedError:
            return self._people
        mine = next((one for one in unlinked if vouches_for(account, one)), None)
        if mine is None:
            return self._people
        linked = replace(mine, slack=user)
        return People(tuple(linked if one is mine else one for one in known))

    def _is_among(self, person: Person, users: frozenset[str]) -> bool:
        account = self._linked(person)
        return account is not None and account.id in users

    def _linked(self, person: Person) -> Account | None:
        """Return the account with the person's verified address, if there is one."""
        found = self._kept_or("email", person.email.casefold(), self._by_email)
        return found if found is not None and vouches_for(found, person) else None

    def _account(self, user: str) -> Account | None:
        found: Account | None = self._kept_or("user", user, self._by_id)
        return found

    def _users_of(self, group: str) -> frozenset[str]:
        users: frozenset[str] = self._kept_or("group", group, self._by_group)
        return users

    @cached_property
    def _home(self) -> str:
        return self._team or str(self._ask(self._client.auth_test).get("team_id", ""))

    def _by_id(self, user: str) -> Account | None:
        return self._found("user_not_found", self._client.users_info, user=user)

    def _by_email(self, address: str) -> Account | None:
        return self._found("users_not_found", self._client.users_lookupByEmail, email=address)

    def _by_group(self, group: str) -> frozenset[str]:
        answer = self._ask(self._client.usergroups_users_list, usergroup=group)
        return frozenset(map(str, answer.get("users") or ()))

    def _found(self, nobody: str, asked: Callable[..., Any], **about: str) -> Account | None:
        """Return the account, or None when Slack says that there is none."""
        try:
            answer = self._ask(asked, **about)
        except _NoAnswerError as error:
            if error.code == nobody:
                return None
            raise
        return Account.of(answer["user"])

    def _kept_or(self, kind: str, about: str, ask: Callable[[str], Any]) -> Any:
        """Return what was found within the last minute, or ask."""
        now, key = self._clock(), (kind, about)
        with self._lock:
            kept = self._kept.get(key)
        if kept is not None and now - kept.at < KEPT_SECONDS:
            return kept.value
        value = ask(about)
        with self._lock:
            if len(self._kept) >= MOST_KEPT:
                self._kept.clear()
            self._kept[key] = _Kept(now, value)
        return value

    def _ask(self, asked: Callable[..., Any], **about: str) -> Mapping[str, Any]:
        """Ask once, and wait no longer than there is time; whoever is asked may take longer."""
        until = _UNTIL.get()
        left = float(LOOK_UP_SECONDS) if until is None else until - time.monotonic()
        if left <= 0:
            raise LookupFailedError("Slack took too long to say who may answer")
        try:
            answer = self._pool.submit(call, asked, **about).result(left).data
        except OutOfTimeError:
            raise LookupFailedError("Slack took too long to say who may answer") from None
        except RefusedCallError as error:
            raise _NoAnswerError(error.code) from None
        except DeliveryError as error:
            raise LookupFailedError(str(error).partition(";")[0].rstrip(".")) from None
        return answer if isinstance(answer, dict) else {}

    @cached_property
    def _pool(self) -> ThreadPoolExecutor:
        return ThreadPoolExecutor(MOST_AT_ONCE, thread_name_prefix="directory")


def directory_of(
    settings: Settings, configuration: Configuration, people: People
) -> SlackDirectory | None:
    """Return who asks Slack about accounts and groups; None where Slack is off."""
    token = settings.slack_bot_token.get_secret_value()
    if not token:
        return None
    return SlackDirectory(
        slack_client(token, settings.slack_api_url, timeout=LOOK_UP_SECONDS),
        people=people,
        groups=configuration.catalog.groups,
        team=configuration.slack.team,
    )


_MENDS = {
    "missing_scope": "the app lacks a permission; an operator must install it again from "
    "`deploybot manifest`",
    "no_such_subteam": "the Slack user group is not there any more; an operator must correct its "
    "id in deploybot.toml",
    "subteam_disabled": "the Slack user group is disabled",
}


class _NoAnswerError(LookupFailedError):
    """Slack said no to a question; `code` is its own word for it."""

    def __init__(self, code: str) -> None:
        super().__init__(f"Slack refuses to say ({_MENDS.get(code, code)})")
        self.code = code
