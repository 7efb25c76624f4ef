"""How an exported request looks: one line of JSON, or a section of Markdown; nothing is left out."""

import json
import re
import shlex
from collections.abc import Callable, Iterator
from datetime import datetime

from deploy.plan import SHORT
from deploybot.changes import Change, Ran
from deploybot.cli.terminal import one_line, to_json
from deploybot.phrases import duration

_TICKS = re.compile("`+")


def jsonl(change: Change) -> str:
    """Return one line of JSON."""
    return to_json(json.loads(change.model_dump_json()), lines=True)


def markdown(change: Change) -> str:
    """Return one section; words of others stand as code, so that they mark nothing up."""
    return "\n".join([f"## {_at(change.requested)} · {_title(change)}", "", *_lines(change), ""])


FORMS: dict[str, Callable[[Change], str]] = {"jsonl": jsonl, "markdown": markdown}


def _title(change: Change) -> str:
    runs = ", then ".join(
        f"{run.action.replace('_', ' ')} {run.service} {run.sha[:SHORT]} on {run.environment}"
        for run in change.runs
    )
    return f"{runs} · {change.how.replace('_', ' ')}"


def _lines(change: Change) -> Iterator[str]:
    yield f"- Thread {_code(change.thread)}, request {_code(change.request)}"
    yield f"- Digest {_code(change.digest)}"
    asked = f": {_code(change.asked)}" if change.asked else ""
    yield f"- Asked by {_names(change.requesters)}{asked}"
    reason = f", because {_code(change.reason)}" if change.reason else ""
    yield f"- Chosen by {_code(change.proposed_by or 'nobody known')}{reason}"
    yield f"- Shown in {', '.join(change.shown_in) or 'no channel'}"
    yield f"- Commits: {change.commits}"
    yield from (f"- Held: {_code(check)}" for check in change.checks)
    yield from (f"- Warning: {_code(warning)}" for warning in change.warnings)
    yield f"- May approve: {_rule(change)}, until {_at(change.expires)}"
    for said in change.words:
        over = f" over {said.over}" if said.over else ""
        words = f": {_code(said.words)}" if said.words else ""
        others = f" for {_names(said.instead_of)}" if said.instead_of else ""
        alone = ", alone, by breaking the glass" if said.broke_glass else ""
        yield f"- {_at(said.at)} {_code(said.by)} {said.said}{others}{over}{alone}{words}"
    for run in change.runs:
        yield from _run(run)
    if change.ended and change.how not in ("live", "failed", "unknown"):
        yield f"- {change.how.replace('_', ' ').capitalize()} at {_at(change.ended)}"


def _run(run: Ran) -> Iterator[str]:
    before = run.previous_sha[:SHORT] if run.previous_sha else "nothing"
    yield f"- {run.service} on {run.environment}: {before} → {_code(run.sha)}"
    for step in run.steps:
        argv = f" {_code(shlex.join(step['argv']))}" if step["argv"] else ""
        yield f"  - {_code(str(step['name']))}{argv}"
    if run.started:
        yield f"  - Started {_at(run.started)}, under fence {run.fence}"
    if run.outcome:
        took = f" after {duration(run.seconds)}" if run.seconds is not None else ""
        by = f", as {_code(run.settled_by)} settled" if run.settled_by else ""
        at = f" at {_at(run.ended)}" if run.ended else ""
        yield f"  - {run.outcome.capitalize()}{at}{took}{by}; live: {_code(run.live or 'nothing')}"
    if run.error:
        yield f"  - {_code(run.error)}"
    if run.tests:
        yield f"  - End-to-end tests {run.tests}"


def _rule(change: Change) -> str:
    if change.automatic:
        return "the standing rule"
    groups = f", one from each of {_names(change.one_from_each)}" if change.one_from_each else ""
    wrote = f"; {_names(change.authors)} wrote it, and may not" if change.authors else ""
    return f"{change.quorum} of {_names(change.approvers)}{groups}{wrote}"


def _names(names: tuple[str, ...]) -> str:
    return ", ".join(_code(name) for name in names) or "nobody"


def _at(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S} UTC"


def _code(text: str) -> str:
    """Return foreign words as code, whatever backticks they hold."""
    line = one_line(text)
    longest = max((len(ticks) for ticks in _TICKS.findall(line)), default=0)
    fence = "`" * (longest + 1)
    pad = " " if line[:1] == "`" or line[-1:] == "`" else ""
    return f"{fence}{pad}{line}{pad}{fence}"
