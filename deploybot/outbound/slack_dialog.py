"""The dialog that asks why somebody denies, or stops what was approved; what is done with the answer is `web.slack`'s."""

from typing import Any

from deploybot.approvals import ApprovalRequest
from deploybot.inbound.slack_buttons import DENIAL, WORDS, Reference
from deploybot.outbound.slack_parts import title
from deploybot.outbound.slack_rich import rich, section, words


def denial(request: ApprovalRequest, *, stops: bool = False) -> dict[str, Any]:
    """Return the view: what is denied, or stopped before it starts, and a field for the words."""
    verb = "Stop it" if stops else "Deny"
    about = Reference(thread=request.thread, request=request.id, digest=request.digest)
    return {
        "type": "modal",
        "callback_id": DENIAL,
        "private_metadata": about.dumps(),
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
