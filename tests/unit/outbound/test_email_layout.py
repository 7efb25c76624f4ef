import re
from html.parser import HTMLParser
from importlib import resources
from typing import Any

import pytest
from fakes import NOON, PEOPLE
from hypothesis import given
from hypothesis import strategies as st
from letters import MAIL, parsed
from slack_cards import card, plan, question, request

from deploybot.events import EmailReceived
from deploybot.outbound.email_layout import COLUMNS, wrapped
from deploybot.outbound.email_letters import letters
from deploybot.outbound.email_rendering import message
from deploybot.telling import CardState, Said, Shown, Telling
from deploybot.thread import Thread

CLASSES = re.compile(r'class="([^"]*)"')
TEMPLATES = resources.files("deploybot.outbound").joinpath("templates")
EVE = EmailReceived(
    at=NOON,
    by="eve",
    delivery="m1",
    address="eve@shop.example",
    name="Eve",
    subject="Ship it",
    text="please",
    message_id="<1@shop.example>",
)
LONG = (
    "so many words that they do not fit on one line of a terminal, and then some more of them " * 2
)
TOLD: dict[str, Telling] = {
    "asks": card(CardState.OPEN, request=request(reason=LONG)),
    "two": card(CardState.OPEN, request=request(more=(plan(service="frontend"),))),
    "failed": card(CardState.FAILED, LONG, detail=("make: *** Error 1",)),
    "later": card(CardState.SCHEDULED, "", request=request(start_at=NOON)),
    "question": question(LONG, format="multiple_choice", choices=(LONG, "stop"), urgency="medium"),
    "said": Said("said:2", f"{LONG}\n• one\n• {LONG}", detail=("line " * 30,)),
    "dry run": Shown("said:2", (plan(),), NOON),
}


class Words(HTMLParser):
    """What a page says, and how it is made."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.said: list[str] = []
        self.style = ""
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self._in = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in ("meta", "br"):
            self._in = tag

    def handle_data(self, data: str) -> None:
        if self._in == "style":
            self.style += data
        elif self._in not in ("title", "a"):
            self.said += data.split()

    def handle_endtag(self, tag: str) -> None:
        self._in = ""


def mail(told: Telling) -> Any:
    """Return the mail that Eve gets, who began the thread, or that Mia got the card before."""
    sent = {} if getattr(told, "state", "") == CardState.OPEN else {"card:r1@mia": "{}"}
    letter = letters(Thread("t", (EVE,)), (told,), sent, PEOPLE, MAIL)[0]
    return message(letter, settings=MAIL, people=PEOPLE, url="https://bot.example/t", now=NOON)


@pytest.fixture(params=TOLD)
def written(request: pytest.FixtureRequest) -> Any:
    return mail(TOLD[request.param])


def test_the_text_leaves_out_nothing_that_the_page_says(written: Any) -> None:
    def bare(words: list[str]) -> set[str]:
        return {word.strip(".:").casefold() for word in words}

    said = Words(parsed(written, "html")).said

    assert said
    assert bare(said) - bare(parsed(written, "plain").split()) == set()


def test_lines_fit_into_a_terminal_but_for_what_cannot_be_broken(written: Any) -> None:
    lines = parsed(written, "plain").splitlines()

    long = [line for line in lines if len(line) > COLUMNS and " " in line.strip()]

    assert [line for line in long if not line.startswith("  line line")] == [], (
        "output stays as it is"
    )


def test_no_style_is_lost_on_programs_that_read_none_but_the_tags(written: Any) -> None:
    page = Words(parsed(written, "html"))

    bare = [tag for tag, its in page.tags if its.get("class", "") and not its.get("style")]

    assert bare == []
    assert re.sub(r"@media[^{]*\{(?:[^{}]*\{[^{}]*\})*\s*\}", "", page.style).strip() == ""


def test_dark_mode_stands_beside_it_and_nothing_is_fetched_from_anywhere(written: Any) -> None:
    html = parsed(written, "html")
    page = Words(html)

    assert "@media (prefers-color-scheme: dark)" in page.style
    assert ("meta", {"name": "color-scheme", "content": "light dark"}) in page.tags
    assert {tag for tag, _ in page.tags} & {"img", "link", "script", "iframe", "object"} == set()
    assert not re.search(r"url\(|@import|\bsrc=|background=", html)
    links = [its["href"] or "" for tag, its in page.tags if tag == "a"]
    assert all(re.match(r"mailto:|https://bot\.example/t$", link) for link in links)


def test_every_class_has_its_rules_and_every_rule_its_class() -> None:
    page = TEMPLATES.joinpath("letter.html.j2").read_text()
    sheet = re.sub(r"/\*.*?\*/", "", TEMPLATES.joinpath("letter.css").read_text(), flags=re.DOTALL)

    def quoted(found: re.Match[str]) -> str:
        return " " + " ".join(re.findall(r"' ([a-z]+)'", found[0]))

    named = (re.sub(r"\{\{.*?\}\}", quoted, one) for one in CLASSES.findall(page))
    used = set(" ".join(named).split())
    ruled = set(re.findall(r"\.([a-z]+)(?=[ ,{])", sheet))

    assert ruled - {"good", "bad", "calm"} == used


@given(st.text(), st.integers(0, 4), st.integers(0, 4))
def test_wrapping_keeps_every_word(text: str, indent: int, hang: int) -> None:
    assert wrapped(text, indent, hang).split() == text.split()
