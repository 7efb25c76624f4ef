"""Makes a mistake in a copy of the tree, and tells which tests notice."""

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from mistakes.table import Change, Mistake

ROOT = Path(__file__).parent.parent.parent
COPIED = ("deploybot", "deploy", "workers", "prompts", "tests")
BESIDE = ("pyproject.toml", "deploybot.example.toml", "README.md", "docs")
RED = re.compile(r"^FAILED (\S+)", re.MULTILINE)


def occurs(change: Change) -> int:
    """Return how often what the mistake replaces stands in its file."""
    return (ROOT / change.file).read_text(encoding="utf-8").count(change.old)


@contextmanager
def made(mistake: Mistake) -> Iterator[Path]:
    """Yield a copy of the tree in which the mistake was made."""
    with TemporaryDirectory(prefix="dbm-", ignore_cleanup_errors=True) as folder:
        copy = Path(folder)
        ignored = shutil.ignore_patterns("__pycache__", ".hypothesis")
        for name in COPIED:
            shutil.copytree(ROOT / name, copy / name, ignore=ignored)
        for name in BESIDE:
            (copy / name).symlink_to(ROOT / name)
        for change in mistake.changes:
            path = copy / change.file
            text = path.read_text(encoding="utf-8")
            assert text.count(change.old) == 1, f"{mistake.name} does not apply to {change.file}"
            path.write_text(text.replace(change.old, change.new), encoding="utf-8")
        yield copy


def red(mistake: Mistake, *, seconds: float = 170) -> tuple[str, ...]:
    """Return the tests, of those that ought to catch the mistake, that did."""
    with made(mistake) as copy:
        ran = subprocess.run(
            (sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--no-header",
             *mistake.caught_by),
            cwd=copy, capture_output=True, text=True, timeout=seconds, check=False,
        )  # fmt: skip
    if ran.returncode not in (0, 1):  # a test that cannot even be collected has caught nothing
        raise AssertionError(f"{mistake.name}: {ran.stdout[-2000:]}{ran.stderr[-2000:]}")
    failed = RED.findall(ran.stdout)
    return tuple(name for name in mistake.caught_by if any(_is(one, name) for one in failed))


def _is(failed: str, name: str) -> bool:
    """Tell whether a test that failed is the named one, or one of its forms."""
    return failed == name or failed.partition("[")[0] == name
