"""What a person said, as far as rules can tell: what they want, of what, where, and at which commit.

Pure. One text at a time: what it means in its thread is worked out in `situation`.
"""

import re
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Literal

from deploybot.models.offline import descriptions, names, vocabulary
from deploybot.models.offline.names import Ref, Suspect

Want = Literal[
    "deploy",
    "roll_back",
    "live",
    "commits",
    "tags",
    "stop",
    "no",
    "yes",
    "thanks",
    "greeting",
    "help",
    "",
]
"""What is wanted; "" when the text only names things, or makes no sense to rules."""

LONGEST = 1000
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}


@dataclass(frozen=True)
class Said:
    """One text, read."""

    text: str
    want: Want = ""
    services: tuple[str, ...] = ()
    without: tuple[str, ...] = ()
    environments: tuple[str, ...] = ()
    ref: Ref | None = None
    count: int | None = None
    seconds: int | None = None
    at: str | None = None
    """When it is to happen, as `Deploy.at` takes it."""
    in_turn: bool = False
    """An order was given: one after the other, and not all under one approval."""
    later: bool = False
    """It is to happen at a time, or after something, that a timer cannot tell."""
    many_refs: bool = False
    """More than one commit is named, and which is for what cannot be told."""
    everything: bool = False
    first: bool = False
    adds: bool = False
    bare: bool = False
    """Nothing but a service, an environment and perhaps a ref: "backend v1.2.3 staging"."""
    refers_back: bool = False
    suspects: tuple[Suspect, ...] = field(default=())

    @property
    def names_something(self) -> bool:
        """Tell whether the text says anything that could complete or change a wish."""
        named = self.services or self.without or self.environments or self.ref or self.suspects
        return bool(named or self.everything or self.seconds is not None)


@lru_cache(maxsize=1024)
def read(text: str, services: tuple[str, ...], environments: tuple[str, ...]) -> Said:
    """Return what the text says, given what is configured; remembered, since a thread is read at each step."""
    plain = clean(text, services)
    low = plain.casefold()
    kept, dropped = _split_negated(low)
    tokens = names.tokens(plain)
    without = names.left_out(low, services) or names.services_in(names.tokens(dropped), services)
    found = tuple(s for s in names.services_in(tokens, services) if s not in without)
    ref, source = descriptions.ref_in(plain, services, environments)
    where = tuple(e for e in names.environments_in(tokens, environments) if e != source)
    if vocabulary.EVERYWHERE.search(low):
        where = environments
    want = _want(kept, negated=bool(dropped), named=bool(without))
    bare = want == "" and found and where and names.only_names(tokens, services, environments)
    if want in ("live", "help") and source:
        where = (source,)
    if want == "help" and (found or where) and not vocabulary.HELP.search(low):
        want = "live"
    if vocabulary.EITHER.search(low):  # which of them is for people to say
        found, where = found if len(found) == 1 else (), where if len(where) == 1 else ()
    changes = want in ("deploy", "roll_back", "")
    said = Said(
        text=plain,
        want=want,
        services=_ordered(low, found),
        without=without,
        environments=where,
        ref=ref,
        count=_count(low),
        seconds=_seconds(low),
        many_refs=len(names.refs_in(tokens)) > 1,
        at=_at(low),
        in_turn=bool(vocabulary.IN_TURN.search(vocabulary.DELAY.sub("", low))),
        later=_is_later(low),
        everything=bool(vocabulary.EVERYTHING.search(vocabulary.EVERYWHERE.sub("", low))),
        first=bool(vocabulary.FIRST.search(vocabulary.BEFORE.sub("", low))),
        adds=bool(vocabulary.ADDS.search(low)),
        bare=bool(bare),
        refers_back=bool(vocabulary.AGAIN.search(low)),
        suspects=tuple(
            suspect
            for suspect in names.suspects_in(tokens, services, environments, found)
            if changes and suspect.typed not in descriptions.words_of(ref)
        ),
    )
    return _corrected(said, services, environments)


def clean(text: str, services: tuple[str, ...] = ()) -> str:
    """Return the words alone: no mentions, no mark-up, no apostrophes, single spaces."""
    own = (line for line in text[:LONGEST].splitlines() if not line.startswith((">", "&gt;")))
    text = " ".join(own)  # a quoted line is what somebody else said
    text = re.sub(r"<[@!][^>]*>", " ", text)
    text = re.sub(r"<#\w+\|([^>]*)>", r"\1", text)
    text = re.sub(r"<[^|>\s]+\|([^>]*)>", r"\1", text)
    text = text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
    text = text.replace("\N{RIGHT SINGLE QUOTATION MARK}", "'")
    text = re.sub(r"\b([Ii]t|[Tt]hat|[Ll]et|[Ww]hat|[Ww]here|[Ww]ho)'s\b", r"\1s", text)
    text = re.sub(r"'s\b", "", text).replace("'", "")
    text = re.sub(r"[`*\"“”„]", " ", text)
    for service in services:
        text = re.sub(rf"\b({re.escape(service)})[@:](?=\S)", r"\1 ", text, flags=re.IGNORECASE)
    return " ".join(text.split()).strip(" .!,;:-")


def _corrected(said: Said, services: tuple[str, ...], environments: tuple[str, ...]) -> Said:
    """Let what follows "no wait" or "actually" stand for what came before it."""
    *_, last = vocabulary.CORRECTED.split(said.text)
    if last == said.text:
        return said
    tail = names.tokens(last)
    ref, _ = descriptions.ref_in(last, services, environments)
    return replace(
        said,
        services=names.services_in(tail, services) or said.services,
        environments=names.environments_in(tail, environments) or said.environments,
        ref=ref or said.ref,
        many_refs=said.many_refs and len(names.refs_in(tail)) != 1,
    )


def _split_negated(low: str) -> tuple[str, str]:
    """Return what is wanted, and what is said not to be: "don't …, do …" is both."""
    clauses = re.split(r"(?:[,;.!?]\s+|\s+but\s+)", low)
    no = [clause for clause in clauses if vocabulary.NEGATED.search(clause)]
    yes = [clause for clause in clauses if clause not in no]
    return ", ".join(yes), ", ".join(no)


def _want(low: str, *, negated: bool, named: bool) -> Want:
    if negated and not _change(low):
        return "" if named else "stop"
    if _stops(low):
        return "stop"
    if vocabulary.THANKS_FOR.search(low) or vocabulary.HELP.search(low):
        return "help" if vocabulary.HELP.search(low) else "thanks"
    suggests = vocabulary.SUGGESTS.search(low)
    asks = (
        not suggests and _is_question(low) and not (vocabulary.REQUEST.search(low) and _change(low))
    )
    if asks:
        return _read_wanted(low)
    if change := _change(low):
        return change
    return _nothing_changes(low)


def _stops(low: str) -> bool:
    """Tell whether it is called off, and nothing else asked for behind that."""
    if vocabulary.STOP.search(vocabulary.CLAUSE.split(low)[-1]):
        return True
    stop = vocabulary.STOP.search(low)
    if stop is None:
        return False
    _, *clauses = vocabulary.GOES_ON.split(low[stop.end() :], maxsplit=1)
    return not clauses or not _change(clauses[-1] or "")


def _is_question(low: str) -> bool:
    kinds = (vocabulary.QUESTION, vocabulary.WANTS_TO_KNOW, vocabulary.ASKS_BACK)
    return any(kind.search(low) for kind in kinds)


def _change(low: str) -> Literal["deploy", "roll_back"] | None:
    if vocabulary.ROLL_BACK.search(low):
        return "roll_back"
    if vocabulary.DEPLOY.search(low) or vocabulary.RELEASE.search(low):
        return "deploy"
    return "deploy" if names.close_to(low, ("deploy", "redeploy")) else None


def _read_wanted(low: str) -> Want:
    """Say what a question is about; a question never changes anything."""
    about: Want = "help"
    if vocabulary.PENDING.search(low):
        about = "live"
    elif vocabulary.COMMITS.search(low):
        about = "commits"
    elif vocabulary.TAGS.search(low) and not re.search(r"\b(live|deployed|running)\b", low):
        about = "tags"
    elif vocabulary.LIVE.search(low) or re.search(r"\b(on|in|where|wheres)\b", low):
        about = "live"
    return about


def _nothing_changes(low: str) -> Want:
    table: tuple[tuple[re.Pattern[str], Want], ...] = (
        (vocabulary.ONLY_COMMITS, "commits"),
        (vocabulary.ONLY_TAGS, "tags"),
        (vocabulary.ONLY_LIVE, "live"),
        (vocabulary.THANKS, "thanks"),
        (vocabulary.GREETING, "greeting"),
        (vocabulary.NO, "no"),
        (vocabulary.YES, "yes"),
    )
    return next((want for pattern, want in table if pattern.search(low)), "")


def _ordered(low: str, services: tuple[str, ...]) -> tuple[str, ...]:
    """Return the services in the order that is asked for: "a after b" is b, then a."""
    if len(services) == 2:
        one, other = (re.escape(service) for service in services)
        if re.search(rf"\b{one}\b.{{0,20}}\bafter\b.{{0,10}}\b{other}\b", low):
            return services[::-1]
        if re.search(rf"\b{one}\b.{{0,30}}\b{other} first\b", low):
            return services[::-1]
    return services


def _count(low: str) -> int | None:
    match = re.search(r"\b(\d{1,3})\s+(\w+\s+)?(commits?|tags?|releases|versions|changes)\b", low)
    if match:
        return int(match[1])
    return 1 if re.search(r"\b(last|latest|newest) (commit|tag|release)\b", low) else None


def _is_later(low: str) -> bool:
    """Tell whether it is to happen at a time, or after something, that a timer cannot tell."""
    untimed = vocabulary.CLOCK.sub(" ", low) if _at(low) else low
    return bool(vocabulary.LATER.search(untimed) or vocabulary.CONDITION.search(untimed))


def _at(low: str) -> str | None:
    """Return the time of day that is named: "02:00", "tomorrow 09:30"; None when none is clear."""
    found = vocabulary.CLOCK.search(low)
    if found is None:
        return None
    hour, half = int(found["hour"]), found["half"]
    if half and not 1 <= hour <= 12:
        return None
    if half:
        hour = hour % 12 + (12 if half == "pm" else 0)
    elif found["minute"] is None and "at " not in found[0]:
        return None
    clock = f"{hour:02}:{found['minute'] or '00'}"
    day = found["day"] or found["other"] or ""
    return f"{day} {clock}".strip()


def _seconds(low: str) -> int | None:
    match = vocabulary.DELAY.search(low)
    if not match:
        return None
    number = {"a": 1.0, "an": 1.0, "half an": 0.5}.get(match[1])
    return int((float(match[1]) if number is None else number) * _UNITS[match[2][0]])
