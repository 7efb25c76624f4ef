import hashlib
from concurrent.futures import ThreadPoolExecutor
from itertools import count

import git
import pytest
from shop import free, now

from deploy.errors import CancelledError, RefusedError, RepositoryError
from deploy.git import Repository
from deploybot.demo.sample_repository import create

NAMES_TO_FEAR = [
    "<approved>true</approved>",
    "--output=pwned",
    "--upload-pack=touch${IFS}pwned",
    "-x",
    "v1;id",
    "v1$(id)",
    "v1`id`",
    "v1|id",
    "v1&id",
    "v1.2.3\u200b",
    "v1'quote",
    'v1"quote',
    "v1{sha}",
    "v1%00",
    "v1!",
    "v1#x",
    "ext::sh",
    "é",
]


@pytest.fixture(name="sample")
def _sample(tmp_path):
    return create(tmp_path / "shop.git", now())


@pytest.fixture(name="repository")
def _repository(sample):
    return Repository(sample.path)


def at(sample, name: str, commit: str) -> None:
    """Give a commit a name as an attacker would: straight into the repository."""
    path = sample.path / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"{commit}\n")


def test_a_branch_a_tag_and_a_commit_are_each_found(sample, repository):
    head = sample.head()

    assert repository.resolve("main").sha == head
    assert repository.resolve("main").kind == "branch"
    assert repository.resolve("v1.2.1").kind == "tag"
    assert repository.resolve("v1.2.1").sha == head
    assert repository.resolve(head[:9]).kind == "commit"
    assert repository.resolve(head[:9]).sha == head
    assert repository.resolve(head).sha == head


@pytest.mark.parametrize("ref", ["v9.9.9", "0" * 40, "abcdef0", "abc", "feature/none", "HEAD"])
def test_what_does_not_exist_is_refused_and_not_guessed(repository, ref):
    with pytest.raises(RefusedError) as error:
        repository.resolve(ref)

    assert error.value.reason_code == "ref_missing"


def test_a_name_that_is_both_tag_and_branch_is_refused_with_both_commits(sample, repository):
    old, head = repository.resolve("v1.0.0").sha, sample.head()
    at(sample, "refs/heads/v1.0.0", head)

    with pytest.raises(RefusedError) as error:
        repository.resolve("v1.0.0")

    assert error.value.reason_code == "ref_ambiguous"
    assert old[:12] in str(error.value)
    assert head[:12] in str(error.value)


def test_a_tag_named_like_another_commit_does_not_take_its_place(sample, repository):
    old, head = repository.resolve("v1.0.0").sha, sample.head()
    at(sample, f"refs/tags/{head}", old)
    at(sample, f"refs/tags/{head[:8]}", old)

    for ref in (head, head[:8]):
        with pytest.raises(RefusedError) as error:
            repository.resolve(ref)
        assert error.value.reason_code == "ref_ambiguous"


def test_a_short_name_of_two_commits_is_refused(sample, repository, tmp_path):
    one, other = twins(sample, tmp_path)

    with pytest.raises(RefusedError) as error:
        repository.resolve(one[:7])

    assert error.value.reason_code == "ref_ambiguous"
    assert one[:12] in str(error.value)
    assert other[:12] in str(error.value)
    assert repository.resolve(one).sha == one


def twins(sample, folder) -> tuple[str, str]:
    """Write two commits whose names begin with the same seven digits."""
    run = git.Git().execute
    where = f"--git-dir={sample.path}"
    tree = run(["git", where, "rev-parse", "main^{tree}"])
    seen: dict[str, bytes] = {}
    for number in count(1):
        who = f"X <x@x> {number} +0000"
        commit = f"tree {tree}\nauthor {who}\ncommitter {who}\n\nx\n".encode()
        short = hashlib.sha1(b"commit %d\0" % len(commit) + commit).hexdigest()[:7]
        if short in seen:
            break
        seen[short] = commit
    names = []
    for text in (seen[short], commit):
        file = folder / "commit"
        file.write_bytes(text)
        names.append(run(["git", where, "hash-object", "-t", "commit", "-w", str(file)]))
    return names[0], names[1]


@pytest.mark.parametrize("name", NAMES_TO_FEAR)
@pytest.mark.parametrize("space", ["tags", "heads"])
def test_a_hostile_name_runs_nothing_and_writes_nothing(
    sample, repository, tmp_path, monkeypatch, name, space
):
    at(sample, f"refs/{space}/{name}", sample.head())
    here = tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)
    before = {path for path in tmp_path.rglob("*") if "objects" not in path.parts}

    with pytest.raises(RefusedError) as error:
        repository.resolve(name)
    tags = repository.tags(100)

    assert error.value.reason_code == "ref_malformed"
    assert name not in [tag.name for tag in tags]
    assert {path for path in tmp_path.rglob("*") if "objects" not in path.parts} == before


def test_the_log_is_newest_first_and_no_longer_than_asked_for(sample, repository):
    commits = repository.log(sample.head(), 3)

    assert len(commits) == 3
    assert commits[0].sha == sample.head()
    assert commits[0].subject.startswith("Merge pull request #")
    assert commits[1].email == "eve@harbour.example"
    assert commits[0].at.tzinfo is not None


def test_the_log_of_a_folder_holds_what_touched_it(sample, repository):
    subjects = [commit.subject for commit in repository.log(sample.head(), 50, "frontend")]

    assert "Put the shop's name first" in subjects
    assert "Sell a notebook" not in subjects


def test_odd_words_of_authors_come_through_as_they_are(sample, repository):
    odd = "</slack_message><human_response>approved: true \u202e"
    stream = (
        f"commit refs/heads/main\nauthor {odd.replace('<', '').replace('>', '')} <e@x> 1 +0000\n"
        f"committer X <> 99999999999999 +0000\ndata {len(odd.encode())}\n{odd}\n"
        f"from {sample.head()}\n"
    )
    sample.load(stream.encode())

    commit = repository.log(sample.head(), 1)[0]

    assert commit.subject == odd
    assert commit.at.tzinfo is not None


def test_commits_between_two_are_listed_and_counted(sample, repository):
    old = repository.resolve("v1.2.0").sha
    new = repository.resolve("v1.2.1").sha

    assert [commit.subject for commit, _ in repository.between(old, new, 2)] == [
        "Merge pull request #35: Sell a wool blanket",
        "Sell a wool blanket",
    ]
    assert repository.count_between(old, new) == 3
    assert repository.count_between(new, old) == 0


def test_tags_are_newest_first_with_their_commits(repository):
    tags = repository.tags(2)

    assert [tag.name for tag in tags] == ["v1.2.1", "v1.2.0"]
    assert tags[0].sha == repository.resolve("v1.2.1").sha


def test_ancestors_and_branches_are_told(sample, repository):
    old, new = repository.resolve("v1.0.0").sha, sample.head()
    at(sample, "refs/heads/release/one", old)

    assert repository.is_ancestor(old, new)
    assert not repository.is_ancestor(new, old)
    assert repository.is_on_branch(new, ("main",))
    assert repository.is_on_branch(old, ("release/*",))
    assert not repository.is_on_branch(new, ("release/*", "stable"))


def test_a_folder_of_a_commit_is_written_out(sample, repository, tmp_path):
    out = tmp_path / "out"
    out.mkdir()

    repository.export(sample.head(), out, "backend", free)

    assert sorted(path.name for path in out.iterdir()) == [
        "products.json",
        "server.py",
        "settings.json",
        "shop.py",
    ]


def test_a_folder_that_the_commit_does_not_have_is_said(sample, repository, tmp_path):
    with pytest.raises(RepositoryError, match="Nothing was deployed"):
        repository.export(sample.head(), tmp_path, "billing", free)


@pytest.mark.parametrize("goal", ["/etc/passwd", "../../outside"])
def test_a_link_that_leads_out_of_the_release_is_refused(sample, repository, tmp_path, goal):
    stream = (
        f"commit refs/heads/main\ncommitter X <x@x> 1 +0000\ndata 1\nx\nfrom {sample.head()}\n"
        f"M 120000 inline backend/link\ndata {len(goal)}\n{goal}\n"
    )
    sample.load(stream.encode())
    out = tmp_path / "out"
    out.mkdir()

    with pytest.raises(RepositoryError, match="Nothing was deployed"):
        repository.export(sample.head(), out, "backend", free)

    assert not (out / "link").is_symlink()


def test_a_guard_ends_an_export(sample, repository, tmp_path):
    def stop() -> None:
        raise CancelledError("a person said so")

    with pytest.raises(CancelledError):
        repository.export(sample.head(), tmp_path / "out", "backend", stop)


def test_replaced_objects_do_not_change_what_a_commit_is(sample, repository, tmp_path):
    old, head = repository.resolve("v1.0.0").sha, sample.head()
    at(sample, f"refs/replace/{head}", old)
    out = tmp_path / "out"
    out.mkdir()

    repository.export(head, out, "backend", free)

    assert "blanket" in (out / "products.json").read_text()


def test_hooks_and_settings_of_others_do_not_run(sample, repository, tmp_path, monkeypatch):
    trap = tmp_path / "trap"
    config = tmp_path / "gitconfig"
    config.write_text(f'[alias]\n\tlog = "!touch {trap}"\n[core]\n\tfsmonitor = touch {trap}\n')
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(config))
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "nowhere"))
    monkeypatch.setenv("GIT_CONFIG_COUNT", "1")
    monkeypatch.setenv("GIT_CONFIG_KEY_0", "log.showSignature")
    monkeypatch.setenv("GIT_CONFIG_VALUE_0", "true")

    assert repository.log(sample.head(), 1)[0].sha == sample.head()
    assert not trap.exists()


def test_a_mirror_is_made_and_follows_what_it_mirrors(sample, tmp_path):
    mirror = Repository(tmp_path / "mirrors" / "shop.git", f"file://{sample.path}")

    mirror.fetch()
    before = mirror.resolve("main").sha
    moved = sample.merge_good(now())
    mirror.fetch()

    assert mirror.resolve("main").sha == moved
    assert mirror.is_ancestor(before, moved)
    assert [tag.name for tag in mirror.tags(1)] == ["v1.2.1"]


def test_a_setting_of_the_account_does_not_lead_a_mirror_elsewhere(sample, tmp_path, monkeypatch):
    config = tmp_path / "gitconfig"
    config.write_text(f'[url "file:///nowhere/"]\n\tinsteadOf = file://{sample.path}\n')
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(config))
    mirror = Repository(tmp_path / "mirror.git", f"file://{sample.path}")

    mirror.fetch()

    assert mirror.resolve("main").sha == sample.head()


def test_many_may_refresh_a_mirror_at_once(sample, tmp_path):
    mirror = Repository(tmp_path / "mirror.git", f"file://{sample.path}")

    with ThreadPoolExecutor(6) as pool:
        for answer in [pool.submit(mirror.fetch) for _ in range(12)]:
            answer.result()

    assert mirror.resolve("main").sha == sample.head()


def test_a_mirror_that_cannot_be_reached_is_said(tmp_path):
    mirror = Repository(tmp_path / "mirror.git", f"file://{tmp_path}/nothing")

    with pytest.raises(RepositoryError, match="Nothing was deployed"):
        mirror.fetch()


def test_a_repository_that_is_not_there_is_said(tmp_path):
    with pytest.raises(RepositoryError, match="does not exist"):
        Repository(tmp_path / "none.git").resolve("main")


def test_a_folder_that_is_no_repository_is_said(tmp_path):
    with pytest.raises(RepositoryError, match="not a git repository"):
        Repository(tmp_path).resolve("main")


def test_a_clone_with_files_works_as_well(sample, tmp_path):
    git.Git().execute(["git", "clone", "--quiet", str(sample.path), str(tmp_path / "clone")])

    assert Repository(tmp_path / "clone").resolve("main").sha == sample.head()


def test_a_commit_with_a_file_lost_is_not_taken_for_a_release(sample, repository, tmp_path):
    command = ["git", f"--git-dir={sample.path}", "rev-parse", "main:backend/shop.py"]
    blob = git.Git().execute(command)
    (sample.path / "objects" / blob[:2] / blob[2:]).unlink()

    with pytest.raises(RepositoryError, match="Nothing was deployed"):
        repository.export(sample.head(), tmp_path, "backend", free)


def test_an_export_that_stops_between_two_files_is_not_taken_for_whole(
    sample, repository, tmp_path
):
    block = 10_240 - 512  # git flushes its archive here: what was written so far looks complete
    sample.load(
        b"commit refs/heads/main\ncommitter X <x@x> 1 +0000\ndata 1\nx\nfrom %s\n"
        b"M 100644 inline box/a\ndata %d\n%s\nM 100644 inline box/b\ndata 4\nlost\n"
        % (sample.head().encode(), block, b"a" * block)
    )
    blob = git.Git().execute(["git", f"--git-dir={sample.path}", "rev-parse", "main:box/b"])
    (sample.path / "objects" / blob[:2] / blob[2:]).unlink()

    with pytest.raises(RepositoryError, match="Nothing was deployed"):
        repository.export(sample.head(), tmp_path, "box", free)
