"""What deploys need: git, repositories, disks, GitHub's leave; and commands that would show a secret."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from deploy.catalog import Catalog, RepositoryTable
from deploy.errors import DeployError
from deploy.look import Look
from deploybot.bootstrap import now
from deploybot.config import Configuration, Settings
from deploybot.doctor.asking import ask
from deploybot.doctor.finding import Finding, ok, warning, wrong
from deploybot.redaction import Redactor, secrets_in

GIT_SECONDS = 15
SHARED = ("nfs", "nfs4", "cifs", "smb3", "9p", "ceph", "glusterfs", "fuse.sshfs")
_QUIET = {
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": "/dev/null",
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_SSH_COMMAND": "ssh -o BatchMode=yes",
    "LC_ALL": "C",
}
"""As the workers run git: it asks nobody anything, and reads no settings but the repository's."""


def of_deploys(settings: Settings, configuration: Configuration) -> Iterator[Finding]:
    """Check all services and environments of the file, and change nothing anywhere."""
    catalog = configuration.catalog
    if shutil.which("git") is None:
        yield wrong("git", "There is no git on PATH.", "Install it.")
    else:
        for name, repository in catalog.repositories.items():
            yield _of_a_repository(name, repository)
    for base in dict.fromkeys(service.target.base for service in catalog.services.values()):
        yield from _of_a_base(base)
    yield from _of_places(settings, catalog)
    yield from _of_commands(settings, configuration)
    yield from _of_github(settings, catalog)


def _of_a_repository(name: str, table: RepositoryTable) -> Finding:
    about = f"repositories.{name}"
    if table.url:
        said = _git("ls-remote", "--exit-code", "--heads", "--", table.url, table.default_branch)
        where = Redactor().text(table.url)
        if said is None or said[0] not in (0, 2):
            why = "in time" if said is None else f"({said[1]})"
            return wrong(
                about,
                f"git cannot read {where} {why}.",
                "Correct the address, or give this machine's user a key or credential for it.",
            )
        found = said[0] == 0
    else:
        where = str(table.path)
        if not table.path.exists():
            return wrong(about, f"There is no {table.path}.", f"Clone the repository {name}.")
        said = _git("-C", where, "rev-parse", "--git-dir")
        if said is None or said[0]:
            why = f" ({said[1]})" if said and said[1] else ""
            what = f"{where} is no git repository that this user may read{why}."
            return wrong(about, what, "Clone it, correct the path, or run doctor as its owner.")
        branch = f"refs/heads/{table.default_branch}"
        said = _git("-C", where, "show-ref", "--verify", "--quiet", branch)
        found = said is not None and said[0] == 0
    if not found:
        mend = f"Correct {about}.default_branch."
        return wrong(about, f"{where} has no branch {table.default_branch}.", mend)
    return ok(about, f"The repository {name} is there, with its branch {table.default_branch}.")


def _git(*words: str) -> tuple[int, str] | None:
    """Run git; its exit code and last line, or None when it takes too long."""
    shell = dict(os.environ)  # noqa: TID251 - handed on to git, not read
    try:
        ran = subprocess.run(
            ["git", *words],
            env=shell | _QUIET,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=GIT_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return None
    lines = Redactor().text(ran.stderr).strip().splitlines()
    return ran.returncode, lines[-1] if lines else ""


def _of_a_base(base: Path) -> Iterator[Finding]:
    """Check that releases and journals can be written there, on one local disk."""
    about = f"base {base}"
    there = next((folder for folder in (base, *base.parents) if folder.exists()), base)
    if not there.is_dir() or not os.access(there, os.W_OK | os.X_OK):
        yield wrong(
            about,
            f"{base} cannot be written by this user.",
            "Run doctor as the workers' user; give it the folder.",
        )
        return
    disk = there.stat().st_dev
    below = [one for one in base.glob("*/*") if one.is_dir()] if there == base else []
    elsewhere = [one for one in below if one.stat().st_dev != disk]
    if elsewhere:
        yield wrong(
            about,
            f"{elsewhere[0]} is on another file system than {base}.",
            "Keep it on one: a switch is a rename, and works on one only.",
        )
    kind = _file_system(there)
    if kind in SHARED:
        yield wrong(
            about,
            f"{base} is on a file system of kind {kind}.",
            "Put it on a local disk: the journal relies on locks and on writes that reach it.",
        )
    if not elsewhere and kind not in SHARED:
        yield ok(about, f"{base} can be written, on one local file system.")


def _file_system(path: Path) -> str:
    """Return the kind of file system that a path is on; "" where that cannot be told."""
    mounts = Path("/proc/self/mounts")
    if not mounts.exists():
        return ""
    rows = [line.split(" ") for line in mounts.read_text(encoding="utf-8").splitlines()]
    real = path.resolve()
    fitting = [row for row in rows if len(row) > 2 and real.is_relative_to(row[1])]
    return max(fitting, key=lambda row: len(row[1]), default=["", "", ""])[2]


def _of_places(settings: Settings, catalog: Catalog) -> Iterator[Finding]:
    """Ask each target what is live: that takes its address, its key and the right to look."""
    look = Look(catalog, clock=now, connections=settings.connections())
    fine = 0
    for name, place in catalog.environments.items():
        for service in place.services:
            try:
                look.live(service, name)
            except DeployError as error:
                what = f"What is live of {service} on {name} cannot be told: {error}"
                mend = f"Correct services.{service}.target, or give it its key."
                yield wrong(f"environments.{name}.services.{service}", what, mend)
            else:
                fine += 1
    if fine:
        yield ok("targets", f"The targets of {fine} places say what is live there.")


def _of_commands(settings: Settings, configuration: Configuration) -> Iterator[Finding]:
    """Find secrets among the words of commands: they stand on cards and in journals."""
    known = Redactor([*secrets_in(settings), *secrets_in(configuration)])
    catalog = configuration.catalog
    tables: list[tuple[str, Any]] = [
        *(
            (f"services.{name}.target", service.target)
            for name, service in catalog.services.items()
        ),
        *((f"environments.{name}", place) for name, place in catalog.environments.items()),
    ]
    found = False
    for where, table in tables:
        for field in type(table).model_fields:
            if any(known.text(word) != word for word in _words(getattr(table, field))):
                found = True
                yield wrong(
                    f"{where}.{field}",
                    f"{where}.{field} seems to hold a secret; commands stand on cards and in "
                    "journals.",
                    "Let the command read it from a file that only its user may read.",
                )
    if not found and catalog.services:
        yield ok("commands", "No command holds what looks like a secret.")


def _words(value: Any) -> Iterator[str]:
    """Yield the words of commands: texts in tuples, however deep."""
    if isinstance(value, tuple):
        for part in value:
            if isinstance(part, str):
                yield part
            else:
                yield from _words(part)


def _of_github(settings: Settings, catalog: Catalog) -> Iterator[Finding]:
    if settings.github_webhook_secrets:
        short = any(len(s.get_secret_value()) < 16 for s in settings.github_webhook_secrets)
        if short:
            yield warning(
                "GITHUB_WEBHOOK_SECRET",
                "GITHUB_WEBHOOK_SECRET is short enough to be guessed.",
                "Make one with `openssl rand -hex 32`, and type it into the webhook's page, too.",
            )
        else:
            yield ok("GITHUB_WEBHOOK_SECRET", "GitHub's webhook is on.")
    else:
        what = "GitHub's webhook is off:"
        yield warning(
            "GITHUB_WEBHOOK_SECRET", what, "set GITHUB_WEBHOOK_SECRET to deploy on a push."
        )
    token = settings.github_token.get_secret_value()
    needing = _needing_github(catalog)
    if needing and not token:
        yield wrong(
            "GITHUB_TOKEN",
            f"GITHUB_TOKEN is not set, and is needed for {', '.join(sorted(needing))}.",
            "Make a fine-grained token for these repositories.",
        )
    if token:
        for repository, writes in sorted(needing.items()):
            yield _of_a_right(settings.github_api_url.rstrip("/"), token, repository, writes=writes)


def _needing_github(catalog: Catalog) -> dict[str, bool]:
    """Return the repositories that GitHub is asked about; True where deploys write there."""
    found: dict[str, bool] = {}
    for place in catalog.environments.values():
        for name in place.services:
            service = catalog.services[name]
            repository = catalog.repositories[service.repository].github_name
            target = str(getattr(service.target, "repository", "") or repository or "")
            if service.target.kind == "github_actions" and target:
                found[target] = True
            if place.required_checks and repository:
                found.setdefault(repository, False)
    return found


def _of_a_right(url: str, token: str, repository: str, *, writes: bool) -> Finding:
    about = f"GITHUB_TOKEN {repository}"
    said = ask(f"{url}/repos/{repository}", token=token)
    if said.status == 401:
        return wrong(about, "GitHub refuses GITHUB_TOKEN.", "Make a new one; it may have expired.")
    if said.status in (403, 404):
        mend = f"Give it {repository}, to read contents, checks and statuses."
        return wrong(about, f"GITHUB_TOKEN does not see {repository}.", mend)
    if said.status != 200 or not isinstance(said.body, dict):
        return warning(about, f"GitHub answers {said.status or said.why} about {repository}.")
    if writes and not (said.body.get("permissions") or {}).get("push"):
        return wrong(
            about,
            f"GITHUB_TOKEN may read {repository}, and start nothing there.",
            "Give it the permission Actions: read and write, and Contents if tags are made.",
        )
    return ok(
        about, f"GITHUB_TOKEN {'may start workflows in' if writes else 'reads'} {repository}."
    )
