"""What a name of a commit may look like, and what it came to mean; git itself is asked elsewhere."""

import re
from dataclasses import dataclass
from typing import Literal

from deploy.errors import ReasonCode, Refusal, RefusedError

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/+@-]{0,199}")
_FORBIDDEN = re.compile(r"\.\.|//|@\{|/\.|\.lock(/|$)|[./]$")
_FULL_SHA = re.compile(r"[0-9a-f]{40}([0-9a-f]{24})?")
_SHORT_SHA = re.compile(r"[0-9a-f]{7,63}")

Kind = Literal["branch", "tag", "commit"]


@dataclass(frozen=True)
class Resolved:
    """What a word of a person means in the repository: one commit, and how it was named."""

    sha: str
    kind: Kind
    name: str


def is_name(ref: str) -> bool:
    """Tell whether this is a plain name, which no tool can misread as anything else."""
    return _NAME.fullmatch(ref) is not None and _FORBIDDEN.search(ref) is None


def is_full_sha(ref: str) -> bool:
    """Tell whether this has the form of a full commit name."""
    return _FULL_SHA.fullmatch(ref) is not None


def is_short_sha(ref: str) -> bool:
    """Tell whether this has the form of a shortened commit name, of at least 7 digits."""
    return _SHORT_SHA.fullmatch(ref) is not None


def checked_name(ref: str) -> str:
    """Return `ref`; raise RefusedError (`ref_malformed`) unless it is a plain name."""
    if is_name(ref):
        return ref
    rule = "only letters, digits and . _ / + @ - may be in it, in the order git allows"
    if ref.startswith("-"):
        rule = "it starts with '-'"
    raise refused(
        "ref_malformed",
        f"The name {ref[:80]!r} is refused: {rule}. Nothing was deployed; rename the tag or "
        "branch, or give the commit.",
    )


def checked_sha(sha: str) -> str:
    """Return `sha`; raise RefusedError (`ref_malformed`) unless it is a full commit name."""
    if is_full_sha(sha):
        return sha
    raise refused("ref_malformed", f"{sha[:80]!r} is no full commit name. Nothing was deployed.")


def choose(ref: str, found: list[Resolved]) -> Resolved:
    """Return the only thing that `ref` means; raise RefusedError instead of guessing."""
    if not found:
        raise refused(
            "ref_missing",
            f"There is no tag, branch or commit {ref!r} in the repository. Nothing was deployed; "
            "name one that exists (a short commit needs at least 7 digits).",
        )
    if len(found) > 1:
        meanings = " and ".join(f"a {one.kind} ({one.sha[:12]})" for one in found[:3])
        raise refused(
            "ref_ambiguous",
            f"{ref!r} is both {meanings}. Nothing was deployed; give the full commit you mean.",
        )
    return found[0]


def refused(reason_code: ReasonCode, message: str) -> RefusedError:
    """Return the error that says why a name was not taken."""
    return RefusedError(Refusal(reason_code, message))
