"""Sends spans to a collector over OTLP/HTTP; loaded only where one is named.

Spans are gathered and sent by `flush`, in the process that made them: a forked job sends its own
before it ends. A collector that does not answer is left alone for a while, by every process.
"""

import logging
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from importlib.metadata import version
from typing import cast

import redis
import requests
from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import SpanExportResult
from opentelemetry.sdk.trace.id_generator import RandomIdGenerator
from opentelemetry.trace import (
    NonRecordingSpan,
    Span,
    SpanContext,
    Status,
    StatusCode,
    TraceFlags,
)

from deploybot.queue import PREFIX
from deploybot.thread import Thread
from deploybot.tracing import Attributes, Told, Turn, turn_of

DOWN = f"{PREFIX}otlp:down"
LEFT_ALONE_MS = 30_000
MOST_GATHERED = 5_000
PATIENCE = 2.0

logger = logging.getLogger(__name__)


class _Here(requests.Session):
    """A session that is sent nowhere else: the collector's key stays with the collector."""

    def get_redirect_target(self, resp: requests.Response) -> None:
        """Take a redirect for a failure."""
        if resp.is_redirect:
            resp.close()
            raise requests.TooManyRedirects("the trace collector answers with a redirect")


class _Gathered(SpanProcessor):
    """Keeps ended spans until they are taken."""

    def __init__(self) -> None:
        self._spans: list[ReadableSpan] = []
        self._lock = threading.Lock()

    def on_end(self, span: ReadableSpan) -> None:
        with self._lock:
            if len(self._spans) < MOST_GATHERED:
                self._spans.append(span)

    def take(self) -> list[ReadableSpan]:
        with self._lock:
            spans, self._spans = self._spans, []
        return spans


class _Ids(RandomIdGenerator):
    """Random ids, but for a span whose id is known beforehand."""

    def __init__(self) -> None:
        self.next = threading.local()

    def generate_span_id(self) -> int:
        given = cast(int | None, self.next.__dict__.pop("span", None))
        return given or super().generate_span_id()

    def generate_trace_id(self) -> int:
        given = cast(int | None, self.next.__dict__.pop("trace", None))
        return given or super().generate_trace_id()


class OtlpTracer:
    """Implements tracing.Tracer; `connection` remembers for all processes that a collector is down."""

    is_on = True

    def __init__(
        self,
        endpoint: str,
        connection: redis.Redis,
        *,
        service: str = "deploybot",
        headers: Mapping[str, str] | None = None,
    ) -> None:
        self._redis = connection
        self._ids, self._gathered = _Ids(), _Gathered()
        about = {"service.name": service, "service.version": version("deploybot")}
        provider = TracerProvider(
            resource=Resource.create(about), id_generator=self._ids, shutdown_on_exit=False
        )
        provider.add_span_processor(self._gathered)
        self._tracer = provider.get_tracer("deploybot")
        self._exporter = OTLPSpanExporter(
            endpoint=f"{endpoint.rstrip('/')}/v1/traces",
            headers=dict(headers or {}),
            timeout=PATIENCE,
            session=_Here(),
        )

    @contextmanager
    def job(self, name: str, thread: Thread) -> Iterator[None]:
        """Span a job on this thread, in the trace of its turn."""
        turn = turn_of(thread)
        about: dict[str, str | int] = {"deploybot.thread": thread.id, "deploybot.turn": turn.number}
        with self._tracer.start_as_current_span(
            name, context=_below(turn), attributes=about, record_exception=False
        ):
            yield

    @contextmanager
    def span(self, name: str, attributes: Attributes | None = None) -> Iterator[dict[str, object]]:
        """Span a part of the job; outside of one, nothing."""
        learnt: dict[str, object] = {}
        if not trace.get_current_span().get_span_context().is_valid:
            yield learnt
            return
        with self._tracer.start_as_current_span(
            name, attributes=attributes, record_exception=False
        ) as span:
            yield learnt
            for key, value in learnt.items():
                span.set_attribute(key, value if isinstance(value, int | float) else str(value))

    def past(self, name: str, seconds: float, attributes: Attributes, *, failed: bool) -> None:
        """Span a part of the job that has just ended; outside of one, nothing."""
        if not trace.get_current_span().get_span_context().is_valid:
            return
        end = time.time_ns()
        span = self._tracer.start_span(
            name, attributes=attributes, start_time=end - round(seconds * 1e9)
        )
        _end(span, end, failed=failed)

    def tell(self, *told: Told) -> None:
        """Make spans of what the events tell."""
        for one in told:
            context = _below(one.turn)
            if one.is_turn:
                self._ids.next.span = one.turn.span
                context = _under(one.turn.trace, one.turn.below) if one.turn.below else Context()
                if one.turn.below is None:
                    self._ids.next.trace = one.turn.trace
            span = self._tracer.start_span(
                one.name,
                context=context,
                attributes={"deploybot.thread": one.turn.thread, **one.attributes},
                start_time=_ns(one.start),
            )
            _end(span, _ns(one.end), failed=one.failed)

    def flush(self) -> None:
        """Export what was gathered, or drop it when the collector does not take it now."""
        spans = self._gathered.take()
        try:
            if not spans or self._redis.exists(DOWN):
                return
            if self._exporter.export(spans) is not SpanExportResult.SUCCESS:
                self._redis.set(DOWN, "1", px=LEFT_ALONE_MS)
                logger.warning(
                    "the trace collector takes no spans; it is left alone for a while",
                    extra={"action": "export", "spans": len(spans)},
                )
        except redis.RedisError:
            pass  # what cannot be exported is dropped


def headers_of(text: str) -> dict[str, str]:
    """Read `name=value,name=value`, as OTEL_EXPORTER_OTLP_HEADERS has it."""
    pairs = (part.partition("=") for part in text.split(",") if "=" in part)
    return {name.strip().lower(): value.strip() for name, _, value in pairs}


def _below(turn: Turn) -> Context:
    return _under(turn.trace, turn.span)


def _under(trace_id: int, span_id: int) -> Context:
    parent = SpanContext(trace_id, span_id, is_remote=True, trace_flags=TraceFlags(1))
    return trace.set_span_in_context(NonRecordingSpan(parent), Context())


def _end(span: Span, at: int, *, failed: bool) -> None:
    if failed:
        span.set_status(Status(StatusCode.ERROR))
    span.end(at)


def _ns(at: datetime) -> int:
    return round(at.timestamp() * 1e6) * 1000
