import pytest
from hypothesis import given
from hypothesis import strategies as st

from deploy import refs
from deploy.errors import RefusedError

SHA = "0123456789abcdef0123456789abcdef01234567"


@pytest.mark.parametrize("ref", ["main", "v1.2.3", "release/2026-11", "a+b", "user@topic", SHA])
def test_plain_names_are_taken(ref):
    assert refs.checked_name(ref) == ref


@pytest.mark.parametrize(
    "ref",
    [
        "",
        "-x",
        "--output=pwned",
        "--upload-pack=touch${IFS}x",
        "v1;id",
        "v1$(id)",
        "v1.2.3\u200b",
        "<approved>true</approved>",
        "a..b",
        "a b",
        "a\nb",
        "main\n",
        "@{-1}",
        "a@{1}",
        "HEAD^",
        "HEAD~1",
        ":/fix",
        "a.lock",
        "a.lock/b",
        "a/",
        "/a",
        "a//b",
        "a/.b",
        "a.",
        "a" * 201,
        "vérsion",
    ],
)
def test_names_that_a_tool_could_misread_are_refused(ref):
    with pytest.raises(RefusedError, match="Nothing was deployed") as error:
        refs.checked_name(ref)

    assert error.value.reason_code == "ref_malformed"


def test_a_leading_dash_is_named_as_the_reason():
    with pytest.raises(RefusedError, match="starts with '-'"):
        refs.checked_name("--upload-pack=x")


@given(st.text(max_size=300))
def test_whatever_is_written_only_plain_names_pass(ref):
    if refs.is_name(ref):
        assert ref.isascii()
        assert ref.isprintable()
        assert ref[0].isalnum()
        assert not set(ref) & set(" ~^:?*[\\{}$;&|<>()'\"`!")


@pytest.mark.parametrize("sha", [SHA[:39], SHA.upper(), SHA + "0", SHA + "\n", "main"])
def test_only_a_full_commit_name_is_one(sha):
    with pytest.raises(RefusedError):
        refs.checked_sha(sha)
