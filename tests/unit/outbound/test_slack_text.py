import re
import unicodedata
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deploybot.outbound.slack_text import clean, code, cut, escape, line, moment

texts = st.text() | st.text(st.sampled_from("<>&!@#`*_|^\u202e\u200b\n\t\r\x1b[31m"))


@given(texts, st.integers(2, 200))
def test_escaped_text_holds_no_mark_of_slack_and_keeps_the_limit(text: str, limit: int) -> None:
    escaped = escape(text, limit)

    assert len(escaped) <= limit
    assert "<" not in escaped
    assert ">" not in escaped
    assert not re.search(r"&(?!(amp|lt|gt);)", escaped)


@given(texts)
def test_nothing_invisible_gets_through(text: str) -> None:
    left = {unicodedata.category(c) for c in clean(text) if c not in "\n\t"}

    assert not left & {"Cc", "Cf", "Cs", "Zl", "Zp"}


@given(texts)
def test_cleaning_twice_changes_nothing_more(text: str) -> None:
    assert clean(clean(text)) == clean(text)


@given(texts, st.integers(1, 100))
def test_cut_text_is_never_too_long_and_says_that_it_was_cut(text: str, limit: int) -> None:
    short = cut(text, limit)

    assert len(short) <= limit
    assert short == clean(text) or short.endswith("…")


@given(texts)
def test_a_line_is_one_line(text: str) -> None:
    assert not set("\n\r\t") & set(line(text, 100))


@given(texts)
def test_nothing_breaks_out_of_code(text: str) -> None:
    shown = code(text)

    assert shown.count("`") == 2
    assert shown[0] == shown[-1] == "`"
    assert len(shown) > 2


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        ("\x1b[31mred\x1b[0m", "red"),
        ("\x1b]0;title\x07text", "text"),
        ("a\u202eb\u2066c\u200bd\ufeffe", "abcde"),
        ("one\r\ntwo\rthree\u2028four", "one\ntwo\nthree\nfour"),
        ("naïve 日本 🚀️", "naïve 日本 🚀️"),
    ],
)
def test_what_is_left_is_what_can_be_seen(text: str, seen: str) -> None:
    assert clean(text) == seen


def test_a_time_is_shown_in_the_readers_zone_and_in_utc_where_it_cannot() -> None:
    at = datetime(2026, 3, 2, 12, 3, tzinfo=UTC)

    assert moment(at) == "<!date^1772452980^{time}|12:03 UTC>"
