"""The seed story, played in the demo's company by its people, and checked line by line."""

import os
import signal
import threading
from collections.abc import Callable
from functools import partial
from typing import Any

from deploybot.bootstrap import now
from deploybot.demo.company import Company
from deploybot.demo.hands import Hands, Json, buttons_of
from deploybot.demo.waiting import until
from deploybot.thread import thread_id_for

PATIENCE = 60.0
"""Seconds that any one thing may take before the story counts as broken."""
SERVICES = ("backend", "frontend")


class BrokenStepError(Exception):
    """The story did not go as told; says at which step and why."""


class Player:
    """Plays every line of the story; `say` is told what happens, a line each."""

    def __init__(self, company: Company, *, say: Callable[[str], None]) -> None:
        self._company = company
        self._say = say
        self._step = "the beginning"
        self.hands = Hands(company.access)

    def play(self) -> None:
        """Play it all; raises BrokenStepError at the first line that does not hold."""
        try:
            self._first_release()
            self._small_talk()
            self._by_mail()
            self._bad_release()
        except (TimeoutError, AssertionError, KeyError, IndexError, OSError) as error:
            raise BrokenStepError(f"{self._step}\n{type(error).__name__}: {error}") from error

    # -- steps 1 to 17 -------------------------------------------------------------

    def _first_release(self) -> None:
        self._begin("A release")
        hands = self.hands
        sha, pipeline = self._merge("1 · Eve merges a pull request; GitHub says that main moved")
        thread = self._through_staging(sha, pipeline, again=False)
        self._tell("5 · the agent answers deploy_frontend for production")
        first = self._request(thread, "frontend")
        self._tell("6 · a card in the channel: what would run, with Approve and Deny")
        card = self._card(first)
        shown = self.hands.read(card)
        for fact in (sha, "frontend", "production", "Checked", "staging", "Ann", "Ben", "Until"):
            self._expect(fact in shown, f"the card names {fact}")
        stale = buttons_of(card)["approve"]
        self._tell("7 · Ben denies: “can you deploy the backend first?”")
        self._deny("ben", first, "can you deploy the backend first?")
        self._tell("8 · the agent answers deploy_backend for production")
        second = self._request(thread, "backend")
        self._tell("9 · a new card; the old one can no longer be answered, and says so")
        self._card(second)
        until(lambda: not buttons_of(self._card(first)), PATIENCE, "the old card has no buttons")
        hands.click_again("ben", stale, str(card["ts"]))
        self._whispered("ben", "already denied by Ben")
        self._tell("10 · Ben approves; the card says who and when")
        self._approve("ben", second)
        self._tell("11 · plain code deploys the backend: build, health check, switch")
        self._live_on_card(second, sha)
        self._tell("12 · told the result, the agent answers deploy_frontend")
        third = self._request(thread, "frontend", other_than=first)
        self._tell("13 · a card; Ann and Ben approve at the same moment, and one was first")
        self._approve_together(third)
        self._tell("14 · plain code deploys the frontend")
        self._live_on_card(third, sha)
        self._tell("15 · the agent is done, and names what is live now")
        done = self._event(thread, "finished")
        self._expect(sha[:7] in done["message"], "the last message names what is live")
        self._tell("16 · plain code runs the end-to-end tests against production; they pass")
        self._expect(
            any(e["environment"] == "production" for e in hands.events(thread, "tests_passed")),
            "the tests passed on production",
        )
        self._tell(f"17 · the thread is done: {sha[:7]} is live on production, both services")
        self._status(thread, "done")
        self._is_live("production", sha)

    # -- around it -----------------------------------------------------------------

    def _small_talk(self) -> None:
        self._begin("Around it")
        self._tell("· Ann asks what's live")
        sha = self.hands.live("production", "backend")
        self._answered("ann", "<@U0DEPLOYBOT> what's live?", sha[:7])
        self._tell("· Eve asks for the last 5 commits")
        self._answered("eve", "<@U0DEPLOYBOT> what are the last 5 commits?", sha[:7])
        self._tell("· Eve asks for a tag that does not exist; the agent reads the error and asks")
        self._answered("eve", "<@U0DEPLOYBOT> deploy backend v9.9.9 to staging", "v9.9.9")

    def _by_mail(self) -> None:
        self._begin("By mail")
        sha, pipeline = self._merge("· another pull request is merged")
        thread = self._through_staging(sha, pipeline)
        request = self._request(thread, None)
        self._deny("ann", request, "stop, I will ask for it by mail")
        self._status(thread, "done", "awaiting_input")
        self._tell(f"· Ann asks by email: “please deploy backend {sha[:12]} to production”")
        before, seen = set(self.hands.threads()), len(self._mails_to("ben"))
        text = f"please deploy backend {sha[:12]} to production"
        self.hands.send_mail("ann", "The backend, please", text)
        mailed = until(
            lambda: next((t for t in self.hands.threads() if t not in before), None),
            PATIENCE,
            "a thread begins",
        )
        request = self._request(mailed, "backend")
        self._card(request)
        self._tell("· Ben, who asked for mail, gets the card by email and replies “approve”")
        mail = until(
            partial(self._card_by_mail, "ben", seen), PATIENCE, "the card is mailed to Ben"
        )
        self.hands.reply_mail("ben", str(mail["id"]), "approve\n\nBen")
        self._live_on_card(request, sha)
        self._status(mailed, "done")
        until(partial(self._mails_to, "ann"), PATIENCE, "Ann is told by mail")
        self._expect(self.hands.live("production", "backend") == sha, "the mailed deploy is live")

    # -- step 18 -------------------------------------------------------------------

    def _bad_release(self) -> None:
        self._begin("A release that fails, and the way back")
        good = {service: self.hands.live("production", service) for service in SERVICES}
        sha, pipeline = self._merge("18 · a pull request that will fail in production", broken=True)
        thread = self._through_staging(sha, pipeline)
        request = self._request(thread, None)
        self._tell("· Ben approves; the workers are killed before the deploy starts")
        self._kill_between(request)
        self._tell("· new workers start, and the thread goes on from where it stood")
        self._live_on_card(request, sha)
        request = self._request(thread, None, other_than=request)
        self._approve("ben", request)
        self._live_on_card(request, sha)
        self._tell("· the end-to-end tests fail on production; the rollback agent takes over")
        failed = self._event(thread, "tests_failed")
        self._expect(failed["environment"] == "production", "the tests failed on production")
        self._event(thread, "handed_over", 2)
        rolled: list[str] = []
        while self.hands.thread(thread)["status"] != "done":
            request = self._request(thread, None, other_than=request, action="roll_back")
            plan = self._plan(thread, request)
            self._tell(f"· it proposes to roll the {plan['service']} back; Ben approves")
            self._approve("ben", request)
            self._live_on_card(request, plan["sha"])
            rolled.append(plan["service"])
            until(partial(self._moved_on, thread, request), PATIENCE, "the thread goes on")
        self._tell("· the earlier release is live again, the tests pass, production is held")
        for service in rolled:
            self._expect(
                self.hands.live("production", service) == good[service],
                f"the {service} is what it was",
            )
        last = self.hands.events(thread, "tests_passed")[-1]
        self._expect(last["environment"] == "production", "the tests pass again")
        held = {
            r["service"]
            for r in self.hands.environments()
            if r["environment"] == "production" and r["hold"]
        }
        self._expect(set(rolled) <= held, f"production is held for {', '.join(rolled)}: {held}")
        self._is_told(thread, "rolled back")

    def _kill_between(self, request: str) -> None:
        """Stop the workers, approve, kill them, and let new ones come."""
        self._card(request)
        pool = self._company.processes["workers"].pid
        children = _children(pool)
        for pid in children:
            os.kill(pid, signal.SIGSTOP)
        self._approve("ben", request, wait=False)
        for pid in children:
            os.kill(pid, signal.SIGKILL)

    # -- pieces --------------------------------------------------------------------

    def _tell(self, text: str) -> None:
        """Say what happens next: `number · words`, or `· words`."""
        self._step = text
        number, _, words = text.partition("· ")
        self._say(f"  {number.strip() or '·':>2}  {words}")

    def _begin(self, title: str) -> None:
        self._say(f"\n{title}")

    def _expect(self, holds: bool, what: str) -> None:  # noqa: FBT001 - reads as a sentence
        if not holds:
            raise AssertionError(f"it does not hold that {what}")

    def _merge(self, line: str, *, broken: bool = False) -> tuple[str, str]:
        self._tell(line)
        sha = merge(self._company, self.hands, broken=broken)
        return sha, thread_id_for("github", "shop", "refs/heads/main", sha)

    def _through_staging(self, sha: str, pipeline: str, *, again: bool = True) -> str:
        """See a commit through staging; only the first time are the steps counted."""
        two, three, four = ("", "", "") if again else ("2 ", "3 ", "4 ")
        self._tell(f"{two}· plain code deploys {sha[:7]} to staging")
        self._is_live("staging", sha)
        self._tell(f"{three}· plain code runs the end-to-end tests against staging; they pass")
        passed = self._event(pipeline, "tests_passed")
        self._expect(passed["environment"] == "staging", "the tests passed on staging")
        self._tell(
            f"{four}· plain code starts the agent's thread: “deploy SHA {sha[:7]} to production”"
        )
        text = f"deploy SHA {sha[:7]} to production"
        thread = thread_id_for(f"handed-over:{pipeline}:{text}")
        handed = self._event(thread, "handed_over")
        self._expect(handed["text"] == text, f"the thread begins with {text!r}")
        self._expect(bool(handed["context"]["live"]), "what it needs is fetched already")
        return thread

    def _request(
        self,
        thread: str,
        service: str | None,
        *,
        other_than: str = "",
        action: str = "deploy",
    ) -> str:
        def look() -> str | None:
            shown = self.hands.thread(thread)
            request = shown.get("request") or {}
            if shown["status"] != "awaiting_approval" or request.get("id") in (None, other_than):
                return None
            return str(request["id"])

        found = until(look, PATIENCE, f"a card for {service or 'the next service'}")
        plan = self._plan(thread, found)
        wanted = service in (None, plan["service"]) and plan["action"] == action
        self._expect(wanted, f"the agent proposes {action} {service or ''}, not {plan['service']}")
        return found

    def _plan(self, thread: str, request: str) -> Json:
        requests = [e["request"] for e in self.hands.events(thread, "approval_requested")]
        plan: Json = next(r["plan"] for r in requests if r["id"] == request)
        return plan

    def _card(self, request: str) -> Json:
        return until(lambda: self.hands.card(request), PATIENCE, "the card is in the channel")

    def _approve(self, person: str, request: str, *, wait: bool = True) -> None:
        card = self._card(request)
        self.hands.click(person, str(card["ts"]), "approve")
        if wait:
            shows = partial(self._shows, request, "Approved", person.title())
            until(shows, PATIENCE, "the card says who approved")

    def _shows(self, request: str, *texts: str) -> bool:
        shown = self.hands.read(self._card(request))
        return all(text in shown for text in texts)

    def _approve_together(self, request: str) -> None:
        ts = str(self._card(request)["ts"])
        answers: list[Any] = []
        clicks = [
            threading.Thread(target=lambda p=p: answers.append(self.hands.click(p, ts, "approve")))
            for p in ("ann", "ben")
        ]
        for click in clicks:
            click.start()
        for click in clicks:
            click.join()
        until(
            lambda: any("already approved by" in self.hands.read(m) for m in self._whispers()),
            PATIENCE,
            "the second is told who was first",
        )

    def _deny(self, person: str, request: str, words: str) -> None:
        self.hands.click(person, str(self._card(request)["ts"]), "deny")
        dialog = until(lambda: self.hands.dialog(person), PATIENCE, "the dialog opens")
        answer = self.hands.submit(person, str(dialog["id"]), words)
        self._expect(answer.body["outcome"] == "closed", f"the denial is taken: {answer.body}")
        until(lambda: self._shows(request, "Denied"), PATIENCE, "the card says who denied")

    def _live_on_card(self, request: str, sha: str) -> None:
        until(lambda: self._shows(request, "Live", sha[:7]), PATIENCE, "the card says it is live")

    def _whispers(self) -> list[Json]:
        return [message for message in self.hands.messages() if message.get("only_for")]

    def _whispered(self, person: str, words: str) -> None:
        user = self._company.access.people[person]
        until(
            lambda: any(
                m["only_for"] == user and words in self.hands.read(m) for m in self._whispers()
            ),
            PATIENCE,
            f"{person} is told privately: {words}",
        )

    def _answered(self, person: str, question: str, expected: str) -> None:
        ts = self.hands.say(person, question)
        until(
            lambda: any(
                m.get("thread_ts") == ts and m["ts"] != ts and expected in self.hands.read(m)
                for m in self.hands.messages()
            ),
            PATIENCE,
            f"the answer names {expected}",
        )

    def _mails_to(self, person: str) -> list[Json]:
        address = f"{person}@harbour.example"
        return [mail for mail in self.hands.mails() if address in str(mail["to"])]

    def _card_by_mail(self, person: str, seen: int) -> Json | None:
        """Return the first mail to a person, beyond those seen, that can be answered."""
        new = self._mails_to(person)[seen:]
        return next((mail for mail in new if "+" in str(mail.get("reply_to"))), None)

    def _event(self, thread: str, kind: str, number: int = 1) -> Json:
        found = until(
            lambda: self.hands.events(thread, kind)[number - 1 : number],
            PATIENCE,
            f"{kind} in thread {thread}",
        )
        return found[0]

    def _status(self, thread: str, *statuses: str) -> None:
        until(
            lambda: self.hands.thread(thread)["status"] in statuses,
            PATIENCE,
            f"thread {thread} is {' or '.join(statuses)}",
        )

    def _moved_on(self, thread: str, request: str) -> bool:
        shown = self.hands.thread(thread)
        current = (shown.get("request") or {}).get("id")
        waiting = shown["status"] == "awaiting_approval" and current != request
        return waiting or shown["status"] == "done"

    def _is_live(self, environment: str, sha: str) -> None:
        for service in SERVICES:
            until(
                lambda service=service: self.hands.live(environment, service) == sha,  # type: ignore[misc]
                PATIENCE,
                f"{service} {sha[:7]} answers on {environment}",
            )

    def _is_told(self, thread: str, words: str) -> None:
        until(
            lambda: any(words in self.hands.read(m).casefold() for m in self.hands.messages()),
            PATIENCE,
            f"the channel says {words!r}",
        )


def merge(company: Company, hands: Hands, *, broken: bool) -> str:
    """Have Eve merge a pull request, and GitHub tell the bot; return the new commit of main."""
    repository = company.repository
    before = repository.head()
    change = repository.merge_broken if broken else repository.merge_good
    sha = change(now(), by="Eve Moreau <eve@harbour.example>")
    answer = hands.push(sha, before, by="eve", subject=repository.subject(sha))
    if answer.status != 202:
        raise OSError(f"the webhook was not taken: {answer}")
    return sha


def _children(pid: int) -> list[int]:
    """Return the processes that a process has started, by the kernel's word."""
    with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as file:  # noqa: PTH123
        return [int(child) for child in file.read().split()]
