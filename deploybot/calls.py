"""What is said aloud about a request besides its card: who is called again, and who broke the glass."""

from deploybot.approvals import Grant
from deploybot.phrases import change, changes, duration
from deploybot.telling import Card, Said
from deploybot.waiting import needed


def reminder(key: str, card: Card, whom: tuple[str, ...]) -> Said:
    """Call those who can still approve once more."""
    request = card.request
    need = needed(request, card.grants)
    text = (
        f"Still waiting for approval{f' ({need})' if need else ''}: {changes(request)}. It expires "
        f"at {request.expires_at:%H:%M} UTC, and nothing runs until then."
    )
    return Said(key, text, "warning", mention=whom, calls_to=card.key)


def escalation(key: str, card: Card, to: tuple[str, ...]) -> Said:
    """Call the next people: they may approve from now on."""
    request = card.request
    rule = request.rule.escalation
    after = duration(rule.after_seconds) if rule else "long"
    text = (
        f"Not approved for {after}, so these may approve now, too: {changes(request)}. "
        f"It expires at {request.expires_at:%H:%M} UTC."
    )
    return Said(key, text, "warning", mention=to, calls_to=card.key)


def broken_glass(key: str, card: Card, by: str, reason: str) -> Said:
    """Tell all approvers that somebody approved alone, and why."""
    request = card.request
    skips = request.rule.break_glass.skips if request.rule.break_glass else ()
    skipped = " and ".join(
        {"approvals": "the other approvals", "freezes": "freezes"}[s] for s in skips
    )
    text = (
        f"{by} broke the glass to {changes(request)}: “{reason}”. That skips {skipped}, and "
        "nothing else. If it is wrong, stop it."
    )
    return Said(key, text, "loud", mention=_concerned(card, by), by=by)


def review(key: str, card: Card, glass: Grant) -> Said:
    """Ask for a look afterwards at what one person approved alone."""
    request = card.request
    each = ", ".join(change(plan) for plan in request.plans)
    text = (
        f"{glass.by} approved this alone at {glass.at:%H:%M} UTC, by breaking the glass: "
        f"“{glass.break_glass}”. Please review what ran: {each}."
    )
    return Said(key, text, "warning", mention=_concerned(card, glass.by), by=glass.by)


def _concerned(card: Card, by: str) -> tuple[str, ...]:
    """Return everybody who could have approved, and who may break the glass, but for who did."""
    rule = card.request.rule
    circle = rule.break_glass.people if rule.break_glass else ()
    return tuple(one for one in dict.fromkeys((*rule.everybody, *circle)) if one != by)
