"""What the routes are given, in one place; `bootstrap` fills it, `app` hands it to each router."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol

from deploy.secret import Secret
from deploybot.holding import Holding
from deploybot.inbound.email_room import MailRoom
from deploybot.inbox import Inbox
from deploybot.overview import Overview
from deploybot.ports import Clockwork, Deployer, People, Store
from deploybot.web.bearer import Callers
from deploybot.web.idempotency import Answers, MemoryAnswers
from deploybot.web.limits import Limits, NoLimits
from deploybot.web.stream import Stream, Watched

Part = Literal["store", "clock", "workers", "queues", "slack", "mailboxes"]
"""What is looked at before the installation counts as ready."""


class WebStore(Store, Watched, Protocol):
    """The store, with what only lists and followers ask of it."""

    def written(self, threads: Sequence[str]) -> tuple[int | None, ...]:
        """Return when each of these threads was last written to."""


@dataclass(frozen=True)
class Deps:
    """Everything that the routes for GitHub, mail, the API and health need.

    A part without its secrets is switched off: its route answers 404. `ready` returns why the
    installation cannot work now, by what was looked at; it may raise what the store raises.
    """

    store: WebStore
    inbox: Inbox
    holding: Holding
    people: People
    deployer: Deployer
    clock: Clockwork
    url_of: Callable[[str], str]
    """Thread id → the address of its page."""
    stream: Stream
    """Follows threads for the API and the pages alike: one for the process."""
    ready: Callable[[], dict[Part, list[str]]] = dict
    callers: Callers = field(default_factory=Callers)
    limits: Limits = field(default_factory=NoLimits)
    answers: Answers = field(default_factory=MemoryAnswers)
    overview: Callable[[], Overview] = Overview
    """What is live where, as workers saw it last."""
    github_secrets: tuple[Secret, ...] = ()
    email_secrets: tuple[Secret, ...] = ()
    mail_room: MailRoom | None = None

    def __post_init__(self) -> None:
        """Keep secrets as such, however they were given."""
        for name in ("github_secrets", "email_secrets"):
            object.__setattr__(self, name, tuple(map(Secret.of, getattr(self, name))))
