"""What a mail says of a request: what code found out, a row each, never what the agent says."""

import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from deploy.plan import SHORT, Plan
from deploybot import waiting
from deploybot.approvals import ApprovalRequest, Grant
from deploybot.mail import visible
from deploybot.ports import People
from deploybot.votes import still_missing

COMMITS = 5
OF_SEVERAL = 3
"""How many commits of each change a mail about several shows."""
NAMED = 5
REQUIRED = 30
COMMAND = 300
"""Characters of one step's command."""
LONGEST = 4_000
"""Characters of one text that others wrote."""


@dataclass(frozen=True)
class Fact:
    """One row of a card, and the smaller lines below it."""

    label: str
    value: str
    lines: tuple[str, ...] = ()
    code: bool = False


def of(
    request: ApprovalRequest, people: People, grants: tuple[Grant, ...] = ()
) -> tuple[Fact, ...]:
    """Return the rows of a request: each of its changes, who asked, who may answer, until when."""
    asked_by = ", ".join(line_of(people.name(person)) for person in request.requesters)
    approvers = ", ".join(
        f"{line_of(people.name(one.person))}{_for(one.instead_of, people)}"
        for one in waiting.able(request)
    )
    need = waiting.needed(request)
    starts = moment(request.start_at) if request.start_at else ""
    people_and_times = (
        Fact("Asked by", asked_by or "deploybot", _quoted(request.asked)),
        *_edited(request, people),
        Fact("Approvers", (approvers or "nobody") + (f" ({need})" if need else "")),
        Fact("Approved by", line_of(", ".join(_granted(request, grants, people)))),
        Fact("Until", moment(request.expires_at)),
        Fact("Starts", starts),
    )
    return _rows(request.plans, people_and_times)


def _for(others: tuple[str, ...], people: People) -> str:
    return f" for {' and '.join(line_of(people.name(one)) for one in others)}" if others else ""


def _granted(request: ApprovalRequest, grants: tuple[Grant, ...], people: People) -> Iterator[str]:
    """Yield who approved, for whom, and which of the groups that must are still missing."""
    yield from (waiting.approved_by(request, grant, people.name) for grant in grants)
    if grants and (missing := still_missing(request, grants)):
        yield f"still missing: {', '.join(missing)}"


def in_short(request: ApprovalRequest, people: People) -> tuple[Fact, ...]:
    """Return the rows that say which request it was, for whoever hears what became of it."""
    asked_by = ", ".join(line_of(people.name(person)) for person in request.requesters)
    several = len(request.plans) > 1
    changes = (Fact(plan.service if several else "Change", _change(plan)) for plan in request.plans)
    return (*changes, Fact("Asked by", asked_by or "deploybot", _quoted(request.asked)))


def _edited(request: ApprovalRequest, people: People) -> Iterator[Fact]:
    """Yield whose edit of an earlier request this one came of, if of any."""
    if request.edited:
        changes = tuple(line_of(change) for change in request.edited.changes)
        lines = (*changes, *_quoted(request.edited.comment))
        yield Fact("Edited by", line_of(people.name(request.edited.by)), lines)


def of_dry_run(plans: tuple[Plan, ...], start_at: datetime | None) -> tuple[Fact, ...]:
    """Return the rows of what would run: each change, and when it would start."""
    return _rows(plans, (Fact("Would start", moment(start_at) if start_at else ""),))


def _rows(plans: tuple[Plan, ...], people_and_times: tuple[Fact, ...]) -> tuple[Fact, ...]:
    if len(plans) == 1:
        first, second, *rest = _whole(plans[0])
        facts = (first, second, *people_and_times, *rest)
    else:
        several = (
            fact for number, plan in enumerate(plans, start=1) for fact in _brief(number, plan)
        )
        facts = (*several, *people_and_times)
    return tuple(fact for fact in facts if fact.value not in ("", "0"))


def warnings(plans: tuple[Plan, ...]) -> Iterator[str]:
    """Yield what to be careful about, in each of the changes."""
    for plan in plans:
        about = f"{plan.service}: " if len(plans) > 1 else ""
        for warning in plan.warnings:
            yield f"{about}{warning}"
        if plan.risky:
            named = ", ".join(plan.risky[:NAMED])
            more = plan.risky_total - len(plan.risky[:NAMED])
            yield f"{about}Touches {named}{f' and {more} more' if more > 0 else ''}"


def text_of(text: str) -> str:
    """Return a text of others without what cannot be seen, at a readable length."""
    return visible(text)[:LONGEST].strip()


def line_of(text: str) -> str:
    """Return a text of others on one line."""
    return " ".join(visible(text)[:LONGEST].split())


def moment(at: datetime) -> str:
    """Return a time as mails write it, in UTC: nobody knows a reader's zone."""
    at = at.astimezone(UTC)
    return f"{at.day} {at:%B %Y, %H:%M} UTC"


def _whole(plan: Plan) -> Iterator[Fact]:
    """Yield all rows about one change; the first two say which."""
    yield Fact("Change", _change(plan))
    yield Fact("Commit", plan.sha, _named_so(plan), code=True)
    size = _size(plan)
    if plan.commits_total:
        count = f"{plan.commits_total} ({size})" if size else str(plan.commits_total)
        yield Fact("Taken back" if plan.goes_back else "Commits", count, _commits(plan))
    else:
        yield Fact("Size", size)
    if plan.commits_total > COMMITS:
        yield from _behind_the_rest(plan)
    yield Fact("Checked", ", ".join(line_of(check) for check in plan.checks))
    required = tuple(f"{line_of(one.name)[:120]}: {one.state}" for one in plan.required[:REQUIRED])
    yield Fact("Required", str(len(plan.required)), required)
    yield Fact("Elsewhere", _elsewhere(plan))
    yield Fact("Steps", _names(plan), tuple(_as_they_run(plan)))


def _behind_the_rest(plan: Plan) -> Iterator[Fact]:
    """Yield who wrote all of it and which pull requests it came by: the commits tell only the newest."""
    yield Fact("Written by", _authors(plan))
    merged = [f"#{one.number} {line_of(one.title)[:120]}" for one in plan.pull_requests[:NAMED]]
    number = max(plan.pull_requests_total, len(merged))
    yield Fact("Pull requests", str(number), _and_more(merged, number - len(merged)))


def _brief(number: int, plan: Plan) -> Iterator[Fact]:
    """Yield two rows for one change of several."""
    count = f"{plan.commits_total} commit{'s' if plan.commits_total != 1 else ''}"
    count += " taken back" if plan.goes_back else ""
    said = [f"{count}, {_size(plan)}" if _size(plan) else count, *_commits(plan, OF_SEVERAL)]
    if plan.checks:
        said.append(f"Checked: {', '.join(line_of(check) for check in plan.checks)}")
    said.append(f"Steps: {_names(plan)}")
    yield Fact(f"{number}. {plan.service}", _change(plan), tuple(said))
    yield Fact("Commit", plan.sha, _named_so(plan), code=True)


def _named_so(plan: Plan) -> tuple[str, ...]:
    """Return the name by which the commit was asked for, if that says more."""
    named = plan.ref and not plan.sha.startswith(plan.ref)
    return (f"asked for as {line_of(plan.ref)[:100]}",) if named else ()


def _as_they_run(plan: Plan) -> Iterator[str]:
    """Yield what each step does, and below it the command that it runs."""
    for step in plan.steps:
        yield line_of(step.says)
        if step.argv:
            yield f"$ {line_of(shlex.join(step.argv))[:COMMAND]}"


def _change(plan: Plan) -> str:
    before = plan.previous_sha[:SHORT] if plan.previous_sha else "nothing"
    return f"{before} → {plan.sha[:SHORT]}"


def _size(plan: Plan) -> str:
    if plan.extent is None:
        return ""
    files = f"{plan.extent.files} file{'s' if plan.extent.files != 1 else ''}"
    lines = f"{plan.extent.added} line{'s' if plan.extent.added != 1 else ''}"
    return f"{files}, {lines} added, {plan.extent.removed} removed"


def _authors(plan: Plan) -> str:
    names = ", ".join(line_of(name)[:60] for name in plan.authors[:NAMED])
    more = plan.authors_total - len(plan.authors[:NAMED])
    return f"{names} and {more} more" if more > 0 else names


def _elsewhere(plan: Plan) -> str:
    return ", ".join(
        f"{place.environment}: {place.sha[:SHORT] if place.sha else 'nothing'}"
        f"{' (tested)' if place.sha and place.verified else ''}"
        for place in plan.elsewhere[:NAMED]
        if place.sha != plan.sha
    )


def _names(plan: Plan) -> str:
    return " → ".join(line_of(step.name) for step in plan.steps)


def _commits(plan: Plan, most: int = COMMITS) -> tuple[str, ...]:
    lines = [
        f"{commit.sha[:SHORT]} {line_of(commit.subject)[:120]} ({line_of(commit.author)[:60]})"
        for commit in plan.commits[:most]
    ]
    return _and_more(lines, plan.commits_total - len(lines))


def _and_more(lines: list[str], more: int) -> tuple[str, ...]:
    return (*lines, f"and {more} more") if more > 0 else tuple(lines)


def _quoted(words: str) -> tuple[str, ...]:
    return tuple(f"“{line}”" for line in text_of(words).splitlines()[:10] if line.strip())
