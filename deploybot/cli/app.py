"""Every command and its options; what they do is written in the modules beside this one.

Each command imports what it needs when it runs: nobody waits for the model's client to be loaded
only to read the help.
"""

import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from deploybot.cli import audit_commands, edit_command, place_commands, thread_commands, tokens

RUNNING = "Run it"
CHECKING = "Check it"


def _say_version(wanted: bool) -> None:  # noqa: FBT001 - typer's form
    if wanted:
        from importlib.metadata import version

        typer.echo(f"deploybot {version('deploybot')}")
        raise typer.Exit


_LATE = ("demo", "serve", "worker", "token", "doctor", "manifest", "eval")


class _AskingFirst(TyperGroup):
    """Lists what most people come for before what operators do."""

    def list_commands(self, ctx: Any) -> list[str]:
        """Return the names in the order of the help."""
        return sorted(super().list_commands(ctx), key=lambda name: name in _LATE)


app = typer.Typer(
    cls=_AskingFirst,
    help="Deploys software from where people already talk.",
    no_args_is_help=True,
    add_completion=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    context_settings={"help_option_names": ["--help", "-h"]},
)
app.add_typer(thread_commands.app)
app.add_typer(edit_command.app)
app.add_typer(place_commands.app)
app.add_typer(audit_commands.app)
app.add_typer(tokens.app, name="token", rich_help_panel=RUNNING)


@app.callback()
def deploybot(
    *,
    version: Annotated[
        bool,
        typer.Option(
            "--version", help="say which version this is", callback=_say_version, is_eager=True
        ),
    ] = False,
) -> None:
    """Deploys software from where people already talk: they ask, others approve, it deploys."""


@app.command(rich_help_panel=RUNNING)
def serve(
    *,
    with_worker: Annotated[
        bool, typer.Option("--with-worker", help="run the workers, too: one machine does it all")
    ] = False,
) -> None:
    """Answer Slack, GitHub, mail and the API over HTTP."""
    from deploybot.cli import serving

    raise SystemExit(serving.serve(with_worker=with_worker))


@app.command(rich_help_panel=RUNNING)
def worker() -> None:
    """Run the workers and the clock of this machine."""
    from deploybot.cli import serving

    raise SystemExit(serving.work())


@app.command(rich_help_panel=RUNNING)
def demo(
    *,
    exit_: Annotated[
        bool, typer.Option("--exit", help="end after the story: 0, or 1 and the first broken step")
    ] = False,
    port: Annotated[
        int, typer.Option(help="the workspace's port, the rest behind it; 0 takes free ones")
    ] = -1,
    state: Annotated[
        Path, typer.Option(help="folder for everything the demo keeps; emptied at each start")
    ] = Path(".deploybot/demo"),
) -> None:
    """Start a company in a box, play the seed story in it, and stay up to try."""
    from deploybot.demo import command

    raise SystemExit(command.run(state, port=port, ends=exit_))


evals = typer.Typer(invoke_without_command=True, no_args_is_help=False)
app.add_typer(evals, name="eval", rich_help_panel=CHECKING)


@evals.callback()
def eval_(  # noqa: PLR0913 - an option each
    context: typer.Context,
    *,
    model: Annotated[
        str,
        typer.Option(help="its name; offline for the planner; the first configured if not given"),
    ] = "",
    renderer: Annotated[str, typer.Option(help="the form that threads are shown in")] = "",
    agent: Annotated[str, typer.Option(help="only this agent's cases")] = "",
    group: Annotated[str, typer.Option(help="only this group's cases")] = "",
    cases: Annotated[
        list[Path] | None, typer.Option(help="files or folders of cases, instead of those shipped")
    ] = None,
    at_once: Annotated[int, typer.Option(min=1, max=64, help="cases played side by side")] = 4,
    price_in: Annotated[float, typer.Option(help="of a million tokens read")] = 0.0,
    price_out: Annotated[float, typer.Option(help="of a million tokens written")] = 0.0,
    as_json: Annotated[bool, typer.Option("--json", help="for scripts")] = False,
    save: Annotated[Path | None, typer.Option(help="keep the run in this file")] = None,
    compare: Annotated[Path | None, typer.Option(help="say what differs from a saved run")] = None,
    threshold: Annotated[
        float, typer.Option(min=0, max=1, help="1 as exit code when fewer are right: 0.95")
    ] = 0.0,
) -> None:
    """Play cases against a model or the planner, and say how well it chose.

    Exits with 1 when fewer are right than the threshold asks, or anything forbidden was chosen.
    """
    if context.invoked_subcommand:
        return
    from deploybot.cli import evals as command

    wanted = command.Wanted(
        model=model,
        renderer=renderer,
        agent=agent,
        group=group,
        cases=tuple(cases or ()),
        at_once=at_once,
        price_in=price_in,
        price_out=price_out,
    )
    raise SystemExit(
        command.evaluate(wanted, as_json=as_json, save=save, against=compare, threshold=threshold)
    )


@evals.command(name="add")
def eval_add(
    thread: str,
    *,
    to: Annotated[Path, typer.Option(help="the file of cases to add to")] = Path(
        "evals/recorded.yaml"
    ),
    name: Annotated[str, typer.Option(help="what the case is called")] = "",
) -> None:
    """Save a thread of real use as a case, with names and secrets replaced."""
    from deploybot.bootstrap import bot_from_environment
    from deploybot.cli import evals as command

    command.add(bot_from_environment(), thread, to, name)


@app.command(rich_help_panel=CHECKING)
def doctor(
    *,
    paid: Annotated[
        bool, typer.Option("--paid", help="ask each model once, too: some 3,000 tokens each")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="for scripts")] = False,
) -> None:
    """Check what a new installation gets wrong; one line each, with the mend.

    Exits with 1 when something is wrong. It tells nobody anything and changes nothing.
    """
    from deploybot.cli import checks

    raise SystemExit(checks.doctor(paid=paid, as_json=as_json))


@app.command(rich_help_panel=CHECKING)
def manifest(
    url: Annotated[
        str | None,
        typer.Option(help="where Slack reaches this bot, e.g. https://deploybot.example.com"),
    ] = None,
) -> None:
    """Print the Slack app manifest: paste it when you create the app.

    Without a URL it is for Socket Mode: Slack need not reach this bot.
    """
    from deploybot.manifest import manifest as manifest_of

    sys.stdout.write(json.dumps(manifest_of(url), indent=2) + "\n")
