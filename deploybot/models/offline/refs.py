"""Which commit is meant, when it was not named outright: found by reading, never by guessing."""

from dataclasses import dataclass
from typing import Any

from deploybot.models.offline import asking, descriptions, replies
from deploybot.models.offline.names import Ref
from deploybot.models.offline.situation import Situation
from deploybot.models.offline.wish import Wish
from deploybot.next_step import (
    CheckDeployments,
    DoneForNow,
    ListGitCommits,
    ListGitTags,
    NextStep,
    Read,
)

MOST_LISTED = 50


@dataclass(frozen=True)
class Found:
    """The ref to deploy, and why that one."""

    ref: str
    reason: str


def resolve(now: Situation, wish: Wish, service: str) -> Found | NextStep:
    """Return the ref, or the step that finds out, or the question when nothing is found."""
    ref = wish.ref or Ref("latest")
    if ref.kind == "exact":
        return Found(ref.name, "as asked")
    step = _step(ref, service)
    result = now.read(step)
    if result is None:
        return step
    if ref.kind in ("described", "before_described"):
        return _described(ref, result, descriptions.words_of(ref))
    name = _pick(ref, result, service)
    if name is None:
        return _not_found(now, ref)
    return Found(name, _reason(ref, wish))


def why_back(now: Situation) -> str:
    """Return the reason of a roll back."""
    if now.tests is None or now.agent != "rollback":
        return "asked for in this thread"
    return f"the end-to-end tests on {now.tests.environment} failed with it"


def _step(ref: Ref, service: str) -> Read:
    match ref.kind:
        case "latest_tag":
            return ListGitTags(service=service, limit=1)
        case "before_tag":
            return ListGitTags(service=service, limit=MOST_LISTED)
        case "live_in":
            return CheckDeployments(environment=ref.name)
        case "described" | "before_described":
            return ListGitCommits(service=service, limit=MOST_LISTED)
        case "before":
            return ListGitCommits(service=service, ref=ref.name or None, limit=2)
        case _:
            return ListGitCommits(service=service, limit=1)


def _pick(ref: Ref, result: Any, service: str) -> str | None:
    """Return the ref that the read found, or None."""
    rows = [row for row in result if isinstance(row, dict)] if isinstance(result, list) else []
    match ref.kind:
        case "live_in":
            rows = [row for row in rows if row.get("service") == service]
            wanted, key = 0, "live"
        case "before_tag":
            names = [row.get("name") for row in rows]
            wanted = names.index(ref.name) + 1 if ref.name in names else 1
            key = "name"
        case "latest_tag":
            wanted, key = 0, "name"
        case "before":
            wanted, key = 1, "short"
        case _:
            wanted, key = 0, "short"
    found = rows[wanted].get(key) if len(rows) > wanted else None
    return str(found) if found else None


def _described(ref: Ref, result: Any, words: tuple[str, ...]) -> Found | NextStep:
    """Return the only commit that the words fit, or ask."""
    rows = [row for row in result if isinstance(row, dict)] if isinstance(result, list) else []
    fitting = [n for n, row in enumerate(rows) if descriptions.fits(row, words)]
    at = fitting[0] + (ref.kind == "before_described") if len(fitting) == 1 else len(rows)
    if at < len(rows):
        subject = replies.subject(rows[at])
        return Found(str(rows[at].get("short")), f"the commit that was described: {subject}")
    return asking.which_commit(words, [rows[n] for n in fitting] or rows)


def _not_found(now: Situation, ref: Ref) -> NextStep:
    texts = {
        "latest_tag": "There are no tags yet, so nothing was deployed.",
        "before_tag": "There is no tag before that one, so nothing was deployed.",
        "before": "There is no commit before that one, so nothing was deployed.",
        "live_in": f"Nothing is live on {ref.name}, so nothing was deployed.",
    }
    text = texts.get(ref.kind, "The default branch has no commits, so nothing was deployed.")
    if ref.kind in ("before_tag", "latest_tag"):
        return asking.choose("Which should I use?", (asking.LATEST, asking.STOP), context=text)
    return DoneForNow(message=text)


def _reason(ref: Ref, wish: Wish) -> str:
    if ref.kind == "latest":
        named = "" if wish.ref else ", as no other was named"
        return f"the newest commit of the default branch{named}"
    return {
        "latest_tag": "the newest tag",
        "before": "the commit before, as asked",
        "before_tag": "the tag before, as asked",
        "live_in": f"what is live on {ref.name}",
    }.get(ref.kind, "asked for in this thread")
