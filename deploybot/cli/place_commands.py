"""The commands about places, with their options: what is live where, and who keeps it as it is."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from deploybot.cli import completing
from deploybot.cli.options import As, Environment, Json, Service, State

if TYPE_CHECKING:
    from deploybot.cli.locks import Locks

app = typer.Typer()
LOOKING = "Look"
KEEPING = "Keep as it is"


@app.command(rich_help_panel=LOOKING)
def environments(
    environment: Annotated[
        str, typer.Argument(help="only this one", autocompletion=completing.environments)
    ] = "",
    *,
    state: State = None,
    as_: As = "",
    as_json: Json = False,
) -> int:
    """Show what is live where, since when, how far behind, and what stands in the way."""
    from deploybot.cli import environments as command
    from deploybot.cli.connection import connect, now
    from deploybot.cli.terminal import Terminal

    terminal = Terminal(as_json=as_json)
    client = connect(terminal, state=state, person=as_)
    return command.environments(terminal, client, environment, now())


@app.command(rich_help_panel=KEEPING)
def lock(  # noqa: PLR0913 - an option each
    service: Service,
    environment: Environment,
    *,
    time: Annotated[
        str,
        typer.Option("--for", metavar="TIME", help="how long: 90m, 2h, 1d; else until unlocked"),
    ] = "",
    until: Annotated[
        str,
        typer.Option(metavar="WHEN", help="or until when: 2026-05-04T18:00, UTC unless it says"),
    ] = "",
    reason: Annotated[str, typer.Option(help="shown to whoever wants to deploy there")] = "",
    warn_only: Annotated[
        bool, typer.Option("--warn-only", help="let deploys go on, and say so on their cards")
    ] = False,
    extend: Annotated[
        bool, typer.Option("--extend", help="let your lock last longer, by --for or to --until")
    ] = False,
    hand_over: Annotated[
        str, typer.Option("--hand-over", metavar="PERSON", help="make your lock somebody else's")
    ] = "",
    take_over: Annotated[
        bool, typer.Option("--take-over", help="make somebody else's lock yours; they are told")
    ] = False,
    state: State = None,
    as_: As = "",
    as_json: Json = False,
) -> int:
    """Keep others' deploys away from a service, or change a lock.

    SERVICE may be "all" for everything in the environment.
    """
    from deploybot.cli import locks

    how = locks.how(extend=extend, hand_over=hand_over, take_over=take_over)
    wish = locks.Wish(how, reason, locks.seconds(time), locks.moment(until), warn_only, hand_over)
    return _locks(state, as_, as_json=as_json).lock(service, environment, wish)


@app.command(rich_help_panel=KEEPING)
def unlock(
    service: Service,
    environment: Environment,
    *,
    state: State = None,
    as_: As = "",
    as_json: Json = False,
) -> int:
    """Free a service, also from the hold that a roll back leaves.

    SERVICE may be "all" for the lock of the whole environment.
    """
    return _locks(state, as_, as_json=as_json).unlock(service, environment)


def _locks(state: Path | None, person: str, *, as_json: bool) -> "Locks":
    from deploybot.cli.connection import connect
    from deploybot.cli.locks import Locks
    from deploybot.cli.terminal import Terminal

    terminal = Terminal(as_json=as_json)
    return Locks(terminal, connect(terminal, state=state, person=person))
