"""The text of a mail's body, from plain text or HTML; what in it is quoted is `email_reply`'s."""

import re
from email.message import EmailMessage
from html.parser import HTMLParser

SKIPPED = ("script", "style", "head", "title", "template")
QUOTED = ("blockquote",)
BREAKS = ("br", "p", "div", "tr", "li", "h1", "h2", "h3", "pre", "hr", "table")
VOID = ("br", "hr", "img", "meta", "link", "input", "wbr", "col", "area", "base", "embed")
DEEPEST = 200


def text_of(message: EmailMessage) -> str:
    """Return the body as plain text: the plain part when there is one, else the HTML as text.

    Attachments are never read. A charset that is unknown or wrong gives replacement characters.
    """
    body = message.get_body(("plain", "html"))
    if not isinstance(body, EmailMessage):
        return ""
    text = _decoded(body)
    if body.get_content_subtype() == "html":
        return html_as_text(text)
    return text


def html_as_text(markup: str) -> str:
    """Return the words of a page: blocks on their own lines, quotations marked with `> `."""
    reader = _Reader()
    reader.feed(markup)
    reader.close()
    lines = "".join(reader.kept).splitlines()
    text = "\n".join(re.sub(r"[ \t\xa0]+", " ", line).rstrip() for line in lines)
    return re.sub(r"\n{3,}", "\n\n", text).strip()


class _Reader(HTMLParser):
    """Collects what a person sees."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.kept: list[str] = []
        self._skipping = 0
        self._quoting = 0
        self._open: list[tuple[str, bool, bool]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in BREAKS:
            self._break()
        if tag in VOID or len(self._open) >= DEEPEST:
            return
        given = dict(attrs)
        classes = (given.get("class") or "").split()
        hidden = re.search(r"display\s*:\s*none", given.get("style") or "", re.IGNORECASE)
        skipped = tag in SKIPPED or hidden is not None or "hidden" in given
        quoted = tag in QUOTED or "gmail_quote" in classes
        self._skipping += skipped
        self._quoting += quoted
        self._open.append((tag, skipped, quoted))
        if quoted:
            self._break()

    def handle_endtag(self, tag: str) -> None:
        if not any(tag == name for name, _, _ in self._open):
            return
        while self._open:
            name, skipped, quoted = self._open.pop()
            self._skipping -= skipped
            self._quoting -= quoted
            if name == tag:
                break
        if tag in BREAKS or tag in QUOTED:
            self._break()

    def handle_data(self, data: str) -> None:
        if not self._skipping:
            words = re.sub(r"\s+", " ", data)
            if self.kept and not self.kept[-1].endswith(("\n", "> ")):
                self.kept.append(words)
            elif words.strip():
                self.kept.append("> " * bool(self._quoting) + words.lstrip())

    def _break(self) -> None:
        if self.kept and not self.kept[-1].endswith("\n"):
            self.kept.append("\n")


def _decoded(part: EmailMessage) -> str:
    payload = part.get_payload(decode=True)
    if not isinstance(payload, bytes):
        return ""
    charset = part.get_content_charset("utf-8")
    try:
        return payload.decode(charset, "replace")
    except (LookupError, ValueError):
        return payload.decode("utf-8", "replace")
