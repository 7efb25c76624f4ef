"""The records that a target keeps of what happened to it; the file they are in is `journal`'s."""

import operator
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


class SpawnedRecord(_OfApproval):
    """A command was started: its session, and since which boot of the machine that means it."""

    kind: Literal["spawned"] = "spawned"
    session: int
    boot: str


class SwitchedRecord(_OfApproval):
    """Another commit went live, or (None) none; `back` says that the step was a way back."""

    kind: Literal["switched"] = "switched"
    sha: Sha | None
    previous: Sha | None
    back: bool = False


class IntentRecord(_OfApproval):
    """Something is about to be asked for elsewhere, once: on disk before the request goes out.

    `facts` are what the place said before (ids, what was there); `previous` is what was live.
    """

    kind: Literal["intent"] = "intent"
    previous: Sha | None
    facts: dict[str, str] = {}


class LaunchedRecord(_OfApproval):
    """What was asked for runs elsewhere: what the place said of it, `link` and `id` among that."""

    kind: Literal["launched"] = "launched"
    facts: dict[str, str] = {}


class SeenRecord(_OfApproval):
    """What runs elsewhere was seen to have changed, so its silence begins anew.

    `mark` tells one state of it from another.
    """

    kind: Literal["seen"] = "seen"
    mark: str
    step: str
    link: str = ""


class StopRecord(_OfApproval):
    """The place is asked to stop what runs there, and to make live again what was live before."""

    kind: Literal["stop"] = "stop"
    reason: str
    step: str | None = None
    tail: tuple[str, ...] = ()


class EndedRecord(_OfApproval):
    """An order came to its end."""

    kind: Literal["ended"] = "ended"
    outcome: Literal["succeeded", "failed"]
    step: str | None = None
    error: str | None = None
    tail: tuple[str, ...] = ()
    link: str = ""
    stranded: bool = Field(default=False, exclude_if=operator.not_)
    """Whether the way back failed, too; written only then, so that an older version reads all else."""


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
    | SpawnedRecord
    | StepRecord
    | SwitchedRecord
    | IntentRecord
    | LaunchedRecord
    | SeenRecord
    | StopRecord
    | EndedRecord
    | ClosedRecord
    | VerifiedRecord,
    Field(discriminator="kind"),
]
RECORD: TypeAdapter[Record] = TypeAdapter(Record)
