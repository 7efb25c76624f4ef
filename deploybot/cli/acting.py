"""What people do to threads from a terminal: ask, approve, deny, reply, stop them and let them go on."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

from deploybot.approvals import ApprovalRequest
from deploybot.cli import cards
from deploybot.cli.answering import (
    NO,
    YES,
    answered,
    confirmations,
    decision,
)
from deploybot.cli.changing import Changes
from deploybot.cli.client import Client, Json, RefusedError, thread_path
from deploybot.cli.exits import Exit
from deploybot.cli.following import Mirror
from deploybot.cli.terminal import Terminal, harmless
from deploybot.cli.watching import Manner, Watch, show_events
from deploybot.errors import CallerError, ConfigError
from deploybot.phrases import changes
from deploybot.questions import read_answer, what_fits
from deploybot.thread import Status

DIGITS = 8
"""How many digits of a digest are enough to name it: they are compared with the open one alone."""

Now = Callable[[], datetime]


class NotApprovedError(CallerError):
    """Whoever sits here did not confirm; nothing was sent."""


class Acting:
    """One person's commands over the API."""

    def __init__(self, terminal: Terminal, client: Client, now: Now) -> None:
        self._terminal = terminal
        self._client = client
        self._now = now

    def ask(self, text: str, *, agent: str, dry_run: bool, manner: Manner | None) -> int:
        """Start a thread with these words, and watch it unless told not to."""
        body: Json = {"text": text}
        body |= {"agent": agent} if agent else {}
        body |= {"dry_run": True} if dry_run else {}
        started = self._client.post("/api/threads", body)
        if manner is None:
            return self._told(started, f"Started {started['id']}.", Exit.DONE)
        if self._terminal.as_json:
            self._terminal.json_line(started)
        else:
            self._terminal.note(f"{started['id']}  {started.get('url', '')}")
        shown = self._client.get(thread_path(started["id"]))
        show_events(self._terminal, shown)
        mirror = Mirror.of(shown)
        watch = Watch(self._terminal, self._client, mirror, self._now)
        return watch.until_rest(manner, since=0)

    def approve(
        self,
        thread_id: str,
        *,
        digest: str,
        yes: bool,
        comment: str,
        manner: Manner | None,
        break_glass: str = "",
    ) -> int:
        """Approve exactly what is open: what was seen here, or what the digest names."""
        mirror, shown = self._look(thread_id)
        request = _open_request(mirror)
        if digest and not (len(digest) >= DIGITS and request.digest.startswith(digest.lower())):
            raise RefusedError(
                f"What is open has the digest {request.digest[:16]}…, not {digest}; nothing was "
                "approved. Look at it with `deploybot show`, and name its digest.",
                status=409,
                reason_code="digest_mismatch",
            )
        if not yes:
            self._see_and_confirm(request, mirror, named=bool(digest))
        body = decision(request, approved=True, comment=comment, break_glass=break_glass)
        return self._decide(thread_id, body, mirror, shown, manner)

    def deny(self, thread_id: str, reason: str, *, manner: Manner | None) -> int:
        """Deny what is open, with a reason that the bot reads."""
        mirror, shown = self._look(thread_id)
        request = _open_request(mirror)
        if not reason and self._terminal.is_live:
            self._terminal.show(cards.card(request, self._now()))
            reason = self._line("Why not? The bot reads it and proposes anew >")
        if not reason:
            raise ConfigError("Denying takes a reason, which the bot reads; nothing was sent.")
        body = decision(request, approved=False, comment=reason)
        return self._decide(thread_id, body, mirror, shown, manner)

    def edit(self, thread_id: str, changes: Changes, *, manner: Manner | None) -> int:
        """Have what is open planned anew, with other commits, another order or another start."""
        mirror, shown = self._look(thread_id)
        body = changes.of(_open_request(mirror))
        answer = self._client.post(thread_path(thread_id, "edit"), body)
        return self._then(answer, str(answer.get("text") or "Edited."), mirror, shown, manner)

    def reply(self, thread_id: str, text: str, *, manner: Manner | None) -> int:
        """Answer the open question, or say something in the thread."""
        mirror, shown = self._look(thread_id)
        question = mirror.question
        if question:
            answer = read_answer(question, text)
            if answer is None:
                raise ConfigError(
                    f"“{harmless(question.question)}” takes {what_fits(question)}; nothing was sent."
                )
            return self._decide(thread_id, answered(question, answer), mirror, shown, manner)
        open_before = mirror.request is not None
        answer_ = self._client.post(thread_path(thread_id, "messages"), {"text": text})
        said = "Said; the open request was closed by it." if open_before else "Said."
        return self._then(answer_, said, mirror, shown, manner)

    def resolve(self, thread_id: str, outcome: str, comment: str) -> int:
        """Say how a deploy of unknown outcome ended."""
        mirror, _ = self._look(thread_id)
        request = mirror.thread.standing.request
        if mirror.status is not Status.OUTCOME_UNKNOWN or request is None:
            raise RefusedError(
                f"No outcome is unknown in {thread_id}, so nothing was settled.",
                status=409,
                reason_code="closed",
            )
        body = {"request": request.id, "outcome": outcome, "comment": comment}
        answer = self._client.post(thread_path(thread_id, "resolve"), body)
        return self._told(answer, str(answer.get("text") or "Settled."), Exit.DONE)

    def move(self, thread_id: str, move: str, body: Json | None = None) -> int:
        """Pause, resume or cancel."""
        answer = self._client.post(thread_path(thread_id, move), body)
        said = {"pause": "Paused: nothing starts.", "resume": "Resumed.", "cancel": "Cancelled."}
        return self._told(answer, str(answer.get("text") or said[move]), Exit.DONE)

    def fork(self, thread_id: str, at: int) -> int:
        """Begin a new thread with the first events of this one."""
        answer = self._client.post(thread_path(thread_id, "fork"), {"at": at})
        new = answer["id"]
        return self._told(
            answer, f"{new} begins with the first {at} events of {thread_id}.", Exit.DONE
        )

    # -- how -----------------------------------------------------------------------

    def _look(self, thread_id: str) -> tuple[Mirror, int]:
        shown = self._client.get(thread_path(thread_id))
        return Mirror.of(shown), len(shown["events"])

    def _see_and_confirm(self, request: ApprovalRequest, mirror: Mirror, *, named: bool) -> None:
        """Show everything, and have each thing confirmed; without a terminal that cannot be."""
        asked = list(confirmations(request))
        if not self._terminal.is_live:
            if named and not asked:
                return
            raise ConfigError(_unconfirmed(request, asked, named=named))
        standing = mirror.thread.standing
        shown = cards.card(request, self._now(), standing.grants, standing.nudges)
        self._terminal.show(shown)
        for sentence in (*asked, "Approve exactly this?"):
            while (typed := self._line(f"{sentence} [yes/no] >").casefold()) not in YES:
                if typed in NO or not typed:
                    raise NotApprovedError("Not approved; it stays open.")

    def _decide(
        self, thread_id: str, body: Json, mirror: Mirror, shown: int, manner: Manner | None
    ) -> int:
        answer = self._client.post(thread_path(thread_id, "decision"), body)
        return self._then(answer, str(answer.get("text") or "Answered."), mirror, shown, manner)

    def _then(
        self, answer: Json, said: str, mirror: Mirror, shown: int, manner: Manner | None
    ) -> int:
        if manner is None:
            return self._told(answer, said, Exit.DONE)
        if self._terminal.as_json:
            self._terminal.json_line(answer)
        else:
            self._terminal.say(said)
        watch = Watch(self._terminal, self._client, mirror, self._now)
        manner = replace(manner, past=int(answer.get("length", 0)))
        return watch.until_rest(manner, since=shown)

    def _told(self, answer: Json, said: str, code: Exit) -> int:
        if self._terminal.as_json:
            self._terminal.json(answer)
        else:
            self._terminal.say(said)
        return code

    def _line(self, prompt: str) -> str:
        self._terminal.err.print(f"{harmless(prompt)} ", end="", style="bold", soft_wrap=True)
        try:
            return input().strip()
        except EOFError:
            return ""


def _unconfirmed(request: ApprovalRequest, asked: list[str], *, named: bool) -> str:
    if named:
        return (
            f"This needs to be confirmed, so nothing was approved: {'; '.join(asked)} Confirm it "
            "with --yes."
        )
    return (
        f"Nobody sits at this terminal to look at it, so nothing was approved. It would "
        f"{changes(request)}: name what you saw with --digest {request.digest[:16]}, or take it "
        "as it is with --yes."
    )


def _open_request(mirror: Mirror) -> ApprovalRequest:
    """Return the open request, or say what there is instead."""
    request = mirror.request
    if request is None:
        where = str(mirror.status).replace("_", " ")
        raise RefusedError(
            f"Nothing waits for an approval in {mirror.thread.id}: it is {where}; nothing was sent.",
            status=409,
            reason_code="closed",
        )
    return request
