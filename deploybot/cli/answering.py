"""Asks whoever sits at the terminal about what is open, one line at a time, and sends the answer.

While somebody thinks, others may answer: a question is begun anew whenever what is open changes.
"""

from dataclasses import dataclass, field

from deploybot.approvals import ApprovalRequest, may_answer
from deploybot.cli.client import Client, Json, RefusedError, thread_path
from deploybot.cli.following import Mirror
from deploybot.cli.terminal import Terminal, one_line
from deploybot.events import QuestionAsked
from deploybot.questions import read_answer, what_fits

YES = ("y", "yes")
NO = ("n", "no")


@dataclass
class Answering:
    """Whoever began the thread, at their terminal."""

    terminal: Terminal
    client: Client
    mirror: Mirror
    _about: str = ""
    """What is being asked about: a request's or a question's id."""
    _over: set[str] = field(default_factory=set)
    """What was answered from here, or left open."""
    _confirming: list[str] | None = None
    _denying: bool = False
    _prompted: bool = False

    @property
    def is_wanted(self) -> bool:
        """Whether something is open that this person may answer and has not."""
        open_now = self._open()
        return open_now is not None and open_now not in self._over

    def interrupted(self) -> None:
        """Something was shown meanwhile: ask again below it."""
        if self._prompted:
            self.terminal.err.print()
        self._prompted = False

    def ask(self) -> None:
        """Print the question that is to be answered next, once."""
        about = self._open()
        if about != self._about:
            self._begin(about or "")
        if not self._prompted:
            self.terminal.err.print(f"{self._prompt()} ", end="", style="bold", soft_wrap=True)
            self._prompted = True

    def typed(self, line: str) -> bool:
        """Take a line; False when whoever sits here leaves."""
        self._prompted = False
        if not line:  # the end of what can be typed
            self.terminal.err.print()
            return False
        text = line.strip()
        if self.mirror.request:
            return self._about_request(self.mirror.request, text)
        if self.mirror.question:
            return self._about_question(self.mirror.question, text)
        return True

    # -- an approval ---------------------------------------------------------------

    def _about_request(self, request: ApprovalRequest, text: str) -> bool:
        if self._denying:
            if text:
                self._decide(request, approved=False, comment=text)
            return True
        if self._confirming:
            return self._confirm(request, self._confirming, text.casefold())
        match text.casefold():
            case "a" | "approve":
                self._confirming = list(confirmations(request))
                if not self._confirming:
                    self._decide(request, approved=True, comment="")
            case "d" | "deny":
                self._denying = True
            case "l" | "leave" | "q" | "quit":
                self._over.add(request.id)
                return False
            case _:
                self.terminal.note("Type a, d or l, and Enter.")
        return True

    def _confirm(self, request: ApprovalRequest, left: list[str], text: str) -> bool:
        if text in YES:
            del left[0]
            if not left:
                self._decide(request, approved=True, comment="")
        elif text in NO:
            self.terminal.note("Not approved; it stays open.")
            self._confirming = None
        else:
            self.terminal.note("Type yes or no.")
        return True

    def _decide(self, request: ApprovalRequest, *, approved: bool, comment: str) -> None:
        self._over.add(request.id)
        body = decision(request, approved=approved, comment=comment)
        self._send(body)

    # -- a question ----------------------------------------------------------------

    def _about_question(self, question: QuestionAsked, text: str) -> bool:
        answer = read_answer(question, text)
        if answer is None:
            self.terminal.note(what_fits(question))
            return True
        self._over.add(question.question_id)
        self._send(answered(question, answer))
        return True

    # -- both ----------------------------------------------------------------------

    def _send(self, body: Json) -> None:
        try:
            self.client.post(thread_path(self.mirror.thread.id, "decision"), body)
        except RefusedError as error:
            self.terminal.note(str(error), "yellow")

    def _open(self) -> str | None:
        request, question = self.mirror.request, self.mirror.question
        if request:
            person = self.mirror.thread.events[0].by
            escalated = self.mirror.thread.standing.escalated
            refusal = may_answer(request, person, escalated=escalated)
            may = not request.rule.automatic and refusal is None
            return request.id if may else None
        return question.question_id if question else None

    def _begin(self, about: str) -> None:
        self._about, self._confirming, self._denying, self._prompted = about, None, False, False

    def _prompt(self) -> str:
        question = self.mirror.question
        if question:
            return f"{what_fits(question)} >"
        if self._denying:
            return "Why not? The bot reads it and proposes anew >"
        if self._confirming:
            return f"{one_line(self._confirming[0])} Do you confirm? [yes/no] >"
        return "[a]pprove, [d]eny, [l]eave it open >"


def confirmations(request: ApprovalRequest) -> tuple[str, ...]:
    """Return the sentences that whoever approves must confirm, each on its own."""
    return tuple(dict.fromkeys(one for plan in request.plans for one in plan.confirm))


def decision(
    request: ApprovalRequest, *, approved: bool, comment: str, break_glass: str = ""
) -> Json:
    """Return an answer to exactly this request; what had to be confirmed was, before an approval."""
    return {
        "request": request.id,
        "digest": request.digest,
        "approved": approved,
        "comment": comment,
        "confirm": approved,
        **({"break_glass": break_glass} if break_glass else {}),
    }


def answered(question: QuestionAsked, answer: str) -> Json:
    """Return an answer to exactly this question."""
    approved = not (question.format == "yes_no" and answer.startswith("No"))
    return {"request": question.question_id, "approved": approved, "comment": answer}
