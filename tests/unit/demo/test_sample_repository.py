import json

import pytest
from shop import free, now

from deploy.git import Repository
from deploybot.demo.sample_history import SURCHARGES
from deploybot.demo.sample_repository import create


@pytest.fixture(name="sample")
def _sample(tmp_path):
    return create(tmp_path / "shop.git", now())


def files(sample, folder, path: str) -> dict[str, str]:
    folder.mkdir()
    Repository(sample.path).export(sample.head(), folder, path, free)
    return {file.name: file.read_text() for file in folder.iterdir()}


def test_the_shop_has_a_past_by_several_people_with_tags(sample):
    repository = Repository(sample.path)

    commits = repository.log(sample.head(), 100)

    assert len(commits) >= 10
    assert len({commit.author for commit in commits}) >= 4
    assert [tag.name for tag in repository.tags(9)] == [
        "v1.2.1",
        "v1.2.0",
        "v1.1.1",
        "v1.1.0",
        "v1.0.0",
    ]
    assert commits[-1].at < commits[0].at <= now()


def test_the_same_shop_at_the_same_time_has_the_same_commits(tmp_path):
    at = now()

    assert create(tmp_path / "one", at).head() == create(tmp_path / "two", at).head()


def test_merges_move_main_by_pull_requests_that_count_on(sample):
    repository = Repository(sample.path)
    before = sample.head()

    merged = [sample.merge_good(now()) for _ in range(6)]
    subjects = [repository.log(sha, 1)[0].subject for sha in merged]

    assert sample.head() == merged[-1]
    assert repository.is_ancestor(before, merged[0])
    assert len(set(subjects)) == 6
    assert [subject.split("#")[1].split(":")[0] for subject in subjects] == [
        str(number) for number in range(36, 42)
    ]


def test_a_broken_change_lacks_a_setting_on_production_alone(sample, tmp_path):
    sample.merge_broken(now())

    settings = json.loads(files(sample, tmp_path / "broken", "backend")["settings.json"])

    assert "gift-wrap" in settings["staging"]["surcharges"]
    assert "gift-wrap" not in settings["production"]["surcharges"]


def test_what_broke_can_be_fixed_and_broken_again(sample, tmp_path):
    sample.merge_broken(now())
    sample.merge_fix(now())
    sample.merge_good(now())
    fixed = json.loads(files(sample, tmp_path / "fixed", "backend")["settings.json"])
    sample.merge_broken(now())
    again = json.loads(files(sample, tmp_path / "again", "backend")["settings.json"])

    assert fixed["staging"] == fixed["production"]
    assert again["staging"] != again["production"]


def test_breaking_has_an_end_and_says_so(sample):
    for _ in SURCHARGES:
        sample.merge_broken(now())

    with pytest.raises(ValueError, match="nothing left to charge for"):
        sample.merge_broken(now())


def test_the_person_who_merges_is_the_author_of_the_merge(sample):
    sha = sample.merge_good(now(), by="Eve Lindqvist <eve@shop.example>")

    assert Repository(sample.path).log(sha, 1)[0].author == "Eve Lindqvist"
