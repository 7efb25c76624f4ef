"""The commands about threads, with their options; what they do is written in the modules beside this one."""

import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from deploybot.cli import completing
from deploybot.cli.durations import seconds_of
from deploybot.cli.options import As, Follow, Json, State, ThreadId, Timeout, Wait
from deploybot.errors import ConfigError

if TYPE_CHECKING:
    from deploybot.cli.acting import Acting
    from deploybot.cli.watching import Manner

app = typer.Typer()
ASKING = "Ask and answer"
LOOKING = "Look"


class Outcome(StrEnum):
    """How a deploy ended."""

    SUCCEEDED = "succeeded"
    FAILED = "failed"


@app.command(rich_help_panel=ASKING)
def ask(  # noqa: PLR0913 - an option each
    words: Annotated[
        list[str], typer.Argument(metavar="WORDS", help="what you want; - reads standard input")
    ],
    *,
    no_follow: Annotated[
        bool, typer.Option("--no-follow", help="only start it, and say which thread it is")
    ] = False,
    approve_in_terminal: Annotated[
        bool,
        typer.Option(
            "--approve-in-terminal", help="insist on being asked right here, as on any terminal"
        ),
    ] = False,
    never_ask: Annotated[
        bool, typer.Option("--never-ask", help="answer nothing here, though it is a terminal")
    ] = False,
    wait: Wait = False,
    timeout: Timeout = "",
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="show what would run; nobody is asked, nothing runs")
    ] = False,
    agent: Annotated[str, typer.Option(help="who takes it: deploy or rollback")] = "",
    state: State = None,
    as_: As = "",
    as_json: Json = False,
) -> int:
    """Ask for something, and watch what comes of it.

    On a terminal you approve, deny and answer in place, as far as you may. In a script the command
    ends when people must move, with 4; --wait stays until they have.
    """
    from deploybot.cli.terminal import Terminal

    is_live = Terminal(as_json=as_json).is_live
    if approve_in_terminal and (never_ask or not is_live):
        raise ConfigError(
            "--approve-in-terminal needs a terminal to type at, and neither --json nor "
            "--never-ask; nothing was sent."
        )
    in_place = is_live and not never_ask
    manner = manner_of(not no_follow, wait=wait or in_place, timeout=timeout, in_place=in_place)
    acting = acting_of(state, as_, as_json=as_json)
    return acting.ask(_text(words), agent=agent, dry_run=dry_run, manner=manner)


@app.command(rich_help_panel=LOOKING)
def threads(
    *,
    status: Annotated[
        str,
        typer.Option(help="only those that stand here", autocompletion=completing.statuses),
    ] = "",
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="how many at most")] = 50,
    cursor: Annotated[str, typer.Option(help="go on where the last page ended")] = "",
    state: State = None,
    as_: As = "",
    as_json: Json = False,
) -> int:
    """List threads by last activity, newest first."""
    from deploybot.cli import threads as command
    from deploybot.cli.connection import connect
    from deploybot.cli.terminal import Terminal

    terminal = Terminal(as_json=as_json)
    client = connect(terminal, state=state, person=as_)
    return command.list_threads(terminal, client, status=status, limit=limit, cursor=cursor)


@app.command(rich_help_panel=LOOKING)
def show(
    thread: ThreadId,
    *,
    follow: Follow = False,
    timeout: Timeout = "",
    prompt: Annotated[
        bool, typer.Option("--prompt", help="exactly what the model reads; on the bot's own host")
    ] = False,
    state: State = None,
    as_: As = "",
    as_json: Json = False,
) -> int:
    """Show one thread, event by event."""
    from deploybot.cli.terminal import Terminal

    terminal = Terminal(as_json=as_json)
    if prompt:
        from deploybot.cli import prompts

        return prompts.show_prompt(terminal, prompts.bot_on_this_host(state), thread)
    from deploybot.cli import threads as command
    from deploybot.cli.connection import connect, now

    manner = manner_of(follow, wait=True, timeout=timeout)
    client = connect(terminal, state=state, person=as_)
    return command.show(terminal, client, thread, now=now, manner=manner)


@app.command(rich_help_panel=ASKING)
def approve(  # noqa: PLR0913 - an option each
    thread: ThreadId,
    *,
    digest: Annotated[
        str, typer.Option(help="approve only what has this digest, or begins with it")
    ] = "",
    yes: Annotated[
        bool, typer.Option("--yes", help="confirm everything that would be asked, unseen")
    ] = False,
    comment: Annotated[str, typer.Option(help="a word to go with it")] = "",
    break_glass: Annotated[
        str,
        typer.Option(
            metavar="REASON", help="approve alone, in an emergency: all approvers are told why"
        ),
    ] = "",
    follow: Follow = False,
    wait: Wait = False,
    timeout: Timeout = "",
    state: State = None,
    as_: As = "",
    as_json: Json = False,
) -> int:
    """Approve exactly what is open in a thread.

    On a terminal it is shown first, and each sentence that needs it is confirmed on its own. A
    script names what somebody has seen with --digest.
    """
    manner = manner_of(follow, wait=wait, timeout=timeout)
    acting = acting_of(state, as_, as_json=as_json)
    return acting.approve(
        thread, digest=digest, yes=yes, comment=comment, manner=manner, break_glass=break_glass
    )


@app.command(rich_help_panel=ASKING)
def deny(
    thread: ThreadId,
    reason: Annotated[
        list[str] | None, typer.Argument(metavar="REASON", help="the bot reads it")
    ] = None,
    *,
    follow: Follow = False,
    wait: Wait = False,
    timeout: Timeout = "",
    state: State = None,
    as_: As = "",
    as_json: Json = False,
) -> int:
    """Deny what is open in a thread, and say why: the bot reads it and proposes anew."""
    manner = manner_of(follow, wait=wait, timeout=timeout)
    acting = acting_of(state, as_, as_json=as_json)
    return acting.deny(thread, _text(reason or []), manner=manner)


@app.command(rich_help_panel=ASKING)
def reply(
    thread: ThreadId,
    words: Annotated[
        list[str], typer.Argument(metavar="WORDS", help="an answer; - reads standard input")
    ],
    *,
    follow: Follow = False,
    wait: Wait = False,
    timeout: Timeout = "",
    state: State = None,
    as_: As = "",
    as_json: Json = False,
) -> int:
    """Answer the open question of a thread, or say something there."""
    manner = manner_of(follow, wait=wait, timeout=timeout)
    acting = acting_of(state, as_, as_json=as_json)
    return acting.reply(thread, _text(words), manner=manner)


@app.command(rich_help_panel=ASKING)
def resolve(
    thread: ThreadId,
    outcome: Annotated[Outcome, typer.Argument(help="how it ended, as you have seen it")],
    comment: Annotated[
        list[str] | None, typer.Argument(metavar="COMMENT", help="how you know")
    ] = None,
    *,
    state: State = None,
    as_: As = "",
    as_json: Json = False,
) -> int:
    """Settle a deploy whose outcome is not known, after you have looked; its place becomes free."""
    acting = acting_of(state, as_, as_json=as_json)
    return acting.resolve(thread, outcome.value, _text(comment or []))


@app.command(rich_help_panel=ASKING)
def pause(thread: ThreadId, *, state: State = None, as_: As = "", as_json: Json = False) -> int:
    """Stop a thread where it stands: it hears, and starts nothing."""
    return acting_of(state, as_, as_json=as_json).move(thread, "pause")


@app.command(rich_help_panel=ASKING)
def resume(thread: ThreadId, *, state: State = None, as_: As = "", as_json: Json = False) -> int:
    """Let a paused thread go on from where it stood."""
    return acting_of(state, as_, as_json=as_json).move(thread, "resume")


@app.command(rich_help_panel=ASKING)
def cancel(
    thread: ThreadId,
    *,
    reason: Annotated[str, typer.Option(help="why, for those who read it later")] = "",
    state: State = None,
    as_: As = "",
    as_json: Json = False,
) -> int:
    """End a thread; a deploy that runs is asked to stop at its next safe step."""
    body = {"reason": reason} if reason else None
    return acting_of(state, as_, as_json=as_json).move(thread, "cancel", body)


@app.command(rich_help_panel=ASKING)
def fork(
    thread: ThreadId,
    *,
    at: Annotated[int, typer.Option(min=1, help="how many of its events to begin with")],
    state: State = None,
    as_: As = "",
    as_json: Json = False,
) -> int:
    """Begin a new thread with the first events of another; nothing is open in it."""
    return acting_of(state, as_, as_json=as_json).fork(thread, at)


def acting_of(state: Path | None, person: str, *, as_json: bool) -> "Acting":
    """Return one person's commands over the API."""
    from deploybot.cli.acting import Acting
    from deploybot.cli.connection import connect, now
    from deploybot.cli.terminal import Terminal

    terminal = Terminal(as_json=as_json)
    return Acting(terminal, connect(terminal, state=state, person=person), now)


def manner_of(
    follow: bool,  # noqa: FBT001 - whether there is one at all
    *,
    wait: bool,
    timeout: str,
    in_place: bool = False,
) -> "Manner | None":
    """Return how a thread is followed; None for not at all."""
    from deploybot.cli.watching import Manner

    seconds = seconds_of(timeout) if timeout else None
    return Manner(in_place=in_place, waits=wait, seconds=seconds) if follow else None


def _text(words: list[str]) -> str:
    """Return what was typed as words, or what came in on standard input."""
    return sys.stdin.read() if words == ["-"] else " ".join(words)
