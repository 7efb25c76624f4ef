"""What a read returned, a line a record: commits, tags, and what is live where.

Only records of the known form become lines; anything else stays as it is. The phrases are the
templates'; short names of commits stand for the whole ones, which code looks up anew.
"""

from datetime import datetime
from typing import Any

from deploy.plan import SHORT
from deploybot.prompting.words import Words


def lines(intent: str, result: Any, words: Words, at: datetime) -> Any:
    """Return a read's result with its records as lines; `at` is when it was read."""
    if not isinstance(result, list):
        return result
    match intent:
        case "list_git_commits":
            return [_commit(row, words, at) for row in result]
        case "list_git_tags":
            return [_tag(row, words, at) for row in result]
        case "check_deployments":
            return [_live(row, words, at) for row in result]
        case _:
            return result


LIVE = (
    *("since", "verified", "behind", "running", "held"),
    *("by", "held_by", "held_until", "only_warns", "line", "frozen", "problem"),
)
"""What a row of "what's live?" may say besides the commit; all but the first may be missing."""

_INTENTS = {"live": "check_deployments", "tags": "list_git_tags", "commits": "list_git_commits"}


def facts(context: Any, words: Words, at: datetime) -> dict[str, Any]:
    """Return what was fetched ahead, by name, each as lines; what has no name is `context`."""
    if not isinstance(context, dict):
        return {"context": context} if context else {}
    return {
        str(name): lines(_INTENTS.get(name, ""), value, words, at)
        for name, value in context.items()
        if value
    }


def _commit(row: Any, words: Words, at: datetime) -> Any:
    match row:
        case {"sha": str(sha), "at": str(when), "author": str(author), "subject": str(subject)}:
            return words.say("commit", sha[:SHORT], _when(when, at), author, subject)
        case _:
            return row


def _tag(row: Any, words: Words, at: datetime) -> Any:
    match row:
        case {"name": str(name), "sha": str(sha), "at": str(when)}:
            return words.say("tag", name, sha[:SHORT], _when(when, at).partition(" ")[0])
        case _:
            return row


def _live(row: Any, words: Words, at: datetime) -> Any:
    match row:
        case {"service": str(), "environment": str(), "live": None | str()}:
            known = {name: row.get(name) for name in LIVE}
            since = known["since"]
            known["since"] = _when(since, at) if isinstance(since, str) else None
            return words.say("live", {**row, **known})
        case _:
            return row


def _when(text: str, at: datetime) -> str:
    """Return a time to the minute, without the year in which it was read."""
    minute = text[:16].replace("T", " ")
    return minute.removeprefix(f"{at.year}-")
