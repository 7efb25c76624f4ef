"""The command that edits what is open in a thread, with its options; what it sends is `changing`'s."""

from typing import Annotated

import typer

from deploybot.cli.changing import Changes
from deploybot.cli.options import As, Follow, Json, State, ThreadId, Timeout, Wait
from deploybot.cli.thread_commands import ASKING, acting_of, manner_of

app = typer.Typer()


@app.command(rich_help_panel=ASKING)
def edit(  # noqa: PLR0913 - an option each
    thread: ThreadId,
    *,
    ref: Annotated[
        list[str] | None,
        typer.Option("--ref", metavar="[SERVICE=]REF", help="another commit, branch or tag"),
    ] = None,
    order: Annotated[
        str, typer.Option(metavar="SERVICES", help="who goes live first: backend,frontend")
    ] = "",
    leave_out: Annotated[
        list[str] | None,
        typer.Option("--leave-out", metavar="SERVICE", help="a service that is not to go live"),
    ] = None,
    start: Annotated[
        str, typer.Option(help="HH:MM or YYYY-MM-DD HH:MM where it is deployed, or now")
    ] = "",
    why: Annotated[str, typer.Option(help="a word to go with it")] = "",
    follow: Follow = False,
    wait: Wait = False,
    timeout: Timeout = "",
    state: State = None,
    as_: As = "",
    as_json: Json = False,
) -> int:
    """Change what is open in a thread: it is planned anew, and shown and approved anew.

    You become one of those who asked, so somebody else must approve it.
    """
    changes = Changes(
        refs=tuple(ref or ()),
        order=tuple(name.strip() for name in order.split(",") if name.strip()),
        left_out=tuple(leave_out or ()),
        start=start,
        why=why,
    )
    manner = manner_of(follow, wait=wait, timeout=timeout)
    return acting_of(state, as_, as_json=as_json).edit(thread, changes, manner=manner)
