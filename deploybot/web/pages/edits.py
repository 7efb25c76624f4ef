"""What the form that edits a request was sent with; who may, and what comes of it, is `acting`'s."""

from deploybot.approvals import ApprovalRequest, Refusal
from deploybot.editing import Edit, parts_in_turn
from deploybot.web.pages.door import Form, Visitor

COMMENT = 1_000
REF = 200


def edit_of(
    form: Form, request: ApprovalRequest, visitor: Visitor, delivery: str
) -> Edit | Refusal:
    """Return what is wanted instead of this request; or that its order cannot be told."""
    given = {
        number: (form.text(f"ref-{number}", REF), form.text(f"turn-{number}", REF))
        for number in range(len(request.plans))
    }
    parts = parts_in_turn(request, given)
    if isinstance(parts, Refusal):
        return parts
    start = form.text("start", REF) if "start" in form.fields else None
    return Edit(
        thread=request.thread,
        request_id=request.id,
        digest=form.text("digest", 200),
        by=visitor.person.id,
        delivery=delivery,
        parts=parts,
        start=start,
        comment=form.text("why", COMMENT),
        channel="page",
    )
