"""The dialog that edits an open request: its refs, the order of its services, and when it starts."""

from typing import Any

from deploy.catalog import Catalog
from deploy.plan import Plan
from deploybot.approvals import ApprovalRequest
from deploybot.editing import LEFT_OUT, written_start
from deploybot.inbound.slack_buttons import EDITING, REF, START, TURN, WHY
from deploybot.outbound.slack_anchored import reference
from deploybot.outbound.slack_parts import title
from deploybot.outbound.slack_rich import rich, section, words
from deploybot.outbound.slack_text import line

Json = dict[str, Any]
MOST = 40
"""So many services have their fields in one dialog; Slack takes a hundred blocks."""
LONGEST_REF = 200


def editing(request: ApprovalRequest, catalog: Catalog, head: str = "") -> Json:
    """Return the view: a field for each ref, of several services their turns, and the start."""
    environment = request.plan.environment
    says = "A new card follows and must be approved. You will be one of those who asked."
    blocks = [rich(section(words(title(*request.plans), 200, bold=True), words(f"\n{says}")))]
    for number, plan in enumerate(request.plans):
        blocks.append(_ref(number, plan))
        if request.more:
            blocks.append(_turn(number, plan, len(request.plans)))
    if request.plan.action == "deploy":
        blocks.append(_start(request, catalog, environment))
    blocks.append(_why())
    return {
        "type": "modal",
        "callback_id": EDITING,
        "private_metadata": reference(request, head),
        "title": _plain("Edit"),
        "submit": _plain("Plan anew"),
        "close": _plain("Cancel"),
        "blocks": blocks,
    }


def _ref(number: int, plan: Plan) -> Json:
    back = plan.action == "roll_back"
    label = f"{plan.service}: back to" if back else f"{plan.service}: commit, branch or tag"
    element = {
        "type": "plain_text_input",
        "action_id": REF,
        "initial_value": plan.ref[:LONGEST_REF],
        "max_length": LONGEST_REF,
    }
    if number == 0:
        element["focus_on_load"] = True
    return _input(f"{REF}:{number}", label, element)


def _turn(number: int, plan: Plan, of: int) -> Json:
    options = [_option(f"{place}.", str(place)) for place in range(1, of + 1)]
    element = {
        "type": "static_select",
        "action_id": TURN,
        "options": [*options, _option("Leave it out", LEFT_OUT)],
        "initial_option": options[number],
    }
    return _input(f"{TURN}:{number}", f"{plan.service}: goes live as", element)


def _start(request: ApprovalRequest, catalog: Catalog, environment: str) -> Json:
    element: Json = {"type": "plain_text_input", "action_id": START, "max_length": 40}
    if written := written_start(request, catalog):
        element["initial_value"] = written
    zone = catalog.environments[environment].time_zone
    hint = f"HH:MM or YYYY-MM-DD HH:MM in {zone}. Empty: as soon as it is approved."
    return _input(START, "Start", element, hint=hint, optional=True)


def _why() -> Json:
    element = {
        "type": "plain_text_input",
        "action_id": WHY,
        "multiline": True,
        "max_length": 1000,
    }
    return _input(WHY, "Why?", element, optional=True)


def _input(
    block: str, label: str, element: Json, *, hint: str = "", optional: bool = False
) -> Json:
    return {
        "type": "input",
        "block_id": block,
        "label": _plain(line(label, 200)),
        "element": element,
        **({"hint": _plain(line(hint, 200))} if hint else {}),
        **({"optional": True} if optional else {}),
    }


def _option(text: str, value: str) -> Json:
    return {"text": _plain(text), "value": value}


def _plain(text: str) -> Json:
    return {"type": "plain_text", "text": text, "emoji": False}
