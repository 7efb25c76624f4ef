"""Every error of the bot, by who can do something about it.

DeploybotError
├── CallerError            the sender of a request: becomes a 4xx answer or a private sentence
│   ├── InboundError         what arrived is not genuine or cannot be read
│   ├── ThreadNotFoundError  nobody has started such a thread
│   ├── NotAllowedError      this person may not
│   ├── IllegalEventError    this cannot happen to this thread now
│   └── DuplicateError       it has been heard before; nothing was written
├── StepError              the model or a person: becomes an event, and the agent reads it
└── OperatorError          the operator, or another try
    ├── ConflictError        the thread moved on meanwhile: load it and decide again
    ├── ClaimRefusedError    the service and environment are not free
    ├── HoldChangedError     the lock is not what its writer saw: look and decide again
    ├── StoreUnavailableError the store does not answer, or takes nothing now
    ├── LookupFailedError    who is in a group, or whose account it is, could not be found out
    ├── LeaseLostError       this worker no longer owns the operation
    ├── ModelUnavailableError no answer, or none that can be used
    ├── TakenError           another worker is at this already
    ├── DeliveryError        a channel did not take a message
    ├── TamperedError        a stored thread does not verify
    ├── UnknownEventError    a newer version wrote to the thread, and this one cannot read it
    └── ConfigError          a setting is missing or wrong
"""

import deploy.errors


class DeploybotError(Exception):
    """Anything the bot refuses or cannot do; `str()` is a sentence for a person."""


class CallerError(DeploybotError):
    """The sender asked for something that cannot be had."""


class InboundError(CallerError):
    """What arrived is not genuine, or cannot be read; nothing was stored."""

    def __init__(self, message: str, *, status: int = 401) -> None:
        super().__init__(message)
        self.status = status


class ThreadNotFoundError(CallerError):
    """There is no thread with this id."""


class NotAllowedError(CallerError):
    """Whoever asks may not, for a reason with a stable code; nothing was stored."""

    def __init__(self, message: str, *, reason_code: str = "unknown_person") -> None:
        super().__init__(message)
        self.reason_code = reason_code


class IllegalEventError(CallerError):
    """The event cannot happen to the thread as it stands; nothing was stored."""


class DuplicateError(CallerError):
    """The delivery was stored before; `thread` says where."""

    def __init__(self, key: str, thread: str) -> None:
        super().__init__(f"{key} was heard before, in thread {thread}; nothing was stored again.")
        self.key = key
        self.thread = thread


class StepError(DeploybotError):
    """The chosen step cannot be taken; the agent is told why and chooses again."""

    def __init__(self, message: str, *, code: str = "invalid_step") -> None:
        super().__init__(message)
        self.code = code


class OperatorError(DeploybotError):
    """The surroundings are at fault, not the request."""


class ConflictError(OperatorError):
    """Another writer appended first; `length` is how long the thread is now."""

    def __init__(self, thread: str, expected: int, length: int) -> None:
        super().__init__(f"thread {thread} has {length} events, not {expected}; load it again.")
        self.length = length


class ClaimRefusedError(OperatorError):
    """Another operation holds the service and environment, or the fence moved on."""

    def __init__(self, message: str, *, holder: str = "") -> None:
        super().__init__(message)
        self.holder = holder


class HoldChangedError(OperatorError):
    """Somebody else locked the place, or changed its lock, meanwhile; nothing was stored."""


class StoreUnavailableError(OperatorError):
    """The store gave no answer in time, or takes no writes; the same may be tried again later."""


class LookupFailedError(OperatorError):
    """Who is in a group, or whether an account may answer, could not be found out: nobody may."""


class LeaseLostError(OperatorError, deploy.errors.LeaseLostError):
    """The operation's lease ran out or was taken; the worker must stop at once."""


class TakenError(OperatorError):
    """Another worker is at this already; it goes on by itself."""


class ModelUnavailableError(OperatorError):
    """The model gave no answer, or none that can be used, within its bounds.

    `what` it did instead, in a few words; `tokens` that it used nevertheless.
    """

    def __init__(self, message: str, *, what: str = "", tokens: int = 0) -> None:
        super().__init__(message)
        self.what = what
        self.tokens = tokens


class DeliveryError(OperatorError):
    """A message was not taken; `retry_after` is in seconds, None when another try is useless."""

    def __init__(self, message: str, *, retry_after: float | None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class NoSuchReaderError(DeliveryError):
    """The mail server knows nobody at this address; no other mail gets there either."""


class KeyLookupError(OperatorError):
    """No name server said which key a domain signs its mails with; the sentence is for its sender."""


class UnknownEventError(OperatorError):
    """A stored event is genuine and of a kind that this version does not know: it must not guess."""


class TamperedError(OperatorError):
    """A stored event does not verify; nobody may act on the thread."""


class ConfigError(OperatorError):
    """A setting is missing or wrong; the sentence names it and says what it should be."""
