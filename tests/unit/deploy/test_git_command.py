import long_history
import pytest
from shop import Shop, now, quick

from deploy.catalog import Catalog
from deploy.errors import RepositoryError
from deploy.git_command import GitCommand
from deploy.look import Look


def test_a_plan_asks_git_as_often_however_long_the_history_is(tmp_path, monkeypatch):
    asked: list[str] = []
    run = GitCommand.run

    def counted(self, *arguments: str, **settings: float):
        asked.append(arguments[0])
        return run(self, *arguments, **settings)

    monkeypatch.setattr(GitCommand, "run", counted)

    def questions(commits: int) -> list[str]:
        folder = tmp_path / str(commits)
        folder.mkdir()
        tables = quick(Shop(folder)).model_dump()
        path = long_history.create(folder / "long.git", commits, commits // 25)
        tables["repositories"]["shop"]["path"] = path
        look = Look(Catalog.model_validate(tables), clock=now)
        (tmp_path / f"shop-{commits}").mkdir()
        shop = Shop(tmp_path / f"shop-{commits}")
        shop.deploy(look, "backend", "v1.0.0", "staging")
        asked.clear()
        plan = look.plan("deploy", "backend", "main", "staging")
        assert plan.commits_total == min(commits - 25, 1000)
        return list(asked)

    few, many = questions(100), questions(2_000)

    assert few == many
    assert len(few) < 12


def test_a_folder_that_is_no_repository_is_said_with_what_git_said(tmp_path):
    with pytest.raises(RepositoryError, match="not a git repository"):
        GitCommand(tmp_path).ask("rev-parse", "HEAD")
    with pytest.raises(RepositoryError, match="the folder does not exist"):
        GitCommand(tmp_path / "none").ask("rev-parse", "HEAD")


def test_no_setting_of_the_machine_reaches_git(tmp_path, monkeypatch):
    shop = Shop(tmp_path)
    hostile = tmp_path / "gitconfig"
    hostile.write_text(f"[alias]\n\tx = !touch {tmp_path}/ran\n[core]\n\tpager = touch ran\n")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(hostile))
    monkeypatch.setenv("GIT_DIR", "/nonexistent")

    status, _, _ = GitCommand(shop.repository.path).run("x")

    assert status != 0
    assert not (tmp_path / "ran").exists()
    assert GitCommand(shop.repository.path).ask("rev-parse", "main").strip()
