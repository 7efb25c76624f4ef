"""`doctor`: prints each finding as soon as it is there; what is looked for stands in `doctor`."""

import json
import sys

from rich.console import Console

from deploybot.cli.terminal import one_line
from deploybot.doctor.examine import findings
from deploybot.doctor.finding import Verdict

_MARKS: dict[Verdict, str] = {"ok": "[green]✓[/]", "warning": "[yellow]![/]", "wrong": "[red]✗[/]"}


def doctor(*, paid: bool = False, as_json: bool = False) -> int:
    """Print every finding; 1 when something is wrong."""
    console = Console(highlight=False, soft_wrap=True)
    counts: dict[Verdict, int] = {"ok": 0, "warning": 0, "wrong": 0}
    rows = []
    for finding in findings(paid=paid):
        counts[finding.verdict] += 1
        rows.append(finding.row())
        if not as_json:
            console.print(f"{_MARKS[finding.verdict]} ", end="")
            console.print(one_line(finding.text), markup=False)
    if as_json:
        told = {"wrong": counts["wrong"], "warnings": counts["warning"], "findings": rows}
        sys.stdout.write(json.dumps(told, indent=2, ensure_ascii=False) + "\n")
    else:
        console.print(f"{counts['wrong']} wrong, {counts['warning']} to think about.", style="bold")
    return int(counts["wrong"] > 0)
