"""The process that reads one mailbox, beside the workers; how a mailbox is read is `deploybot.mailboxes`'s."""

import signal
import threading

from deploybot import logs
from deploybot.bootstrap import bot_from_environment
from deploybot.mail_notes import RedisMailNotes
from deploybot.mailboxes.reader import MailboxReader
from deploybot.metrics import MAILS


def read(index: int) -> None:
    """Read the configured mailbox of this number until SIGTERM."""
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    bot = bot_from_environment()
    addresses = bot.settings.mailboxes
    if bot.mail_room is None or index >= len(addresses):
        stop.wait()  # the settings have changed, and the pool ends this process when it is renewed
        return
    address, meter = addresses[index], bot.watch.meter
    notes = RedisMailNotes(bot.queues.connection)
    notes.keep_only(one.name for one in addresses)

    def seen() -> None:
        notes.saw(address.name)
        meter.flush()

    with logs.about(mailbox=address.name):
        MailboxReader(
            address,
            bot.mail_room,
            notes,
            bot.clock.now,
            seen=seen,
            count=lambda outcome: meter.observe(MAILS, outcome),
        ).run(stop)
    meter.flush()
