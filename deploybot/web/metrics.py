"""GET /metrics, for Prometheus: the sums of all processes, and one look at what waits."""

import hmac
from collections.abc import Callable, Iterable, Iterator
from importlib.metadata import version

import redis
from fastapi import APIRouter, Request, Response
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from deploybot import metrics
from deploybot.meter import Meter, Sums
from deploybot.model_tables import BudgetTables
from deploybot.thread import Status
from deploybot.vitals import Vitals
from deploybot.web.bearer import CHALLENGE
from deploybot.web.problem import problem

VERSION = version("deploybot")
Values = Iterable[tuple[tuple[str, ...], float]]


class Collector:
    """Asks Redis at each scrape; when it is away, says that alone."""

    def __init__(self, meter: Meter, look: Callable[[], Vitals], budgets: BudgetTables) -> None:
        self._meter = meter
        self._look = look
        self._budgets = budgets

    def collect(self) -> Iterator[Metric]:
        """Yield every metric, those of which nothing is known without a value."""
        yield _gauge(metrics.INFO, [((VERSION,), 1.0)])
        try:
            sums, vitals = self._meter.read(), self._look()
        except (redis.RedisError, OSError):
            yield _gauge(metrics.UP, [((), 0.0)])
            return
        yield from _summed(sums)
        for metric, values in _seen(vitals, self._budgets).items():
            yield _gauge(metric, values)

    def describe(self) -> tuple[Metric, ...]:
        """Nothing is asked of Redis when the collector is registered."""
        return ()


def router(collector: Collector, token: str) -> APIRouter:
    """Return the route; with a token, whoever does not send it is turned away."""
    routes = APIRouter()
    registry = CollectorRegistry()
    registry.register(collector)

    @routes.get("/metrics", response_class=Response)
    def scrape(request: Request) -> Response:
        """Tell Prometheus how the installation is."""
        scheme, _, sent = request.headers.get("authorization", "").partition(" ")
        known = scheme.casefold() == "bearer" and hmac.compare_digest(
            sent.strip().encode(), token.encode()
        )
        if token and not known:
            text = "The metrics need their own bearer token (DEPLOYBOT_METRICS_TOKEN)."
            return problem(401, text, headers=CHALLENGE)
        return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)

    return routes


def _summed(sums: tuple[Sums, ...]) -> Iterator[Metric]:
    for metric in metrics.METRICS:
        found = [one for one in sums if one.metric is metric]
        if metric.kind == "counter":
            counter = CounterMetricFamily(metric.name, metric.says, labels=metric.labels)
            for one in found:
                counter.add_metric(one.labels, one.total)
            yield counter
        elif metric.kind == "histogram":
            histogram = HistogramMetricFamily(metric.name, metric.says, labels=metric.labels)
            for one in found:
                histogram.add_metric(one.labels, list(one.counts.items()), one.total)
            yield histogram


def _seen(vitals: Vitals, budgets: BudgetTables) -> dict[metrics.Metric, Values]:
    limits = {"hour": budgets.hour, "day": budgets.day}
    clock = [] if vitals.clock_seconds is None else [((), vitals.clock_seconds)]
    return {
        metrics.UP: [((), 1.0)],
        metrics.THREADS: [((status,), float(count)) for status, count in vitals.threads.items()],
        metrics.OLDEST: [((status,), age) for status, age in vitals.oldest_seconds.items()],
        metrics.WAITING: [((), float(vitals.threads[Status.AWAITING_APPROVAL]))],
        metrics.RUNNING: [((), float(vitals.running))],
        metrics.HOLDS: [((), float(vitals.holds))],
        metrics.QUEUE: [((name,), float(line.jobs)) for name, line in vitals.queues.items()],
        metrics.QUEUE_AGE: [
            ((name,), line.oldest_seconds or 0.0) for name, line in vitals.queues.items()
        ],
        metrics.WORKERS: [((name,), float(line.workers)) for name, line in vitals.queues.items()],
        metrics.CLOCK_AGE: clock,
        metrics.MAILBOX_AGE: [((name,), age) for name, age in vitals.mailboxes.items()],
        metrics.BUDGET_USED: [(key, float(used)) for key, used in vitals.spent.items()],
        metrics.BUDGET: [
            ((period, of), float(getattr(table, of)))
            for period, table in limits.items()
            for of in ("calls", "tokens")
        ],
    }


def _gauge(metric: metrics.Metric, values: Values) -> Metric:
    gauge = GaugeMetricFamily(metric.name, metric.says, labels=metric.labels)
    for labels, value in values:
        gauge.add_metric(labels, value)
    return gauge
