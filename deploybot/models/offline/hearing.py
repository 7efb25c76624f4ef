"""What people's words do to a situation: begin a wish, change the open one, end it, or ask.

Pure. What a single text says is read in `words`; what a wish becomes, in `wish`.
"""

import re
from dataclasses import replace

from deploybot.approvals import ApprovalRequest
from deploybot.events import EmailReceived
from deploybot.models.offline import vocabulary, words
from deploybot.models.offline.names import Ref, looks_like_ref, may_be_ref, tokens
from deploybot.models.offline.situation import Denied, Situation
from deploybot.models.offline.wish import Wish, begun, changed
from deploybot.models.offline.words import Said

CHANGES = ("deploy", "roll_back")
ASIDES = ("live", "commits", "tags", "thanks", "greeting", "help")
"""Words that ask for no change and leave an open wish as it is."""


def heard(now: Situation, said: Said) -> Situation:
    """Take in a message."""
    now = now.fresh(said)
    if said.want == "stop":
        return now.stop()
    if now.wish is not None:
        said = _naming(now, said)
    whole = said.want in CHANGES and said.services and said.environments and not said.first
    if now.wish is None or whole:
        return _begun(now, said)
    return now if said.want in ASIDES else _changed(now, now.wish, said)


def heard_mail(now: Situation, mail: EmailReceived) -> Situation:
    """Take in a mail: its own words first; its subject if they say too little and it is theirs."""
    said = words.read(mail.text, now.services, now.environments)
    theirs = not re.match(r"\s*(re|fwd?|aw|wg|sv|tr)\s*:", mail.subject, re.IGNORECASE)
    if said.want in ("", "yes", "thanks", "greeting") and theirs:
        whole = words.read(f"{mail.subject}. {mail.text}", now.services, now.environments)
        said = whole if whole.want else said
    return heard(now, said)


def answered(now: Situation, answer: str) -> Situation:
    """Take in the answer to a question."""
    said = words.read(answer, now.services, now.environments)
    if said.want == "stop" or (said.want == "no" and not said.names_something):
        return now.fresh(said).stop()
    if now.wish is None:
        return heard(now, said)
    said = _naming(now, said)
    if said.want in ASIDES:
        return now.fresh(said)
    word = tokens(said.text)
    wants_a_ref = now.failure is not None and now.failure.code.startswith("ref_")
    if wants_a_ref and said.ref is None and len(word) == 1 and may_be_ref(word[0]):
        said = replace(said, ref=Ref("exact", word[0]), suspects=())
    return _changed(now.fresh(said), now.wish, said)


def denied(now: Situation, request_id: str, feedback: str) -> Situation:
    """Take in a no, and its reason."""
    said = words.read(feedback, now.services, now.environments)
    request = now.requests.get(request_id)
    now = now.fresh(said)
    if request is not None:
        wish = now.wish or _wish_of(request)  # another planner's step, from words unread
        item = (
            wish.services[0] if wish.services else request.plan.service,
            request.plan.environment,
        )
        now = replace(now, wish=wish, denied=Denied(item, wish.ref))
    if now.wish is None or not said.text or said.want == "stop":
        return now.stop()
    said = _naming(now, said)
    return replace(now, said=said) if said.want in ASIDES else _changed(now, now.wish, said)


def _naming(now: Situation, said: Said) -> Said:
    """Take "the latest commit" for a name, not for a question, while something is open."""
    low = said.text.casefold()
    asks = vocabulary.QUESTION.search(low) and not vocabulary.SUGGESTS.search(low)
    return replace(said, want="") if said.ref and said.want in ASIDES and not asks else said


def _begun(now: Situation, said: Said) -> Situation:
    if said.bare and (now.before is None or said.ref is not None):
        said = replace(said, want="deploy")
    unsure = _names_it_all(said) and said.want in ("", "greeting")
    if unsure:
        said = replace(said, want="deploy")
    wish = begun(said, now.services, now.wish or now.before)
    if wish is not None and unsure:
        wish = replace(wish, unsure=True)
    other = said.bare and now.before is not None and now.before.action == "roll_back"
    if (
        wish is None
        and not other
        and now.before
        and said.names_something
        and said.want in ("", "yes")
    ):
        more = replace(said, adds=False, first=False)  # "and the frontend", "now to production"
        wish = changed(now.before, more, now.services)
    if wish is None:
        return replace(now, done={}, already={})
    return now.wishing(_rooted(now, wish))


def _names_it_all(said: Said) -> bool:
    """Tell whether only the verb is missing that would make it a request."""
    exact = said.ref is not None and said.ref.kind == "exact"
    return bool(said.services and said.environments and exact and not said.without)


def _changed(now: Situation, wish: Wish, said: Said) -> Situation:
    if said.want == "no" and not said.names_something:
        return now.stop()
    after = changed(wish, said, now.services)
    if after is None:
        return now.stop()
    understood = after != wish or said.want in ("yes", *CHANGES) or said.later
    wish = _rooted(now, after)
    return replace(now, said=said, wish=wish, puzzled=not understood, waited=False)


def _rooted(now: Situation, wish: Wish) -> Wish:
    """Say before what, when "the one before" is wished: before what was proposed last."""
    ref = wish.ref
    if ref is None or ref.kind not in ("before", "before_tag") or ref.name or not now.requests:
        return wish
    plan = list(now.requests.values())[-1].plan
    is_tag = looks_like_ref(plan.ref) and not plan.sha.startswith(plan.ref)
    named = Ref("before_tag", plan.ref) if is_tag else Ref("before", plan.sha)
    return replace(wish, ref=named)


def _wish_of(request: ApprovalRequest) -> Wish:
    plan = request.plan
    ref = Ref("exact", plan.sha) if plan.action == "deploy" else None
    return Wish(plan.action, (plan.service,), (plan.environment,), ref, words=request.asked)
