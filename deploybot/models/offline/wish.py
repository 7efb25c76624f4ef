"""What people want done, and how further words change it.

Pure values. Which words count in a thread is worked out in `situation`; what to do about the wish
in `deciding`.
"""

from dataclasses import dataclass, replace
from typing import Literal

from deploybot.models.offline.names import Ref, Suspect
from deploybot.models.offline.words import Said

Item = tuple[str, str]
"""A service, and an environment."""


@dataclass(frozen=True)
class Wish:
    """One change that was asked for, of some services in some environments, in this order."""

    action: Literal["deploy", "roll_back"]
    services: tuple[str, ...] = ()
    environments: tuple[str, ...] = ()
    ref: Ref | None = None
    at: str | None = None
    """When the first of it is to start."""
    together: bool = False
    """Whether several services are to be one proposal."""
    seconds: int | None = None
    """How long to wait before the first proposal."""
    words: str = ""
    suspects: tuple[Suspect, ...] = ()
    ahead: tuple[str, ...] = ()
    """Environments that go first, though they were named later."""
    unsure: bool = False
    """Everything is named, but not what to do with it: people are asked first."""

    def items(self) -> tuple[Item, ...]:
        """Return what is to be changed, one after the other."""
        environments = tuple(dict.fromkeys((*self.ahead, *self.environments)))
        return tuple((service, where) for where in environments for service in self.services)


def begun(said: Said, services: tuple[str, ...], before: Wish | None) -> Wish | None:
    """Return the wish that the words begin, or None when they ask for no change.

    `before` is what "it" and "the same" speak of.
    """
    if said.want not in ("deploy", "roll_back"):
        return None
    wish = Wish(
        action="deploy" if said.want == "deploy" else "roll_back",
        services=_services(said, services),
        environments=said.environments,
        ref=said.ref,
        at=said.at,
        together=not said.in_turn,
        seconds=said.seconds,
        words=said.text,
        suspects=said.suspects,
    )
    if before is None or not said.refers_back:
        return wish
    same = before.action == wish.action
    return replace(
        wish,
        services=wish.services or before.services,
        environments=wish.environments or before.environments,
        ref=wish.ref or (before.ref if same else None),
    )


def changed(wish: Wish, said: Said, services: tuple[str, ...]) -> Wish | None:
    """Return the wish as further words leave it, or None when they leave nothing of it."""
    named = _services(said, services)
    if said.want == "yes":
        wish = accepted(wish)
    if said.want in ("deploy", "roll_back") and said.want != wish.action:
        turned = begun(said, services, None)
        if turned is None:
            return None
        return replace(
            turned,
            services=turned.services or wish.services,
            environments=turned.environments or wish.environments,
        )
    queue = _queue(wish.services, named, said)
    queue = tuple(service for service in queue if service not in said.without)
    if said.without and wish.services and not queue:
        return None
    environments, ahead = wish.environments, wish.ahead
    if said.environments and said.first and not named and wish.environments:
        ahead = said.environments
    elif said.environments and said.adds:
        environments = tuple(dict.fromkeys((*environments, *said.environments)))
    elif said.environments:
        environments, ahead = said.environments, ()
    return replace(
        wish,
        services=queue,
        environments=environments,
        ahead=ahead,
        ref=said.ref or wish.ref,
        at=said.at or wish.at,
        together=wish.together and not said.in_turn,
        seconds=said.seconds,
        unsure=wish.unsure and said.want != "yes" and not said.names_something,
        suspects=said.suspects or (() if said.names_something else wish.suspects),
    )


def accepted(wish: Wish) -> Wish:
    """Return the wish with its doubtful names taken as they were probably meant."""
    meant = tuple(s.meant for s in wish.suspects if s.kind == "service" and s.meant)
    where = tuple(s.meant for s in wish.suspects if s.kind == "environment" and s.meant)
    return replace(
        wish,
        services=tuple(dict.fromkeys((*wish.services, *meant))),
        environments=tuple(dict.fromkeys((*wish.environments, *where))),
        suspects=tuple(s for s in wish.suspects if not s.meant),
    )


def _services(said: Said, services: tuple[str, ...]) -> tuple[str, ...]:
    """Return the services named, or all but those left out."""
    if said.services and not said.everything:
        found = said.services
        if said.first and len(found) > 1:
            first = _named_first(said)
            found = (*first, *(s for s in found if s not in first))
        return found
    if said.everything:
        first = said.services if said.first else ()
        rest = (service for service in services if service not in (*first, *said.without))
        return (*first, *rest)
    return ()


def _named_first(said: Said) -> tuple[str, ...]:
    """Return the service right before the word "first"."""
    low = said.text.casefold()
    return tuple(service for service in said.services if f"{service.casefold()} first" in low)


def _queue(queue: tuple[str, ...], named: tuple[str, ...], said: Said) -> tuple[str, ...]:
    if not named:
        return queue
    if said.first:
        return (*named, *(service for service in queue if service not in named))
    if said.adds:
        return tuple(dict.fromkeys((*queue, *named)))
    return named
