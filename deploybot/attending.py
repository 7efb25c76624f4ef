"""Keeps a second worker from asking a model about a thread that one is asking about already: each call is paid."""

import os
import platform
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from deploybot.errors import StoreUnavailableError, TakenError
from deploybot.ports import Choice, Model, Prompt, Store
from deploybot.thread import ATTENDED, Thread

EVERY_SECONDS = ATTENDED.total_seconds() / 4


@dataclass(frozen=True)
class AttendedModel:
    """One model, asked by one worker at a time about the same thread."""

    model: Model
    store: Store

    @property
    def name(self) -> str:
        """What the model is called."""
        return str(getattr(self.model, "name", "model"))

    def next_step(self, prompt: Prompt) -> Choice:
        """Choose as the model does; raises TakenError when another worker is asking, too."""
        worker = f"{platform.node()}:{os.getpid()}"
        with suppress(StoreUnavailableError):  # it only saves calls
            if not self.store.attend(prompt.thread, worker):
                raise TakenError(f"Another worker is asking about thread {prompt.thread.id}.")
        with self._attending(prompt.thread, worker):
            return self.model.next_step(prompt)

    @contextmanager
    def _attending(self, thread: Thread, worker: str) -> Iterator[None]:
        """Say all along that this worker is at it, so that one that died is missed soon."""
        ended = threading.Event()

        def work() -> None:
            while not ended.wait(EVERY_SECONDS):
                with suppress(StoreUnavailableError):
                    self.store.attend(thread, worker)

        saying = threading.Thread(target=work, name="attending", daemon=True)
        saying.start()
        try:
            yield
        finally:
            ended.set()
            saying.join()
