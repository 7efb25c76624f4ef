"""The first release of the story, as a collector of traces, a scraper and the logs see it."""

import json
from collections.abc import Iterator
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest
from otlp_receiver import OtlpReceiver
from prometheus_client.parser import text_string_to_metric_families
from redis_server import wait_until

from deploybot.bootstrap import now
from deploybot.demo.company import Company
from deploybot.demo.play import Player
from deploybot.demo.waiting import answers
from deploybot.metrics import METRICS

pytestmark = pytest.mark.slow

TOKEN = "a-token-for-the-scraper"
WORDS = "can you deploy the backend first?"


class Seen:
    """A company after its first release, and all that could be seen of it."""

    def __init__(self, company: Company, collector: OtlpReceiver, sha: str) -> None:
        self.company = company
        self.collector = collector
        self.sha = sha

    def scrape(self, token: str = TOKEN) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
        request = Request(f"{self.company.access.bot}/metrics")
        request.add_header("Authorization", f"Bearer {token}")
        with urlopen(request, timeout=10) as answer:
            text = answer.read().decode()
        return {
            (sample.name, tuple(sorted(sample.labels.items()))): sample.value
            for family in text_string_to_metric_families(text)
            for sample in family.samples
        }

    def value(self, name: str, **labels: str) -> float:
        return self.scrape().get((name, tuple(sorted(labels.items()))), 0.0)

    def log(self, name: str) -> list[dict[str, object]]:
        lines = (self.company.directory / "logs" / f"{name}.log").read_text().splitlines()
        return [json.loads(line) for line in lines if line.startswith("{")]


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Seen]:
    with OtlpReceiver() as collector:
        environ = {
            "OTEL_EXPORTER_OTLP_ENDPOINT": collector.url,
            "OTEL_EXPORTER_OTLP_HEADERS": "x-team=harbour",
            "OTEL_SERVICE_NAME": "harbour-deploys",
            "DEPLOYBOT_LOG_FORMAT": "json",
            "DEPLOYBOT_METRICS_TOKEN": TOKEN,
        }
        with Company(tmp_path_factory.mktemp("seen") / "c", now=now, environ=environ) as company:
            player = Player(company, say=lambda _: None)
            player._first_release()
            sha = player.hands.live("production", "backend")
            wait_until(lambda: len(collector.named("thread")) >= 2)
            wait_until(lambda: len(collector.named("hear approval_granted")) >= 2)
            yield Seen(company, collector, sha)


def test_the_story_is_one_trace_from_the_push_to_the_last_test(seen: Seen) -> None:
    spans = seen.collector.spans
    (heard,) = seen.collector.named("hear branch_updated")
    story = [span for span in spans if span.trace == heard.trace]
    names = {span.name for span in story}

    assert {"hear branch_updated", "hear approval_denied", "hear approval_granted"} <= names
    assert {"advance", "operate", "deliver", "propose", "wait for approval"} <= names
    assert {"plan", "run", "step switch", "test", "tell slack", "thread"} <= names
    assert {span.trace for span in spans} == {heard.trace}
    assert {span.service for span in spans} == {"harbour-deploys"}
    assert seen.collector.headers["x-team"] == "harbour"


def test_every_span_of_the_story_hangs_below_another_one_of_it(seen: Seen) -> None:
    known = {span.span for span in seen.collector.spans}
    roots = [span for span in seen.collector.spans if not span.parent]

    assert [root.name for root in roots] == ["thread"]
    assert [span for span in seen.collector.spans if span.parent and span.parent not in known] == []
    assert len(known) == len(seen.collector.spans)


def test_a_span_says_what_went_where_and_took_how_long_but_nobodys_words(seen: Seen) -> None:
    runs = [s for s in seen.collector.named("run") if s.about["deploybot.sha"] == seen.sha]
    waits = seen.collector.named("wait for approval")

    assert {(s.about["deploybot.service"], s.about["deploybot.environment"]) for s in runs} == {
        (service, environment)
        for service in ("backend", "frontend")
        for environment in ("staging", "production")
    }
    for run in runs:
        below = [s for s in seen.collector.spans if s.parent == run.span]
        assert "step switch" in {s.name for s in below}
        assert all(run.start - 0.1 <= s.start <= s.end <= run.end + 0.1 for s in below)
    assert any(s.about["deploybot.answer"] == "approval_denied" for s in waits)
    assert all(s.end > s.start for s in waits)
    assert WORDS not in repr(seen.collector.spans)


def test_the_sums_of_all_processes_tell_of_the_release(seen: Seen) -> None:
    place = {"service": "backend", "environment": "production"}

    deploys = seen.value("deploybot_deploys_total", **place, action="deploy", outcome="succeeded")
    denied = seen.value(
        "deploybot_approval_wait_seconds_count", environment="production", answer="denied"
    )

    assert deploys == 1
    assert denied == 1
    assert seen.value("deploybot_deploy_seconds_count", **place, action="deploy") == 1
    assert seen.value("deploybot_lead_seconds_count", **place) == 1
    assert seen.value("deploybot_events_total", kind="branch_updated") == 1
    assert seen.value("deploybot_tests_seconds_count", environment="production", outcome="passed")
    assert seen.value("deploybot_slack_ack_seconds_count") >= 3
    assert seen.value("deploybot_job_seconds_count", job="operate") >= 3


def test_one_look_tells_how_the_installation_is(seen: Seen) -> None:
    assert seen.value("deploybot_store_up") == 1
    assert seen.value("deploybot_threads", status="done") >= 2
    assert seen.value("deploybot_workers", queue="operations") == 2
    assert seen.value("deploybot_clock_seconds") < 20
    assert seen.value("deploybot_budget", period="hour", of="calls") == 500


def test_no_name_is_scraped_that_is_not_in_the_list(seen: Seen) -> None:
    known = {metric.name for metric in METRICS}
    suffix = ("_bucket", "_count", "_sum")

    for name, _ in seen.scrape():
        base = next((name.removesuffix(s) for s in suffix if name.endswith(s)), name)
        assert {name, base} & known, name


def test_the_metrics_are_for_whoever_has_their_token(seen: Seen) -> None:
    with pytest.raises(HTTPError, match="401"):
        seen.scrape("another-token")
    with pytest.raises(HTTPError, match="401"):
        seen.scrape(next(iter(seen.company.access.tokens.values())))


def test_the_logs_name_requests_jobs_and_threads_but_nobodys_words(seen: Seen) -> None:
    web, workers = seen.log("web"), seen.log("workers")

    assert any(line["route"] == "/slack/events" for line in web if line.get("action") == "answer")
    assert all(line["request_id"] for line in web if line.get("action") == "answer")
    assert {"at", "level", "logger", "message", "process"} <= set(workers[0])
    assert WORDS not in json.dumps([web, workers])


def test_an_installation_that_works_is_ready_and_says_what_was_looked_at(seen: Seen) -> None:
    with urlopen(f"{seen.company.access.bot}/readyz", timeout=10) as answer:
        found = json.loads(answer.read())

    parts = dict.fromkeys(("store", "clock", "workers", "queues", "slack", "mailboxes"), "ok")
    assert found == {"status": "ready", "checks": parts, "reasons": []}


def test_without_workers_it_is_not_ready_yet_takes_what_comes_in(seen: Seen) -> None:
    seen.company.stop("workers")
    url = f"{seen.company.access.bot}/readyz"
    wait_until(lambda: not answers(url))

    with pytest.raises(HTTPError, match="503") as refused:
        urlopen(url, timeout=10)

    found = json.loads(refused.value.read())
    assert found["checks"]["workers"].startswith("no worker serves threads")
    assert found["checks"]["store"] == "ok"
    with urlopen(f"{url}?only=store", timeout=10) as answer:
        assert answer.status == 200
