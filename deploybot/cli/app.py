"""Every command and its options; what they do is written in the modules beside this one.

Each command imports what it needs when it runs: nobody waits for the model's client to be loaded
only to read the help.
"""

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from deploybot.errors import ConfigError

app = typer.Typer(
    help="Deploys software from where people already talk.",
    no_args_is_help=True,
    add_completion=True,
    pretty_exceptions_enable=False,
)


@app.command()
def serve(
    *,
    with_worker: Annotated[
        bool, typer.Option("--with-worker", help="run the workers, too: one machine does it all")
    ] = False,
) -> None:
    """Answer Slack, GitHub, mail and the API over HTTP."""
    from deploybot.cli import serving

    raise SystemExit(serving.serve(with_worker=with_worker))


@app.command()
def worker() -> None:
    """Run the workers and the clock of this machine."""
    from deploybot.cli import serving

    raise SystemExit(serving.work())


@app.command()
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


@app.command(name="threads")
def threads_(
    *,
    status: Annotated[str, typer.Option(help="only those that stand here")] = "",
    limit: Annotated[int, typer.Option(min=1, max=1000)] = 50,
    as_json: Annotated[bool, typer.Option("--json", help="for scripts")] = False,
) -> None:
    """List threads by last activity."""
    from deploybot.bootstrap import bot_from_environment
    from deploybot.cli import threads

    threads.list_threads(bot_from_environment(), status=status, limit=limit, as_json=as_json)


@app.command()
def show(
    thread: str,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="for scripts")] = False,
    prompt: Annotated[bool, typer.Option("--prompt", help="exactly what the model reads")] = False,
) -> None:
    """Show one thread, event by event."""
    from deploybot.bootstrap import bot_from_environment
    from deploybot.cli import threads

    threads.show_thread(bot_from_environment(), thread, as_json=as_json, prompt=prompt)


evals = typer.Typer(invoke_without_command=True, no_args_is_help=False)
app.add_typer(evals, name="eval")


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


@app.command()
def doctor() -> None:
    """Check what a new installation gets wrong; one line each, with the mend."""
    from deploybot.cli import checks

    raise SystemExit(checks.doctor())


@app.command()
def manifest(
    url: Annotated[
        str, typer.Option(help="where Slack reaches this bot, e.g. https://deploybot.example.com")
    ],
) -> None:
    """Print the Slack app manifest: paste it when you create the app."""
    from deploybot.manifest import manifest as manifest_of

    sys.stdout.write(json.dumps(manifest_of(url), indent=2) + "\n")


@app.command()
def unlock(service: str, environment: str) -> None:
    """Release the hold on a service in an environment, as a roll back leaves one."""
    from deploybot.bootstrap import bot_from_environment

    hold = bot_from_environment().store.release_hold(service, environment)
    if hold is None:
        raise ConfigError(f"{service} on {environment} is not held; nothing was changed.")
    typer.echo(
        f"{service} on {environment} is free again. It was held by {hold.owner}: {hold.reason}."
    )
