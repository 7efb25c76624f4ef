"""What reaches a terminal: nothing that it would obey, and nothing that hides."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from naughty import NAUGHTY

from deploybot.cli.terminal import harmless, one_line, to_json

OBEYED = [chr(code) for code in (*range(0x20), *range(0x7F, 0xA0)) if chr(code) not in "\t\n"]
TURNS = ["\u202a", "\u202e", "\u2066", "\u2069", "\u200f", "\u061c"]
HIDES = ["\u200b", "\u2060", "\ufeff", "\U000e0041", "\u2028"]


@pytest.mark.parametrize("bad", [*OBEYED, *TURNS, *HIDES])
def test_what_is_obeyed_turns_or_hides_is_made_visible(bad):
    shown = harmless(f"a{bad}b")

    assert bad not in shown
    assert shown.isprintable()
    assert len(shown) > 2


def test_an_escape_stays_readable():
    assert harmless("fix \x1b[31mred\x1b]0;title\x07") == "fix ␛[31mred␛]0;title␇"


@given(st.text() | st.sampled_from(NAUGHTY))
def test_nothing_harmful_is_left_of_any_text(text):
    for shown in (harmless(text), to_json({"a": text})):
        assert not set(shown) & {*OBEYED, *TURNS, *HIDES}
    assert "\n" not in one_line(text)


@given(st.text())
def test_json_says_the_same_however_it_is_escaped(text):
    assert json.loads(to_json({"a": text})) == {"a": text}
    assert json.loads(to_json([text], lines=True)) == [text]


@given(st.text())
def test_json_lines_are_lines(text):
    assert len(to_json({"a": text}, lines=True).splitlines()) == 1


@given(st.text(alphabet=st.characters(categories=["L", "N", "P", "Sm"])))
def test_plain_words_of_any_language_stay_as_they_are(text):
    assert harmless(text) == text
