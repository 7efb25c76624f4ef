"""Whether our own mail server found a mail genuine (RFC 8601); anything unclear counts as no.

Pure. Who the sender is, and what they may do, is decided elsewhere.
"""

import re
from collections.abc import Sequence

LONGEST = 8_000
"""Characters of a header; a longer one is not read."""
DEEPEST = 5
"""How deep comments may be nested."""
ID = re.compile(r'(?:"([A-Za-z0-9._-]+)"|([A-Za-z0-9._-]+))(?:\s+1)?')
RESULT = re.compile(r"([A-Za-z][A-Za-z0-9-]*)(?:\s*/\s*1)?\s*=\s*([A-Za-z][A-Za-z0-9-]*)(?=\s|$)")
PROPERTY = re.compile(
    r'\s+([A-Za-z][A-Za-z0-9-]*(?:\s*\.\s*[A-Za-z0-9_-]+)?)\s*=\s*(?:"([^"\\]*)"|([^\s";]+))(?=\s|$)'
)


def passes_dmarc(headers: Sequence[str], authserv_id: str, domain: str) -> bool:
    """Tell whether the topmost Authentication-Results of `authserv_id` says dmarc=pass for `domain`.

    `headers` are the values of all Authentication-Results headers, topmost first. Only the topmost
    one under our own name was surely written by our server: those below came with the mail.
    """
    for header in headers:
        claimed, results = _parsed(header)
        if claimed is None or claimed.casefold() != authserv_id.casefold():
            continue
        if results is None:
            return False
        dmarc = [found for found in results if found[0] == "dmarc"]
        if len(dmarc) != 1:
            return False
        _, verdict, properties = dmarc[0]
        header_from = [value for name, value in properties if name == "header.from"]
        return verdict == "pass" and header_from == [domain.casefold()]
    return False


def has_spoken(headers: Sequence[str], authserv_id: str) -> bool:
    """Tell whether any of these headers bears the name of our own server."""
    names = (_parsed(header)[0] for header in headers)
    return bool(authserv_id) and any(
        name is not None and name.casefold() == authserv_id.casefold() for name in names
    )


_Result = tuple[str, str, list[tuple[str, str]]]


def _parsed(header: str) -> tuple[str | None, list[_Result] | None]:
    """Return whose header it is and what it says; None for what cannot be read."""
    plain = _without_comments(header)
    if plain is None:
        return _first_word(header), None
    first, *rest = _split(plain)
    match = ID.fullmatch(first.strip())
    if match is None:
        return _first_word(header), None
    results = [_result(part.strip()) for part in rest if part.strip()]
    complete = [result for result in results if result is not None]
    return match[1] or match[2], complete if len(complete) == len(results) else None


def _first_word(header: str) -> str | None:
    """Return the name that an unreadable header claims, so that it still shields what is below."""
    match = re.match(r'\s*(?:\([^()]*\)\s*)*"?([A-Za-z0-9._-]+)', header[:LONGEST])
    return match[1] if match else None


def _result(part: str) -> _Result | None:
    if part.casefold() == "none":
        return ("none", "", [])
    head = RESULT.match(part)
    if head is None:
        return None
    properties: list[tuple[str, str]] = []
    position = head.end()
    while position < len(part):
        found = PROPERTY.match(part, position)
        if found is None:
            return None
        name = re.sub(r"\s", "", found[1]).casefold()
        properties.append((name, (found[2] if found[2] is not None else found[3]).casefold()))
        position = found.end()
    return (head[1].casefold(), head[2].casefold(), properties)


def _without_comments(header: str) -> str | None:
    """Return the header unfolded and without (comments); None when anything in it is unclear.

    Parts of it are chosen by the sender (a mailbox name may be a quotation with brackets in it), so
    a backslash, an open bracket or an open quotation makes the whole header worthless.
    """
    plain = re.sub(r"\r?\n(?=[ \t])", "", header).replace("\t", " ").strip()
    if len(header) > LONGEST or "\\" in plain or not (plain.isascii() and plain.isprintable()):
        return None
    for _ in range(DEEPEST):
        plain = re.sub(r'\([^()"]*\)', " ", plain)
    if "(" in plain or ")" in plain or plain.count('"') % 2:
        return None
    return plain.strip()


def _split(plain: str) -> list[str]:
    """Split at the semicolons that stand outside quotations."""
    return re.findall(r'(?:[^;"]|"[^"]*")+', plain) or [""]
