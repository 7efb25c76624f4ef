"""The records that a target keeps of what happened to it; the file they are in is `journal`'s."""

from typing import Annotated, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, TypeAdapter

from deploy.plan import Action, Sha


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    at: AwareDatetime


class _OfApproval(_Record):
    approval_id: str


class BeganRecord(_OfApproval):
    """An order began: the one record that uses an approval up."""

    kind: Literal["began"] = "began"
    fence: int
    digest: str
    head: str
    sha: Sha
    action: Action


class StepRecord(_OfApproval):
    """A step ended."""

    kind: Literal["step"] = "step"
    name: str
    ok: bool
    seconds: float


class SwitchedRecord(_OfApproval):
    """Another commit went live, or (None) none; `back` says that the step was a way back."""

    kind: Literal["switched"] = "switched"
    sha: Sha | None
    previous: Sha | None
    back: bool = False


class IntentRecord(_OfApproval):
    """Something is about to be asked for elsewhere, once: on disk before the request goes out."""

    kind: Literal["intent"] = "intent"
    asks: str


class LaunchedRecord(_OfApproval):
    """What was asked for runs elsewhere, under this name there; `link` shows it to people."""

    kind: Literal["launched"] = "launched"
    reference: str
    link: str = ""


class SeenRecord(_OfApproval):
    """What runs elsewhere was seen to have come to another step: its silence begins anew."""

    kind: Literal["seen"] = "seen"
    step: str
    link: str = ""


class EndedRecord(_OfApproval):
    """An order came to its end."""

    kind: Literal["ended"] = "ended"
    outcome: Literal["succeeded", "failed"]
    step: str | None = None
    error: str | None = None
    tail: tuple[str, ...] = ()
    link: str = ""


class ClosedRecord(_OfApproval):
    """The order's worker was given up: whatever it left behind, it may do nothing more here."""

    kind: Literal["closed"] = "closed"
    fence: int


class VerifiedRecord(_Record):
    """The environment's tests passed while this commit was live."""

    kind: Literal["verified"] = "verified"
    sha: Sha


Record = Annotated[
    BeganRecord
    | StepRecord
    | SwitchedRecord
    | IntentRecord
    | LaunchedRecord
    | SeenRecord
    | EndedRecord
    | ClosedRecord
    | VerifiedRecord,
    Field(discriminator="kind"),
]
RECORD: TypeAdapter[Record] = TypeAdapter(Record)
