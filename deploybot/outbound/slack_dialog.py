"""The dialog that asks why somebody denies, or stops what was approved; what is done with the answer is `web.slack`'s."""

from typing import Any

from deploybot.approvals import ApprovalRequest
from deploybot.inbound.slack_buttons import BREAK_GLASS, DENIAL, WORDS
from deploybot.outbound.slack_anchored import reference
from deploybot.outbound.slack_parts import title
from deploybot.outbound.slack_rich import rich, section, words


def broken_glass(request: ApprovalRequest, head: str = "") -> dict[str, Any]:
    """Return the view that asks why somebody approves alone, and says what comes of it."""
    rule = request.rule.break_glass
    skips = {"approvals": "the other approvals", "freezes": "freezes"}
    skipped = " and ".join(skips[one] for one in (rule.skips if rule else ()))
    alone = (
        f"You approve alone. That skips {skipped}, and nothing else: not what is checked of the "
        "commit, no lock, and nothing that runs."
    )
    said = [
        alone,
        "All approvers are told at once, with your reason, and are asked to review it afterwards.",
        *dict.fromkeys(one for plan in request.plans for one in plan.confirm),
    ]
    view = denial(request, head)
    about, asks = view["blocks"]
    asks |= {
        "block_id": BREAK_GLASS,
        "label": {"type": "plain_text", "text": "Why can it not wait?"},
        "hint": {"type": "plain_text", "text": "Everybody who may approve reads this."},
    }
    return view | {
        "callback_id": BREAK_GLASS,
        "title": {"type": "plain_text", "text": "Break the glass"},
        "submit": {"type": "plain_text", "text": "Approve alone"},
        "blocks": [about, rich(*(section(words(one, 600)) for one in said)), asks],
    }


def denial(request: ApprovalRequest, head: str = "", *, stops: bool = False) -> dict[str, Any]:
    """Return the view: what is denied, or stopped before it starts, and a field for the words."""
    verb = "Stop it" if stops else "Deny"
    return {
        "type": "modal",
        "callback_id": DENIAL,
        "private_metadata": reference(request, head),
        "title": {"type": "plain_text", "text": verb},
        "submit": {"type": "plain_text", "text": verb},
        "close": {"type": "plain_text", "text": "Cancel"},
        "blocks": [
            rich(
                section(
                    words(title(*request.plans), 200, bold=True),
                    words("  "),
                    words(request.plan.sha[:7], code=True),
                )
            ),
            {
                "type": "input",
                "block_id": DENIAL,
                "label": {"type": "plain_text", "text": "What should happen instead?"},
                "hint": {
                    "type": "plain_text",
                    "text": "deploybot reads this and may propose something else.",
                },
                "element": {
                    "type": "plain_text_input",
                    "action_id": WORDS,
                    "multiline": True,
                    "max_length": 2000,
                    "focus_on_load": True,
                },
            },
        ],
    }
