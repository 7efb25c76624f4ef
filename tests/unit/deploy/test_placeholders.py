import pytest
from hypothesis import given
from hypothesis import strategies as st

from deploy import placeholders


def test_values_are_filled_in_and_words_without_a_value_stay():
    argv = placeholders.fill(("run", "--sha={sha}", "{port}", "{{literal}}"), {"sha": "abc"})

    assert argv == ("run", "--sha=abc", "{port}", "{literal}")


def test_a_value_is_never_read_as_a_placeholder_again():
    assert placeholders.fill(("{url}",), {"url": "{sha}", "sha": "abc"}) == ("{sha}",)


@pytest.mark.parametrize("argument", ["{", "}", "{sha", "a}b"])
def test_lonely_braces_are_refused(argument):
    with pytest.raises(ValueError, match="braces"):
        placeholders.used((argument,))


def test_the_words_in_use_are_known():
    assert placeholders.used(("{sha}", "x{port}{sha}")) == {"sha", "port"}


@given(st.dictionaries(st.sampled_from(sorted(placeholders.KNOWN)), st.text()))
def test_no_value_becomes_another_argument_or_another_word(values):
    def value(name: str) -> str:
        return values.get(name, f"{{{name}}}")

    filled = placeholders.fill(("tool", "--to={environment}", "{sha}", "{url}/{release}"), values)

    assert filled == (
        "tool",
        f"--to={value('environment')}",
        value("sha"),
        f"{value('url')}/{value('release')}",
    )
