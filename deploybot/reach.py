"""The file in a state folder that says how the command line reaches a bot, and as whom."""

import json
import stat
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from deploybot.errors import ConfigError
from deploybot.state_folder import opened_for_its_owner

FILE = "client.json"


@dataclass(frozen=True)
class Reach:
    """Where a web process answers, and the tokens of people: person → token.

    `you` is who calls when nobody is named.
    """

    url: str
    people: Mapping[str, str]
    you: str = ""


def write_reach(folder: Path, reach: Reach) -> None:
    """Let `--state FOLDER` reach a web process; the file is its owner's alone."""
    path = folder / FILE
    with open(path, "w", encoding="utf-8", opener=opened_for_its_owner) as file:
        file.write(json.dumps(asdict(reach), indent=2) + "\n")


def read_reach(folder: Path) -> Reach:
    """Return how to reach the web process of a state folder; raises ConfigError."""
    path = folder / FILE
    try:
        mode = path.stat().st_mode
        found = json.loads(path.read_text(encoding="utf-8"))
        reach = Reach(str(found["url"]), dict(found["people"]), str(found["you"]))
    except FileNotFoundError:
        raise ConfigError(
            f"There is no {path}, so nothing was sent; name the folder of a running demo, or set "
            "DEPLOYBOT_URL and DEPLOYBOT_TOKEN."
        ) from None
    except (OSError, ValueError, KeyError, TypeError):
        raise ConfigError(
            f"{path} cannot be read as JSON with url, you and people, so nothing was sent."
        ) from None
    if stat.S_IMODE(mode) & 0o077:
        raise ConfigError(
            f"{path} holds tokens and others may read it, so it was not used; chmod 600 it."
        )
    return reach
