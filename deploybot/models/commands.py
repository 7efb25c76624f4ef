"""Plain commands, which need no model: a whole message that can mean one thing only.

`deploy backend v1.2.3 to staging`, `roll back backend on production`, `what's live?`, … Anything
less plain is left to a model, or to the `offline` planner.
"""

import re

from deploy.errors import RefusedError
from deploy.refs import checked_name
from deploybot.events import (
    Answered,
    AnswerRefused,
    ApiMessageReceived,
    ApprovalDenied,
    EmailReceived,
    Event,
    MailBounced,
    MessageAltered,
    Paused,
    ReadReturned,
    Resumed,
    SlackMessageReceived,
    StepChosen,
)
from deploybot.models.offline import asking, deciding, names, words
from deploybot.next_step import Deploy, DoneForNow, NextStep, Read, RequestHumanInput, RollBack
from deploybot.ports import Choice, Prompt

NAME = "command"

_REASON = "a plain command"
_DEPLOY = re.compile(
    r"deploy (\S+) (\S+) (?:to|on) (\S+)(?: at ((?:\d{4}-\d{2}-\d{2} )?\d{1,2}:\d{2}))?",
    re.IGNORECASE,
)
_NO_NAME = re.compile(r"^-|[^\w.,!?/+-]")
"""What no name of a commit has, and what is no sign between words either."""
_ROLL_BACK = re.compile(
    r"(?:roll ?back|roll-back) (\S+) (?:on|in) (\S+)(?: to (\S+))?", re.IGNORECASE
)
_READS = re.compile(
    r"(?:whats|what is) live(?: (?:on|in) \S+)?|status|(?:last|latest) (?:\d{1,2} )?commits?|tags",
    re.IGNORECASE,
)


class PlainCommands:
    """Chooses the first step after a plain command, and tells what a read of its own returned."""

    def choose(self, prompt: Prompt) -> Choice | None:
        """Return the step, or None when the last words are no plain command."""
        events = _that_matter(prompt.thread.events)
        step = self._told(events, prompt) or self._commanded(events, prompt)
        return Choice(step=step, model=NAME) if step else None

    def _commanded(self, events: tuple[Event, ...], prompt: Prompt) -> NextStep | None:
        text = _words(events[-1]) if events else ""
        return command(text, prompt.services, prompt.environments) if text else None

    def _told(self, events: tuple[Event, ...], prompt: Prompt) -> NextStep | None:
        match events[-3:]:
            case (asked, StepChosen(model="command", step=step), ReadReturned(result=result)):
                said = words.read(_words(asked), prompt.services, prompt.environments)
                return DoneForNow(message=deciding.telling(step, result, said))
            case _:
                return None


def command(text: str, services: tuple[str, ...], environments: tuple[str, ...]) -> NextStep | None:
    """Return the step that a plain command means, or None when the text is none."""
    plain = words.clean(text).rstrip("?").strip()
    if match := _DEPLOY.fullmatch(plain):
        service, ref, where, at = match.groups()
        environment = names.environment(where, environments)
        known = service in services and environment and names.may_be_ref(ref)
        if known and environment and not _says_which(ref):
            return Deploy(service=service, ref=ref, environment=environment, reason=_REASON, at=at)
        return _of_no_name(text, services, environments)
    if match := _ROLL_BACK.fullmatch(plain):
        service, where, to = match.groups()
        environment = names.environment(where, environments)
        named = to is None or (names.may_be_ref(to) and not _says_which(to))
        if service in services and environment and named:
            return RollBack(service=service, environment=environment, to=to, reason=_REASON)
        return None
    return _read(plain, services, environments) if _READS.fullmatch(plain) else None


def _of_no_name(
    text: str, services: tuple[str, ...], environments: tuple[str, ...]
) -> RequestHumanInput | None:
    """Return the question after a ref that can be no name: why it is refused, and which instead."""
    match = _DEPLOY.fullmatch(text.strip())
    if match is None or not _NO_NAME.search(match[2]):
        return None
    service, ref, where, _ = match.groups()
    if service not in services or not names.environment(where, environments):
        return None
    try:
        checked_name(ref)
    except RefusedError as error:
        return asking.which_ref(ref, str(error), None)
    return None


def _read(plain: str, services: tuple[str, ...], environments: tuple[str, ...]) -> Read | None:
    said = words.read(plain, services, environments)
    where = re.search(r"\b(?:on|in) (\S+)$", plain)
    if where and not said.environments:
        return None  # no environment that is known: not plain
    return deciding.reading(said, services)


def _says_which(word: str) -> bool:
    """Tell whether the word describes a commit, rather than names it."""
    return word.casefold() in ("latest", "newest", "last", "previous", "it", "that", "this")


def _that_matter(events: tuple[Event, ...]) -> tuple[Event, ...]:
    changes_nothing = AnswerRefused | Paused | Resumed | MailBounced | MessageAltered
    return tuple(e for e in events if not isinstance(e, changes_nothing))


def _words(event: Event) -> str:
    match event:
        case SlackMessageReceived(text=text) | EmailReceived(text=text):
            return text
        case ApiMessageReceived(text=text) | ApprovalDenied(feedback=text) | Answered(answer=text):
            return text
        case _:
            return ""
