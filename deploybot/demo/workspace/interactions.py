"""People's clicks, modals and slash commands: each is posted to the bot, and its answer followed."""

import json
from typing import Any

from deploybot.demo.workspace import payloads
from deploybot.demo.workspace.actions import NotPossibleError, marked_by, place, someone, visible
from deploybot.demo.workspace.blocks import checked, find
from deploybot.demo.workspace.courier import Delivery, form_parcel
from deploybot.demo.workspace.errors import SlackError
from deploybot.demo.workspace.form import NotAChoiceError, filled, pressed
from deploybot.demo.workspace.message import Message
from deploybot.demo.workspace.settings import Json, Person
from deploybot.demo.workspace.workspace import Workspace


def click(
    workspace: Workspace,
    user: str,
    action_id: str,
    *,
    at: tuple[str, str] | str,
    block_id: str | None = None,
    value: object = None,
    values: dict[str, Any] | None = None,
) -> Json:
    """Click or choose in a message, `at` (channel, ts), or in a view, `at` its id.

    `value` is what is chosen (for a button: which of several with the same action id);
    `values` are the other entries. Returns `{deliveries}`.
    """
    person = someone(workspace, user)
    trigger = workspace.views.trigger(person.id)
    body = payloads.interaction(workspace.settings, "block_actions", person, trigger)
    if isinstance(at, str):
        view = _view(workspace, person, at)
        blocks = view["blocks"]
        state, _ = _filled(blocks, values or {})
        view = {**view, "state": {"values": state}}
        body |= {"container": {"type": "view", "view_id": at}, "view": view}
    else:
        where = place(workspace, person, at[0])
        message = visible(where, person, at[1])
        blocks = list(message.blocks)
        url = workspace.response_url(where, message, person.id)
        body |= payloads.on_message(workspace.settings, where, message, url)
        body["state"] = {"values": _filled(blocks, values or {})[0]}
    try:
        block, element = find(blocks, action_id, block_id)
        body["actions"] = [pressed(block, element, value, workspace.ids.ts())]
    except LookupError:
        raise NotPossibleError(f"There is nothing to click called {action_id}.") from None
    except NotAChoiceError as error:
        raise NotPossibleError(str(error)) from None
    if element["type"] == "button" and value is not None and element.get("value") != value:
        raise NotPossibleError(f"{action_id} has the value {element.get('value')!r} now.")
    return {"deliveries": [_send(workspace, body, trigger).shape()]}


def submit(workspace: Workspace, user: str, view_id: str, values: dict[str, Any]) -> Json:
    """Submit the modal; follow the bot's answer.

    Returns `{outcome, errors, deliveries}`: outcome is `invalid` (not sent), `failed` (no
    answer in time), `errors`, `updated`, `pushed` or `closed`; errors are by block id.
    """
    person = someone(workspace, user)
    view = _view(workspace, person, view_id)
    state, faults = _filled(view["blocks"], values)
    if faults:
        return {"outcome": "invalid", "errors": faults, "deliveries": []}
    trigger = workspace.views.trigger(person.id)
    body = payloads.interaction(workspace.settings, "view_submission", person, trigger)
    body |= {"view": {**view, "state": {"values": state}}, "response_urls": []}
    delivery = _send(workspace, body, trigger)
    outcome, errors = _follow(workspace, person, view, delivery)
    return {"outcome": outcome, "errors": errors, "deliveries": [delivery.shape()]}


def close(workspace: Workspace, user: str, view_id: str) -> Json:
    """Close the modal; the bot hears of it when the view asked for that. Returns `{deliveries}`."""
    person = someone(workspace, user)
    view = _view(workspace, person, view_id)
    workspace.views.close(person.id, everything=bool(view["clear_on_close"]))
    if not view["notify_on_close"]:
        return {"deliveries": []}
    body = payloads.interaction(workspace.settings, "view_closed", person, "")
    del body["trigger_id"]
    body |= {"view": view, "is_cleared": bool(view["clear_on_close"])}
    return {"deliveries": [_send(workspace, body, view_id).shape()]}


def command(workspace: Workspace, user: str, channel: str, text: str) -> Json:
    """Run a slash command, `/name rest`; its answer is shown. Returns `{channel, deliveries}`."""
    person = someone(workspace, user)
    where = place(workspace, person, channel)
    name, _, rest = text.partition(" ")
    if name not in {known.name for known in workspace.settings.commands}:
        raise NotPossibleError(f"{name} is not a command of this workspace.")
    settings = workspace.settings
    trigger = workspace.views.trigger(person.id)
    stored, _ = marked_by(workspace, rest.strip())
    nothing = Message(channel=where.id, ts="", user=person.id, text="", only_for=person.id)
    fields = {
        "token": settings.verification_token,
        "team_id": settings.team_id,
        "team_domain": settings.team_domain,
        "channel_id": where.id,
        "channel_name": "directmessage" if where.kind == "im" else where.name,
        "user_id": person.id,
        "user_name": person.name,
        "command": name,
        "text": stored,
        "api_app_id": settings.app_id,
        "is_enterprise_install": "false",
        "response_url": workspace.response_url(where, nothing, person.id),
        "trigger_id": trigger,
    }
    delivery = workspace.courier.send(form_parcel("command", name, trigger, fields))
    if delivery.ok and delivery.answer.strip():
        answer = _json(delivery.answer) or {"text": delivery.answer}
        aside = answer.get("response_type") != "in_channel"
        blocks = checked(answer.get("blocks") or [], workspace.ids.short)
        shown = Message(
            channel=where.id,
            ts="",
            user=settings.bot_user_id,
            text=str(answer.get("text") or ""),
            by_bot=True,
            blocks=tuple(blocks),
            only_for=person.id if aside else None,
        )
        workspace.post(where, shown)
    return {"channel": where.id, "deliveries": [delivery.shape()]}


def _send(workspace: Workspace, body: Json, parcel_id: str) -> Delivery:
    fields = {"payload": json.dumps(body)}
    return workspace.courier.send(form_parcel("interaction", body["type"], parcel_id, fields))


def _follow(
    workspace: Workspace, person: Person, view: Json, delivery: Delivery
) -> tuple[str, Json]:
    answer = _json(delivery.answer) if delivery.ok else None
    if answer is None:
        return "failed", {}
    errors = answer.get("errors") or {}
    known = {block["block_id"] for block in view["blocks"]}
    outcome = "failed"
    try:
        match answer.get("response_action"):
            case "errors" if errors and set(errors) <= known:
                return "errors", errors
            case "update":
                workspace.views.update(answer.get("view"), view["id"], None)
                outcome = "updated"
            case "push":
                workspace.views.push(person.id, answer.get("view"))
                outcome = "pushed"
            case None | "clear" as action:
                workspace.views.close(person.id, everything=action == "clear")
                outcome = "closed"
            case _:
                pass
    except SlackError:
        outcome = "failed"
    return outcome, {}


def _json(text: str) -> Json | None:
    """Return the object an answer holds; empty for an empty answer, None for anything else."""
    if not text.strip():
        return {}
    try:
        value = json.loads(text)
    except ValueError:
        return None
    return value if isinstance(value, dict) else None


def _view(workspace: Workspace, person: Person, view_id: str) -> Json:
    try:
        return workspace.views.get(person.id, view_id)
    except LookupError:
        raise NotPossibleError(f"{person.name} has no view {view_id} open.") from None


def _filled(blocks: list[Json], values: dict[str, Any]) -> tuple[Json, dict[str, str]]:
    try:
        return filled(blocks, values)
    except NotAChoiceError as error:
        raise NotPossibleError(str(error)) from None
