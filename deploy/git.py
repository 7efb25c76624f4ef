"""What is asked of a repository: once a name is resolved, only full commits are passed to git."""

import fcntl
import tarfile
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import git

from deploy.errors import RepositoryError
from deploy.git_command import GitCommand
from deploy.plan import Commit
from deploy.process import GuardedPipe
from deploy.refs import (
    Kind,
    Resolved,
    checked_name,
    checked_sha,
    choose,
    is_full_sha,
    is_name,
    is_short_sha,
)
from deploy.target import Guard

FETCH_SECONDS = 120.0
COUNT_LIMIT = 1000
"""Commits between two others are counted up to here, so that the cost does not grow."""
DIFF_SECONDS = 5.0
LONGEST_BODY = 1000

_FIELDS = "%H%x00%an%x00%ae%x00%ct%x00%s%x00%b"


@dataclass(frozen=True)
class Tag:
    """A tag, the commit it stands for, and when it was made."""

    name: str
    sha: str
    at: datetime


@dataclass(frozen=True)
class Changed:
    """A file that differs between two commits, and in how many lines; none if it has no lines."""

    path: str
    added: int
    removed: int


@dataclass(frozen=True)
class _Apart:
    """Two commits: the newest that only the second has, and how many only the first has."""

    come: tuple[str, ...]
    goes: int


class Repository:
    """A local repository, bare or not; with `url`, a bare mirror that `fetch` makes and refreshes.

    Every method but `resolve` takes full commit names only, and each costs the same however long
    the history is. All raise RepositoryError when git cannot answer.
    """

    def __init__(self, path: Path, url: str | None = None) -> None:
        self.path = path
        self.url = url
        self._git = GitCommand(path)
        self._apart_known: dict[tuple[str, str], _Apart] = {}

    def resolve(self, ref: str) -> Resolved:
        """Return the one commit that a tag, branch or commit name stands for.

        Raises RefusedError (`ref_malformed`, `ref_missing`, `ref_ambiguous`) instead of guessing.
        """
        checked_name(ref)
        found = [
            Resolved(sha, kind, ref)
            for kind, space in _SPACES
            if (sha := self._commit_at(f"refs/{space}/{ref}")) is not None
        ]
        if is_full_sha(ref):
            # Such a name always means the commit; a tag or branch of that name must be the same.
            others = [one for one in found if one.sha != ref]
            return choose(ref, [Resolved(ref, "commit", ref), *others] if self.has(ref) else [])
        if is_short_sha(ref):
            named = {one.sha for one in found}
            found += [one for one in self._abbreviated(ref) if one.sha not in named]
        return choose(ref, found)

    def has(self, sha: str) -> bool:
        """Tell whether the commit is in the repository."""
        return self._commit_at(checked_sha(sha)) == sha

    def log(self, sha: str, limit: int, path: str = "") -> tuple[Commit, ...]:
        """Return the last commits up to `sha`, newest first; only those that touched `path`."""
        paths = ("--", path) if path else ()
        told = self._told(f"--max-count={limit:d}", "--end-of-options", checked_sha(sha), *paths)
        return tuple(commit for commit, _ in told)

    def between(self, old: str, new: str, limit: int) -> tuple[tuple[Commit, str], ...]:
        """Return the commits that `new` has and `old` has not, newest first, and how their bodies begin."""
        names = self._apart(old, new).come[:limit]
        return self._told("--no-walk=unsorted", "--end-of-options", *names) if names else ()

    def addresses(self, old: str | None, new: str) -> tuple[str, ...]:
        """Return the mail addresses of all authors and co-authors of what `new` has and `old` has not.

        Without `old`, those of `new` alone. Raises RepositoryError for too many commits.
        """
        names = self._apart(old, new).come if old else (checked_sha(new),)
        if len(names) >= COUNT_LIMIT:
            text = f"{COUNT_LIMIT} commits or more are too many to tell who wrote them all"
            raise RepositoryError(text)
        if not names:
            return ()
        wrote = "%ae%x01%(trailers:key=Co-authored-by,valueonly,separator=%x01)"
        told = ("log", "-z", f"--format=tformat:{wrote}", "--no-walk=unsorted")
        text = self._git.ask(*told, "--end-of-options", *names)
        named = (one for row in text.split("\0") for one in row.split("\x01"))
        bare = (one.rpartition("<")[2].partition(">")[0].strip()[:200] for one in named)
        return tuple(dict.fromkeys(one.casefold() for one in bare if "@" in one))

    def changed(self, old: str, new: str, path: str = "") -> tuple[Changed, ...] | None:
        """Return the files below `path` in which two commits differ; None if that takes too long."""
        paths = ("--", path) if path else ()
        status, text, _ = self._git.run(
            *("diff-tree", "-r", "-z", "--numstat", "--no-renames", "--no-ext-diff"),
            *("--no-textconv", "--end-of-options", checked_sha(old), checked_sha(new), *paths),
            seconds=DIFF_SECONDS,
        )
        if status != 0:
            return None
        rows = (row.split("\t", 2) for row in text.split("\0")[:-1])
        return tuple(Changed(name, _lines(plus), _lines(minus)) for plus, minus, name in rows)

    def count_between(self, old: str, new: str) -> int:
        """Return how many commits `new` has that `old` has not, at most COUNT_LIMIT."""
        return len(self._apart(old, new).come)

    def tags(self, limit: int) -> tuple[Tag, ...]:
        """Return the newest tags of commits; one whose name may not be deployed is left out."""
        fields = "%(refname:strip=2)%00%(objectname)%00%(*objectname)%00%(creatordate:unix)"
        text = self._git.ask(
            "for-each-ref",
            "--sort=-creatordate",
            f"--count={2 * limit:d}",
            f"--format={fields}",
            "refs/tags",
        )
        rows = (line.split("\0") for line in text.split("\n")[:-1])  # a name may hold other breaks
        tags = (Tag(n, peeled or sha, _time(at)) for n, sha, peeled, at in rows if is_name(n))
        return tuple(tags)[:limit]

    def is_ancestor(self, old: str, new: str) -> bool:
        """Tell whether `new` contains `old`."""
        return self._apart(old, new).goes == 0

    def is_on_branch(self, sha: str, branches: tuple[str, ...]) -> bool:
        """Tell whether one of these branches (a last `*` stands for anything) contains `sha`."""
        patterns = [f"refs/heads/{branch}" for branch in branches]
        tips = self._git.ask("for-each-ref", "--format=%(objectname)", *patterns).split()
        known = (self._apart_known.get((sha, tip)) for tip in tips)
        if sha in tips or any(apart is not None and apart.goes == 0 for apart in known):
            return True
        contains = f"--contains={checked_sha(sha)}"
        return bool(self._git.ask("for-each-ref", "--count=1", contains, "--format=1", *patterns))

    def export(self, sha: str, directory: Path, path: str, guard: Guard) -> None:
        """Write the files of one folder of a commit ("" for all) into an empty directory.

        A link or name that leads out of `directory` is refused (RepositoryError). The guard is
        asked all along, and what it raises comes through.
        """
        tree = f"{checked_sha(sha)}:{path}" if path else checked_sha(sha)
        process = self._git.started("archive", "--format=tar", tree)
        pipe = GuardedPipe(process.stdout.fileno(), FETCH_SECONDS, guard)
        try:
            with tarfile.open(fileobj=pipe, mode="r|") as archive:
                archive.extractall(directory, filter="data")
            process.wait()
        except tarfile.ReadError:
            error = process.stderr.read().decode("utf-8", "replace")
            raise self._git.failed(error) from None
        except (tarfile.TarError, TimeoutError, git.GitCommandError) as error:
            raise self._git.failed(str(error)) from error
        finally:
            process.terminate()
            process.communicate()  # it ends, and nothing of it is left open

    def fetch(self) -> None:
        """Bring the mirror up to date with its `url`, making it first if need be; else do nothing."""
        if self.url is None:
            return
        self.path.mkdir(parents=True, exist_ok=True)
        with (self.path / "fetch.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)  # two at once would fail on each other's refs
            self._fetch(self.url)

    def _fetch(self, url: str) -> None:
        is_new = not (self.path / "HEAD").exists()
        if is_new:
            self._git.ask("init", "--bare", "--quiet", "--template=", str(self.path))
        refs = ("+refs/heads/*:refs/heads/*", "+refs/tags/*:refs/tags/*")
        status, _, error = self._git.run(
            "fetch", "--quiet", "--prune", "--no-tags", "--no-recurse-submodules",
            "--no-write-fetch-head", "--write-commit-graph", "--end-of-options", url, *refs,
            seconds=FETCH_SECONDS,
        )  # fmt: skip
        if status != 0:
            raise self._git.failed(error)
        if is_new:
            self._git.ask("pack-refs", "--all")  # a file for each tag would slow every later fetch

    def _apart(self, old: str, new: str) -> "_Apart":
        """Return how two commits stand to each other: found by one walk, as it never changes."""
        pair = (checked_sha(old), checked_sha(new))
        if pair not in self._apart_known:
            text = self._git.ask("rev-list", "--left-right", "--end-of-options", "...".join(pair))
            names = text.split()
            goes = tuple(name[1:] for name in names if name[0] == "<")
            come = tuple(name[1:] for name in names if name[0] == ">")
            self._apart_known[pair] = _Apart(come[:COUNT_LIMIT], len(goes))
            self._apart_known[pair[::-1]] = _Apart(goes[:COUNT_LIMIT], len(come))
        return self._apart_known[pair]

    def _abbreviated(self, prefix: str) -> list[Resolved]:
        names = self._git.ask("rev-parse", f"--disambiguate={prefix}").split()
        return [Resolved(name, "commit", prefix) for name in names[:64] if self.has(name)]

    def _commit_at(self, name: str) -> str | None:
        status, text, error = self._git.run(
            "rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}"
        )
        if status not in (0, 1, 128) or "not a git repository" in error:
            raise self._git.failed(error)
        return text.strip() if status == 0 else None

    def _told(self, *arguments: str) -> tuple[tuple[Commit, str], ...]:
        text = self._git.ask("log", "-z", f"--format=tformat:{_FIELDS}", *arguments)
        words = text.split("\0")[:-1]
        rows = zip(*[iter(words)] * 6, strict=True)
        return tuple((_commit(*fields), body[:LONGEST_BODY]) for *fields, body in rows)


_SPACES: tuple[tuple[Kind, str], ...] = (("tag", "tags"), ("branch", "heads"))


def _commit(sha: str, name: str, mail: str, at: str, says: str) -> Commit:
    return Commit(sha=sha, author=name[:100], email=mail[:200], at=_time(at), subject=says[:300])


def _lines(number: str) -> int:
    return int(number) if number.isdigit() else 0  # "-" for what is not text


def _time(seconds: str) -> datetime:
    try:
        return datetime.fromtimestamp(int(seconds), UTC)
    except (ValueError, OverflowError, OSError):  # a date that its author made up
        return datetime.fromtimestamp(0, UTC)
