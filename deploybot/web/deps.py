"""What the routes are given, in one place; `bootstrap` fills it, `app` hands it to each router."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from deploybot.inbox import Inbox
from deploybot.mail import MailSettings
from deploybot.ports import Clockwork, Deployer, People, Store

Part = Literal["store", "clock", "workers", "queues"]
"""What is looked at before the installation counts as ready."""


@dataclass(frozen=True)
class Deps:
    """Everything that the routes for GitHub, mail, the API and health need.

    A part without its secrets is switched off: its route answers 404. `ready` returns why the
    installation cannot work now, by what was looked at; it may raise what the store raises.
    """

    store: Store
    inbox: Inbox
    people: People
    deployer: Deployer
    clock: Clockwork
    url_of: Callable[[str], str]
    """Thread id → the address of its page."""
    ready: Callable[[], dict[Part, list[str]]] = dict
    tokens: Mapping[str, str] = field(default_factory=dict, repr=False)
    """SHA-256 of a bearer token, in hex → person id."""
    github_secrets: tuple[str, ...] = field(default=(), repr=False)
    email_secrets: tuple[str, ...] = field(default=(), repr=False)
    mail: MailSettings | None = None
    agents: tuple[str, ...] = ("deploy", "rollback")
    """Agents to which a person may bring a matter over the API."""
