"""`eval`: plays the cases against a model or the planner, and says how well it chose."""

import json
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.table import Table
from rich.text import Text

from deploy.secret import Secret
from deploybot.bootstrap import Bot
from deploybot.config import Settings, read_configuration, read_settings
from deploybot.configured_models import model_tables
from deploybot.errors import ConfigError, ThreadNotFoundError
from deploybot.evals import case, playing, recording, report
from deploybot.evals.case import Case
from deploybot.evals.playing import Outcome
from deploybot.evals.report import Report
from deploybot.evals.telling import Teller
from deploybot.evals.world import World
from deploybot.models import offline, templates
from deploybot.models.chain import Chain
from deploybot.models.openai import OpenAIModel
from deploybot.ports import Model, Prompt
from deploybot.prompting import RENDERERS, build
from deploybot.redaction import Redactor, secrets_in
from deploybot.thread import Thread

COMMANDS_AND_RULES = "chain"
"""What `--model` calls plain commands and the built-in planner together, as without any model."""


@dataclass(frozen=True)
class Wanted:
    """What is to be run, as it was typed."""

    model: str = ""
    renderer: str = ""
    agent: str = ""
    group: str = ""
    cases: tuple[Path, ...] = ()
    at_once: int = 4
    price_in: float = 0.0
    price_out: float = 0.0


def evaluate(
    wanted: Wanted, *, as_json: bool, save: Path | None, against: Path | None, threshold: float
) -> int:
    """Run, tell, keep and compare; 1 when it was not good enough."""
    before = report.read(against) if against else None
    done = run(wanted, progress=sys.stderr.isatty())
    if save:
        try:
            save.write_text(done.model_dump_json(indent=2) + "\n", encoding="utf-8")
        except OSError as error:
            raise ConfigError(
                f"{save} cannot be written, so the run was not kept: {error}."
            ) from None
    if as_json:
        sys.stdout.write(f"{to_json(done, before)}\n")
    else:
        tell(done)
        if before:
            tell_difference(before, done)
    return int(not done.is_good_enough(threshold))


def add(bot: Bot, thread_id: str, to: Path, name: str) -> None:
    """Save a thread as a case; raises ThreadNotFoundError or ConfigError."""
    thread = bot.store.load(thread_id)
    if not thread.events:
        raise ThreadNotFoundError(
            f"There is no thread {thread_id}. `deploybot threads` lists those there are."
        )
    catalog = bot.configuration.catalog
    case_ = recording.recorded(
        thread,
        services=tuple(catalog.services),
        environments=tuple(catalog.environments),
        people=bot.people,
        redactor=Redactor([*secrets_in(bot.settings), *secrets_in(bot.configuration)]),
        name=name,
    )
    try:
        text = to.read_text(encoding="utf-8") if to.exists() else ""
        to.parent.mkdir(parents=True, exist_ok=True)
        to.write_text(recording.added(text, case_), encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{to} cannot be written, so no case was saved: {error}.") from None
    sys.stdout.write(
        f"Saved in {to}: {len(case_['thread'])} events, then {case_['may'][0]['chose']}. Names of "
        "people and secrets are replaced, nothing else is: read it before you share it.\n"
    )


def run(wanted: Wanted, *, progress: bool) -> Report:
    """Play every case that is wanted; raises ConfigError when that cannot be done."""
    chosen = tuple(_chosen(wanted))
    if not chosen:
        raise ConfigError("No case fits, so nothing was run; look at --agent and --group.")
    renderer = wanted.renderer or read_settings().renderer
    if renderer not in RENDERERS:
        known = ", ".join(sorted(RENDERERS))
        raise ConfigError(
            f"There is no renderer {renderer}, so nothing was run; there are: {known}."
        )
    model = model_for(wanted.model, read_settings())
    started = time.monotonic()
    played = playing.run(chosen, model, _builder(renderer), at_once=wanted.at_once)
    outcomes = _watched(played, len(chosen)) if progress else list(played)
    order = {(one.group, one.name): at for at, one in enumerate(chosen)}
    return Report(
        model=str(getattr(model, "name", wanted.model or offline.NAME)),
        renderer=renderer,
        outcomes=tuple(sorted(outcomes, key=lambda one: order[one.group, one.name])),
        seconds=round(time.monotonic() - started, 3),
        price_in=wanted.price_in,
        price_out=wanted.price_out,
    )


def model_for(name: str, settings: Settings) -> Model:
    """Return the model of that name: the file's, OPENAI_MODEL's, any other behind OPENAI_BASE_URL.

    "" is the first that is configured, or the planner.
    """
    configured = read_configuration(settings.config).models if settings.config.exists() else ()
    tables = model_tables(settings, configured)
    if name == offline.NAME or (not name and not tables):
        return offline.OfflinePlanner()
    if name == COMMANDS_AND_RULES:
        return Chain()
    fitting = [table for table in tables if name in ("", table.name)]
    if fitting:
        table = fitting[0]
        return OpenAIModel(
            table.name,
            table.base_url or None,
            Secret.of(table.api_key),
            timeout=table.timeout,
            budget=table.budget,
            answer_tokens=table.answer_tokens,
        )
    key = settings.openai_api_key
    if not key and not settings.openai_base_url:
        raise ConfigError(
            f"There is no way to ask {name}, so nothing was run; set OPENAI_API_KEY or "
            "OPENAI_BASE_URL, or describe it under [[models]] in deploybot.toml."
        )
    seconds = settings.model_timeout
    address = settings.openai_base_url or None
    return OpenAIModel(name, address, key, timeout=seconds, budget=2 * seconds)


def _chosen(wanted: Wanted) -> Iterator[Case]:
    for one in case.from_paths(wanted.cases) if wanted.cases else case.shipped():
        agent = Teller(one.world).tell(one.thread).standing.agent
        if wanted.agent in ("", agent) and wanted.group in ("", one.group):
            yield one


def _builder(renderer: str) -> playing.Build:
    sources = templates.read(read_settings().prompts_dir)

    def prompt(thread: Thread, world: World) -> Prompt:
        return build(
            thread,
            templates=sources,
            services=world.services,
            environments=world.environments,
            approvers=dict.fromkeys(world.environments, world.approvers),
            renderer=renderer,
        )

    return prompt


def _watched(played: Iterator[Outcome], total: int) -> list[Outcome]:
    """Take the outcomes, and show on standard error how far it has come."""
    columns = (BarColumn(), MofNCompleteColumn(), TextColumn("{task.description}"))
    outcomes: list[Outcome] = []
    wrong = 0
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("", total=total)
        for outcome in played:
            outcomes.append(outcome)
            wrong += not outcome.passed
            bar.update(task, advance=1, description=f"{wrong} wrong")
    return outcomes


# -- telling -----------------------------------------------------------------------


def to_json(run_: Report, before: Report | None = None) -> str:
    """Return the run as JSON, with its sums, and how it differs from an earlier one."""
    told = run_.model_dump(mode="json")
    if before:
        told["difference"] = report.compare(before, run_).model_dump(mode="json")
    rows = (*run_.rows(), run_.total())
    told["groups"] = [{**row.model_dump(), "accuracy": round(row.accuracy, 4)} for row in rows]
    told["cost"] = run_.cost
    return json.dumps(told, indent=2, ensure_ascii=False)


def tell(run_: Report) -> None:
    """Print what went wrong, then the accuracy of each group, tokens, cost and time."""
    console = Console(highlight=False)
    for outcome in run_.wrong():
        _tell_wrong(console, outcome)
    table = Table("group", box=None, pad_edge=False)
    for name in ("cases", "right", "forbidden", "tokens", "s"):
        table.add_column(name, justify="right")
    for row in (*run_.rows(), run_.total()):
        cells = (
            row.cases,
            f"{row.accuracy:.1%}",
            row.forbidden,
            row.tokens,
            f"{row.ms / 1000:.1f}",
        )
        style = "bold" if row.group == "all" else None
        table.add_row(row.group, *(str(cell) for cell in cells), style=style)
    console.print(table)
    cost = f" · cost {run_.cost:.4f}" if run_.price_in or run_.price_out else ""
    console.print(
        f"{run_.model} · {run_.renderer} · {run_.tokens_in} tokens read, {run_.tokens_out} "
        f"written{cost} · {run_.seconds:.1f} s"
    )


def tell_difference(before: Report, after: Report) -> None:
    """Print how a run differs from an earlier one."""
    console = Console(highlight=False)
    difference = report.compare(before, after)
    for mark, names in (("+", difference.better), ("-", difference.worse), ("new", difference.new)):
        for name in names:
            console.print(Text(f"{mark} {name}"))
    console.print(
        f"Against {before.model} · {before.renderer}: {difference.accuracy:+.1%} right, "
        f"{len(difference.better)} better, {len(difference.worse)} worse, "
        f"{difference.tokens:+} tokens, {after.cost - before.cost:+.4f} cost, "
        f"{after.seconds - before.seconds:+.1f} s."
    )


def _tell_wrong(console: Console, outcome: Outcome) -> None:
    mark = "[bold red]forbidden[/]" if outcome.forbidden else "[yellow]wrong[/]"
    console.print(f"{mark} ", end="")
    console.print(Text(f"{outcome.group}: {outcome.name}"))
    for step in outcome.steps or ():
        console.print(Text(f"    chose    {_brief(step)}"))
    if outcome.error:
        console.print(Text(f"    no choice: {outcome.error}"))
    for one in outcome.may:
        console.print(Text(f"    expected {_brief(one)}"))


def _brief(values: dict[str, Any]) -> str:
    said = (f"{key}={value!r}" for key, value in values.items() if value not in (None, "", ()))
    text = " ".join(said)
    return text if len(text) <= 300 else f"{text[:300]}…"
