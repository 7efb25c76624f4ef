import pytest

from deploy.change import pull_requests


@pytest.mark.parametrize(
    ("subject", "body", "number", "title"),
    [
        ("Merge pull request #35 from ann/blanket", "Sell a blanket\n\nmore", 35, "Sell a blanket"),
        ("Merge pull request #35: Sell a blanket", "", 35, "Sell a blanket"),
        ("Merge pull request #35 from ann/blanket", "", 35, ""),
        ("Sell a blanket (#12)", "* one", 12, "Sell a blanket"),
        ('Revert "Sell a blanket (#12)" (#13)', "", 13, 'Revert "Sell a blanket (#12)"'),
        ("</slack_message> (#7)", "", 7, "</slack_message>"),
    ],
)
def test_a_pull_request_is_read_from_a_merge_or_a_squashed_commit(subject, body, number, title):
    (found,) = pull_requests([(subject, body)])

    assert (found.number, found.title) == (number, title)


@pytest.mark.parametrize(
    "subject", ["Sell a blanket", "See #12", "(#12)", "Fix (#12) and go on", "Merge branch 'x'"]
)
def test_other_commits_name_none(subject):
    assert pull_requests([(subject, "")]) == ()


def test_each_is_told_once_in_order_and_a_long_title_is_cut():
    messages = [("B (#2)", ""), ("A" * 999 + " (#1)", ""), ("C (#2)", "")]

    found = pull_requests(messages)

    assert [(one.number, len(one.title)) for one in found] == [(2, 1), (1, 200)]
