"""What the planner says to people: short, in Slack's mrkdwn, SHAs as code.

Pure. Escaping text from outside is left to the channel that sends it.
"""

from collections.abc import Sequence
from typing import Any

from deploy.plan import SHORT
from deploybot.models.offline.situation import Situation
from deploybot.models.offline.wish import Item, Wish

HELP = (
    "I deploy, roll back and tell what is live. Try `deploy backend v1.2.3 to staging`, "
    "`roll back backend on production`, `what's live?` or `last 5 commits`. "
    "Nothing runs before someone approves it."
)
LONGEST_SUBJECT = 80
LONGEST_WHY = 200


def help_with(services: tuple[str, ...], environments: tuple[str, ...]) -> str:
    """Say what can be asked, with names that exist."""
    text = HELP
    if services:
        text = text.replace("backend", services[0])
    if environments:
        text = text.replace("staging", environments[0]).replace("production", environments[-1])
    return text


def live(rows: Any, service: str = "") -> str:
    """Answer "what's live?"."""
    asked = (service, None) if service else ()
    lines = _rows([row for row in _dicts(rows) if not asked or row.get("service") in asked])
    return "\n".join(("Live now:", *lines)) if lines else "Nothing is live yet."


def commits(found: Any) -> str:
    """Answer "what are the last commits?"."""
    lines = [
        f"• `{row.get('short') or str(row.get('sha', ''))[:SHORT]}` {subject(row)}"
        + (f" ({row['author']})" if row.get("author") else "")
        for row in _dicts(found)
    ]
    if not lines:
        return "There are no commits yet."
    head = "The last commit:" if len(lines) == 1 else f"The last {len(lines)} commits:"
    return "\n".join((head, *lines))


def tags(found: Any) -> str:
    """Answer "which tags are there?"."""
    lines = [f"• `{r.get('name')}` at `{str(r.get('sha', ''))[:SHORT]}`" for r in _dicts(found)]
    return "\n".join(("The newest tags:", *lines)) if lines else "There are no tags yet."


def finished(now: Situation) -> str:
    """Say that all of the wish is live, and where."""
    rolled = now.wish is not None and now.wish.action == "roll_back"
    parts = [f"Rolled back: {_are_live(now.done)}." if rolled else f"Done: {_are_live(now.done)}."]
    if not now.done:
        parts = []
    if now.already:
        needless = _are_live(now.already, " already")
        parts.append(f"{'Also, ' if parts else 'Nothing to deploy: '}{needless}.")
    if rolled and now.tests is not None:
        why = now.tests.summary.rstrip(".")
        short = f"{why}." if len(why) <= LONGEST_WHY else f"{why[:LONGEST_WHY].rstrip()}…"
        parts.append(f"The tests on {now.tests.environment} had failed: {short}")
    return " ".join(parts) or "Nothing was asked for, so nothing was deployed."


def stopped(now: Situation) -> str:
    """Say that it ends here, and what did and did not happen."""
    if not now.done:
        return "Stopped; nothing was deployed."
    return f"Stopped: {_are_live(now.done)}. Nothing else was deployed."


def told(now: Situation, error: str) -> str:
    """Pass on why it cannot go on, and what went live before."""
    if not now.done:
        return error
    return f"{error} Before that: {_are_live(now.done)}."


def change(wish: Wish, items: Sequence[Item]) -> str:
    """Name a change in words: "deploying `backend` to production"."""
    verb, to = ("deploying", "to") if wish.action == "deploy" else ("rolling back", "on")
    return f"{verb} " + _listed([f"`{service}` {to} {where}" for service, where in items])


def items(left: Sequence[Item]) -> str:
    """Name what comes next, in words that need no mark-up."""
    return _listed([f"{service} to {environment}" for service, environment in left])


def _are_live(live_now: dict[Item, str], already: str = "") -> str:
    """Say it in one clause for each environment and commit."""
    groups: dict[tuple[str, str], list[str]] = {}
    for (service, environment), sha in live_now.items():
        groups.setdefault((environment, _short(sha)), []).append(f"`{service}`")
    return _listed(
        [
            f"{_listed(names)} {'is' if len(names) == 1 else 'are'} live on {environment}"
            + (f" at `{sha}`" if sha else "")
            + already
            for (environment, sha), names in groups.items()
        ]
    )


def _rows(rows: Sequence[dict[str, Any]]) -> list[str]:
    """Return a line for each environment and state: services that stand alike share one."""
    alike: dict[tuple[str, str], list[str]] = {}
    for row in rows:
        key = (str(row.get("environment")), _state(row))
        alike.setdefault(key, []).append(f"`{row.get('service')}`")
    return [f"• {place}: {_listed(names)} {state}" for (place, state), names in alike.items()]


def _state(row: dict[str, Any]) -> str:
    release = f"at `{row['live']}`" if row.get("live") else "nothing yet"
    by = f" by {row['by']}" if row.get("by") else ""
    notes = [f"since {row['since']}{by}"] if row.get("since") else []
    if row.get("verified"):
        notes.append("verified")
    behind = row.get("behind")
    if isinstance(behind, int) and behind > 0:
        notes.append(f"{behind} commit{'' if behind == 1 else 's'} behind")
    if row.get("running"):
        notes.append("a deploy is running")
    notes += _in_the_way(row)
    detail = f" ({', '.join(notes)})" if notes else ""
    return f"{release}{detail}"


def _in_the_way(row: dict[str, Any]) -> list[str]:
    """Say what keeps changes away: a hold and whose, a line, a freeze."""
    notes = []
    if row.get("held"):
        by = f" by {row['held_by']}" if row.get("held_by") else ""
        until = f" until {row['held_until']}" if row.get("held_until") else ""
        says = "marked" if row.get("only_warns") else "held"
        notes.append(f"{says}{by}{until}: {row['held']}")
    if row.get("line"):
        notes.append(f"{row['line']} waiting in line")
    if row.get("frozen"):
        notes.append(f"frozen {row['frozen']}")
    if row.get("problem"):
        notes.append(str(row["problem"]))
    return notes


def subject(row: dict[str, Any]) -> str:
    """Return a commit's subject as it stands in a line."""
    text = " ".join(str(row.get("subject", "")).replace("`", "'").split())
    return text if len(text) <= LONGEST_SUBJECT else f"{text[: LONGEST_SUBJECT - 1]}…"


def _short(sha: str) -> str:
    is_full = len(sha) >= 40 and all(char in "0123456789abcdef" for char in sha)
    return sha[:SHORT] if is_full else sha


def _listed(parts: Sequence[str]) -> str:
    return " and ".join((", ".join(parts[:-1]), parts[-1])) if len(parts) > 1 else "".join(parts)


def _dicts(rows: Any) -> list[dict[str, Any]]:
    return [row for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []
