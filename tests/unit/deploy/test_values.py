import pytest
from pydantic import TypeAdapter, ValidationError

from deploy.values import Argv, Branch, Url


@pytest.mark.parametrize("argv", [[], [""], ["make\0"], ["make", "{nobody}"]])
def test_a_command_that_could_not_run_as_written_is_refused(argv):
    with pytest.raises(ValidationError):
        TypeAdapter(Argv).validate_python(argv)


@pytest.mark.parametrize(
    "url", ["ftp://host", "http://", "http://ann:pw@host", "http://host?x", "http://host#x", "host"]
)
def test_an_address_that_is_not_plain_is_refused(url):
    with pytest.raises(ValidationError):
        TypeAdapter(Url).validate_python(url)


def test_an_address_ends_without_a_slash():
    assert TypeAdapter(Url).validate_python("https://host/base/") == "https://host/base"


@pytest.mark.parametrize("branch", ["-x", "a b", "*", "a*b", "a\n", "--contains"])
def test_a_branch_pattern_that_git_could_misread_is_refused(branch):
    with pytest.raises(ValidationError):
        TypeAdapter(Branch).validate_python(branch)
