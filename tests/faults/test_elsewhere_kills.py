"""Real workers while GitHub Actions deploys: killed at any look, they lose nothing and start nothing twice."""

import threading
from collections.abc import Iterator

import pytest
from faults.lean_company import CONFIGURATION, LeanCompany, now
from github_api.server import TOKEN, GitHubApi, Run
from oracle import violations

from deploybot.events import ApiMessageReceived, DeployFailed, DeployStarted, DeploySucceeded
from deploybot.thread import Thread, thread_id_for

TARGET = """target = {{ kind = "github_actions", base = "{folder}/journals", \
repository = "acme/shop", workflow = "deploy.yml", look_again_seconds = 0.1 }}"""
RELEASES = """target = {{ kind = "releases", base = "{folder}/releases", build = {build}, \
minimum_free_bytes = 0 }}"""
NEVER = 1_000_000

pytestmark = pytest.mark.slow


@pytest.fixture(name="api", scope="module")
def _api() -> Iterator[GitHubApi]:
    api = GitHubApi()
    with api.serving():
        yield api


@pytest.fixture(name="company", scope="module")
def _company(api: GitHubApi, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LeanCompany]:
    text = CONFIGURATION.replace(RELEASES, TARGET)
    assert text.count("github_actions") == 2
    keys = {"GITHUB_API_URL": api.url, "GITHUB_TOKEN": TOKEN}
    folder = tmp_path_factory.mktemp("elsewhere")
    with LeanCompany(folder, text=text, keys=keys) as running:
        yield running


class Asked:
    """One deploy to staging, dispatched by now."""

    def __init__(self, company: LeanCompany, api: GitHubApi, ref: str) -> None:
        self.company = company
        self.thread_id = thread_id_for("elsewhere", ref)
        said = ApiMessageReceived(
            at=now(), by="ann", delivery=f"said:{ref}", text=f"deploy backend {ref} to staging"
        )
        before = len(api.runs)
        company.inbox.hear(self.thread_id, said, dedupe=(said.delivery,))
        company.until(lambda: len(api.runs) > before, "the run is dispatched")
        company.until(self.is_followed, "its step is told")
        self.run: Run = api.runs[-1]

    def thread(self) -> Thread:
        return self.company.store.load(self.thread_id)

    def is_followed(self) -> bool:
        started = [e for e in self.thread().events if isinstance(e, DeployStarted)]
        return any(
            "deploy / Roll out" in str(line)
            for event in started
            for line in self.company.store.progress(event.operation)
        )

    def end(self) -> DeploySucceeded | DeployFailed:
        def ends() -> list[DeploySucceeded | DeployFailed]:
            events = self.thread().events
            return [e for e in events if isinstance(e, DeploySucceeded | DeployFailed)]

        self.company.until(ends, "its end is told")
        assert violations(self.thread().events) == []
        return ends()[-1]


def test_workers_that_die_while_it_runs_elsewhere_lose_nothing(company, api):
    api.takes = NEVER
    asked = Asked(company, api, "v1.0.0")

    killed = 0
    for _ in range(200):
        killed += company.kill_whoever_works()
        threading.Event().wait(0.01)
    asked.run.takes = 0
    end = asked.end()

    assert killed > 0
    assert isinstance(end, DeploySucceeded)
    assert end.link == f"https://github.example/acme/shop/actions/runs/{asked.run.id}"
    assert len(api.of(asked.run.inputs["operation"])) == 1
    assert company.live("staging", "backend") == asked.run.inputs["sha"]
    assert company.failing.visits().counts["lease.let_go.before"] > 0


@pytest.mark.row(39)
def test_when_the_way_there_is_cut_it_is_looked_for_until_it_is_found(company, api):
    api.takes = NEVER
    asked = Asked(company, api, "v1.1.1")

    lost = len(api.asked)
    api.goes_wrong("GET", "", "drop", times=40)
    company.until(lambda: len(api.asked) >= lost + 40, "it is looked for in vain")
    kinds, place = [e.kind for e in asked.thread().events], company.running()
    asked.run.takes = 0
    end = asked.end()

    assert kinds[-1] == "deploy_started"
    assert place == ["backend on staging"]
    assert isinstance(end, DeploySucceeded)
    assert len(api.of(asked.run.inputs["operation"])) == 1


@pytest.mark.row(39)
def test_when_the_answer_to_the_launch_is_lost_it_is_found_and_launched_once(company, api):
    api.takes, before = NEVER, len(api.runs)
    api.goes_wrong("POST", "dispatches", "lose")

    asked = Asked(company, api, "v1.2.1")
    asked.run.takes = 0
    end = asked.end()

    assert isinstance(end, DeploySucceeded)
    assert len(api.runs) == before + 1


def test_a_person_stops_what_runs_elsewhere(company, api):
    api.takes = NEVER
    asked = Asked(company, api, "v1.1.0")
    live = company.live("staging", "backend")

    company.inbox.stop(asked.thread_id, by="ann", delivery="stop:1", reason="the wrong one")
    end = asked.end()

    assert isinstance(end, DeployFailed)
    assert end.error == "a person stopped it; the run was cancelled on GitHub"
    assert asked.run.conclusion == "cancelled"
    assert company.live("staging", "backend") == live


def test_what_fails_elsewhere_is_told_with_its_step_its_log_and_its_page(company, api):
    api.takes, api.ends_as = NEVER, "failure"
    asked = Asked(company, api, "v1.2.0")

    asked.run.takes = 0
    end = asked.end()

    assert isinstance(end, DeployFailed)
    assert end.step == "deploy / Roll out"
    assert end.tail == ("compiling", "there is no such thing as a free deploy")
    assert end.link.endswith(f"/actions/runs/{asked.run.id}")
    assert api.violations == []
    assert company.wrong() == []
    assert TOKEN not in company.log()
