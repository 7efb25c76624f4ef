"""The points at which tests let things go wrong, all of them, and where each is; `deploy.failpoints` is how."""

from collections.abc import Mapping
from fnmatch import fnmatchcase
from typing import Final

from deploy.failpoints import entries

POINTS: Final[Mapping[str, str]] = {
    "web.request.before": "a POST has come in; nothing of it was read",
    "web.answer.before": "a POST was dealt with; its sender has not heard so",
    "web.answer.after": "a POST was answered",
    "answer.keep.before": "an API call was done; its answer is not kept yet for a call with the same key",
    "store.append.before": "events are about to be stored, with their wake-ups, in one script",
    "store.append.after": "events are stored, or refused; whoever stores them has not heard so",
    "store.claim.before": "an approved change is about to claim its place, in the same script as its start",
    "store.claim.after": "the place is claimed and the start is stored; nothing was begun at the target",
    "store.release.before": "the end of a change is about to be stored, and its place to become free",
    "store.release.after": "the end is stored and the place is free; nobody was told",
    "store.name.before": "a message is about to become a name of its thread, by which replies find it",
    "outbox.note.before": "something is about to be noted of a message: that it is tried, or was sent",
    "outbox.note.after": "that is noted",
    "outbox.delivered.before": "everything was told; the thread is still marked as untold",
    "outbox.delivered.after": "the mark is gone",
    "queue.wake.before": "a wake-up is about to be enqueued by itself, without an event",
    "queue.wake.after": "the wake-up is enqueued",
    "queue.later.before": "a later wake-up is about to be noted",
    "clock.sweep.before": "the clock is about to wake what is due",
    "clock.sweep.after": "the clock has woken what is due",
    "job.begin.before": "a wake-up was taken from its queue",
    "job.begin.after": "further wake-ups are let in; this one looks at its thread now",
    "job.end.before": "a wake-up has done what was to do",
    "survey.begin.before": "a look around begins",
    "model.call.before": "a model is about to be asked",
    "model.call.after": "a model has answered; nothing of it was read",
    "lease.renew.before": "the lease of a running change is about to be renewed",
    "lease.let_go.before": "what runs elsewhere is about to go on without a worker",
    "progress.report.before": "a line of progress is about to be kept",
    "target.begin.before": "the target is about to record that an order begins",
    "target.begin.after": "the target has recorded that; no step was taken",
    "target.step.before": "a step was announced; it was not taken",
    "target.step.after": "a step was taken; nobody was told",
    "target.switch.before": "a release is about to go live",
    "target.switch.after": "a release is live; the journal does not say so yet",
    "target.end.before": "every step was taken; the journal has no end",
    "target.end.after": "the journal has the end; the thread does not",
    "target.settle.before": "the target is about to be asked what became of an order",
    "target.settle.after": "the order is shut out; what was found is not stored",
    "journal.write.before": "a record is about to be written into a journal",
    "journal.write.after": "the record is on the disk",
    "tests.before": "end-to-end tests are about to run",
    "tests.after": "end-to-end tests have run; nothing was made of it",
    "elsewhere.launch.before": "work is about to be asked for that runs elsewhere; the journal says so",
    "elsewhere.launch.after": "it was asked for; the journal does not know what was answered",
    "elsewhere.look.before": "what runs elsewhere is about to be looked at",
    "github.call.before": "GitHub is about to be asked",
    "github.call.after": "GitHub has answered; nothing was made of it",
    "vercel.call.before": "Vercel is about to be asked",
    "vercel.call.after": "Vercel has answered; nothing was made of it",
    "kubernetes.call.before": "a cluster is about to be asked",
    "kubernetes.call.after": "a cluster has answered; nothing was made of it",
    "imap.fetch.before": "a mail is about to be fetched from a mailbox",
    "imap.fetch.after": "the mail was fetched; nothing of it is stored",
    "imap.note.before": "what a mail said is stored; that this mail was taken is not noted",
    "imap.mark.before": "what a mail said is stored; the mail is not marked in its mailbox",
    "slack.call.before": "Slack is about to be called",
    "slack.call.after": "Slack has answered; nothing was made of it",
    "slack.post.before": "a message is about to be posted; that it is tried is noted",
    "slack.post.after": "the message is posted; where it is was not noted",
    "mail.send.before": "a mail is about to be handed to the mail server",
    "mail.send.after": "the mail server has the mail; that was not noted",
}  # fmt: skip
"""Name → what is so at that moment."""


def problem(setting: str) -> str:
    """Return what is wrong with DEPLOYBOT_FAILPOINT, "" for nothing; a file is read later."""
    if setting.startswith("/"):
        return ""
    try:
        armed = tuple(entries(setting))
    except ValueError as error:
        return str(error)
    for entry in armed:
        if not any(fnmatchcase(name, entry.names) for name in POINTS):
            return f"there is no point called {entry.names!r}"
    return ""
