"""Deploys from a shell: what would run, what is live, and, when a person says so, running it.

Nobody else is asked, and the locks that the bot keeps are not seen here; every rule that needs
neither still holds. Exit codes: 0 done or answered, 1 refused or not answered, 2 wrong usage,
3 it ran and failed, 4 how it ended cannot be told.
"""

import argparse
import json
import os
import sys
import tomllib
from collections.abc import Callable, Sequence
from pathlib import Path

from pydantic import ValidationError

from deploy import by_hand, shell
from deploy.catalog import Catalog
from deploy.connections import Connections
from deploy.errors import DeployError, RefusedError
from deploy.look import Look
from deploy.plan import SHORT
from deploy.secret import Secret
from deploy.target_tables import place_in_file

Command = Callable[[Look, argparse.Namespace], int]
TABLES = ("repositories", "services", "environments", "groups")


def main(arguments: Sequence[str] | None = None) -> int:
    """Do one thing; return the exit code, having said on stderr why nothing was done, if so."""
    options = _parser().parse_args(arguments)
    try:
        look = _look(read_catalog(options.config))
        code: int = options.do(look, options)
    except RefusedError as error:
        return _say_refused(options, error.reason_code, str(error))
    except (DeployError, OSError) as error:
        return _say_refused(options, "", str(error))
    except KeyboardInterrupt:
        text = "Interrupted in the middle. Look at `status`; `unlock` gives up what has no end."
        sys.stderr.write(f"{text}\n")
        return shell.UNKNOWN
    return code


def read_catalog(path: Path) -> Catalog:
    """Return the catalog in a configuration file; raises DeployError that says what is wrong."""
    try:
        tables = tomllib.loads(path.read_text())
        catalog = Catalog.model_validate({name: tables.get(name, {}) for name in TABLES})
    except tomllib.TOMLDecodeError as error:
        raise DeployError(f"{path} is not TOML: {error}. Nothing was looked up.") from error
    except ValidationError as error:
        first = error.errors()[0]
        where = place_in_file(first["loc"])
        text = f"{path}: {where or 'the tables'}: {first['msg']}. Nothing was looked up."
        raise DeployError(text) from error
    return catalog.within(path.resolve().parent)


def _look(catalog: Catalog) -> Look:
    environ = os.environ  # noqa: TID251 (a shell's keys are in its environment)
    usual = Connections()
    connections = Connections(
        github_url=environ.get("GITHUB_API_URL", usual.github_url),
        github_token=Secret(environ.get("GITHUB_TOKEN", "")),
        vercel_url=environ.get("VERCEL_API_URL", usual.vercel_url),
        vercel_token=Secret(environ.get("VERCEL_TOKEN", "")),
        kubernetes_token=Secret(environ.get("KUBERNETES_TOKEN", "")),
    )
    look = Look(catalog, clock=shell.now, connections=connections)
    return Look(
        catalog,
        clock=shell.now,
        connections=connections,
        running=lambda service, environment: by_hand.running(look, service, environment),
    )


def _say_refused(options: argparse.Namespace, code: str, text: str) -> int:
    if options.json:
        told = {"error": {"reason_code": code or None, "message": text}}
        sys.stdout.write(f"{json.dumps(told, indent=2)}\n")
    sys.stderr.write(f"{code}: {text}\n" if code else f"{text}\n")
    return shell.REFUSED


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m deploy",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--config", type=Path, default=Path("deploybot.toml"))
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def command(name: str, do: Command, says: str, *words: str) -> argparse.ArgumentParser:
        made = commands.add_parser(name, help=says, description=says)
        made.add_argument("--json", action="store_true", help="answer with JSON")
        for word in words:
            made.add_argument(word)
        made.set_defaults(do=do)
        return made

    plan = command(
        "plan", shell.plan, "show what would run, and the facts about it; change nothing"
    )
    run = command("run", shell.run, "show the plan, ask, and run it")
    for made in (plan, run):
        made.add_argument(
            "words",
            nargs="+",
            metavar="[deploy|roll_back] SERVICE REF ENVIRONMENT",
            help=f"REF is a tag, branch or commit ({SHORT} digits will do); - for the usual one",
        )
    back = command(
        "rollback", shell.rollback, "go back to an earlier release", "service", "environment"
    )
    back.add_argument("--to", metavar="REF", help="the release; else the last verified one")
    for made in (run, back):
        made.add_argument("--yes", action="store_true", help="do not ask")
        made.add_argument(
            "--confirm", action="store_true", help="confirm what the plan wants confirmed"
        )
    status = command(
        "status", shell.status, "show what is live where, since when, and by whose leave"
    )
    status.add_argument("environment", nargs="?")
    command("current", shell.current, "show what is live", "service", "environment")
    command("journal", shell.journal, "show what happened, oldest first", "service", "environment")
    command("test", shell.test, "run an environment's tests against what is live", "environment")
    says = "give up an order that began and has no end, and tell what became of it"
    command("unlock", shell.unlock, says, "service", "environment")
    return parser


if __name__ == "__main__":
    sys.exit(main())
