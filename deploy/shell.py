"""What `python -m deploy` does for each of its commands; the words it takes are `__main__`'s."""

import json
import os
import pwd
import signal
import sys
from argparse import Namespace
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from types import FrameType

from pydantic import BaseModel

from deploy import by_hand, showing
from deploy.by_hand import Stop
from deploy.errors import DeployError, RefusedError
from deploy.look import Look
from deploy.plan import SHORT, Action, Plan
from deploy.policy import check_environment
from deploy.run import run_tests
from deploy.target import Ended, Outcome, Probe, Running

REFUSED, FAILED, UNKNOWN = 1, 3, 4
"""The exit codes besides 0: refused or not answered; it ran and failed; its end cannot be told."""
ACTIONS: dict[str, Action] = {"deploy": "deploy", "roll_back": "roll_back", "rollback": "roll_back"}


# -- looking -----------------------------------------------------------------------


def plan(look: Look, options: Namespace) -> int:
    """Show what would run, and every fact about it."""
    plan = _planned(look, options)
    _say(options, showing.plan(plan) + "\n\nNothing was changed.", plan.model_dump(mode="json"))
    return 0


def status(look: Look, options: Namespace) -> int:
    """Show what is live where, since when, tested or not, and by which approval."""
    only = options.environment
    if only is not None:
        _known(look, only)
    rows = [
        _row(look, service, name)
        for name, table in sorted(look.catalog.environments.items(), key=lambda item: item[1].order)
        if only in (None, name)
        for service in table.services
    ]
    told = [{**vars(row), "live": _json(row.live)} for row in rows]
    _say(options, showing.status(rows), told)
    return REFUSED if any(row.problem for row in rows) else 0


def _row(look: Look, service: str, environment: str) -> showing.Row:
    try:
        return showing.Row(
            environment,
            service,
            look.live(service, environment),
            look.behind(service, environment),
            by_hand.running(look, service, environment),
        )
    except DeployError as error:
        return showing.Row(environment, service, None, problem=str(error))


def current(look: Look, options: Namespace) -> int:
    """Show what is live in one place."""
    live = look.live(options.service, options.environment)
    text = f"Nothing is live: {options.service} on {options.environment}."
    if live is not None:
        tested = "verified" if live.verified else "not verified"
        text = f"{live.sha} since {live.since:%Y-%m-%d %H:%M:%S %Z}, {tested}"
    _say(options, text, _json(live))
    return 0


def journal(look: Look, options: Namespace) -> int:
    """Show what happened in one place, oldest first."""
    records = list(look.target(options.service, options.environment).records())[::-1]
    lines = [record.model_dump_json() for record in records]
    text = "\n".join(lines) or "Nothing has happened there yet."
    _say(options, text, [record.model_dump(mode="json") for record in records])
    return 0


# -- doing -------------------------------------------------------------------------


def run(look: Look, options: Namespace) -> int:
    """Show the plan, ask, run it, and tell how it ended."""
    plan = _planned(look, options)
    sys.stderr.write(f"{showing.plan(plan)}\n\n")
    if not _agreed(options, plan):
        return REFUSED
    target = look.target(plan.service, plan.environment)
    order = by_hand.order_of(plan, target, _who(), now())
    with _stoppable() as stop:
        ended = by_hand.carry_out(
            target,
            order,
            stop=stop,
            report=lambda told: _tell(showing.progress(told)),
            seen=_teller(),
        )
    told = {"approval_id": order.approval_id, "plan": _json(plan), "result": _json(ended)}
    _say(options, showing.outcome(plan, ended), told)
    return _code(ended)


def rollback(look: Look, options: Namespace) -> int:
    """Do the same for an earlier release."""
    ref = options.to or "-"
    options.words = ["roll_back", options.service, ref, options.environment]
    return run(look, options)


def test(look: Look, options: Namespace) -> int:
    """Run an environment's tests against what is live there."""
    _known(look, options.environment)
    with _stoppable() as stop:
        report = run_tests(
            look.catalog,
            options.environment,
            clock=now,
            guard=stop.guard,
            progress=lambda told: _tell(showing.progress(told)),
        )
    _say(options, f"The tests of {options.environment}: {report.summary}.", _json(report))
    return 0 if report.passed else FAILED


def unlock(look: Look, options: Namespace) -> int:
    """Give up what began and has no end, and tell what became of it."""
    began, probe = by_hand.settle(look, options.service, options.environment)
    plan = f"{options.service} {began.sha[:SHORT]} on {options.environment}"
    text = f"{began.approval_id} was given up: {plan} may not be touched by it any more."
    if isinstance(probe, Running):
        text = f"{began.approval_id} runs elsewhere still. Nothing was unlocked. {probe.link}"
    elif isinstance(probe, Ended):
        text = f"{began.approval_id} had ended: {probe.outcome}. {probe.error or ''}".rstrip()
    _say(options, text, {"approval_id": began.approval_id, "found": _json(probe)})
    return UNKNOWN if isinstance(probe, Running) else 0


def _known(look: Look, environment: str) -> None:
    refusal = check_environment(environment, look.catalog)
    if refusal is not None:
        raise RefusedError(refusal)


def _planned(look: Look, options: Namespace) -> Plan:
    words = [word for word in options.words if word not in ("to", "on")]
    action: Action = "deploy"
    if len(words) == 4 and words[0] in ACTIONS:
        action = ACTIONS[words.pop(0)]
    if len(words) != 3:
        raise DeployError("Say SERVICE REF ENVIRONMENT. Nothing was looked up.")
    service, ref, environment = words
    return look.plan(action, service, None if ref == "-" else ref, environment)


def _agreed(options: Namespace, plan: Plan) -> bool:
    """Ask the person at the terminal; without one, only what was said beforehand counts."""
    if options.yes and (options.confirm or not plan.confirm):
        return True
    if not sys.stdin.isatty():
        also = " and, as it has to be confirmed on its own, --confirm" if plan.confirm else ""
        raise DeployError(f"Nobody can be asked here. Nothing was run; add --yes{also}.")
    questions = [] if options.confirm else [f"{sentence} Go on?" for sentence in plan.confirm]
    if not options.yes:
        questions.append("Run it?")
    for question in questions:
        sys.stderr.write(f"{question} [y/N] ")
        sys.stderr.flush()
        if sys.stdin.readline().strip().lower() not in ("y", "yes"):
            sys.stderr.write("Nothing was run.\n")
            return False
    return True


@contextmanager
def _stoppable() -> Iterator[Stop]:
    """Let Ctrl-C or a TERM signal stop what runs at the next safe step; a second Ctrl-C, at once."""
    stop = Stop(_who())

    def asked(number: int, frame: FrameType | None) -> None:
        _tell("Stopping at the next safe step …")
        stop.ask()
        signal.signal(number, signal.default_int_handler)

    signals = (signal.SIGINT, signal.SIGTERM)
    before = [signal.signal(number, asked) for number in signals]
    try:
        yield stop
    finally:
        for number, handler in zip(signals, before, strict=True):
            signal.signal(number, handler)


def _teller() -> Callable[[Running], None]:
    """Return what tells a look at what runs elsewhere, when it shows something new."""
    told: list[str] = []

    def seen(running: Running) -> None:
        line = f"{running.step or 'it runs'} … {running.link}".rstrip()
        if told[-1:] != [line]:
            told.append(line)
            _tell(line)

    return seen


def _code(ended: Outcome | Probe) -> int:
    if isinstance(ended, Outcome | Ended):
        return 0 if ended.outcome == "succeeded" else FAILED
    return UNKNOWN


# -- saying ------------------------------------------------------------------------


def _say(options: Namespace, text: str, told: object) -> None:
    sys.stdout.write(f"{json.dumps(told, indent=2, default=str) if options.json else text}\n")


def _tell(line: str) -> None:
    sys.stderr.write(f"{line}\n")


def _json(model: BaseModel | None) -> object:
    return None if model is None else model.model_dump(mode="json")


def _who() -> str:
    name = pwd.getpwuid(os.getuid()).pw_name
    return "".join(c if c.isalnum() and c.isascii() else "-" for c in name)


def now() -> datetime:
    """Return the time, in UTC."""
    return datetime.now(UTC)  # noqa: TID251 (the command line is where the clock is read)
