"""Sums that all processes keep together: one hash in Redis; what is summed is said in `metrics`.

Jobs are forks that end and web processes come and go, so no sum can live in one of them. Each
process gathers what it observes and writes it in one go, outside of any append: a process that is
killed loses what it had gathered, and nothing else.
"""

import json
import logging
import threading
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import cast

import redis

from deploybot.metrics import METRICS, Metric, Observation
from deploybot.queue import PREFIX

SUMS = f"{PREFIX}metrics"
LONGEST_LABEL = 80
MOST_GATHERED = 20_000
"""So many different sums are gathered at most while Redis is away; the rest is not counted."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Sums:
    """One metric's sums for one set of labels: for a counter `total`, else counts by bucket."""

    metric: Metric
    labels: tuple[str, ...]
    total: float
    """The count of a counter, the sum of all values of a histogram."""
    counts: Mapping[str, float] = field(default_factory=dict)
    """Upper bound ("+Inf" for the last) → how many values up to it, those below included."""


class Meter:
    """Gathers observations of this process, and adds them to everybody's sums when flushed."""

    def __init__(self, connection: redis.Redis) -> None:
        self._redis = connection
        self._gathered: dict[str, float] = defaultdict(float)
        self._lock = threading.Lock()

    def observe(self, metric: Metric, *labels: str, value: float = 1.0) -> None:
        """Count one more, or one value of a histogram."""
        self.add(Observation(metric, labels, value))

    def add(self, *observations: Observation) -> None:
        """Gather these; nothing is written yet."""
        with self._lock:
            for seen in observations:
                if len(self._gathered) >= MOST_GATHERED:
                    return
                for part, amount in _parts(seen):
                    self._gathered[_field(seen, part)] += amount

    def flush(self) -> None:
        """Add what was gathered to the sums in Redis; when it is away, keep it for the next time."""
        with self._lock:
            gathered, self._gathered = self._gathered, defaultdict(float)
        if not gathered:
            return
        try:
            with self._redis.pipeline(transaction=True) as together:
                for name, amount in gathered.items():
                    together.hincrbyfloat(SUMS, name, amount)
                together.execute()
        except redis.RedisError as error:
            why = {"action": "flush_metrics", "error": type(error).__name__}
            logger.warning("metrics could not be written now", extra=why)
            with self._lock:
                for name, amount in gathered.items():
                    self._gathered[name] += amount

    def read(self) -> tuple[Sums, ...]:
        """Return everybody's sums; raises redis.RedisError."""
        self.flush()
        stored = cast(dict[bytes, bytes], self._redis.hgetall(SUMS))
        found: dict[tuple[str, tuple[str, ...]], dict[str, float]] = defaultdict(dict)
        for name, amount in stored.items():
            metric, part, *labels = json.loads(name)
            found[metric, tuple(labels)][part] = float(amount)
        known = {metric.name: metric for metric in METRICS}
        return tuple(
            _sums(known[name], labels, parts)
            for (name, labels), parts in sorted(found.items())
            if name in known and len(labels) == len(known[name].labels)
        )


def _parts(seen: Observation) -> Iterator[tuple[str, float]]:
    """Yield which fields of the hash one observation adds to: the total, and its bucket."""
    yield "", seen.value
    if seen.metric.kind == "histogram":
        bound = next((bound for bound in seen.metric.buckets if seen.value <= bound), None)
        yield "+Inf" if bound is None else f"{bound:g}", 1.0


def _field(seen: Observation, part: str) -> str:
    labels = [label[:LONGEST_LABEL] for label in seen.labels]
    return json.dumps([seen.metric.name, part, *labels], separators=(",", ":"))


def _sums(metric: Metric, labels: tuple[str, ...], parts: Mapping[str, float]) -> Sums:
    counts, so_far = dict[str, float](), 0.0
    if metric.kind == "histogram":
        for bound in (*(f"{bound:g}" for bound in metric.buckets), "+Inf"):
            so_far += parts.get(bound, 0.0)
            counts[bound] = so_far
    return Sums(metric, labels, parts.get("", 0.0), counts)
