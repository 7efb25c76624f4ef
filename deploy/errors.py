"""What can go wrong in a deploy, as one family of errors; the rules that raise them live beside it."""

from dataclasses import dataclass
from typing import Literal

ReasonCode = Literal[
    "unknown_service",
    "unknown_environment",
    "ref_missing",
    "ref_ambiguous",
    "ref_malformed",
    "branch_not_allowed",
    "not_verified_in",
    "already_live",
    "never_live",
    "no_earlier_release",
    "environment_held",
    "operation_running",
    "plan_changed",
    "time_refused",
    "in_line",
    "locked",
    "frozen",
    "checks_missing",
    "checks_failed",
    "checks_pending",
    "service_order",
    "too_many_commits",
    "nobody_can_approve",
    "facts_unavailable",
]
"""Why a plan may not run: stable names that programs may rely on."""


@dataclass(frozen=True)
class Refusal:
    """One reason why a plan may not run: a stable code, and a sentence or two for a person."""

    reason_code: ReasonCode
    message: str


class DeployError(Exception):
    """A deploy could not do what it was asked; the text says what to do next."""


class RefusedError(DeployError):
    """Policy or facts forbid the plan; nothing ran."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.message)
        self.refusal = refusal

    @property
    def reason_code(self) -> ReasonCode:
        """The stable name of the reason."""
        return self.refusal.reason_code


class RepositoryError(DeployError):
    """Git could not answer: the repository is missing, broken, unreachable or too slow."""


class TargetError(DeployError):
    """What stands at the target is not what a deploy left there; a person must look."""


class PlaceError(DeployError):
    """A system that targets or checks speak to did not do, or did not say, what it was asked."""


class NoAnswerError(PlaceError):
    """It gave no usable answer: whether it did what it was asked cannot be told."""


class BusyError(PlaceError):
    """It refused for now, and did nothing: ask again after `retry_after` seconds."""

    def __init__(self, text: str, retry_after: float) -> None:
        super().__init__(text)
        self.retry_after = retry_after


class DeniedError(PlaceError):
    """It refused, and did nothing; `status` is its HTTP status."""

    def __init__(self, text: str, status: int) -> None:
        super().__init__(text)
        self.status = status


class JournalError(DeployError):
    """The journal at the target cannot be read or written, so nothing may run there."""


class SeenApprovalError(DeployError):
    """This approval has begun once already, and an approval runs at most once."""


class OldFenceError(DeployError):
    """A newer operation has begun at the target, so this one may not touch it any more."""


class StoppedError(DeployError):
    """A guard ended a running deploy; what it left behind is for the journal to tell."""


class LeaseLostError(StoppedError):
    """The right to run has passed on: another worker may hold it now."""


class CancelledError(StoppedError):
    """A person stopped the deploy while it ran: the text says who and why ("stopped by ann: …").

    It ends at the next safe step with an honest end; what was live before stays live.
    """


class StepFailedError(DeployError):
    """One step of a plan failed: which, how, and the last lines that it printed."""

    def __init__(
        self,
        step: str,
        error: str,
        *,
        exit_code: int | None = None,
        tail: tuple[str, ...] = (),
        stranded: bool = False,
    ) -> None:
        super().__init__(error)
        self.step = step
        self.error = error
        self.exit_code = exit_code
        self.tail = tail
        self.stranded = stranded
        """Whether the way back to what was live before failed, too."""
