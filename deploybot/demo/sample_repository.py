"""A real bare git repository of a small shop, with a past, and pull requests to merge into it."""

import io
import tarfile
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path

import git

from deploybot.demo.sample_history import (
    AUTHORS,
    GOOD,
    HISTORY,
    Change,
    Files,
    applied,
    missing_settings,
    one_more_product,
    one_more_surcharge,
)

MAIN = "refs/heads/main"
FIRST_PULL_REQUEST = 31
REVIEW = timedelta(minutes=9)
BETWEEN = timedelta(hours=31)
"""How far apart the commits of the shop's past are."""


@dataclass(frozen=True)
class SampleRepository:
    """The shop's repository; every merge moves `main` by the merge commit of a pull request.

    Whoever merges is `by`, "Name <mail>". Every merge returns the new commit of `main`.
    """

    path: Path

    def head(self) -> str:
        """Return the commit that `main` is at."""
        return self._git("rev-parse", "--verify", MAIN).decode().strip()

    def subject(self, sha: str) -> str:
        """Return the first line of a commit's message."""
        return self._git("log", "-1", "--format=%s", sha).decode().strip()

    def merge_good(self, now: datetime, *, by: str = AUTHORS["ann"]) -> str:
        """Merge a change of both services that works everywhere."""
        files = self._files()
        fitting = (c for c in GOOD if all(edit.fits(files) for edit in c.edits))
        return self._merge(next(fitting, None) or one_more_product(files), files, now, by)

    def merge_broken(self, now: datetime, *, by: str = AUTHORS["ann"]) -> str:
        """Merge a change that passes every test on staging and fails on production.

        Quotes come to need a setting that was made for staging alone.
        """
        files = self._files()
        return self._merge(one_more_surcharge(files), files, now, by)

    def merge_fix(self, now: datetime, *, by: str = AUTHORS["ann"]) -> str:
        """Merge what a broken change forgot: the settings of production."""
        files = self._files()
        return self._merge(missing_settings(files), files, now, by)

    def load(self, stream: bytes) -> None:
        """Take in commits and tags, written in the format of git fast-import."""
        with tempfile.TemporaryFile() as file:
            file.write(stream)
            file.seek(0)
            self._git("fast-import", "--quiet", source=file.fileno())

    def _merge(self, change: Change, files: Files, now: datetime, by: str) -> str:
        merges = int(self._git("rev-list", "--count", "--merges", MAIN))
        stream = _Stream(number=FIRST_PULL_REQUEST + merges)
        stream.merge(change, files, self.head(), now, by)
        self.load(bytes(stream.text))
        return self.head()

    def _files(self) -> Files:
        with tarfile.open(fileobj=io.BytesIO(self._git("archive", MAIN))) as archive:
            found = ((one.name, archive.extractfile(one)) for one in archive if one.isfile())
            return {name: file.read().decode() for name, file in found if file is not None}

    def _git(self, *arguments: str, source: int | None = None) -> bytes:
        command = ["git", f"--git-dir={self.path}", *arguments]
        return git.Git().execute(command, istream=source, stdout_as_string=False)


def create(path: Path, now: datetime) -> SampleRepository:
    """Make the repository at `path`, its past ending a day before `now`."""
    command = ["git", "init", "--bare", "--quiet", "--template=", "--initial-branch=main"]
    git.Git().execute([*command, str(path)])
    files = dict(_read(resources.files("deploybot.demo") / "sample"))
    at = now - len(HISTORY) * BETWEEN
    stream = _Stream()
    parent = stream.commit(AUTHORS[HISTORY[0].author], at, HISTORY[0].subject, files)
    for change in HISTORY[1:]:
        at += BETWEEN
        if change.merged:
            parent = stream.merge(change, files, parent, at, AUTHORS["ann"])
        else:
            edited = _edited(change, files)
            parent = stream.commit(AUTHORS[change.author], at, change.subject, edited, parent)
        files = applied(change.edits, files)
        if change.tag is not None:
            stream.tag(change.tag, parent, AUTHORS["ann"], at)
    repository = SampleRepository(path)
    repository.load(bytes(stream.text))
    return repository


@dataclass
class _Stream:
    """Commits and tags as git fast-import reads them; `number` is the next pull request's."""

    number: int = FIRST_PULL_REQUEST
    text: bytearray = field(default_factory=bytearray)
    marks: int = 0

    def commit(self, by: str, at: datetime, subject: str, files: Files, *parents: str) -> str:
        """Add a commit to main, and return its mark."""
        self.marks += 1
        self._line(f"commit {MAIN}")
        self._line(f"mark :{self.marks}")
        self._line(f"author {by} {_seconds(at)}")
        self._line(f"committer {by} {_seconds(at)}")
        self._data(subject + "\n")
        for word, parent in zip(("from", "merge"), parents, strict=False):
            self._line(f"{word} {parent}")
        for name, content in sorted(files.items()):
            self._line(f"M 100644 inline {name}")
            self._data(content)
        return f":{self.marks}"

    def merge(self, change: Change, files: Files, parent: str, at: datetime, by: str) -> str:
        """Add a pull request of one commit and its merge, and return the merge's mark."""
        edited = _edited(change, files)
        author = AUTHORS[change.author]
        topic = self.commit(author, at - REVIEW, change.subject, edited, parent)
        subject = f"Merge pull request #{self.number}: {change.subject}"
        self.number += 1
        return self.commit(by, at, subject, edited, parent, topic)

    def tag(self, name: str, commit: str, by: str, at: datetime) -> None:
        """Add an annotated tag."""
        self._line(f"tag {name}")
        self._line(f"from {commit}")
        self._line(f"tagger {by} {_seconds(at)}")
        self._data(f"Release {name}\n")

    def _line(self, line: str) -> None:
        self.text += f"{line}\n".encode()

    def _data(self, content: str) -> None:
        self._line(f"data {len(content.encode())}")
        self._line(content)


def _edited(change: Change, files: Files) -> Files:
    after = applied(change.edits, files)
    return {name: after[name] for name in {edit.path for edit in change.edits}}


def _read(folder: Traversable, path: str = "") -> Iterator[tuple[str, str]]:
    for one in folder.iterdir():
        if one.is_dir() and one.name != "__pycache__":
            yield from _read(one, f"{path}{one.name}/")
        elif one.is_file():
            yield f"{path}{one.name}", one.read_text(encoding="utf-8")


def _seconds(at: datetime) -> str:
    return f"{int(at.timestamp())} +0000"
