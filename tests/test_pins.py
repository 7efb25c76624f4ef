"""What is installed is pinned, hashed, comes from no address of ours, and nothing that is known speaks against it."""

import json
import re
import subprocess
import sys
from contextlib import suppress
from importlib import metadata

import jsonschema
import pytest
from audit_pins import judged
from pins import FILES, ROOT, Advisory, Pin, advisories, bill, canonical, pins, requirements

each_file = pytest.mark.parametrize("file", FILES)


@each_file
def test_every_requirement_is_one_version_by_its_hashes(file):
    found = list(pins(file))

    assert len(found) == len(list(requirements(file))) > 0
    assert len({(canonical(pin.name), pin.marker) for pin in found}) == len(found)
    assert all(pin.hashes for pin in found)


@each_file
def test_no_requirement_names_an_address(file):
    text = (ROOT / file).read_text(encoding="utf-8")

    assert not re.search(r"://|--(extra-)?index-url|--find-links|--trusted-host|-e |git\+|@ ", text)


def test_what_tests_need_is_what_runs_and_more():
    runs = {(canonical(pin.name), pin.version) for pin in pins("requirements.txt")}
    tests = {(canonical(pin.name), pin.version) for pin in pins("requirements-dev.txt")}

    assert runs <= tests


def test_the_makefile_installs_by_hash_alone():
    lines = (ROOT / "Makefile").read_text(encoding="utf-8").splitlines()
    installs = [line for line in lines if "pip install" in line]

    assert installs
    assert all("--require-hashes" in line or "--no-deps" in line for line in installs)


def test_what_is_installed_here_is_what_is_pinned():
    pinned: dict[str, set[str]] = {}
    for pin in pins("requirements.txt"):
        pinned.setdefault(pin.name, set()).add(pin.version)

    for name, versions in pinned.items():
        with suppress(metadata.PackageNotFoundError):  # of another platform
            assert metadata.version(name) in versions, name


@each_file
def test_nothing_that_is_known_speaks_against_a_pin(file):
    assert [
        (pin.name, pin.version, one.id)
        for pin in pins(file)
        for one in advisories()
        if one.concerns(pin)
    ] == []


def test_an_advisory_concerns_the_versions_that_it_names_and_no_other():
    one = Advisory("urllib3", "<1.26.19 or >=2.0.0,<2.2.2", "CVE-2024-37891", "")
    old, new = (Pin("urllib3", version, ("a" * 64,), "") for version in ("2.2.1", "2.2.2"))

    assert one.concerns(old)
    assert not one.concerns(new)
    assert not one.concerns(Pin("urllib3-next", "1.0", ("a" * 64,), ""))
    assert one.concerns(Pin("Urllib3", "1.26.18", ("a" * 64,), ""))


def test_every_advisory_is_about_something_that_is_pinned_or_was():
    known = {canonical(pin.name) for file in FILES for pin in pins(file)}

    assert len(advisories()) >= 25
    about = {one.package for one in advisories()}
    assert len(about & known) >= 15
    for one in advisories():
        assert re.fullmatch(r"CVE-\d{4}-\d{4,6}|yanked", one.id)
        assert one.package == canonical(one.package)


def test_a_version_that_no_database_knows_was_not_asked_about():
    rows = [
        {"name": "a", "version": "1", "vulns": []},
        {"name": "b", "version": "2", "vulns": [{"id": "CVE-2099-1"}]},
        {"name": "c", "skip_reason": "not found"},
    ]

    against, missed = judged("requirements.txt", rows)

    assert against == ["requirements.txt: b 2: CVE-2099-1"]
    assert missed == ["requirements.txt: 1 of 3 versions: c"]


SCHEMA = {
    "type": "object",
    "required": ["bomFormat", "specVersion", "version", "metadata", "components"],
    "properties": {
        "bomFormat": {"const": "CycloneDX"},
        "specVersion": {"const": "1.5"},
        "version": {"type": "integer", "minimum": 1},
        "metadata": {"type": "object", "required": ["component"]},
        "components": {
            "type": "array",
            "minItems": 1,
            "uniqueItems": True,
            "items": {
                "type": "object",
                "required": ["type", "name", "version", "purl", "bom-ref"],
                "additionalProperties": False,
                "properties": {
                    "type": {"enum": ["library"]},
                    "bom-ref": {"type": "string"},
                    "name": {"type": "string", "minLength": 1},
                    "version": {"type": "string", "minLength": 1},
                    "purl": {"type": "string", "pattern": "^pkg:pypi/[a-z0-9-]+@[^@]+$"},
                    "properties": {
                        "type": "array",
                        "items": {
                            "type": "object",
                            "required": ["name", "value"],
                            "properties": {"value": {"pattern": "^[0-9a-f]{64}$"}},
                        },
                    },
                },
            },
        },
    },
}


def test_the_bill_of_materials_lists_every_pin_of_the_product():
    argv = [sys.executable, str(ROOT / "tests" / "pins.py")]
    written = json.loads(subprocess.run(argv, capture_output=True, check=True).stdout)

    jsonschema.validate(written, SCHEMA)
    assert written == bill()
    assert {(one["name"], one["version"]) for one in written["components"]} == {
        (canonical(pin.name), pin.version) for pin in pins("requirements.txt")
    }
