"""Looking at deploys from a shell: what would run, what is live, what happened; changes nothing."""

import argparse
import sys
import tomllib
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from pydantic import ValidationError

from deploy.catalog import Catalog
from deploy.errors import DeployError
from deploy.look import Look
from deploy.plan import SHORT
from deploy.target_tables import place_in_file

TABLES = ("repositories", "services", "environments")


def main(arguments: Sequence[str] | None = None) -> int:
    """Answer one question; 0 when it was answered, 1 with a sentence on stderr when not."""
    options = _parser().parse_args(arguments)
    try:
        look = Look(read_catalog(options.config), clock=_now)
        sys.stdout.write(f"{options.answer(look, options)}\n")
    except (DeployError, OSError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


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


def _plan(look: Look, options: argparse.Namespace) -> str:
    ref = options.ref if options.ref != "-" else None
    plan = look.plan(options.action, options.service, ref, options.environment)
    return plan.model_dump_json(indent=2)


def _current(look: Look, options: argparse.Namespace) -> str:
    live = look.live(options.service, options.environment)
    if live is None:
        return f"Nothing is live: {options.service} on {options.environment}."
    tested = "verified" if live.verified else "not verified"
    return f"{live.sha} since {live.since:%Y-%m-%d %H:%M:%S %Z}, {tested}"


def _journal(look: Look, options: argparse.Namespace) -> str:
    records = reversed(list(look.target(options.service, options.environment).records()))
    lines = [record.model_dump_json() for record in records]
    return "\n".join(lines) or "Nothing has happened there yet."


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m deploy", description=__doc__)
    parser.add_argument("--config", type=Path, default=Path("deploybot.toml"))
    commands = parser.add_subparsers(required=True)
    plan = commands.add_parser("plan", help="show what would run, and the facts about it")
    plan.add_argument("action", choices=("deploy", "roll_back"))
    plan.add_argument("service")
    plan.add_argument("ref", help=f"tag, branch or commit ({SHORT} digits will do); - for none")
    plan.add_argument("environment")
    plan.set_defaults(answer=_plan)
    for name, answer, says in (
        ("current", _current, "show what is live"),
        ("journal", _journal, "show what happened, oldest first"),
    ):
        command = commands.add_parser(name, help=says)
        command.add_argument("service")
        command.add_argument("environment")
        command.set_defaults(answer=answer)
    return parser


def _now() -> datetime:
    return datetime.now(UTC)  # noqa: TID251 (the command line is where the clock is read)


if __name__ == "__main__":
    sys.exit(main())
