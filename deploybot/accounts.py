"""A Slack account as far as it decides: whose it is, and why it may not answer; asking is others'."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from deploybot.approvals import Refusal
from deploybot.ports import Person

BOT = Refusal(
    reason_code="account_bot",
    text="Bots and apps may not answer requests, so nothing changed. A person must.",
)
CLOSED = Refusal(
    reason_code="account_closed",
    text="That Slack account was deactivated, so it may not answer, and nothing changed.",
)
LEFT = Refusal(
    reason_code="account_closed",
    text="Your Slack account was deactivated, so you may not answer here either, and nothing "
    "changed. If you have not left, ask whoever looks after Slack.",
)
FOREIGN = Refusal(
    reason_code="account_foreign",
    text="Your Slack account belongs to another workspace than this one, so you may ask and may not "
    "answer; nothing changed. Somebody of this workspace must.",
)
GUEST = Refusal(
    reason_code="account_guest",
    text="You are a guest in this Slack workspace, and guests may ask and may not answer; nothing "
    "changed. A full member must.",
)
NO_ACCOUNT = Refusal(
    reason_code="account_closed",
    text="Slack knows no such account any more, so it may not answer, and nothing changed.",
)
UNLINKED = Refusal(
    reason_code="account_unverified",
    text="No Slack account has your address from deploybot's people as its verified one, so nothing "
    "changed. An operator can add your member id there.",
)


@dataclass(frozen=True)
class Account:
    """What Slack says of one user."""

    id: str
    team: str = ""
    teams: tuple[str, ...] = ()
    """Workspaces of an organisation that the user belongs to, besides."""
    email: str = ""
    confirmed: bool = True
    """Whether Slack says nothing against the address being the user's own."""
    bot: bool = False
    closed: bool = False
    guest: bool = False
    stranger: bool = False

    @classmethod
    def of(cls, user: Mapping[str, Any]) -> Self:
        """Return what a user object says; what is not there holds nothing against its user."""
        profile = user.get("profile") or {}
        organised = user.get("enterprise_user") or {}
        return cls(
            id=str(user.get("id", "")),
            team=str(user.get("team_id") or profile.get("team") or ""),
            teams=tuple(map(str, organised.get("teams") or ())),
            email=str(profile.get("email") or ""),
            confirmed=user.get("is_email_confirmed") is not False,
            bot=bool(user.get("is_bot") or user.get("is_workflow_bot"))
            or user.get("id") == "USLACKBOT",
            closed=bool(user.get("deleted")),
            guest=bool(user.get("is_restricted") or user.get("is_ultra_restricted")),
            stranger=bool(user.get("is_stranger")),
        )


def refusal_of(account: Account, home: str) -> Refusal | None:
    """Return why this account may not answer in the workspace `home`, or None."""
    if account.bot:
        return BOT
    if account.closed:
        return CLOSED
    if account.stranger or home not in (account.team, *account.teams):
        return FOREIGN
    return GUEST if account.guest else None


def vouches_for(account: Account, person: Person) -> bool:
    """Tell whether the account's verified address is the person's."""
    address = account.email.casefold()
    return bool(address) and account.confirmed and address == person.email.casefold()
