"""The commands about places, with their options: what is live where, and who keeps it as it is."""

from typing import Annotated

import typer

from deploybot.cli import completing
from deploybot.cli.options import As, Json, State

app = typer.Typer()
LOOKING = "Look"


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
