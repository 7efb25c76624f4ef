"""What happened, in plain words: a sentence for each event, for whoever reads a thread's timeline.

Pure. What people are *told* while it happens is `outbox`'s; what a model reads, `prompting`'s. All
words of others are left as they are: whoever shows them makes them harmless.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from deploy.locks import Hold
from deploy.plan import SHORT
from deploybot.approvals import POLICY, ApprovalRequest
from deploybot.events import (
    FACTS,
    PERSON,
    Answered,
    AnswerRefused,
    ApiMessageReceived,
    ApprovalDenied,
    ApprovalEscalated,
    ApprovalExpired,
    ApprovalGranted,
    ApprovalReminded,
    ApprovalRequested,
    ApprovalSuperseded,
    BranchUpdated,
    Cancelled,
    DeployFailed,
    DeployOutcomeUnknown,
    DeployResolved,
    DeployStarted,
    DeploySucceeded,
    DriftFound,
    EditRefused,
    EditRequested,
    EmailReceived,
    Escalated,
    Event,
    Finished,
    Forked,
    ForkMade,
    HandedOver,
    HoldForgotten,
    HoldPlaced,
    HoldReleased,
    LinedUp,
    MailBounced,
    MessageAltered,
    Paused,
    PlansShown,
    QuestionAsked,
    ReadReturned,
    Resumed,
    ScheduleFired,
    SlackMessageReceived,
    Slept,
    StepChosen,
    StepFailed,
    StopRequested,
    TestsFailed,
    TestsPassed,
    TurnCame,
    Woke,
)
from deploybot.phrases import change, changes, duration, place, step_words


@dataclass(frozen=True)
class Words:
    """One event in words: our sentence, what somebody said, and lines of output."""

    text: str
    quoted: str = ""
    detail: tuple[str, ...] = ()


def words(event: Event) -> Words:
    """Return what happened; who did it, and when, stand in the event's own fields."""
    return _heard(event) or _done(event) or _decided(event) or _deployed(event) or _moved(event)


def _heard(event: Event) -> Words | None:  # noqa: PLR0911 - a case an event
    match event:
        case MessageAltered(how=how):
            return Words(f"{how} a message that was heard; the words that were heard count")
        case SlackMessageReceived(text=text):
            return Words("wrote in Slack", text)
        case EmailReceived(subject=subject, text=text):
            return Words(f"wrote by mail, “{subject}”", text)
        case ApiMessageReceived(text=text):
            return Words("asked what would run" if event.dry_run else "wrote", text)
        case BranchUpdated(branch=branch, after=sha, pusher=pusher, subject=subject):
            return Words(f"{branch} moved to {sha[:SHORT]}, pushed by {pusher}", subject)
        case ScheduleFired(name=name, text=text):
            return Words(f"the time of “{name}” came", text)
        case HandedOver(agent=agent, text=text):
            return Words(f"gave it to the {agent} agent", text)
        case Answered(answer=answer):
            return Words("gave an answer", answer)
        case _:
            return None


def _done(event: Event) -> Words | None:  # noqa: C901, PLR0911, PLR0912 - a case an event
    match event:
        case StepChosen(step=step, model=model) if model == PERSON:
            return Words(f"wants to {step_words(step)}")
        case StepChosen(step=step, model=model):
            took = f", {duration(event.ms / 1000)}" if event.ms >= 100 else ""
            tokens = event.tokens_in + event.tokens_out
            spent = f", {tokens} tokens" if tokens else ""
            said = getattr(step, "reason", "")
            return Words(f"chose to {step_words(step)} ({model}{took}{spent})", said)
        case ReadReturned(intent=intent, result=result):
            many = f": {len(result)}" if isinstance(result, list) else ""
            what = "what is live and what is new" if intent == FACTS else intent.replace("_", " ")
            return Words(f"read {what}{many}")
        case StepFailed(code=code, error=error):
            return Words(f"not possible ({code})", error)
        case QuestionAsked(question=question):
            about = (event.context,) if event.context else ()
            either = (" / ".join(event.choices),) if event.choices else ()
            return Words("asked", question, (*about, *either))
        case PlansShown(plans=plans):
            return Words("showed what would run", "", tuple(change(plan) for plan in plans))
        case TestsPassed(environment=environment, summary=summary, seconds=seconds):
            return Words(f"tests of {environment} passed in {duration(seconds)}", summary)
        case TestsFailed(environment=environment, summary=summary, seconds=seconds):
            text = f"tests of {environment} failed after {duration(seconds)}"
            return Words(text, summary, event.tail)
        case Finished(message=message):
            return Words("done, and nothing to tell" if event.silent else "done", message)
        case Slept(until=until, reason=reason):
            return Words(f"sleeps until {until:%Y-%m-%d %H:%M} UTC", reason)
        case Woke():
            return Words("woke up")
        case Escalated(reason=reason):
            return Words("cannot go on; people must", reason)
        case _:
            return None


def _decided(event: Event) -> Words | None:  # noqa: C901, PLR0911, PLR0912 - a case an event
    match event:
        case ApprovalRequested(request=request):
            return Words(f"asks to {changes(request)}", request.reason, tuple(_bound(request)))
        case ApprovalGranted(comment=comment, channel=channel):
            return Words(_approved(event, channel), event.break_glass or comment)
        case ApprovalReminded(number=number):
            return Words(f"called those who can still approve again (reminder {number})")
        case ApprovalEscalated(to=to):
            return Words(
                f"nobody approved for long; now these may, too: {', '.join(to) or 'nobody'}"
            )
        case ApprovalDenied(feedback=feedback, channel=channel):
            return Words(f"denied over {channel}", feedback)
        case ApprovalExpired():
            return Words("nobody answered in time; nothing ran")
        case EditRequested(step=step, comment=comment):
            return Words(f"edited it: wants to {step_words(step)}", comment)
        case EditRefused(reason_code=code, error=error):
            return Words(f"the edit was not taken ({code}); it is open as it was", error)
        case ApprovalSuperseded(changes=changed) if event.edited_by:
            return Words(f"edited by {event.edited_by}; a newer card took its place", "", changed)
        case ApprovalSuperseded(changes=changed):
            return Words("what was shown has changed; nothing ran", "", changed)
        case AnswerRefused(reason_code=code, text=text):
            return Words(f"was told no ({code})", text)
        case MailBounced(address=address, until=until):
            return Words(
                f"a mail to {address} came back; none goes there until {until:%Y-%m-%d %H:%M} UTC"
            )
        case _:
            return None


def _approved(event: ApprovalGranted, channel: str) -> str:
    if event.by == POLICY:
        return "the standing rule approved"
    if event.break_glass:
        return f"broke the glass, and approved alone over {channel}"
    also = " and ".join(one.person for one in event.stands_for)
    return f"approved{f', answering for {also},' if also else ''} over {channel}"


def _deployed(event: Event) -> Words | None:  # noqa: PLR0911 - a case an event
    match event:
        case DeployStarted(fence=fence):
            return Words(f"the deploy started, under fence {fence}")
        case DeploySucceeded(sha=sha, seconds=seconds):
            found = " (found in the target's journal)" if event.recovered else ""
            return Words(f"{sha[:SHORT]} is live after {duration(seconds)}{found}", event.link)
        case DeployFailed(step=step, error=error):
            how = f"the deploy failed at {step}" if event.began else "the deploy never began"
            return Words(f"{how}; {_live(event.live)}", error, (*event.tail, *_some(event.link)))
        case DeployOutcomeUnknown(step=step):
            text = f"a worker died during {step or 'the deploy'}; its outcome is not known"
            return Words(f"{text}; {_live(event.live)}", "", tuple(_some(event.link)))
        case DeployResolved(outcome=outcome, comment=comment):
            return Words(f"settled it as {outcome}; {_live(event.live)}", comment)
        case StopRequested(reason=reason):
            return Words("wants the deploy to stop at its next safe step", reason)
        case DriftFound(service=service, environment=environment, live=live):
            return Words(f"{service} on {environment} is not what was deployed; {_live(live)}")
        case _:
            return None


def _moved(event: Event) -> Words:  # noqa: C901, PLR0911 - a case an event
    match event:
        case LinedUp(service=service, environment=environment, position=position, why=why):
            text = f"waits in line for {service} on {environment}, number {position}"
            return Words(text, why)
        case TurnCame(service=service, environment=environment):
            return Words(f"{service} on {environment} is free")
        case HoldPlaced(hold=hold, how=how):
            return Words(f"{how.replace('_', ' ')} {place(hold)}{_until(hold)}", hold.reason)
        case HoldForgotten(hold=hold):
            return Words(f"{place(hold)} has been locked for long by {hold.owner}", hold.reason)
        case HoldReleased(service=service, environment=environment, was=was):
            return Words(f"freed {service or 'every service'} on {environment}", was)
        case Paused():
            return Words("paused it: nothing starts")
        case Resumed():
            return Words("resumed it")
        case Cancelled(reason=reason):
            return Words("cancelled it", reason)
        case Forked(from_thread=origin, length=length):
            return Words(f"forked from {origin}: everything above is a copy of its first {length}")
        case ForkMade(thread=thread, length=length):
            return Words(f"forked the first {length} events to {thread}")
        case _:
            return Words(event.kind.replace("_", " "))


def _bound(request: ApprovalRequest) -> Iterator[str]:
    start = f", starts {request.start_at:%Y-%m-%d %H:%M} UTC" if request.start_at else ""
    yield f"open until {request.expires_at:%H:%M} UTC{start}"
    yield f"request {request.id} · digest {request.digest[:16]}"


def _until(hold: Hold) -> str:
    return f" until {hold.expires:%Y-%m-%d %H:%M} UTC" if hold.expires else ""


def _live(sha: str | None) -> str:
    return f"{sha[:SHORT]} is live" if sha else "nothing is live there"


def _some(text: str) -> tuple[str, ...]:
    return (text,) if text else ()
