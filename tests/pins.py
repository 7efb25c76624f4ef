"""What is installed, exactly: the requirements files as rows, what is known against a version, and a bill of it.

`python tests/pins.py` prints the bill of materials of the product (CycloneDX 1.5, JSON); `make sbom` keeps it.
"""

import json
import re
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from packaging.specifiers import SpecifierSet

ROOT = Path(__file__).parent.parent
FILES = ("requirements.txt", "requirements-dev.txt", "requirements-model.txt")
_PIN = re.compile(
    r"(?P<name>[A-Za-z0-9][A-Za-z0-9._-]*)(?:\[[a-z0-9,_-]+\])?==(?P<version>[0-9][A-Za-z0-9.+!]*)"
    r"(?:\s*;\s*(?P<marker>[^\\]+?))?(?P<hashes>(?:\s+--hash=sha256:[0-9a-f]{64})+)"
)


@dataclass(frozen=True)
class Pin:
    """One requirement: an exact version, and the hashes of what may be installed of it."""

    name: str
    version: str
    hashes: tuple[str, ...]
    file: str
    marker: str = ""
    """On which platforms; one package may have a version for each."""


@dataclass(frozen=True)
class Advisory:
    """One version range that must not be installed; `id` is the public name of the reason."""

    package: str
    affected: str
    id: str
    says: str

    def concerns(self, pin: Pin) -> bool:
        """Tell whether this version is one of those."""
        ranges = self.affected.split(" or ")
        named = canonical(pin.name) == self.package
        return named and any(
            SpecifierSet(one).contains(pin.version, prereleases=True) for one in ranges
        )


def canonical(name: str) -> str:
    """Return the one spelling of a package's name."""
    return re.sub(r"[-_.]+", "-", name).lower()


def requirements(file: str) -> Iterator[str]:
    """Yield each requirement on one line, comments left out."""
    text = (ROOT / file).read_text(encoding="utf-8").replace("\\\n", " ")
    yield from (line.strip() for line in text.splitlines() if line.strip() and line[0] != "#")


def pins(file: str) -> Iterator[Pin]:
    """Yield the pins of a file; ValueError for a line that is none."""
    for line in requirements(file):
        found = _PIN.fullmatch(line)
        if found is None:
            raise ValueError(
                f"{file}: not an exact version with hashes and nothing else: {line[:90]}"
            )
        hashes = tuple(re.findall(r"sha256:([0-9a-f]{64})", found["hashes"]))
        yield Pin(found["name"], found["version"], hashes, file, (found["marker"] or "").strip())


def advisories() -> tuple[Advisory, ...]:
    """Return what is known, from advisories.toml."""
    text = (ROOT / "tests" / "advisories.toml").read_text(encoding="utf-8")
    return tuple(Advisory(**row) for row in tomllib.loads(text)["advisories"])


def bill() -> dict[str, Any]:
    """Return the bill of materials of what the product needs to run."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "metadata": {
            "component": {
                "type": "application",
                "bom-ref": project["name"],
                "name": project["name"],
                "version": project["version"],
                "licenses": [{"license": {"id": project["license"]}}],
            }
        },
        "components": [_component(pin) for pin in pins("requirements.txt")],
    }


def _component(pin: Pin) -> dict[str, Any]:
    purl = f"pkg:pypi/{canonical(pin.name)}@{pin.version}"
    return {
        "type": "library",
        "bom-ref": purl,
        "name": canonical(pin.name),
        "version": pin.version,
        "purl": purl,
        "properties": [
            {"name": "deploybot:allowed-sha256", "value": one} for one in sorted(pin.hashes)
        ],
    }


if __name__ == "__main__":
    sys.stdout.write(json.dumps(bill(), indent=2) + "\n")
