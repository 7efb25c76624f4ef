"""The parts of the documentation that are written from the code: `python tests/documents.py` writes them anew."""

import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import get_args

from bad_inputs import BAD_INPUTS
from faults import matrix
from mistakes.table import MISTAKES
from pydantic import BaseModel

from deploy.reasons import REASONS
from deploybot.cli.exits import SAYS
from deploybot.config import SETTINGS
from deploybot.events import Event, Fact, Inbound
from deploybot.failpoints import POINTS
from deploybot.invariants import INVARIANTS
from deploybot.metrics import METRICS
from deploybot.next_step import BY_MODEL, NextStep
from deploybot.thread import ANYWHERE, TRANSITIONS

ROOT = Path(__file__).parent.parent
BLOCK = r"<!-- from the code: {name} -->\n(.*?)<!-- end -->"
COMING_IN = {
    "slack_message_received",
    "email_received",
    "api_message_received",
    "branch_updated",
    "schedule_fired",
}
"""What the diagram draws as one, since whoever hears one of these hears them all."""
HEARD = "heard"
EVERY_FACT = set(Fact.model_fields) | {"kind", "delivery"}


def state_diagram() -> str:
    """Draw the transition table, and list below the drawing what leaves a thread where it stands."""
    lines = ["```mermaid", "stateDiagram-v2", "    [*] --> done"]
    stays: dict[str, list[str]] = {}
    for status, table in TRANSITIONS.items():
        leads_to: dict[str, list[str]] = {}
        for event, target in table.items():
            leads_to.setdefault(str(target), []).append(kind_of(event))
        stays[str(status)] = leads_to.pop(str(status), [])
        lines += [f"    {status} --> {to}: {_label(kinds)}" for to, kinds in leads_to.items()]
    lines += ["```", "", f"*{HEARD}* is any of {_names(sorted(COMING_IN))}.", ""]
    lines += ["What leaves a thread where it stands:", ""]
    lines += [f"- `{status}`: {_label(kinds, ', ')}" for status, kinds in stays.items() if kinds]
    return "\n".join([*lines, ""])


def settings() -> str:
    """List every environment variable that is read."""
    rows = [
        (
            f"`{setting.name}`",
            f"`{setting.default}`" if setting.default else "none",
            f"{setting.says}{' (secret)' if setting.is_secret else ''}",
        )
        for setting in SETTINGS
    ]
    return _table(("Variable", "Default", "What it is, and where to get it"), rows)


def metrics() -> str:
    """List everything that is counted, measured or looked at."""
    rows = [
        (f"`{metric.name}`", metric.kind, _names(list(metric.labels)), metric.says)
        for metric in METRICS
    ]
    return _table(("Metric", "Kind", "By", "What it is"), rows)


def events() -> str:
    """List every event that a thread may hold."""
    rows = []
    for event in get_args(get_args(Event)[0]):
        carries = [name for name in event.model_fields if name not in EVERY_FACT]
        came_in = "yes" if issubclass(event, Inbound) else ""
        rows.append((f"`{kind_of(event)}`", _says(event), _names(carries), came_in))
    return _table(("Event", "What happened", "Carries", "From outside"), rows)


def steps() -> str:
    """List every step that can be chosen, and who may choose it."""
    rows = []
    for step in get_args(get_args(NextStep)[0]):
        name = str(step.model_fields["intent"].default)
        wire = f"{name}_<service>" if name in ("deploy", "roll_back") else name
        fields = [
            f for f in step.model_fields if f != "intent" and not (f == "service" and "<" in wire)
        ]
        by = "a model, the planner or code" if step in BY_MODEL else "plain code only"
        rows.append((f"`{wire}`", _says(step), _names(fields), by))
    return _table(("Step", "What it does", "Fields", "Who may choose it"), rows)


def reasons() -> str:
    """List every reason code of a refusal."""
    rows = [(f"`{code}`", means, helps) for code, (means, helps) in REASONS.items()]
    return _table(("Code", "What it means", "What helps"), rows)


def exit_codes() -> str:
    """List every exit code of the command line."""
    rows = [(str(int(code)), says) for code, says in SAYS.items()]
    return _table(("Exit code", "What it tells"), rows)


def invariants() -> str:
    """List every invariant."""
    return _table(("Name", "What it says"), list(INVARIANTS.items()))


def rows_of_faults() -> str:
    """List every row of the matrix of faults, with the tests that play it."""
    played = matrix.played_rows()
    lines = []
    for number, row in matrix.ROWS.items():
        tests = [
            f"[{name.removeprefix('test_').replace('_', ' ')}]({_from_docs(path)})"
            for name, path in played.get(number, ())
        ]
        lines.append((str(number), row.fault, row.holds, row.told, "<br>".join(tests)))
    return _table(("Row", "What goes wrong", "What holds", "What people are told", "Tests"), lines)


def _from_docs(path: Path) -> str:
    return f"../{path.relative_to(ROOT)}"


def points() -> str:
    """List every point at which tests let things go wrong."""
    rows = [(f"`{name}`", says) for name, says in POINTS.items()]
    return _table(("Point", "What is so at that moment"), rows)


def bad() -> str:
    """List the bad inputs, and what people are answered to each."""
    rows = [
        (str(one.number), f"**{one.at}** {one.comes}", one.to, f"“{one.answer}”", one.kept)
        for one in BAD_INPUTS
    ]
    heads = ("", "What comes in", "Who is told", "What they are told", "What is kept")
    return _table(heads, rows)


def mistakes() -> str:
    """List the seeded mistakes, and which tests catch each."""
    rows = []
    for number, mistake in enumerate(MISTAKES, start=1):
        links = (
            f"[`{name.partition('::')[2].partition('[')[0]}`](../{name.partition('::')[0]})"
            for name in mistake.caught_by
        )
        files = dict.fromkeys(change.file for change in mistake.changes)
        rows.append(
            (
                str(number),
                f"**{mistake.name}**: {mistake.means}",
                _names(list(files)),
                " ".join(links),
            )
        )
    return _table(("", "The mistake", "Made in", "Which tests turn red"), rows)


BLOCKS: dict[str, tuple[str, Callable[[], str]]] = {
    "bad-inputs": ("docs/bad-inputs.md", bad),
    "exit-codes": ("docs/commands.md", exit_codes),
    "state-diagram": ("README.md", state_diagram),
    "settings": ("docs/settings.md", settings),
    "metrics": ("docs/metrics.md", metrics),
    "events": ("docs/events.md", events),
    "steps": ("docs/events.md", steps),
    "invariants": ("docs/faults.md", invariants),
    "faults": ("docs/faults.md", rows_of_faults),
    "points": ("docs/faults.md", points),
    "reasons": ("docs/policy.md", reasons),
    "mistakes": ("docs/mistakes.md", mistakes),
}
"""Name of the block → the file that it stands in, and what writes it."""


def block(name: str) -> str:
    """Return what stands in the documentation now."""
    text = (ROOT / BLOCKS[name][0]).read_text(encoding="utf-8")
    found = re.search(BLOCK.format(name=name), text, re.DOTALL)
    return found[1] if found else ""


def kind_of(event: type[BaseModel]) -> str:
    """Return the name by which an event is stored."""
    return str(event.model_fields["kind"].default)


def anywhere() -> tuple[str, ...]:
    """Return what may happen at any time, and is not drawn."""
    return tuple(kind_of(event) for event in ANYWHERE)


def _label(kinds: list[str], between: str = "<br/>") -> str:
    """Join the names, all that comes in as one."""
    if set(kinds) >= COMING_IN:
        kinds = [HEARD] + [kind for kind in kinds if kind not in COMING_IN]
    return between.join(kinds)


def _says(documented: type) -> str:
    return " ".join((documented.__doc__ or "").split())


def _names(names: list[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    lines = [head, tuple("---" for _ in head), *rows]
    return "".join(f"| {' | '.join(_cell(cell) for cell in line)} |\n" for line in lines)


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def main() -> None:
    """Write every block anew where it stands."""
    for name, (file, write) in BLOCKS.items():
        path = ROOT / file
        before = path.read_text(encoding="utf-8")
        new = f"<!-- from the code: {name} -->\n{write()}<!-- end -->"
        after = re.sub(BLOCK.format(name=name), lambda _, new=new: new, before, flags=re.DOTALL)
        path.write_text(after, encoding="utf-8")
        sys.stdout.write(f"{file}: {name}\n")


if __name__ == "__main__":
    main()
