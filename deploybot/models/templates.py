"""Where the templates of the prompts are read from: the `prompts` package, and a team's own folder.

What they are made into is written in `prompting`.
"""

from collections.abc import Callable
from importlib.resources import files
from pathlib import Path

from jinja2 import TemplateError

from deploybot.errors import ConfigError
from deploybot.ports import Prompt
from deploybot.prompting import Templates
from deploybot.thread import Standing, Thread

ENDING = ".j2"
AGENTS = ("deploy", "rollback")


def read(own: Path | None = None) -> Templates:
    """Return all templates, from a checkout and from an installed wheel alike.

    A file in the folder `own` stands for the built-in one of the same name, which it may still
    include as `built-in/<name>`. Raises ConfigError.
    """
    found = (entry for entry in files("prompts").iterdir() if entry.name.endswith(ENDING))
    sources = {entry.name: entry.read_text(encoding="utf-8") for entry in found}
    return Templates(sources, own=_own(own) if own is not None else {})


def check(own: Path, found: Templates, prompt: Callable[[Thread], Prompt]) -> None:
    """Use all words once, so that a broken template stops the start; raises ConfigError."""
    try:
        for agent in AGENTS:
            prompt(Thread("none", standing=Standing(agent=agent)))
        found.words.check()
    except (TemplateError, TypeError) as error:
        where = getattr(error, "name", None) or "a template"
        line = getattr(error, "lineno", None)
        at = f"{where}, line {line}" if line else where
        raise ConfigError(
            f"DEPLOYBOT_PROMPTS_DIR, {own}: {at}: {error}. Nothing was started; mend the template, "
            "or take it out to have the built-in one."
        ) from error


def _own(folder: Path) -> dict[str, str]:
    try:
        paths = sorted(path for path in folder.iterdir() if path.name.endswith(ENDING))
        return {path.name: path.read_text(encoding="utf-8") for path in paths}
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(
            f"DEPLOYBOT_PROMPTS_DIR, {folder}, cannot be read: {error}. Nothing was started; name a "
            "folder of templates, or take the setting out."
        ) from error
