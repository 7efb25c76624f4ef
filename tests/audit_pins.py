"""`make audit-pins`: asks the public databases about every pinned version, where they can be reached.

0: nothing is known against them. 1: something is. 2: nobody could be asked, which is said aloud.
"""

import json
import subprocess
import sys
import venv
from pathlib import Path
from typing import Any

from pins import FILES, ROOT, advisories, pins

Row = dict[str, Any]
PLACE = ROOT / ".venv" / "pip-audit"
"""Its own environment: what audits is not among what is audited."""


def main() -> int:
    """Ask, and say what came of it."""
    known = [
        f"{pin.file}: {pin.name} {pin.version}: {one.id}: {one.says}"
        for file in FILES
        for pin in pins(file)
        for one in advisories()
        if one.concerns(pin)
    ]
    missed: list[str] = []
    try:
        for file in FILES:
            more, unasked = judged(file, asked(file))
            known, missed = known + more, missed + unasked
    except (OSError, subprocess.SubprocessError, ValueError, KeyError) as error:
        missed.append(f"the public databases could not be reached ({type(error).__name__})")
    for line in known:
        sys.stdout.write(f"{line}\n")
    if missed:
        sys.stderr.write("".join(f"NOT ASKED: {line}\n" for line in missed))
        sys.stderr.write("No more than tests/advisories.toml is known of those. Run this again.\n")
    if not known and not missed:
        sys.stdout.write("Nothing is known against any pin.\n")
    return 1 if known else 2 if missed else 0


def judged(file: str, rows: list[Row]) -> tuple[list[str], list[str]]:
    """Return what the databases have against the pins of a file, and what they were not asked about.

    A version that a database does not know is not one that nothing speaks against.
    """
    against = [
        f"{file}: {row['name']} {row.get('version', '')}: {one['id']}"
        for row in rows
        for one in row.get("vulns", [])
    ]
    skipped = [row["name"] for row in rows if "skip_reason" in row]
    some = ", ".join(skipped[:5]) + (" and others" if len(skipped) > 5 else "")
    return against, [f"{file}: {len(skipped)} of {len(rows)} versions: {some}"] if skipped else []


def asked(file: str) -> list[Row]:
    """Return the answer about each pin of a file."""
    done = subprocess.run(
        [str(program()), "-r", str(ROOT / file), "--require-hashes", "--disable-pip", "-f", "json"],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    rows: list[Row] = json.loads(done.stdout)["dependencies"]
    return rows


def program() -> Path:
    """Return pip-audit, installed beside everything else when it is asked for first."""
    found = PLACE / "bin" / "pip-audit"
    if not found.exists():
        venv.create(PLACE, with_pip=True)
        subprocess.run(
            [
                PLACE / "bin" / "pip",
                "install",
                "--quiet",
                "--disable-pip-version-check",
                "pip-audit",
            ],
            check=True,
            timeout=300,
        )
    return found


if __name__ == "__main__":
    sys.exit(main())
