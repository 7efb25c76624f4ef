"""What is done with each Slack payload once it is let in: stored, answered, or asked back."""

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError

from deploy.catalog import Catalog
from deploybot.errors import IllegalEventError, NotAllowedError
from deploybot.events import AnswerRefused, QuestionAsked
from deploybot.inbound.slack import (
    Answering,
    Breaking,
    Chosen,
    EditPressed,
    Ignored,
    Pressed,
    Stopping,
    names_of,
    read_answer,
    read_broken_glass,
    read_click,
    read_denial,
    read_message,
)
from deploybot.inbound.slack_buttons import Reference
from deploybot.inbound.slack_command import Asked, read_command
from deploybot.inbound.slack_edits import block_of, read_edit
from deploybot.inbound.slack_payloads import Click, Home, Json, Opened, check_home, parsed, user_of
from deploybot.inbound.slack_shown import shown_in
from deploybot.inbox import Answer, Inbox, Receipt, Settling
from deploybot.outbound.slack_calls import UNREACHED
from deploybot.outbound.slack_dialog import broken_glass, denial
from deploybot.outbound.slack_question import answer_dialog
from deploybot.outbound.slack_text import escape
from deploybot.ports import People, Store
from deploybot.questions import choices_of
from deploybot.thread import Status
from deploybot.web.slack_commands import CommandDesk
from deploybot.web.slack_editing import Editing
from deploybot.web.slack_hearing import hear
from deploybot.web.slack_unopened import UNOPENED, UNOPENED_ANSWER, UNOPENED_GLASS, UNOPENED_STOP

SILENT_ANSWER = "Write your answer; nothing was answered yet."
SILENT_GLASS = "Say why it cannot wait; nothing was approved yet."
SILENT_DENIAL = "Say what should happen instead; nothing was denied yet."

OVER = "This has ended already, so nothing was stopped. Its card says what is live."

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class SlackDesk:
    """Everything a Slack request is answered with.

    `client` opens the dialog, which Slack demands within 3 seconds of the click, and whispers why
    there is none or why nothing stops; nothing else is called from here. Its time-out should be a
    second, and it must not try again by itself.
    """

    inbox: Inbox
    store: Store
    people: People
    now: Callable[[], datetime]
    client: WebClient
    catalog: Catalog
    commands: CommandDesk
    home: Home = field(default_factory=Home)
    people_for: Callable[[str], People] | None = None
    """Slack user id → the people, with that user among them if it can be told who it is."""
    closed: Callable[[str, str], object] = lambda *_: None
    """Is told of an answer to a request that is closed, if there ever was one: its thread, its id."""
    lost: Callable[[Reference], str] = lambda _: ""
    """Says to whoever answers a card that its thread lacks what it showed; "" if it lacks nothing."""
    show_home: Callable[[str], None] = lambda _: None
    """Has workers draw the page of the app that this Slack user has opened."""

    def hear(self, payload: Json) -> None:
        """Store what somebody said, if it was said to the bot or where the bot takes part."""
        check_home(payload, self.home)
        people = self._people_of(payload)
        hear(self.inbox, self.store, read_message(payload, self.home, people, self.now()))

    def command(self, payload: Json) -> Json:
        """Answer a question, or begin a thread with the words; return what its sender is shown."""
        check_home(payload, self.home)
        people = self._people_of(payload)
        names = names_of(people, self.home.bot_user)
        typed = read_command(payload, people, self.now(), names)
        if isinstance(typed, Asked):
            return self.commands.answer(typed)
        self.inbox.hear(typed.thread, typed.event, dedupe=typed.dedupe)
        return self.commands.heard(typed.event.text, typed.thread)

    def opened(self, payload: Json) -> None:
        """Have the page of the app drawn for whoever opened it."""
        check_home(payload, self.home)
        event = parsed(Opened, payload).event
        if event.tab == "home":
            self.show_home(event.user)

    def press(self, payload: Json) -> None:
        """Take an approval, a stop, a choice or an outcome; open the dialog for a good denial."""
        check_home(payload, self.home)
        if lost := self._lost(payload):
            click = parsed(Click, payload)
            self._whisper(click.container.channel_id, click.user.id, lost)
        else:
            self._press(payload)

    def _press(self, payload: Json) -> None:
        match read_click(payload, self._people_of(payload)):
            case Pressed(answer=answer) as pressed:
                # A refusal is stored, and told privately by the outbox.
                if answer.approved or not self._asked_why(pressed):
                    self._took(answer)
            case Breaking() as breaking:
                self._ask_why_alone(breaking)
            case EditPressed() as pressed_edit:
                self._editing.open(pressed_edit)
            case Stopping() as stopping:
                self._stop(stopping)
            case Chosen() as chosen:
                self._choose(chosen)
            case Answering() as answering:
                self._ask_for_words(answering)
            case Settling() as settling:
                self.inbox.settle(settling)
            case Ignored():
                pass

    def deny(self, payload: Json) -> str:
        """Store the denial, and return "" or, in words for the dialog, why it does not count."""
        check_home(payload, self.home)
        answer = read_denial(payload, self._people_of(payload))
        if not answer.comment:
            return SILENT_DENIAL
        return self._lost(payload) or self._said(answer, self.inbox.answer(answer))

    def break_glass(self, payload: Json) -> str:
        """Store the approval of one person alone, and return "" or why it does not count."""
        check_home(payload, self.home)
        answer = read_broken_glass(payload, self._people_of(payload))
        if not answer.break_glass:
            return SILENT_GLASS
        return self._lost(payload) or self._said(answer, self.inbox.answer(answer))

    def answer(self, payload: Json) -> str:
        """Store an answer in words, and return "" or, in words for the dialog, why it does not count."""
        check_home(payload, self.home)
        given = read_answer(payload, self._people_of(payload))
        return self._answered(given) if given.words else SILENT_ANSWER

    def _people_of(self, payload: Json) -> People:
        """Return the people, with whoever did this among them if Slack vouches for their address."""
        return self.people_for(user_of(payload)) if self.people_for else self.people

    def _answered(self, given: Answering) -> str:
        receipt = self.inbox.answer_question(
            given.thread,
            given.question_id,
            given.words,
            by=given.by,
            delivery=given.delivery,
            channel="slack",
            address=given.user,
        )
        return self._said(given, receipt)

    def _ask_for_words(self, answering: Answering) -> None:
        """Open the dialog for an answer; whoever comes too late is told so."""
        thread = self.store.load(answering.thread)
        question = thread.standing.question
        if not thread.events:
            return
        if question is None or question.question_id != answering.question_id:
            self._answered(answering)  # refused on record, and told privately by the outbox
            return
        self._open(answering.trigger, answer_dialog(answering.thread, question), answering)

    def _open(self, trigger: str, view: Json, about: Answering) -> None:
        try:
            self.client.views_open(trigger_id=trigger, view=view)
        except UNREACHED as error:
            told = {"action": "answer", "thread_id": about.thread}
            _LOG.warning("dialog did not open", extra=told)
            if isinstance(error, SlackApiError):
                self._whisper(about.channel, about.user, UNOPENED_ANSWER)

    def edit(self, payload: Json) -> dict[str, str]:
        """Have the request planned anew; return why not, by the dialog's field, or nothing."""
        check_home(payload, self.home)
        sent = read_edit(payload, self._people_of(payload))
        if lost := self._lost(payload):
            return {block_of("", sent, ""): lost}
        return self._editing.take(sent)

    @property
    def _editing(self) -> Editing:
        return Editing(self.inbox, self.store, self.catalog, self.client, self._whisper)

    def _lost(self, payload: Json) -> str:
        """Say that the thread lacks what was answered, if it does; "" for what tells no head of it."""
        about = shown_in(payload)
        return self.lost(about) if about and about.head else ""

    def _took(self, answer: Answer) -> None:
        if self.inbox.answer(answer).reason_code == "closed":
            self.closed(answer.thread, answer.request_id)

    def _asked_why(self, pressed: Pressed) -> bool:
        """Open the dialog; False when the person's no would not count anyway."""
        answer = pressed.answer
        thread = self.store.load(answer.thread)
        request = thread.standing.request
        if request is None or self.inbox.refusal(answer):
            return False
        try:
            stops = thread.standing.status is Status.APPROVED
            view = denial(request, thread.head, stops=stops)
            self.client.views_open(trigger_id=pressed.trigger, view=view)
        except UNREACHED as error:
            _LOG.warning("dialog did not open", extra={"action": "deny", "thread_id": thread.id})
            if isinstance(error, SlackApiError):
                self._whisper(pressed.channel, answer.address, UNOPENED_STOP if stops else UNOPENED)
        return True

    def _ask_why_alone(self, breaking: Breaking) -> None:
        """Open the dialog for the reason; whoever may not break the glass is told so."""
        answer = breaking.answer
        thread = self.store.load(answer.thread)
        request = thread.standing.request
        refusal = self.inbox.refusal(answer)
        if request is None or refusal:
            self._whisper(breaking.channel, answer.address, refusal.text if refusal else OVER)
            return
        try:
            view = broken_glass(request, thread.head)
            self.client.views_open(trigger_id=breaking.trigger, view=view)
        except UNREACHED as error:
            about = {"action": "break_glass", "thread_id": answer.thread}
            _LOG.warning("dialog did not open", extra=about)
            if isinstance(error, SlackApiError):
                self._whisper(breaking.channel, answer.address, UNOPENED_GLASS)

    def _stop(self, stopping: Stopping) -> None:
        """Ask the deploy that was clicked on to stop; whoever may not is told why."""
        thread = self.store.load(stopping.thread)
        request = thread.standing.request
        if request is None or request.id != stopping.request_id:
            self._whisper(stopping.channel, stopping.user, OVER)
            return
        try:
            self.inbox.stop(stopping.thread, by=stopping.by, delivery=stopping.delivery)
        except (NotAllowedError, IllegalEventError) as error:
            self._whisper(stopping.channel, stopping.user, str(error))

    def _whisper(self, channel: str, user: str, text: str) -> None:
        try:
            self.client.chat_postEphemeral(channel=channel, user=user, text=escape(text))
        except UNREACHED:
            _LOG.warning("nobody was told", extra={"action": "whisper"})

    def _choose(self, chosen: Chosen) -> None:
        thread = self.store.load(chosen.thread)
        for event in thread.events:
            if isinstance(event, QuestionAsked) and event.question_id == chosen.question_id:
                choices = choices_of(event)
                if chosen.index < len(choices):
                    self.inbox.answer_question(
                        chosen.thread,
                        chosen.question_id,
                        choices[chosen.index],
                        by=chosen.by,
                        delivery=chosen.delivery,
                        channel="slack",
                        address=chosen.user,
                    )

    def _said(self, given: Answer | Answering, receipt: Receipt) -> str:
        """Return why it does not count; what this very dialog was refused with before, if it was."""
        if receipt.reason_code != "duplicate":
            return "" if receipt.accepted else receipt.text
        for event in self.store.load(given.thread).events:
            if isinstance(event, AnswerRefused) and event.delivery == given.delivery:
                return event.text
        return ""
