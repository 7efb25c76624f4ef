"""`serve` and `worker`: the processes that a machine runs, and on one machine all of them."""

import gc
import logging
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress

import uvicorn

from deploybot import logs
from deploybot.bootstrap import build_bot
from deploybot.config import Configuration, Settings, read_configuration, read_settings
from deploybot.configured_models import model_tables
from deploybot.embedded import EmbeddedServer
from deploybot.redis_safety import check
from deploybot.state_folder import private_folder
from deploybot.web.app import create_app

logger = logging.getLogger(__name__)

STOPS_WITHIN = 30.0


def serve(*, with_worker: bool) -> int:
    """Answer HTTP until told to stop; with a worker, on one machine, that too."""
    logs.configure()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _end)  # uvicorn sends itself the signal again once it has stopped
    settings = read_settings()
    logs.configure(settings.log_format, settings.log_level)
    configuration = read_configuration(settings.config)
    with ExitStack() as stack:
        if not settings.redis_url:
            folder = private_folder(settings.state_dir)
            stack.enter_context(EmbeddedServer.start(folder / "redis"))
        bot = build_bot(settings, configuration)
        for problem in check(bot.queues.connection):
            logger.warning(problem.text, extra={"action": "check_redis"})
        stack.enter_context(bot.watch.flushing())
        if with_worker:
            stack.enter_context(_workers())
        config = uvicorn.Config(
            create_app(bot),
            host=settings.host,
            port=settings.port,
            access_log=False,
            log_config=None,
            timeout_graceful_shutdown=5,
        )
        gc.collect()
        gc.freeze()  # what is loaded now lives as long as the process: never look at it again
        _say_where(settings, configuration)
        uvicorn.Server(config).run()
    return 0


def work() -> int:
    """Run the workers and the clock of this machine in this process' place."""
    os.execv(sys.executable, [sys.executable, "-m", "workers"])  # noqa: S606 - ourselves


@contextmanager
def _workers() -> Iterator[None]:
    process = subprocess.Popen([sys.executable, "-m", "workers"], start_new_session=True)
    try:
        yield
    finally:
        process.terminate()
        try:
            with suppress(subprocess.TimeoutExpired):
                process.wait(STOPS_WITHIN)
        finally:
            process.kill()  # nothing happens when it has ended
            process.wait()


def _end(*_: object) -> None:
    """Leave through every `with` on the way out, so that workers and store end in order."""
    raise SystemExit(0)


def _say_where(settings: Settings, configuration: Configuration) -> None:
    models = model_tables(settings, configuration.models)
    model = ", ".join(table.name for table in models) or "the built-in planner (rules, not a model)"
    sys.stderr.write(
        f"deploybot listens on http://{settings.host}:{settings.port} · chooses with {model}\n"
    )
