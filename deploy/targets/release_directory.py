"""The folder of one service in one environment: its releases and which is current; no processes."""

import os
import re
import shutil
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from deploy.errors import TargetError
from deploy.journal import sync_directory

_CURRENT = re.compile(r"releases/([0-9a-f]{40}|[0-9a-f]{64})")


class ReleaseDirectory:
    """`base/<environment>/<service>/`: `releases/<sha>`, `current` and the journal.

    A release is complete when `releases/<sha>.complete` stands beside it; only such a one may
    become current.
    """

    def __init__(self, base: Path, environment: str, service: str) -> None:
        self.base = base
        self.path = base / environment / service
        self.releases = self.path / "releases"
        self.current = self.path / "current"
        self.journal = self.path / "journal.jsonl"

    def prepare(self) -> None:
        """Make the folders; raise TargetError if a link stands where one of them should."""
        self.base.mkdir(parents=True, exist_ok=True)
        for folder in (self.base, self.path.parent, self.path, self.releases):
            if folder.is_symlink():
                raise TargetError(
                    f"{folder} is a link. Nothing was deployed; put a real folder there."
                )
            folder.mkdir(exist_ok=True)

    def release(self, sha: str) -> Path:
        """Return where the release of a full commit name is, or would be."""
        return self.releases / sha

    def live_sha(self) -> str | None:
        """Return the commit that `current` points at, or None when nothing is live."""
        try:
            pointed = str(self.current.readlink())
        except FileNotFoundError:
            return None
        except OSError as error:
            raise TargetError(
                f"{self.current} is not a link ({error.strerror}). Nothing was deployed; move it "
                "away, or put the link back."
            ) from error
        match = _CURRENT.fullmatch(pointed)
        if match is None:
            raise TargetError(
                f"{self.current} points at {pointed[:200]!r}, which is no release. Nothing was "
                "deployed; let it point at one, or remove it."
            )
        return match[1]

    def live_since(self) -> datetime:
        """Return when `current` was last changed, in UTC."""
        return datetime.fromtimestamp(self.current.lstat().st_mtime, UTC)

    def is_complete(self, sha: str) -> bool:
        """Tell whether the release was built to its end and passed its checks."""
        return self._mark(sha).is_file() and self.release(sha).is_dir()

    def start_anew(self, sha: str) -> Path:
        """Return an empty folder for the release, without what an earlier attempt left there."""
        self._mark(sha).unlink(missing_ok=True)
        release = self.release(sha)
        if release.is_symlink():
            release.unlink()
        elif release.exists():
            shutil.rmtree(release)
        release.mkdir()
        return release

    def mark_complete(self, sha: str) -> None:
        """Declare the release complete, once all of it is on the disk."""
        os.sync()
        self._mark(sha).touch()
        sync_directory(self.releases)

    def point_at(self, sha: str | None) -> None:
        """Make a complete release current, in one atomic step; None leaves nothing live."""
        if sha is None:
            self.current.unlink(missing_ok=True)
        else:
            if not self.is_complete(sha):
                raise TargetError(
                    f"The release {self.release(sha)} is not complete. What was live still is; "
                    "deploy the commit instead of rolling back to it."
                )
            new = self.path / ".current.new"
            new.unlink(missing_ok=True)
            new.symlink_to(f"releases/{sha}")
            new.replace(self.current)
        sync_directory(self.path)

    def tidy(self, keep: int, needed: set[str]) -> None:
        """Remove all but the newest `keep` complete releases and those that are `needed`."""
        marks = sorted(self.releases.glob("*.complete"), key=_age, reverse=True)
        for mark in marks[keep:]:
            sha = mark.stem
            if sha not in needed:
                with suppress(OSError):
                    mark.unlink()
                shutil.rmtree(self.release(sha), ignore_errors=True)

    def _mark(self, sha: str) -> Path:
        return self.releases / f"{sha}.complete"


def _age(path: Path) -> float:
    return path.stat().st_mtime
