"""What code found out about one change, as blocks of its card; who may decide on it is `slack_card`'s."""

import shlex
from collections.abc import Iterator
from itertools import groupby
from urllib.parse import urlsplit

from deploy.change import Elsewhere, PullRequest
from deploy.checks import Check
from deploy.plan import SHORT, Commit, Plan
from deploybot.outbound.slack_rich import Json, bullets, output, rich, section, words
from deploybot.outbound.slack_text import code, cut, escape, line

NEWEST = 3
"""How many commits the card shows; the thread's detail shows all that the plan holds."""
MANY = 12
"""So many warnings a card of many changes shows."""
NAMED = 3
"""So many authors, pull requests and paths are named on the card, the others counted."""


def change(plan: Plan) -> str:
    """Return from which commit to which, as mark-up."""
    before = code(plan.previous_sha[:SHORT]) if plan.previous_sha else "nothing"
    return f"{before} → {code(plan.sha[:SHORT])}"


def commit(plan: Plan) -> Json:
    """Return the commit in full, and the name by which it was asked for if that says more."""
    named = plan.ref and not plan.sha.startswith(plan.ref)
    return small(code(plan.sha) + (f"  {code(plan.ref, 100)}" if named else ""))


def subject(plan: Plan) -> list[Json]:
    """Return what the commit itself says."""
    says = next((one.subject for one in plan.commits if one.sha == plan.sha), "")
    return [rich(section(words(line(says, 200), bold=True)))] if says else []


def alike(plans: tuple[Plan, ...]) -> tuple[tuple[Plan, ...], ...]:
    """Return neighbours together that lead from the same commit to the same commit."""
    groups = groupby(plans, lambda plan: (plan.repository, plan.previous_sha, plan.sha))
    return tuple(tuple(group) for _, group in groups)


def of_several(plans: tuple[Plan, ...], most: int) -> list[Json]:
    """Return what is told of changes that are alike: what they share once, the rest a line each."""
    blocks = _listing(plans[0], "go live", "are taken back", "", most)
    careful = [(plan, text) for plan in plans for text in _careful(plan)[:most]]
    if careful:
        shown = (f"⚠️ {plan.service}: {line(text, 250)}" for plan, text in careful)
        blocks.append(rich(*(section(words(text)) for text in shown)))
    blocks += list({str(block): block for plan in plans for block in _found(plan)}.values())
    sizes = [f"{plan.service} {_size(plan)}" for plan in plans if plan.extent]
    if sizes:
        blocks.append(plain(" · ".join(sizes)))
    steps = {plan.service: _steps(plan) for plan in plans}
    if len(set(steps.values())) == 1:
        return [*blocks, small(steps[plans[0].service])]
    return [*blocks, *(small(f"{escape(one)}: {says}") for one, says in steps.items())]


def many(plans: tuple[Plan, ...]) -> list[Json]:
    """Return a row for each of many changes, in their order, and what to be careful about."""
    rows = [
        [
            words(f"{plan.service}  ", bold=True),
            words((plan.previous_sha or "nothing")[:SHORT], code=True),
            words(" → "),
            words(plan.sha[:SHORT], code=True),
        ]
        for plan in plans
    ]
    blocks: list[Json] = [rich(bullets(rows))]
    careful = [f"⚠️ {plan.service}: {line(text, 160)}" for plan in plans for text in _careful(plan)]
    if careful:
        shown = [section(words(text)) for text in careful[:MANY]]
        if len(careful) > MANY:
            shown.append(section(words(f"⚠️ +{len(careful) - MANY} more to be careful about")))
        blocks.append(rich(*shown))
    return blocks


def commits(plan: Plan, coming: str, going: str, shown: int = NEWEST) -> list[Json]:
    """Return how many commits and how large the change is, the newest of them, and whose the rest are."""
    return _listing(plan, coming, going, _size(plan), shown)


def _listing(plan: Plan, coming: str, going: str, size: str, shown: int) -> list[Json]:
    if not plan.commits:
        return [plain(size)] if size else []
    total = max(plan.commits_total, len(plan.commits))
    count = f"{total}{'+' if total >= 1000 else ''} commit{'s' if total > 1 else ''}"
    heading = [words(f"{count} {going if plan.goes_back else coming}", bold=True)]
    heading += [words(f"  {size}")] if size else []
    parts = [section(*heading), bullets(map(_row, plan.commits[:shown]))]
    if total > shown:
        whose = _whose(plan)
        parts.append(section(words(f"+{total - shown} more{whose}", italic=True)))
    return [rich(*parts)]


def warnings(plan: Plan, most: int = 8) -> list[Json]:
    """Return what to be careful about, the risky paths among it."""
    shown = [section(words(f"⚠️ {line(text, 300)}")) for text in _careful(plan)[:most]]
    return [rich(*shown)] if shown else []


def _careful(plan: Plan) -> list[str]:
    if not plan.risky:
        return list(plan.warnings)
    paths = _named([line(path, 80) for path in plan.risky], plan.risky_total)
    return [f"Touches {paths}", *plan.warnings]


def judged(plan: Plan) -> list[Json]:
    """Return what was checked, what is live elsewhere and what would run, a small line each."""
    return [*_found(plan), small(_steps(plan))]


def _found(plan: Plan) -> list[Json]:
    blocks = []
    if plan.checks:
        found = " · ".join(line(check, 120) for check in plan.checks[:8])
        blocks.append(plain(f"✓ Checked: {found}"))
    if others := tuple(place for place in plan.elsewhere if place.sha != plan.sha):
        blocks.append(plain(f"Elsewhere: {_elsewhere(others[:6])}"))
    return blocks


def detail(plan: Plan) -> list[Json]:
    """Return what the card has no room for: each step as it runs, commits, paths, checks, people."""
    blocks = [runs(plan, "What runs, exactly")]
    if len(plan.commits) > NEWEST:
        blocks.append(_listed("Commits", map(_row, plan.commits[:30])))
    if len(plan.pull_requests) > NAMED:
        blocks.append(_listed("Pull requests", map(_pull_request, plan.pull_requests)))
    if len(plan.risky) > NAMED:
        paths = ([words(line(path, 200), code=True)] for path in plan.risky)
        blocks.append(_listed("Risky paths", paths))
    if plan.required:
        blocks.append(_listed("Required checks", map(_check, plan.required[:30])))
    if len(plan.authors) > NAMED:
        names = ", ".join(line(author, 60) for author in plan.authors)
        blocks.append(plain(f"Written by {names}{_more(plan.authors_total - len(plan.authors))}"))
    return blocks


def runs(plan: Plan, heading: str, limit: int = 6000) -> Json:
    """Return each step as it runs, below a heading."""
    steps = [
        f"{number}. {step.name}: {step.says}"
        + (f"\n   $ {shlex.join(step.argv)}" if step.argv else "")
        for number, step in enumerate(plan.steps, start=1)
    ]
    lines = [cut(step, 600) for step in steps] or ["nothing"]
    return rich(section(words(heading, bold=True)), output(lines, limit))


def plain(text: str) -> Json:
    """Return a small line to the letter."""
    text = cut(text, 2000)
    return {
        "type": "context",
        "elements": [{"type": "plain_text", "text": text, "emoji": False}],
    }


def small(text: str) -> Json:
    """Return a small line of mark-up."""
    return {"type": "context", "elements": [{"type": "mrkdwn", "text": text, "verbatim": True}]}


def _size(plan: Plan) -> str:
    if plan.extent is None:
        return ""
    files = f"{plan.extent.files} file{'s' if plan.extent.files != 1 else ''}"
    return f"{files}, +{plan.extent.added} \N{MINUS SIGN}{plan.extent.removed}"


def _whose(plan: Plan) -> str:
    """Return who wrote all of it and which pull requests it came by: the rows only tell the newest."""
    parts = [""]
    if plan.authors:
        names = _named([line(one, 40) for one in plan.authors], plan.authors_total)
        parts.append(f"by {names} in all")
    if plan.pull_requests:
        told = [f"#{one.number}" for one in plan.pull_requests]
        parts.append(_named(told, plan.pull_requests_total))
    return " · ".join(parts)


def _named(names: list[str], total: int) -> str:
    return f"{', '.join(names[:NAMED])}{_more(max(total, len(names)) - len(names[:NAMED]))}"


def _more(number: int) -> str:
    return f" +{number} more" if number > 0 else ""


def _elsewhere(places: tuple[Elsewhere, ...]) -> str:
    return " · ".join(
        f"{place.environment} {place.sha[:SHORT]}{' (tested)' if place.verified else ''}"
        if place.sha
        else f"{place.environment} nothing"
        for place in places
    )


def _steps(plan: Plan) -> str:
    names = " → ".join(code(step.name, 40) for step in plan.steps[:15])
    more = f" → +{len(plan.steps) - 15} more" if len(plan.steps) > 15 else ""
    return f"Would run: {names or 'nothing'}{more}"


def _listed(heading: str, rows: Iterator[list[Json]]) -> Json:
    return rich(section(words(heading, bold=True)), bullets(rows))


def _row(commit: Commit) -> list[Json]:
    says, author = line(commit.subject, 120), line(commit.author, 60)
    return [
        words(commit.sha[:SHORT], code=True),
        words(f" {says}"),
        words(f"  {author}", italic=True),
    ]


def _pull_request(one: PullRequest) -> list[Json]:
    return [words(f"#{one.number}", bold=True), words(f" {line(one.title, 150)}")]


def _check(check: Check) -> list[Json]:
    """Return how a check stands, and its page with the page's host, which nobody can disguise."""
    sign = "✅" if check.state == "success" else "❌"
    row = [words(f"{sign} {line(check.name, 100)}: {check.state}")]
    where = urlsplit(check.link)
    if where.scheme == "https" and where.hostname and len(check.link) <= 2000:
        link = {"type": "link", "url": check.link, "text": line(where.hostname, 100)}
        row += [words("  "), link]
    return row
