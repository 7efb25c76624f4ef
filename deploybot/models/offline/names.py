"""The names in a text: services, environments and refs, those that are known and those nearly so.

Pure. What the sentence around them wants is read in `words`.
"""

import re
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Literal

from deploybot.models.offline import vocabulary
from deploybot.models.offline.vocabulary import BRANCHES, KNOWN, NAMES_A_REF, PREPOSITIONS

_TOKEN = re.compile(r"[^\W_](?:[\w.+/-]*[\w])?")
_SHA = re.compile(r"(?=[0-9a-f]*\d)[0-9a-f]{7,64}")
_VERSION = re.compile(
    r"v?\d+(\.\d+)+([-+._]?[0-9A-Za-z]+)*|v\d+|release[-/]\S*\d\S*", re.IGNORECASE
)
_SOURCES = (
    re.compile(r"\b(?:from|promote) (?:the )?([\w-]+)(?: on)? (?:to|onto|into)\b"),
    re.compile(
        r"\b(?:whats|what is|whatever is|version|one|thats|same as|build)(?: currently| now)?"
        r"(?: live| running| deployed)? (?:on|in) (?:the )?([\w-]+)"
    ),
)
_REF = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/+-]{0,199}")


@dataclass(frozen=True)
class Ref:
    """A commit, as it was named.

    `exact` is a branch, tag or SHA in `name`; `live_in` what is live in the environment `name`;
    `before` and `before_tag` the commit or tag before `name`, or before the newest; `described` the
    commit that the words in `name` tell apart, and `before_described` the one before it.
    """

    kind: Literal[
        "exact",
        "latest",
        "latest_tag",
        "before",
        "before_tag",
        "live_in",
        "described",
        "before_described",
    ]
    name: str = ""


@dataclass(frozen=True)
class Suspect:
    """A word where a name should be that nobody configured, and the name it may be meant for."""

    kind: Literal["service", "environment"]
    typed: str
    meant: str = ""


def tokens(plain: str) -> tuple[str, ...]:
    """Return the words, with dots, slashes and dashes inside them, in their own case."""
    return tuple(_TOKEN.findall(plain))


def services_in(words: tuple[str, ...], services: tuple[str, ...]) -> tuple[str, ...]:
    """Return the services named, in the order of their first mention."""
    known = {service.casefold(): service for service in services}
    known |= {service.replace("-", ""): service for service in services}
    found: list[str] = []
    for word, after in zip(words, (*words[1:], ""), strict=False):
        low = word.casefold()
        name = known.get(low) or known.get(low.replace("-", ""))
        name = name or known.get(f"{low}{after.casefold()}")
        if name and name not in found:
            found.append(name)
    return tuple(found)


def left_out(low: str, services: tuple[str, ...]) -> tuple[str, ...]:
    """Return the services that are named in order to be left alone."""
    before = (
        r"(?:not|without|except( for)?|excluding|skip|skipping|leave out|other than|no|dont touch)"
    )
    return tuple(
        service
        for service in services
        if re.search(rf"\b{before} (?:the )?{re.escape(service)}\b", low)
    )


def environments_in(words: tuple[str, ...], environments: tuple[str, ...]) -> tuple[str, ...]:
    """Return the environments named, in order."""
    found = (environment(word, environments) for word in words)
    return tuple(dict.fromkeys(name for name in found if name))


def environment(word: str, environments: tuple[str, ...]) -> str | None:
    """Return the environment that people call so, if it is clear which."""
    low = word.casefold()
    if low in environments:
        return low
    alias = vocabulary.ENVIRONMENTS.get(low)
    if alias in environments:
        return alias
    begun = [name for name in environments if len(low) >= 4 and name.startswith(low)]
    return begun[0] if len(begun) == 1 and low not in KNOWN else None


def ref_in(
    plain: str, services: tuple[str, ...], environments: tuple[str, ...]
) -> tuple[Ref | None, str]:
    """Return the ref that is named, and the environment it is to be taken from, or ""."""
    low = plain.casefold()
    if source := _source(low, environments):
        return Ref("live_in", source), source
    words = tokens(plain)
    outright = refs_in(words)
    exact = outright[0] if outright else _exact(words, services, environments)
    if exact:
        return Ref("exact", exact), ""
    if vocabulary.BEFORE.search(low):
        return Ref("before_tag" if re.search(r"\b(tag|release)\b", low) else "before"), ""
    if vocabulary.LATEST_TAG.search(low):
        return Ref("latest_tag"), ""
    return (Ref("latest"), "") if vocabulary.LATEST.search(low) else (None, "")


def looks_like_ref(word: str) -> bool:
    """Tell whether the word can only be a commit or a version."""
    return bool(_SHA.fullmatch(word) or _VERSION.fullmatch(word))


def may_be_ref(word: str) -> bool:
    """Tell whether git could know something by this name."""
    return bool(_REF.fullmatch(word))


def close_to(low: str, wanted: tuple[str, ...]) -> bool:
    """Tell whether a word of the text is nearly one of those wanted."""
    unknown = (word for word in tokens(low) if word not in KNOWN and len(word) >= 5)
    return any(get_close_matches(word, wanted, 1, 0.8) for word in unknown)


def suspects_in(
    words: tuple[str, ...],
    services: tuple[str, ...],
    environments: tuple[str, ...],
    found: tuple[str, ...],
) -> tuple[Suspect, ...]:
    """Return the words that stand where a name should, or are nearly one."""
    suspects: list[Suspect] = []
    for index, word in enumerate(words):
        low = word.casefold()
        if _is_known(low, words, index, services, environments):
            continue
        if meant := get_close_matches(low, services, 1, 0.75):
            suspects.append(Suspect("service", low, meant[0]))
        elif meant := get_close_matches(low, environments, 1, 0.75):
            suspects.append(Suspect("environment", low, meant[0]))
        elif _before(words, index) in PREPOSITIONS - {"for", "from", "at"} and not low.isdecimal():
            suspects.append(Suspect("environment", low))
        elif _stands_for_a_service(words, index, found):
            suspects.append(Suspect("service", low))
    return tuple(suspects)


def _is_known(
    low: str,
    words: tuple[str, ...],
    index: int,
    services: tuple[str, ...],
    environments: tuple[str, ...],
) -> bool:
    around = words[max(0, index - 1) : index + 2]
    return bool(
        low in KNOWN
        or low in services
        or services_in((low,), services)
        or (services_in(around, services) and services_in((low, *words[index + 1 :][:1]), services))
        or environment(low, environments)
        or looks_like_ref(low)
        or _exact(words, services, environments) == words[index]
        or close_to(low, ("deploy", "redeploy"))
    )


def _stands_for_a_service(words: tuple[str, ...], index: int, found: tuple[str, ...]) -> bool:
    """Tell whether an unknown word is the thing to deploy: behind the verb, or beside a service."""
    before, after = _before(words, index), words[index + 1].casefold() if words[index + 1 :] else ""
    if found:
        return (before == "and" and _before(words, index - 1) in found) or (
            after == "and" and index + 2 < len(words) and words[index + 2].casefold() in found
        )
    while index and _before(words, index) in ("the", "our", "latest", "newest", "new", "my"):
        index -= 1
    verbs = ("deploy", "ship", "release", "promote", "push", "redeploy", "roll", "rollback")
    return _before(words, index) in (*verbs, "revert", "of", "back")


def _before(words: tuple[str, ...], index: int) -> str:
    return words[index - 1].casefold() if index > 0 else ""


def _source(low: str, environments: tuple[str, ...]) -> str:
    """Return the environment whose release is to be taken: "from staging to production"."""
    for pattern in _SOURCES:
        match = pattern.search(low)
        if match and (source := environment(match[1], environments)):
            return source
    return ""


def _exact(
    words: tuple[str, ...], services: tuple[str, ...], environments: tuple[str, ...]
) -> str | None:
    """Return the branch, tag or SHA that is named outright."""
    for index, word in enumerate(words):
        low = word.casefold()
        if looks_like_ref(word) or low in BRANCHES:
            return word
        if low in services or environment(low, environments):
            continue
        after = words[index + 1].casefold() if words[index + 1 :] else ""
        names_it = low not in KNOWN and low not in PREPOSITIONS and may_be_ref(word)
        beside = _before(words, index) in NAMES_A_REF or after in ("branch", "tag")
        between = _before(words, index) in services and after in PREPOSITIONS - {"for", "from"}
        if names_it and ("/" in word or beside or between):
            return word
    return None


def refs_in(words: tuple[str, ...]) -> tuple[str, ...]:
    """Return everything that can only be a commit or a version; one that is gone "to" alone."""
    found = tuple(dict.fromkeys(word for word in words if looks_like_ref(word)))
    wanted = tuple(w for i, w in enumerate(words) if w in found and _before(words, i) == "to")
    return wanted if len(set(wanted)) == 1 else found


def only_names(
    words: tuple[str, ...], services: tuple[str, ...], environments: tuple[str, ...]
) -> bool:
    """Tell whether there is nothing but names: "backend v1.2.3 staging"."""
    return all(
        word.casefold() in vocabulary.SILENT
        or looks_like_ref(word)
        or bool(services_in((word,), services) or environment(word, environments))
        for word in words
    )
