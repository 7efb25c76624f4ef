"""A target that another package brings is found by its entry point, and keeps the same contract."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from pydantic import ValidationError
from shop import Shop, free, now, quick, unheard

from deploy.catalog import Catalog
from deploy.look import Look
from deploy.run import run

TESTS = Path(__file__).parents[1]
BROUGHT = TESTS / "brought"


def tables(shop: Shop, **target: object) -> dict[str, object]:
    made = quick(shop).model_dump()
    made["services"]["backend"]["target"] = {"base": str(shop.base), **target}
    return made


def test_a_package_that_is_installed_brings_its_kind(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(BROUGHT)
    shop = Shop(tmp_path)
    (tmp_path / "mood").write_text("quick")
    files = {"file": str(tmp_path / "shelf"), "mood": str(tmp_path / "mood")}
    catalog = Catalog.model_validate(tables(shop, kind="note", **files))
    look = Look(catalog, clock=now)
    order = shop.order(look.plan("deploy", "backend", "v1.0.0", "staging"))

    outcome = run(look.target("backend", "staging"), order, guard=free, progress=unheard)

    assert outcome.outcome == "succeeded"
    assert (tmp_path / "shelf").read_text() == f"{order.plan.sha}\n"
    assert "shelf" in str(catalog.model_dump(mode="json"))  # what it reads is part of the digest


def test_the_tables_of_a_package_are_checked_by_that_package(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(BROUGHT)

    with pytest.raises(ValidationError, match="file"):
        Catalog.model_validate(tables(Shop(tmp_path), kind="note", mood="m"))


def test_a_kind_that_nobody_brings_is_refused_with_those_there_are(tmp_path):
    with pytest.raises(
        ValidationError, match=r"no target of kind 'ftp' is installed; known: .*command"
    ):
        Catalog.model_validate(tables(Shop(tmp_path), kind="ftp"))


def test_a_package_can_hold_its_target_to_the_same_contract():
    paths = os.pathsep.join(map(str, (TESTS.parent, TESTS, BROUGHT)))

    ran = subprocess.run(
        [
            *[sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:xdist"],
            *["--confcutdir", "tests/contracts"],
            *["tests/contracts/test_targets.py", "--harness", "note_harness:NoteHarness"],
            *["-k", "killed or deployed or only_once or not_newer or late or fails or stopped"],
        ],
        cwd=TESTS.parent,
        env={"PATH": "/usr/local/bin:/usr/bin:/bin", "PYTHONPATH": paths, "HOME": "/nonexistent"},
        capture_output=True,
        text=True,
        check=False,
    )

    assert ran.returncode == 0, ran.stdout
    assert " passed" in ran.stdout
