"""Plain values as YAML: what is read back is what was written, and nothing hides in between."""

import json
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from naughty import NAUGHTY

from deploybot.prompting import values

TEXT = st.one_of(
    st.sampled_from(NAUGHTY),
    st.text(max_size=60),
    st.text("<>&/\n: -'\"\\u#,[]{}?!a1.", max_size=20),
)
KEY = st.one_of(TEXT, st.sampled_from(["from", "text", "yes", "null", "a-b", "on", "1"]))
VALUE = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), TEXT),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(KEY, inner, max_size=4)),
    max_leaves=12,
)


def hides_nothing(text: str) -> bool:
    return not set("<>&") & set(text) and all(c == "\n" or c.isprintable() for c in text)


@settings(deadline=None, max_examples=300)
@given(VALUE)
def test_a_block_is_read_back_as_what_was_written(body: Any) -> None:
    text = values.block(body)

    assert (yaml.safe_load(text) if text else {}) == body
    assert hides_nothing(text)


@settings(deadline=None, max_examples=300)
@given(VALUE)
def test_a_flow_is_one_line_and_read_back_as_what_was_written(body: Any) -> None:
    text = values.flow(body)

    assert yaml.safe_load(text) == body
    assert "\n" not in text
    assert hides_nothing(text)


@settings(deadline=None, max_examples=200)
@given(st.dictionaries(TEXT, VALUE, max_size=3))
def test_json_is_read_back_as_what_was_written(body: Any) -> None:
    text = values.as_json(body)

    assert json.loads(text) == body
    assert hides_nothing(text)


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ({"from": "ann", "text": "deploy it, please"}, "from: ann\ntext: deploy it, please\n"),
        ({"text": "one\ntwo"}, "text: |-\n  one\n  two\n"),
        ({"text": "yes"}, 'text: "yes"\n'),
        ({"text": "</a>"}, 'text: "\\u003c/a\\u003e"\n'),
        (["v1.2.3 b81d2f4", "fix: it"], '- v1.2.3 b81d2f4\n- "fix: it"\n'),
        ({"live": {"backend": "b81d2f4"}}, "live: {backend: b81d2f4}\n"),
        ({"rows": ["a", "b"]}, "rows:\n- a\n- b\n"),
    ],
)
def test_what_is_harmless_is_written_as_people_would(body: Any, text: str) -> None:
    assert values.block(body) == text
