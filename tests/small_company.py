"""A small company as processes: one service, two environments, a web process, workers and a store.

Each part can be ended and started by itself; commands run beside them, as anybody who works there.
"""

import io
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path

import pytest
from redis_server import running_server
from shop import ROOT, Shop

from deploy.free_ports import free_ports
from deploybot.__main__ import main
from deploybot.demo.waiting import answers, until

TOKENS = {who: f"a-token-of-{who}-alone" for who in ("ann", "ben", "eve", "mia")}
PATIENCE = 40.0


class Company:
    """Its folder, its settings, and what runs."""

    def __init__(self, folder: Path, redis_url: str) -> None:
        self.folder = folder
        self.shop = Shop(folder)
        (port,) = free_ports(1)
        self.url = f"http://127.0.0.1:{port}"
        config = folder / "deploybot.toml"
        config.write_text(_TOML.format(repository=self.shop.repository.path), encoding="utf-8")
        plain = {"PATH": os.environ["PATH"], "LANG": "C.UTF-8"}  # noqa: TID251 - for children
        self.settings = {
            **plain,
            "DEPLOYBOT_CONFIG": str(config),
            "DEPLOYBOT_STATE_DIR": str(folder / "state"),
            "DEPLOYBOT_REDIS_URL": redis_url,
            "DEPLOYBOT_SECRET_KEY": "k" * 32,
            "DEPLOYBOT_PORT": str(port),
            "DEPLOYBOT_SWEEP_SECONDS": "0.5",
            "DEPLOYBOT_API_TOKENS": ",".join(f"{who}:{token}" for who, token in TOKENS.items()),
        }
        self.plain = plain
        self._running: dict[str, subprocess.Popen[bytes]] = {}

    def laptop(self, person: str) -> dict[str, str]:
        """Return the settings on the laptop of somebody who only has a token."""
        return {**self.plain, "DEPLOYBOT_URL": self.url, "DEPLOYBOT_TOKEN": TOKENS[person]}

    def types(
        self, person: str, *arguments: str, given: str | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run a command in a script of that person."""
        return self.run(*arguments, environ=self.laptop(person), given=given)

    def does(self, person: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run a command as `types` does, in this process: a second sooner each time."""
        return in_this_process(*arguments, environ=self.laptop(person))

    def run(
        self, *arguments: str, environ: dict[str, str] | None = None, given: str | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run a command, on the bot's own host unless told otherwise."""
        return subprocess.run(
            [sys.executable, "-m", "deploybot", *arguments],
            env=environ or self.settings,
            cwd=ROOT,
            input=given or "",
            capture_output=True,
            text=True,
            timeout=90,
            check=False,
        )

    def start(self, name: str) -> None:
        """Start the web process or the workers."""
        argv = {"web": ["-m", "deploybot", "serve"], "workers": ["-m", "workers"]}[name]
        with (self.folder / f"{name}.log").open("ab") as log:
            self._running[name] = subprocess.Popen(
                [sys.executable, *argv], env=self.settings, cwd=ROOT, stdout=log, stderr=log
            )
        if name == "web":
            until(lambda: answers(f"{self.url}/healthz"), PATIENCE, self.log("web"))

    def kill(self, name: str) -> None:
        """Kill one of them."""
        process = self._running.pop(name)
        process.kill()
        process.wait()

    def stop(self) -> None:
        """End all of them."""
        for process in self._running.values():
            process.terminate()
        for process in self._running.values():
            process.wait(PATIENCE)

    def log(self, name: str) -> str:
        """Return what one of them has written."""
        path = self.folder / f"{name}.log"
        return path.read_text(encoding="utf-8") if path.exists() else ""


def in_this_process(*arguments: str, environ: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """Run a command without a process of its own, with exactly these settings and no terminal."""
    out, err = io.StringIO(), io.StringIO()
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(out), redirect_stderr(err):
        patch.setattr(os, "environ", environ)
        patch.setattr(sys, "argv", ["deploybot", *arguments])
        patch.setattr(sys, "stdin", io.StringIO())
        code = main()
    return subprocess.CompletedProcess(arguments, code, out.getvalue(), err.getvalue())


@contextmanager
def open_company(folder: Path) -> Iterator[Company]:
    """Run everything for as long as the block lasts."""
    with running_server() as redis_url:
        company = Company(folder, redis_url)
        try:
            company.start("workers")
            company.start("web")
            yield company
        finally:
            company.stop()


_TOML = """
[people.ann]
name = "Ann"
[people.ben]
name = "Ben"
[people.eve]
name = "Eve"
[people.mia]
name = "Mia"

[repositories.shop]
path = "{repository}"

[services.backend]
repository = "shop"
path = "backend"
target = {{ kind = "releases", base = "releases", minimum_free_bytes = 0 }}

[services.frontend]
repository = "shop"
path = "frontend"
target = {{ kind = "releases", base = "releases", minimum_free_bytes = 0, build = [["false"]] }}

[environments.staging]
order = 1
automatic = true
services = {{ backend = {{}}, frontend = {{}} }}

[environments.qa]
order = 2
approvers = ["mia"]
requester_may_approve = true
services = {{ backend = {{}} }}

[environments.production]
order = 3
approvers = ["ann", "ben"]
services = {{ backend = {{}}, frontend = {{}} }}
"""
