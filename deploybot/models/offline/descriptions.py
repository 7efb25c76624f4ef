"""Commits that are described instead of named: "the commit with the org routes", "PR #42".

Pure. Which words describe is found here; the commit itself is looked up in `refs`.
"""

import re

from deploybot.models.offline import names, vocabulary
from deploybot.models.offline.names import Ref
from deploybot.models.offline.vocabulary import KNOWN

SHORTEST = 3
_AFTER = (
    (vocabulary.DESCRIBED_BEFORE, "before_described"),
    (vocabulary.DESCRIBED, "described"),
)


def ref_in(
    plain: str, services: tuple[str, ...], environments: tuple[str, ...]
) -> tuple[Ref | None, str]:
    """Return the ref that is named or described, and the environment it is taken from, or ""."""
    named, source = names.ref_in(plain, services, environments)
    if source or names.refs_in(names.tokens(plain)):
        return named, source
    return _described(plain.casefold(), services, environments) or named, ""


def words_of(ref: Ref | None) -> tuple[str, ...]:
    """Return the words that describe the commit; none when it is named."""
    described = ref is not None and ref.kind in ("described", "before_described")
    return tuple(ref.name.split()) if ref and described else ()


def fits(row: dict[str, object], words: tuple[str, ...]) -> bool:
    """Tell whether a commit's subject and author hold all of these words, whole."""
    text = f"{row.get('subject', '')} {row.get('author', '')}".casefold()
    found = set(re.findall(r"#?[\w-]+", text))
    return bool(words) and all(word in found or f"{word}s" in found for word in words)


def _described(low: str, services: tuple[str, ...], environments: tuple[str, ...]) -> Ref | None:
    if match := vocabulary.PULL_REQUEST.search(low):
        return Ref("described", f"#{match[1]}")
    for pattern, kind in _AFTER:
        if match := pattern.search(low):
            words = _telling(match[1], services, environments)
            if words or kind == "described":
                return Ref(kind, words)  # type: ignore[arg-type] # a literal of the table above
    match = vocabulary.DESCRIBED_IN_FRONT.search(low)
    words = _telling(match[1], services, environments) if match else ""
    return Ref("described", words) if words else None


def _telling(text: str, services: tuple[str, ...], environments: tuple[str, ...]) -> str:
    """Return the words that tell one commit from another, up to where it is to go."""
    kept: list[str] = []
    clause = re.split(r"[,;.!?](?:\s|$)", text)[0]
    for part in re.split(r"\b(?:to|onto|on|into|in)\b", clause):
        if any(names.environment(word, environments) for word in names.tokens(part)):
            break
        kept += [
            word
            for word in names.tokens(part)
            if word not in KNOWN
            and len(word) >= SHORTEST
            and not names.services_in((word,), services)
        ]
    return " ".join(dict.fromkeys(kept))
