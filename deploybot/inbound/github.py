"""GitHub's webhook: genuine or not, and the branch that moved; what follows is `pipeline`'s.

Pure: the payload only says that something moved; what is deployed is read from the repository.
"""

import hashlib
import hmac
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from deploy.catalog import RepositoryTable
from deploybot.errors import InboundError
from deploybot.events import BranchUpdated
from deploybot.ports import People
from deploybot.thread import thread_id_for

SHA = re.compile(r"(?:[0-9a-f]{40}|[0-9a-f]{64})")
SIGNATURE = re.compile(r"sha256=[0-9a-f]{64}")
GUID = re.compile(r"[A-Za-z0-9-]{1,100}")
SUBJECT = 200
"""How many characters of a commit's subject are kept."""


@dataclass(frozen=True)
class Ignored:
    """Genuine, and nothing to do with what is deployed here."""

    reason: str


@dataclass(frozen=True)
class Push:
    """A branch that moved: the event, its thread, and the keys under which it is heard once."""

    thread: str
    event: BranchUpdated
    dedupe: tuple[str, ...]


def verify(secrets: Sequence[str], body: bytes, headers: Sequence[tuple[str, str]]) -> None:
    """Refuse a body that none of the secrets signed with SHA-256 (InboundError, 401).

    `headers` are all of them, doubles included. Two secrets are for the time of a rotation.
    """
    signature = _one(headers, "x-hub-signature-256")
    if not SIGNATURE.fullmatch(signature):
        raise InboundError(
            "The request carries no valid X-Hub-Signature-256; nothing was stored. "
            "Set the webhook's secret to GITHUB_WEBHOOK_SECRET."
        )
    claimed = bytes.fromhex(signature.removeprefix("sha256="))
    genuine = [
        hmac.compare_digest(hmac.digest(secret.encode(), body, "sha256"), claimed)
        for secret in secrets
        if secret
    ]
    if not any(genuine):
        raise InboundError(
            "The signature does not fit the body; nothing was stored. "
            "Set the webhook's secret to GITHUB_WEBHOOK_SECRET."
        )


def to_event(
    body: bytes,
    headers: Sequence[tuple[str, str]],
    repositories: Mapping[str, RepositoryTable],
    people: People,
    now: datetime,
) -> Push | Ignored:
    """Return the push that a verified body tells of, or why it is of no interest.

    Raises InboundError when the body cannot be read: 415 for forms, 400 otherwise.
    """
    media_type = _one(headers, "content-type").partition(";")[0].strip().casefold()
    if media_type != "application/json":
        raise InboundError(
            "The webhook sends a form; nothing was stored. Set its content type to "
            "application/json.",
            status=415,
        )
    kind = _one(headers, "x-github-event")
    if kind != "push":
        return Ignored(f"event not of interest: {_shown(kind) or 'none'}")
    guid = _one(headers, "x-github-delivery")
    if not GUID.fullmatch(guid):
        raise _unreadable("X-GitHub-Delivery is missing")
    return _push(
        _json(body), (f"github:delivery:{guid}", _body_key(body)), repositories, people, now
    )


def _push(
    payload: dict[str, Any],
    keys: tuple[str, ...],
    repositories: Mapping[str, RepositoryTable],
    people: People,
    now: datetime,
) -> Push | Ignored:
    full_name, ref = _text(payload, "repository", "full_name"), _text(payload, "ref")
    name = _configured(repositories, full_name)
    if name is None:
        return Ignored(f"repository not configured: {_shown(full_name)}")
    branch = ref.removeprefix("refs/heads/")
    if ref != f"refs/heads/{repositories[name].default_branch}":
        return Ignored(f"not the default branch: {_shown(ref)}")
    before, after = _text(payload, "before"), _text(payload, "after")
    if payload.get("deleted") is True or not after.strip("0"):
        return Ignored(f"branch deleted: {_shown(branch)}")
    if not SHA.fullmatch(before) or not SHA.fullmatch(after):
        raise _unreadable("before and after must be full commit names")
    semantic = f"github:ref:{name}:{ref}:{after}"
    event = BranchUpdated(
        at=now,
        by="github",
        delivery=semantic,
        repository=name,
        branch=branch,
        before=before,
        after=after,
        pusher=people.by_github(_login(payload)),
        subject=_subject(payload),
    )
    return Push(thread_id_for("github", name, ref, after), event, (semantic, *keys))


def _configured(repositories: Mapping[str, RepositoryTable], full_name: str) -> str | None:
    """Find the repository: by owner/name, else by the address of its origin, else by its name."""
    wanted = full_name.casefold()
    for name, table in repositories.items():
        if table.github:
            found = table.github.casefold() == wanted
        elif table.url and not table.url.startswith("file:"):
            path = urlsplit(table.url).path.strip("/").removesuffix(".git").casefold()
            found = path == wanted
        else:
            found = name == wanted.rpartition("/")[2]
        if found:
            return name
    return None


def _login(payload: dict[str, Any]) -> str:
    """Return the account that pushed or merged: a login, which people cannot choose freely."""
    for path in (("sender", "login"), ("pusher", "name")):
        login = _text(payload, *path, required=False)
        if re.fullmatch(r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,99})(?:\[bot\])?", login):
            return login
    return "unknown"


def _subject(payload: dict[str, Any]) -> str:
    message = _text(payload, "head_commit", "message", required=False).strip()
    return message.splitlines()[0][:SUBJECT] if message else ""


def _one(headers: Sequence[tuple[str, str]], name: str) -> str:
    """Return the value of a header that is there exactly once, or nothing."""
    values = [value for key, value in headers if key.casefold() == name]
    return values[0] if len(values) == 1 else ""


def _body_key(body: bytes) -> str:
    return f"github:body:{hashlib.sha256(body).hexdigest()}"


def _json(body: bytes) -> dict[str, Any]:
    try:
        payload = json.loads(body)
    except (ValueError, RecursionError):
        raise _unreadable("the body is not JSON") from None
    if not isinstance(payload, dict):
        raise _unreadable("the body is not a JSON object")
    return payload


def _text(payload: dict[str, Any], *path: str, required: bool = True) -> str:
    value: Any = payload
    for key in path:
        value = value.get(key) if isinstance(value, dict) else None
    if isinstance(value, str):
        return value.encode(errors="replace").decode()
    if required:
        raise _unreadable(f"{'.'.join(path)} is not a text")
    return ""


def _shown(text: str) -> str:
    return "".join(c if c.isprintable() else "?" for c in text[:200])


def _unreadable(why: str) -> InboundError:
    return InboundError(f"The push cannot be read: {why}. Nothing was stored.", status=400)
