"""What is told of places: lines, locks, stops, and what is live there though nobody here put it there."""

from dataclasses import replace

from deploy.locks import Hold
from deploybot.events import (
    DriftFound,
    Event,
    HoldForgotten,
    HoldPlaced,
    HoldReleased,
    LinedUp,
    StopRequested,
    TurnCame,
)
from deploybot.outbox.reel import Reel
from deploybot.telling import Card, CardState, Said


def about(reel: Reel, seq: int, event: Event) -> None:
    """Tell of lines, locks, stops and drift."""
    key = f"said:{seq}"
    match event:
        case LinedUp(service=service, environment=environment, position=position, why=why):
            reel.close_approved(CardState.IN_LINE, event, why)
            place = f"{service} on {environment}"
            text = (
                f"Number {position} in line for {place}: {why} "
                "It is planned anew when its turn comes; write here to leave the line."
            )
            reel.tell(Said(f"line:{service}:{environment}", text))
        case TurnCame(service=service, environment=environment):
            # The same message: the card that follows is what people must notice.
            text = f"Your turn: {service} on {environment} is free now, so it is planned anew."
            reel.tell(Said(f"line:{service}:{environment}", text))
        case HoldPlaced(hold=hold, how=how, was_owner=was_owner):
            text = _locked(hold, how, event.by, was_owner)
            reel.tell(Said(key, text, mention=_told(event), by=event.by))
        case HoldReleased(service=service, environment=environment, was=was, was_owner=owner):
            where = f"{service or 'everything'} on {environment}"
            text = f"{where} is free again, by {event.by}. It had been held: {was}."
            whom = (owner,) if owner and owner != event.by else ()
            reel.tell(Said(key, text, mention=whom))
        case HoldForgotten(hold=hold):
            where = f"{hold.service or 'everything'} on {hold.environment}"
            text = (
                f"{hold.owner} has locked {where} since {hold.at:%Y-%m-%d %H:%M} UTC "
                f"({hold.reason}). Still needed? If not: “unlock {where}”."
            )
            reel.tell(Said(key, text, "warning", mention=(hold.owner,), by=hold.owner))
        case StopRequested():
            for card in reel.told.values():
                if isinstance(card, Card) and card.state is CardState.DEPLOYING:
                    reel.told[card.key] = replace(card, stopping=event.by)
                    break
        case DriftFound(service=service, environment=environment, live=live, expected=expected):
            there = (live or "nothing")[:7]
            ours = f"{expected[:7]} was put there last" if expected else "nothing was put there"
            text = (
                f"{service} on {environment}: {there} is live, though {ours} by a deploy from here. "
                "Somebody changed it by other means; nothing was done about it."
            )
            reel.tell(Said(key, text, "warning"))
        case _:
            pass


def _locked(hold: Hold, how: str, by: str, was_owner: str) -> str:
    where = f"{hold.service or 'everything'} on {hold.environment}"
    until = f" until {hold.expires:%Y-%m-%d %H:%M} UTC" if hold.expires else ""
    kind = " (it only warns)" if hold.warn_only else ""
    verb = {
        "locked": f"{by} locked {where}{until}{kind}",
        "extended": f"{by} keeps {where} locked{until}{kind}",
        "handed_over": f"{by} handed the lock of {where} to {hold.owner}{until}",
        "taken_over": f"{by} took over the lock of {where} from {was_owner}{until}",
    }[how]
    return f"{verb}: {hold.reason}." if hold.reason else f"{verb}."


def _told(event: HoldPlaced) -> tuple[str, ...]:
    """Return who must notice that a lock changed hands: those who did not do it themselves."""
    people = (event.was_owner, event.hold.owner) if event.was_owner else ()
    return tuple(person for person in dict.fromkeys(people) if person and person != event.by)
