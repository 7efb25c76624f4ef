"""The command that audits, with its options; what it does is `auditing`'s."""

from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer

from deploybot.cli import completing
from deploybot.cli.durations import seconds_of
from deploybot.cli.options import State

app = typer.Typer()
CHECKING = "Check it"


@app.command(rich_help_panel=CHECKING)
def audit(  # noqa: PLR0913 - an argument an option
    thread: Annotated[
        str, typer.Argument(help="only this one", autocompletion=completing.threads)
    ] = "",
    *,
    since: Annotated[
        str, typer.Option(metavar="WHEN", help="requests from then on: 2026-05-04, or 7d ago")
    ] = "",
    until: Annotated[str, typer.Option(metavar="WHEN", help="requests before then")] = "",
    service: Annotated[
        str, typer.Option(help="requests about it", autocompletion=completing.services)
    ] = "",
    environment: Annotated[
        str, typer.Option(help="requests about it", autocompletion=completing.environments)
    ] = "",
    form: Annotated[
        str, typer.Option("--format", help="export the requests, as jsonl or markdown")
    ] = "",
    deep: Annotated[
        bool, typer.Option("--deep", help="hold everything that was promised against the targets")
    ] = False,
    state: State = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="for programs: what was gone through, and what is bad")
    ] = False,
) -> int:
    """Verify that no stored event was changed, removed or added; export who approved what.

    Runs on the bot's own host, which has the key. Each thread is gone through event by event; the
    first bad one is named, and the exit code is then 1. With --format every request is exported:
    who asked, where it was shown, who approved it when, what ran, and how it ended. With --deep all
    threads are held against the journals of the targets, against what is live and what people were
    told, invariant by invariant (docs/faults.md).
    """
    from deploybot.cli import audit_report, auditing
    from deploybot.cli.connection import now
    from deploybot.cli.prompts import bot_on_this_host
    from deploybot.cli.terminal import Terminal
    from deploybot.config import sealing_key
    from deploybot.ledger import RedisLedger

    if form and form not in audit_report.FORMS:
        known = " and ".join(audit_report.FORMS)
        raise typer.BadParameter(f"{form!r} is no --format; there are {known}.")
    wanted = auditing.Wanted(
        thread=thread,
        since=_when(since, now()),
        until=_when(until, now()),
        service=service,
        environment=environment,
        form=form,
    )
    if deep and (thread or form or since or until or service or environment):
        raise typer.BadParameter(
            "--deep goes through everything; it takes --json and --state only."
        )
    bot = bot_on_this_host(state)
    if deep:
        from deploybot.cli.deep_audit import deep_audit

        return deep_audit(Terminal(as_json=as_json), bot)
    ledger = RedisLedger(bot.queues.connection)
    return auditing.audit(Terminal(as_json=as_json), ledger, sealing_key(bot.settings), wanted)


def _when(text: str, now: datetime) -> datetime | None:
    """Return the moment that was typed: a day, a time of it, or how long ago."""
    if not text:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return now - timedelta(seconds=seconds_of(text.removesuffix("ago").strip()))
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
