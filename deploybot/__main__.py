"""The command `deploybot`: turns what a person may mend into one line and an exit code."""

import os
import sys

import typer
from typer.exceptions import TyperException

from deploy.errors import DeployError
from deploybot.cli.app import app
from deploybot.errors import ConfigError, DeploybotError

REFUSED, USAGE, INTERRUPTED = 1, 2, 130


def main() -> int:
    """Run a command; `cli.exits` says what its exit code tells."""
    try:
        code = app(standalone_mode=False)
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else REFUSED
    except TyperException as error:
        _say_misused(error)
        code = USAGE
    except (DeploybotError, DeployError) as error:
        sys.stderr.write(f"{error}\n")
        code = USAGE if isinstance(error, ConfigError) else REFUSED
    except (KeyboardInterrupt, typer.Abort):
        code = INTERRUPTED
    except BrokenPipeError:
        _read_no_further()
        code = REFUSED
    return code if isinstance(code, int) else 0


def _say_misused(error: TyperException) -> None:
    """Say in a line what was typed wrong; when nothing was, the help has been shown instead."""
    if type(error).__name__ == "NoArgsIsHelpError":
        return
    context = getattr(error, "ctx", None)
    text = error.format_message().rstrip(".")
    where = context.command_path if context is not None else "deploybot"
    end = "" if text.endswith("?") else "."
    sys.stderr.write(f"{text}{end} `{where} --help` says how it is used.\n")


def _read_no_further() -> None:
    """Let the interpreter end quietly when whoever read standard output has gone."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


if __name__ == "__main__":
    sys.exit(main())
