"""What the demo's company is: its people, its environments and its Slack, as settings."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from deploybot.config import PersonTable
from deploybot.demo.workspace.settings import (
    Channel,
    Command,
    Link,
    Person,
    WorkspaceSettings,
)
from deploybot.inbound.slack_command import NAME
from deploybot.manifest import DESCRIPTION, USAGE

HOST = "127.0.0.1"
CHANNEL = "C0DEPLOYS"
BOT_TOKEN = "xoxb-demo-not-a-secret"  # noqa: S105 - opens nothing but the demo on this machine
MAIL_ADDRESS = "deploybot@harbour.example"
AUTHSERV_ID = "mx.harbour.example"
GITHUB = "harbour/shop"
SERVICES = ("backend", "frontend")
ENVIRONMENTS = ("staging", "production")
APPROVERS = ("ann", "ben")
RULES: dict[str, dict[str, Any]] = {
    "staging": {"automatic": True},
    "production": {
        "approvers": list(APPROVERS),
        "approve_by_mail": True,
        "verified_in": "staging",
        "allowed_branches": ["main"],
    },
}

PEOPLE: dict[str, PersonTable] = {
    "ann": PersonTable(name="Ann", slack="U0ANN", email="ann@harbour.example", github="ann"),
    "ben": PersonTable(
        name="Ben", slack="U0BEN", email="ben@harbour.example", github="ben", mail_me=True
    ),
    "eve": PersonTable(name="Eve", slack="U0EVE", email="eve@harbour.example", github="eve"),
}
TITLES = {
    "ann": ("Ann Okafor", "Platform, may approve", "#1264a3"),
    "ben": ("Ben Larsen", "Backend, may approve", "#2b7a4b"),
    "eve": ("Eve Moreau", "Frontend, may not approve", "#9a3b6a"),
}


@dataclass(frozen=True)
class Ports:
    """Where everything listens."""

    workspace: int
    bot: int
    releases: dict[tuple[str, str], int]
    """(environment, service) → port."""

    @classmethod
    def of(cls, ports: Sequence[int]) -> Self:
        """Hand out ports in a fixed order: workspace, bot, staging, production."""
        places = [(e, s) for e in ENVIRONMENTS for s in SERVICES]
        return cls(ports[0], ports[1], dict(zip(places, ports[2:], strict=False)))

    def urls(self) -> dict[str, dict[str, str]]:
        """Return environment → service → address."""
        return {
            environment: {
                service: f"http://{HOST}:{self.releases[environment, service]}"
                for service in SERVICES
            }
            for environment in ENVIRONMENTS
        }


def tools(directory: Path) -> Path:
    """Return the folder in which releases find `python3`: the one that the demo runs on."""
    return directory / "bin"


def catalog_tables(directory: Path, ports: Ports) -> dict[str, Any]:
    """Return the tables of repositories, services and environments."""
    urls = ports.urls()
    tests = [sys.executable, "-B", "-m", "unittest", "discover", "-s", "e2e"]
    return {
        "repositories": {"shop": {"path": str(directory / "shop.git"), "github": GITHUB}},
        "services": {
            service: {
                "repository": "shop",
                "path": service,
                "target": {
                    "kind": "releases",
                    "base": str(directory / "releases"),
                    "build": [["python3", "-m", "compileall", "-q", "."]],
                    "start": ["python3", "-B", "server.py"],
                    "health_timeout_seconds": 20,
                    "confirm_timeout_seconds": 20,
                    "variables": {"PATH": f"{tools(directory)}:/usr/bin:/bin", "LANG": "C.UTF-8"},
                },
            }
            for service in SERVICES
        },
        "environments": {
            name: {
                "order": order,
                "services": {
                    "backend": {"url": urls[name]["backend"]},
                    "frontend": {
                        "url": urls[name]["frontend"],
                        "variables": {"BACKEND_URL": urls[name]["backend"]},
                    },
                },
                "tests": tests,
                **rules,
            }
            for order, (name, rules) in enumerate(RULES.items(), start=1)
        },
    }


def toml(directory: Path, ports: Ports) -> str:
    """Return the company's deploybot.toml."""
    tables: dict[str, Any] = {
        "slack": {"channel": CHANNEL},
        "people": {name: table.model_dump() for name, table in PEOPLE.items()},
        **catalog_tables(directory, ports),
    }
    return "".join(_table((name,), table) for name, table in tables.items())


def workspace(bot: str, releases: dict[str, dict[str, str]], **settings: Any) -> WorkspaceSettings:
    """Return the company's Slack."""
    links = [
        Link(text=f"{environment} shop", url=table["frontend"])
        for environment, table in releases.items()
    ]
    return WorkspaceSettings(
        bot_token=BOT_TOKEN,
        bot_url=bot,
        channels=(Channel(id=CHANNEL, name="deploys", topic="What goes live, and who said so"),),
        people=tuple(
            Person(
                id=person.slack,
                name=name,
                real_name=TITLES[name][0],
                title=TITLES[name][1],
                email=person.email,
                colour=TITLES[name][2],
            )
            for name, person in PEOPLE.items()
        ),
        links=tuple(links),
        commands=(Command(name=NAME, description=DESCRIPTION, usage=USAGE),),
        mail_address=MAIL_ADDRESS,
        suggestions=(
            "@deploybot what's live?",
            "@deploybot what are the last 5 commits?",
            "@deploybot deploy backend to production",
            "@deploybot unlock backend on production",
        ),
        **settings,
    )


def _table(path: tuple[str, ...], table: dict[str, Any]) -> str:
    plain = {key: value for key, value in table.items() if not isinstance(value, dict)}
    text = ""
    if plain or not table:
        text = f"[{'.'.join(path)}]\n"
        text += "".join(f"{key} = {_value(value)}\n" for key, value in plain.items()) + "\n"
    for key, value in table.items():
        if isinstance(value, dict):
            text += _table((*path, key), value)
    return text


def _value(value: Any) -> str:
    match value:
        case bool():
            return str(value).lower()
        case int() | float():
            return str(value)
        case str():
            escaped = value.replace("\\", "\\\\").replace('"', '\\"')
            return f'"{escaped}"'
        case _:
            return f"[{', '.join(_value(one) for one in value)}]"
