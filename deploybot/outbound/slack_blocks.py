"""How each telling looks in Slack: text and blocks, within Slack's limits; posting is `slack`'s."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Any

from deploybot.outbound.slack_card import card_blocks, card_text
from deploybot.outbound.slack_question import question_blocks, question_text
from deploybot.outbound.slack_rich import (
    Json,
    bullets,
    output,
    person,
    rich,
    section,
    ticked,
    words,
)
from deploybot.outbound.slack_shown import shown_blocks, shown_text
from deploybot.outbound.slack_text import clean, cut, escape, line, unsigned
from deploybot.ports import People
from deploybot.telling import Asked, Card, Opening, Said, Shown, Telling
from deploybot.yours import Told

BLOCKS = 50
NEWEST_LINES = 15
MOST_BULLETS = 50
_BULLET = "• "
_TONES = {"loud": "🚨 ", "good": "✅ ", "warning": "⚠️ ", "bad": "❌ "}


@dataclass(frozen=True)
class Look:
    """What drawing needs beside the telling: names, the thread's id and page, a deploy's steps."""

    people: People
    thread: str
    url: str = ""
    progress: Sequence[dict[str, Any]] = ()


@dataclass(frozen=True)
class Drawing:
    """One message as Slack takes it; `text` is what notifications and screen readers get."""

    text: str
    blocks: tuple[Json, ...]

    @property
    def digest(self) -> str:
        """Return what tells this drawing from another, 16 hex digits."""
        canonical = json.dumps([self.text, self.blocks], sort_keys=True)
        return hashlib.sha256(canonical.encode()).hexdigest()[:16]


def draw(telling: Telling, look: Look) -> Drawing:  # noqa: PLR0911 - a case a telling
    """Return how the telling looks now."""
    match telling:
        case Card():
            blocks = card_blocks(telling, look.people, look.progress, look.url)
            return _drawing(card_text(telling, look.people), blocks)
        case Asked():
            blocks = question_blocks(telling, look.people, look.thread, look.url)
            return _drawing(question_text(telling), blocks)
        case Opening():
            text = _began(telling, look.people)
            return _drawing(escape(text, 3000), _opening(telling, text, look))
        case Shown():
            return _drawing(shown_text(telling), shown_blocks(telling, look.url))
        case Said(by=by) if by:
            return draw(replace(telling, text=telling.worded(look.people.name), by=""), look)
        case Said(tone="plain") if (plain := unsigned(telling.text)) != telling.text:
            return draw(replace(telling, text=plain), look)
        case Said():
            return _drawing(
                _TONES.get(telling.tone, "") + escape(telling.text), _said(telling, look)
            )
        case _:
            raise TypeError(f"{type(telling).__name__} is not shown in a channel")


def personal(told: Told, url: str) -> Drawing:
    """Return what one author is told of their own commits."""
    parts = [section(words(told.text))]
    if told.commits:
        parts.append(bullets([words(line(commit, 200))] for commit in told.commits))
    blocks = [rich(*parts)]
    if url:
        link = {"type": "mrkdwn", "text": f"<{url}|Everything about this thread>"}
        blocks.append({"type": "context", "elements": [link | {"verbatim": True}]})
    return _drawing(escape(told.text), blocks)


def _drawing(text: str, blocks: list[Json]) -> Drawing:
    return Drawing(text if text.strip() else "…", tuple(blocks[:BLOCKS]))


def _began(opening: Opening, people: People) -> str:
    return f"{people.name(opening.by)} {opening.text}" if opening.by else opening.text


def _opening(opening: Opening, text: str, look: Look) -> list[Json]:
    heading, _, rest = text.partition("\n")
    parts = [section(words(heading, 2500, bold=True))]
    if rest.strip():
        parts.append(section(words(rest.strip(), 2500)))
    shown = opening.lines[-NEWEST_LINES:]
    if shown:
        parts.append(bullets(ticked(line(text, 300)) for text in shown))
    blocks = [rich(*parts)]
    if look.url:
        link = {"type": "mrkdwn", "text": f"<{look.url}|Everything about this thread>"}
        blocks.append({"type": "context", "elements": [link | {"verbatim": True}]})
    return blocks


def _known(mention: tuple[str, ...], people: People) -> tuple[str, ...]:
    """Return who is to notice, by id; an author whom nobody knows is called by nothing here."""
    found = (
        people.by_email(name.partition(":")[2]) if name.startswith("email:") else name
        for name in mention
    )
    return tuple(dict.fromkeys(name for name in found if not name.startswith("email:")))


def _said(said: Said, look: Look) -> list[Json]:
    slack = {one.id: one.slack for one in look.people.known}
    said = replace(said, mention=_known(said.mention, look.people))
    parts = _paragraphs(cut(_TONES.get(said.tone, "") + clean(said.text), 2800))
    noticed: list[Json] = []
    for name in said.mention:
        user = slack.get(name) or (name.partition(":")[2] if name.startswith("slack:") else "")
        noticed += [words(" "), person(user) if user else words(f"@{look.people.name(name)}")]
    if parts[-1]["type"] == "rich_text_section":
        parts[-1]["elements"] += noticed
    elif noticed:
        parts.append(section(*noticed))
    if said.detail:
        parts.append(output(said.detail))
    return [rich(*parts)]


def _paragraphs(text: str) -> list[Json]:
    """Return what is said, with rows that begin with a bullet as a list."""
    rows = text.split("\n")
    if sum(row.startswith(_BULLET) for row in rows) > MOST_BULLETS:
        return [section(*ticked(text, 2800))]
    parts: list[Json] = []
    for is_list, group in groupby(rows, lambda row: row.startswith(_BULLET)):
        if is_list:
            parts.append(bullets(ticked(row.removeprefix(_BULLET), 2800) for row in group))
        else:
            parts.append(section(*ticked("\n".join(group), 2800)))
    return parts
