"""Control for tests and the demo: faults, pace, deliveries, mail, the ledger and the true state."""

from typing import Literal

from fastapi import APIRouter, HTTPException
from pydantic import BaseModel, ConfigDict

from deploybot.demo.workspace.correspondence import arrived
from deploybot.demo.workspace.courier import Parcel, json_parcel
from deploybot.demo.workspace.faults import Fault
from deploybot.demo.workspace.mail import Mail
from deploybot.demo.workspace.settings import Json
from deploybot.demo.workspace.sockets import When
from deploybot.demo.workspace.workspace import Workspace


class _Asked(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Bot(_Asked):
    """Where the bot listens; with `verify` it is asked Slack's url_verification question."""

    url: str | None
    verify: bool = False


class Pace(_Asked):
    """Whether rate limits hold, and how many messages may come at once."""

    on: bool
    burst: int | None = None


class Events(_Asked):
    """What to do wrong with events: hold all back, send the next twice, lose the next answers."""

    hold: bool | None = None
    duplicate_next: int | None = None
    forget_next: int | None = None


class Links(_Asked):
    """What to do to the app's connections: cut all, ask for new ones, cut the next one at a moment."""

    cut: bool = False
    refresh: bool = False
    cut_next: int | None = None
    when: When = "sent"


class Again(_Asked):
    """An earlier event, to be sent once more."""

    event_id: str
    attempt: int = 1
    reason: str = "http_timeout"


class Raw(_Asked):
    """Any request to the bot; `headers` stand in place of the right ones."""

    body: str
    content_type: str = "application/json"
    headers: dict[str, str] = {}


def router(workspace: Workspace) -> APIRouter:  # noqa: C901 - a list of small routes
    """Return the routes under `/_control`."""
    routes = APIRouter(prefix="/_control")
    courier = workspace.courier

    @routes.post("/bot")
    def bot(asked: Bot) -> Json:
        workspace.bot_url = asked.url
        if not asked.verify:
            return {"url": asked.url}
        challenge = workspace.ids.secret()
        token = workspace.settings.verification_token
        body = {"token": token, "challenge": challenge, "type": "url_verification"}
        delivery = courier.send(json_parcel("url_verification", "url_verification", "", body))
        return {"verified": delivery.ok and challenge in delivery.answer, **delivery.shape()}

    @routes.get("/faults")
    def faults() -> list[Fault]:
        return workspace.faults.waiting()

    @routes.post("/faults", status_code=201)
    def add_fault(fault: Fault) -> Fault:
        workspace.faults.add(fault)
        return fault

    @routes.delete("/faults", status_code=204)
    def clear_faults() -> None:
        workspace.faults.clear()

    @routes.post("/pace")
    def pace(asked: Pace) -> Json:
        workspace.pacing.burst = asked.burst or workspace.pacing.burst
        workspace.pacing.on = asked.on
        return {"on": workspace.pacing.on, "burst": workspace.pacing.burst}

    @routes.post("/events")
    def events(asked: Events) -> Json:
        if asked.duplicate_next is not None:
            courier.duplicate_next = asked.duplicate_next
        if asked.forget_next is not None:
            courier.forget_next = asked.forget_next
        if asked.hold is True:
            courier.hold()
        released = courier.release() if asked.hold is False else 0
        return {"holding": courier.holding, "released": released}

    @routes.post("/sockets")
    def sockets(asked: Links) -> Json:
        links = workspace.sockets
        if asked.cut_next is not None:
            links.cut_next, links.cut_when = asked.cut_next, asked.when
        if asked.refresh:
            links.refresh()
        if asked.cut:
            links.cut()
        return {"connected": len(links)}

    @routes.post("/redeliver")
    def redeliver(asked: Again) -> Json:
        try:
            return courier.redeliver(asked.event_id, asked.attempt, asked.reason).shape()
        except KeyError:
            raise HTTPException(404, f"No event {asked.event_id} was ever sent.") from None

    @routes.post("/send")
    def send(asked: Raw) -> Json:
        body = asked.body.encode()
        parcel = Parcel("raw", "raw", "", body, asked.content_type, {"body": asked.body})
        return courier.raw(parcel, asked.headers).shape()

    @routes.get("/ledger")
    def ledger(
        direction: Literal["from_bot", "to_bot"] | None = None,
        method: str | None = None,
        name: str | None = None,
        after: int = 0,
    ) -> list[Json]:
        return workspace.ledger.entries(after, direction=direction, method=method, name=name)

    @routes.get("/messages")
    def messages(channel: str | None = None) -> list[Json]:
        with workspace.lock:
            return [
                {
                    **where.shape(workspace.settings, message, with_metadata=True),
                    "channel": where.id,
                    "only_for": message.only_for,
                }
                for where in workspace.conversations.by_id.values()
                if channel in {None, where.id, where.name}
                for message in where.messages.values()
            ]

    @routes.get("/views")
    def views() -> Json:
        return {"stacks": workspace.views.stacks, "homes": workspace.views.homes}

    @routes.post("/mail", status_code=201)
    def mail(message: Mail) -> Json:
        arrived(workspace, message)
        return {"id": message.id}

    @routes.get("/mail")
    def mails() -> list[Mail]:
        return workspace.mailbox.all()

    return routes
