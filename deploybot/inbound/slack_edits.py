"""What the dialog that edits a request was sent off with; which service each field is about the thread says."""

from dataclasses import dataclass

from deploybot.approvals import ApprovalRequest, Refusal
from deploybot.editing import Edit, parts_in_turn
from deploybot.inbound.slack_buttons import REF, START, TURN, WHY, Reference
from deploybot.inbound.slack_payloads import Input, Json, Submission, parsed
from deploybot.ports import People


@dataclass(frozen=True)
class Field:
    """What was given for one service: a ref, and its turn as a number from 1, or that it is left out."""

    ref: str
    turn: str


@dataclass(frozen=True)
class EditSent:
    """A dialog as it was sent off: its fields by the number of the service, counted from 0."""

    about: Reference
    by: str
    user: str
    delivery: str
    fields: dict[int, Field]
    start: str | None
    why: str

    def edit(self, request: ApprovalRequest) -> Edit | Refusal:
        """Return what is wanted instead of this request; or that its order cannot be told."""
        given = {number: (field.ref, field.turn) for number, field in self.fields.items()}
        parts = parts_in_turn(request, given)
        if isinstance(parts, Refusal):
            return parts
        return Edit(
            thread=self.about.thread,
            request_id=self.about.request,
            digest=self.about.digest,
            by=self.by,
            delivery=self.delivery,
            parts=parts,
            start=self.start,
            comment=self.why,
            channel="slack",
        )


def read_edit(payload: Json, people: People) -> EditSent:
    """Return what the dialog was sent off with; raises InboundError (400) when it is garbled."""
    sent = parsed(Submission, payload)
    values = sent.view.state.values
    fields: dict[int, Field] = {}
    for block in values:
        kind, _, number = block.partition(":")
        if kind == REF and number.isascii() and number.isdigit() and len(number) < 4:
            turn = values.get(f"{TURN}:{number}", {}).get(TURN)
            fields[int(number)] = Field(_typed(values[block].get(REF)), _typed(turn))
    start = values.get(START, {}).get(START)
    return EditSent(
        about=Reference.loads(sent.view.private_metadata),
        by=people.by_slack(sent.user.id),
        user=sent.user.id,
        delivery=f"slack:view:{sent.view.id}:{sent.view.hash}",
        fields=fields,
        start=None if start is None else _typed(start),
        why=_typed(values.get(WHY, {}).get(WHY)),
    )


def block_of(refusal_code: str, sent: EditSent, text: str) -> str:
    """Return the block below which a refusal is to be read: the field that it is about, or the first."""
    if refusal_code == "time_refused" and sent.start is not None:
        return START
    if refusal_code == "order_unclear":
        return f"{TURN}:0"
    named = (number for number, field in sent.fields.items() if repr(field.ref[:80]) in text)
    return f"{REF}:{next(named, 0)}"


def _typed(given: Input | None) -> str:
    if given is None:
        return ""
    picked = given.selected_option
    return picked.value if picked else (given.value or "").strip()
