"""The parts of the bot that are looked at while they work: store, model, deployer and jobs.

Each does what the one below it does, and tells `meter` and a tracer of it besides. Whatever goes
wrong with the telling goes into the log: no append, no model's answer and no deploy depends on it.
"""

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

import redis

from deploy.plan import Plan
from deploy.target import Guard, Order, Outcome, Progress, Report, Running, StepDone, TestReport
from deploybot import metrics
from deploybot.config import Settings
from deploybot.deployer import CatalogDeployer
from deploybot.errors import DeploybotError, ModelUnavailableError
from deploybot.events import Event
from deploybot.meter import Meter
from deploybot.ports import Choice, Model, Prompt
from deploybot.store import RedisStore
from deploybot.thread import Thread
from deploybot.tracing import NoTracer, Tracer, told

FLUSH_SECONDS = 2.0

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Watch:
    """Who is told: the meter, and a tracer that may be none."""

    meter: Meter
    tracer: Tracer = NoTracer()  # noqa: RUF009 - it holds nothing

    def appended(self, before: Thread, grown: Thread) -> None:
        """Count what the new events tell, and make spans of it."""
        try:
            before = metrics.happened(before, grown)
            self.meter.add(*metrics.observations(before, grown))
            if self.tracer.is_on:
                self.tracer.tell(*told(before, grown))
        except Exception:  # the events are stored: that counting fails must undo nothing
            logger.exception("new events were not counted", extra={"thread_id": grown.id})

    @contextmanager
    def job(self, name: str, load: Callable[[], Thread] | None = None) -> Iterator[None]:
        """Time a job, span it if it is about a thread, and let nothing be lost when it ends."""
        started = time.perf_counter()
        try:
            with self._spanned(name, load):
                yield
        except Exception as error:
            self.meter.observe(metrics.JOB_ERRORS, name, type(error).__name__)
            raise
        finally:
            self.meter.observe(metrics.JOB, name, value=time.perf_counter() - started)
            self.flush()

    @contextmanager
    def _spanned(self, name: str, load: Callable[[], Thread] | None) -> Iterator[None]:
        thread = None
        if self.tracer.is_on and load is not None:
            with suppress(DeploybotError):  # the job itself will say what is wrong
                thread = load()
        if thread is None or not thread.events:
            yield
        else:
            with self.tracer.job(name, thread):
                yield

    def flush(self) -> None:
        """Hand over what was gathered."""
        self.meter.flush()
        self.tracer.flush()

    @contextmanager
    def flushing(self) -> Iterator[None]:
        """Hand over every two seconds for as long as the block lasts, and at its end."""
        ended = threading.Event()

        def work() -> None:
            while not ended.wait(FLUSH_SECONDS):
                self.flush()

        thread = threading.Thread(target=work, name="watch", daemon=True)
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join(FLUSH_SECONDS)
            self.flush()


class WatchedStore(RedisStore):
    """Tells of what was appended; `watch` is set by whoever builds it."""

    watch: Watch | None = None

    def append(self, thread: Thread, *events: Event, **asked: Any) -> Thread:
        """Append as RedisStore does."""
        grown = super().append(thread, *events, **asked)
        if self.watch:
            self.watch.appended(thread, grown)
        return grown


@dataclass(frozen=True)
class WatchedModel:
    """One model, timed."""

    model: Model
    watch: Watch

    @property
    def name(self) -> str:
        """What the model is called."""
        return str(getattr(self.model, "name", "model"))

    def next_step(self, prompt: Prompt) -> Choice:
        """Choose as the model does; raises ModelUnavailableError."""
        meter, name, started = self.watch.meter, self.name, time.perf_counter()
        tokens_in, tokens_out, outcome = 0, 0, "failed"
        about = {"gen_ai.request.model": name, "deploybot.agent": prompt.agent}
        try:
            with self.watch.tracer.span("ask a model", about) as learnt:
                choice = self.model.next_step(prompt)
                tokens_in, tokens_out, outcome = choice.tokens_in, choice.tokens_out, "chose"
                learnt |= {
                    "gen_ai.usage.input_tokens": tokens_in,
                    "gen_ai.usage.output_tokens": tokens_out,
                    "deploybot.intent": choice.step.intent,
                }
                return choice
        except ModelUnavailableError as error:
            tokens_in = error.tokens
            raise
        finally:
            meter.observe(metrics.MODEL_CALLS, name, outcome)
            meter.observe(metrics.MODEL, name, value=time.perf_counter() - started)
            for way, tokens in (("in", tokens_in), ("out", tokens_out)):
                if tokens:
                    meter.observe(metrics.MODEL_TOKENS, name, way, value=tokens)


class WatchedDeployer(CatalogDeployer):
    """Spans plans, runs, their steps and tests; `watch` is set by whoever builds it."""

    watch: Watch | None = None

    def plan(
        self, action: str, service: str, ref: str | None, environment: str, **more: Any
    ) -> Plan:
        """Plan as CatalogDeployer does."""
        about = {"deploybot.service": service, "deploybot.environment": environment}
        with self._tracer.span("plan", about):
            return super().plan(action, service, ref, environment, **more)

    def run(self, order: Order, guard: Guard, report: Report) -> Outcome | Running:
        """Run as CatalogDeployer does."""
        tracer, plan = self._tracer, order.plan
        about = {
            "deploybot.service": plan.service,
            "deploybot.environment": plan.environment,
            "deploybot.action": plan.action,
            "deploybot.sha": plan.sha,
            "deploybot.request": order.approval_id,
        }

        def reported(progress: Progress) -> None:
            if isinstance(progress, StepDone):
                failed = not progress.ok
                tracer.past(f"step {progress.name}", progress.seconds, {}, failed=failed)
            report(progress)

        with tracer.span("run", about) as learnt:
            outcome = super().run(order, guard, reported)
            learnt["deploybot.outcome"] = (
                outcome.outcome if isinstance(outcome, Outcome) else "runs elsewhere"
            )
            return outcome

    def test(self, environment: str, guard: Guard) -> TestReport:
        """Test as CatalogDeployer does."""
        with self._tracer.span("test", {"deploybot.environment": environment}) as learnt:
            found = super().test(environment, guard)
            learnt["deploybot.passed"] = found.passed
            return found

    @property
    def _tracer(self) -> Tracer:
        return self.watch.tracer if self.watch else NoTracer()


def watch_of(settings: Settings, connection: redis.Redis) -> Watch:
    """Return who is told: the meter, and the collector of traces that is set, if one is."""
    meter = Meter(connection)
    if not settings.otlp_endpoint:
        return Watch(meter)
    from deploybot.otlp import OtlpTracer, headers_of  # noqa: PLC0415 - loaded where it is used

    tracer = OtlpTracer(
        settings.otlp_endpoint,
        connection,
        service=settings.otlp_service,
        headers=headers_of(settings.otlp_headers.get_secret_value()),
    )
    return Watch(meter, tracer)
