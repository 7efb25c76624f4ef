"""Adds golden threads: the seed story's, edited and settled ones, and one for each kind of event."""

import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from random import Random
from typing import Any, get_args

sys.path[:0] = [str(Path(__file__).parent.parent)]

from fakes import NOON, catalog, sha_of  # noqa: E402 - the folder is added above
from golden.threads import write  # noqa: E402
from pydantic import BaseModel  # noqa: E402
from story import Story  # noqa: E402
from strategies import POOLS, REQUESTS, STEP  # noqa: E402

from deploy.locks import Hold  # noqa: E402
from deploybot.errors import IllegalEventError  # noqa: E402
from deploybot.events import ApiMessageReceived, Event  # noqa: E402
from deploybot.next_step import Deploy, DoneForNow, RequestHumanInput  # noqa: E402
from deploybot.thread import Standing, after  # noqa: E402

KINDS: tuple[type[BaseModel], ...] = get_args(get_args(Event)[0])
PREFIX = "kind-"
SEEDS = 400
VALUES: dict[str, Any] = {
    "at": NOON + timedelta(minutes=1),
    "by": "ben",
    "how": "edited",
    "step": STEP,
    "result": [{"sha": "4af9ec0", "subject": "Add the org routes"}],
    "live": None,
    "seconds": 1.5,
    "tail": ("checkout: expected 200, got 500",),
    "position": 1,
    "plans": (REQUESTS["r1"].plan,),
    "expected": None,
    "request": REQUESTS["r1"],
    "request_id": "r1",
    "digest": REQUESTS["r1"].digest,
    "number": 1,
    "to": ("mia",),
    "changes": ("sha",),
    "until": NOON + timedelta(hours=1),
    "operation": "r1",
    "fence": 1,
    "sha": "a" * 40,
    "outcome": "succeeded",
    "hold": Hold(service="backend", environment="production", owner="ann", reason="why", at=NOON),
    "length": 1,
    "question_id": "q",
    "environment": "production",
    "service": "backend",
}


def example(kind: type[BaseModel]) -> Event:
    """Return one event of a kind, with what it needs and nothing more."""
    needed = [name for name, field in kind.model_fields.items() if field.is_required()]
    given = {name: VALUES.get(name, f"a {name.replace('_', ' ')}") for name in needed}
    given |= {"live": {"backend": "a" * 40}} if kind.__name__.startswith("Tests") else {}
    given |= {"step": "build"} if "step" in given and kind.__name__.startswith("Deploy") else {}
    made: Event = kind(**given)  # type: ignore[assignment]
    return made


def history_to(kind: type[BaseModel]) -> list[Event]:
    """Return a history that the table lets through and that ends with an event of this kind."""
    others = [example(one) for one in KINDS]
    pool = [*others, *(event for events in POOLS[1].values() for event in events)]
    best: list[Event] = []
    for seed in range(SEEDS):
        chance, standing, history = Random(seed), Standing(), list[Event]()
        for _ in range(14):
            possible = list(_possible(standing, pool))
            wanted = [one for one in possible if isinstance(one[0], kind)]
            event, standing = chance.choice(wanted or possible)
            history.append(event)
            if wanted:
                if not best or len(history) < len(best):
                    best = history
                break
    if not best:
        raise SystemExit(f"no way leads to {kind.__name__}: give it an example that may happen")
    return best


def _possible(standing: Standing, pool: list[Event]) -> Iterator[tuple[Event, Standing]]:
    for event in pool:
        try:
            yield event, after(standing, event)
        except IllegalEventError:
            continue


def stories() -> Iterator[tuple[str, Story]]:
    """Yield the stories whose threads are kept whole."""
    frontend = Deploy(service="frontend", ref="main", environment="production", reason="verified")
    backend = frontend.model_copy(update={"service": "backend"})
    done = DoneForNow(message="Done.")
    seed = Story(table=catalog()).verified_on_staging("main-0")
    seed.thread_id = "pipeline"
    seed.model_will(frontend).branch_moves(sha_of("main"), pusher="eve")
    (seed.thread_id,) = (name for name in seed.store.list().threads if name != "pipeline")
    seed.model_will(backend).denies("can you deploy the backend first?")
    seed.model_will(frontend).approves()
    seed.model_will(done).approves()
    yield "seed", seed
    edited = Story(table=catalog(verified_in=None))
    edited.model_will(backend, done).person_says("deploy it")
    edited.edits(backend="v1.1.0", by="ben", comment="only the fix")
    edited.approves(by="mia")
    yield "edited", edited
    asked = Story().model_will(RequestHumanInput(question="Which one?"), done)
    asked.person_says("deploy something")
    yield "asked", asked
    failed = Story(table=catalog(verified_in=None)).model_will(backend, done)
    failed.deployer.fails = {"backend": "no disk"}
    failed.person_says("deploy it").approves()
    yield "failed", failed


def main() -> None:
    """Add what is missing."""
    added = []
    for name, story in stories():
        for number, thread_id in enumerate(sorted(story.store.list().threads), start=1):
            if write(f"{name}-{number}", story.store.load(thread_id).events):
                added.append(f"{name}-{number}")
    for kind in KINDS:
        name = f"{PREFIX}{kind.model_fields['kind'].default}"
        if write(name, history_to(kind)):
            added.append(name)
    print(f"added {len(added)}: {', '.join(added) or 'nothing was missing'}")  # noqa: T201
    assert ApiMessageReceived in KINDS


if __name__ == "__main__":
    main()
