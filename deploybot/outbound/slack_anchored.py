"""Where a thread stood when something of it was shown in Slack, said by what shows it: buttons and dialogs.

It is no part of how a message is drawn, so that none is drawn anew because its thread went on.
"""

from collections.abc import Sequence

from deploybot.approvals import ApprovalRequest
from deploybot.events import ApprovalRequested
from deploybot.inbound.slack_buttons import OF_A_REQUEST, Reference
from deploybot.outbound.slack_rich import Json
from deploybot.thread import Thread


def reference(request: ApprovalRequest, head: str = "") -> str:
    """Return what a button or a dialog says it is about, and where the thread stood, if that is given."""
    where = {"head": head, "environment": request.plan.environment} if head else {}
    about = Reference(thread=request.thread, request=request.id, digest=request.digest, **where)
    return about.dumps()


def anchored(blocks: Sequence[Json], thread: Thread) -> list[Json]:
    """Return the blocks of a card with where its thread stands now in each of its buttons."""
    made = (event.request for event in thread.events if isinstance(event, ApprovalRequested))
    requests = {one.id: one for one in made if one.thread == thread.id}
    return [
        block | {"elements": [_anchored(one, requests, thread.head) for one in block["elements"]]}
        if block.get("type") == "actions"
        else block
        for block in blocks
    ]


def _anchored(element: Json, requests: dict[str, ApprovalRequest], head: str) -> Json:
    if element.get("action_id") not in OF_A_REQUEST:
        return element
    request = requests.get(Reference.loads(element["value"]).request)
    return element | {"value": reference(request, head)} if request else element
