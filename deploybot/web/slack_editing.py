"""What is done when somebody edits a card in Slack: the dialog is opened, and what it brings taken."""

import logging
from collections.abc import Callable
from dataclasses import dataclass

from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError

from deploy.catalog import Catalog
from deploybot.approvals import ApprovalRequest, Refusal
from deploybot.editing import Edit
from deploybot.events import ApprovalRequested
from deploybot.inbound.slack import EditPressed
from deploybot.inbound.slack_edits import EditSent, block_of
from deploybot.inbox import Inbox
from deploybot.outbound.slack_calls import UNREACHED
from deploybot.outbound.slack_edit_dialog import MOST, editing
from deploybot.ports import Store
from deploybot.web.slack_unopened import UNOPENED_EDIT

TOO_MANY = (
    f"More than {MOST} services do not fit into a dialog, so nothing changed. Edit it on the "
    "thread's page."
)

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class Editing:
    """Everything that an edit in Slack is answered with; `whisper` tells one person: (channel, user, text)."""

    inbox: Inbox
    store: Store
    catalog: Catalog
    client: WebClient
    whisper: Callable[[str, str, str], None]

    def open(self, pressed: EditPressed) -> None:
        """Open the dialog; whoever may not edit, or comes too late, is told why."""
        about = pressed.about
        thread = self.store.load(about.thread)
        wish = Edit(
            thread=about.thread,
            request_id=about.request,
            digest=about.digest,
            by=pressed.by,
            delivery=pressed.delivery,
            channel="slack",
        )
        refusal = self.inbox.edit_refusal(wish)
        request = thread.standing.request
        if refusal is not None or request is None:
            self.whisper(pressed.channel, pressed.user, refusal.text if refusal else UNOPENED_EDIT)
            return
        if len(request.plans) > MOST:
            self.whisper(pressed.channel, pressed.user, TOO_MANY)
            return
        try:
            view = editing(request, self.catalog, thread.head)
            self.client.views_open(trigger_id=pressed.trigger, view=view)
        except UNREACHED as error:
            _LOG.warning("dialog did not open", extra={"action": "edit", "thread_id": thread.id})
            if isinstance(error, SlackApiError):
                self.whisper(pressed.channel, pressed.user, UNOPENED_EDIT)

    def take(self, sent: EditSent) -> dict[str, str]:
        """Have it planned anew; return why not, below the field of the dialog that it is about."""
        request = self._shown(sent)
        if request is None:
            return {block_of("", sent, ""): "There is no such request, so nothing changed."}
        edit = sent.edit(request)
        if isinstance(edit, Refusal):
            return {block_of(edit.reason_code, sent, edit.text): edit.text}
        receipt = self.inbox.edit(edit)
        if receipt.accepted:
            return {}
        return {block_of(receipt.reason_code, sent, receipt.text): receipt.text}

    def _shown(self, sent: EditSent) -> ApprovalRequest | None:
        """Return the request that the dialog was opened for, open or not."""
        events = self.store.load(sent.about.thread).events
        made = (event.request for event in events if isinstance(event, ApprovalRequested))
        return next((request for request in made if request.id == sent.about.request), None)
