import os

import pytest

from deploy.errors import TargetError
from deploy.targets.release_directory import ReleaseDirectory

A, B, C, D = ("a" * 40, "b" * 40, "c" * 40, "d" * 40)


@pytest.fixture(name="directory")
def _directory(tmp_path):
    directory = ReleaseDirectory(tmp_path / "base", "staging", "api")
    directory.prepare()
    return directory


def complete(directory, sha: str) -> None:
    (directory.start_anew(sha) / "file").write_text(sha)
    directory.mark_complete(sha)


def test_nothing_is_live_at_first(directory):
    assert directory.live_sha() is None


def test_a_complete_release_can_go_live_and_another_after_it(directory):
    complete(directory, A)
    complete(directory, B)

    directory.point_at(A)
    first = (directory.current / "file").read_text()
    directory.point_at(B)

    assert first == A
    assert (directory.current / "file").read_text() == B
    assert directory.live_sha() == B
    assert sorted(p.name for p in directory.path.iterdir()) == ["current", "releases"]


def test_an_incomplete_release_cannot_go_live(directory):
    complete(directory, A)
    directory.point_at(A)
    directory.start_anew(B)

    with pytest.raises(TargetError, match="not complete"):
        directory.point_at(B)

    assert directory.live_sha() == A


def test_starting_anew_leaves_nothing_of_an_earlier_attempt(directory):
    complete(directory, A)

    directory.start_anew(A)

    assert not directory.is_complete(A)
    assert list(directory.release(A).iterdir()) == []


def test_nothing_live_can_be_restored_too(directory):
    complete(directory, A)
    directory.point_at(A)

    directory.point_at(None)

    assert directory.live_sha() is None


@pytest.mark.parametrize("level", ["base", "base/staging", "base/staging/api"])
def test_a_link_in_the_place_of_a_folder_is_refused(tmp_path, level):
    real = tmp_path / "real"
    real.mkdir()
    link = tmp_path / level
    link.parent.mkdir(parents=True, exist_ok=True)
    link.symlink_to(real)

    with pytest.raises(TargetError, match="is a link"):
        ReleaseDirectory(tmp_path / "base", "staging", "api").prepare()

    assert list(real.iterdir()) == []


@pytest.mark.parametrize(
    "goal", ["/etc", "../../etc", "releases/../../x", "releases/main", f"releases/{A}/deeper"]
)
def test_a_current_that_points_elsewhere_is_refused(directory, goal):
    directory.current.symlink_to(goal)

    with pytest.raises(TargetError, match="which is no release"):
        directory.live_sha()


def test_a_current_that_is_a_folder_is_refused(directory):
    directory.current.mkdir()

    with pytest.raises(TargetError, match="is not a link"):
        directory.live_sha()


def test_a_link_in_the_place_of_a_release_is_not_followed(directory, tmp_path):
    precious = tmp_path / "precious"
    precious.mkdir()
    (precious / "file").touch()
    directory.release(A).symlink_to(precious)

    directory.start_anew(A)

    assert (precious / "file").exists()
    assert not directory.release(A).is_symlink()


def test_tidying_keeps_the_newest_and_the_needed(directory):
    for age, sha in enumerate((A, B, C, D)):
        complete(directory, sha)
        os.utime(directory.releases / f"{sha}.complete", (age, age))

    directory.tidy(2, {A})

    assert [directory.is_complete(sha) for sha in (A, B, C, D)] == [True, False, True, True]
    assert not directory.release(B).exists()
