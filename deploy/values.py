"""What single settings may look like; how they fit together is for `catalog` to say."""

from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, StringConstraints

from deploy import placeholders

Name = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$")]
Person = Annotated[str, StringConstraints(min_length=1, max_length=200)]
Variable = Annotated[str, StringConstraints(pattern=r"^[A-Z_][A-Z0-9_]{0,63}$")]
Seconds = Annotated[float, Field(gt=0, le=86_400)]


def _argv(argv: tuple[str, ...]) -> tuple[str, ...]:
    if not argv[0] or any("\0" in argument for argument in argv):
        raise ValueError("a command is a list of words, the first of which names the program")
    placeholders.used(argv)
    return argv


def _inside(path: str) -> str:
    parts = path.split("/") if path else []
    if any(part in ("", ".", "..") or part.startswith("-") for part in parts) or ":" in path:
        raise ValueError("a folder inside the repository: no leading '/', no '.', '..' or ':'")
    return path


def _url(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or "@" in parts.netloc:
        raise ValueError("an http or https address without a name or password in it")
    if parts.query or parts.fragment:
        raise ValueError("an address without '?' and '#'")
    return url.rstrip("/")


def _remote(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in ("https", "ssh", "file") or any(c.isspace() for c in url):
        raise ValueError("an https, ssh or file address")
    if parts.password is not None or (parts.scheme == "https" and parts.username is not None):
        raise ValueError("no name or password in the address; use a credential helper or a key")
    if (parts.hostname or "").startswith("-"):
        raise ValueError("the host may not start with '-'")
    return url


Argv = Annotated[tuple[str, ...], Field(min_length=1), AfterValidator(_argv)]
Folder = Annotated[str, AfterValidator(_inside)]
Url = Annotated[str, AfterValidator(_url)]
Remote = Annotated[str, AfterValidator(_remote)]
Branch = Annotated[
    str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._/+-]*(\*)?$", max_length=200)
]
