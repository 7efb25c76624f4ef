"""A rule that nobody can meet stops the start, with the environment and the reason."""

from pathlib import Path

import pytest

from deploybot.config import read_configuration
from deploybot.errors import ConfigError

PEOPLE = """
[people.ann]
name = "Ann"
[people.ben]
name = "Ben"
[people.cleo]
name = "Cleo"
[people.dan]
name = "Dan"
"""
GROUPS = """
[groups.leads]
people = ["ann", "ben"]
[groups.security]
people = ["ben", "cleo"]
[groups.lonely]
people = ["ben"]
[groups.slack]
slack = "S0123456789"
"""
AWAY = '[[people.{}.away]]\nbegins = 2026-12-21\nends = 2027-01-03\nto = "{}"\n'


def started(folder: Path, rule: str, more: str = "") -> None:
    file = folder / "deploybot.toml"
    file.write_text(f"{PEOPLE}{GROUPS}{more}\n[environments.production]\nservices = {{}}\n{rule}\n")
    read_configuration(file)


def refused(folder: Path, rule: str, more: str = "") -> str:
    with pytest.raises(ConfigError) as error:
        started(folder, rule, more)
    return str(error.value)


IMPOSSIBLE: dict[str, tuple[str, str]] = {
    "nobody": ("", "nobody may approve"),
    "quorum over people": (
        'approvers = ["ann", "@leads"]\nquorum = 3',
        "quorum is 3 and only 2 may approve",
    ),
    "one approver without self-approval": ('approvers = ["ann"]', "nobody could approve"),
    "a group of one": ('approvers = ["@lonely"]', "nobody could approve"),
    "the same person for two groups": (
        'one_from_each = ["lonely", "security"]\napprovers = ["ann"]\nquorum = 1',
        "what ben asks for, nobody could approve for lonely",
    ),
    "two groups that are one person": (
        'one_from_each = ["lonely", "twin"]',
        "nobody is left for twin",
    ),
    "an unknown group": ('approvers = ["@lead"]', "approvers: no group 'lead' in [groups]"),
    "an unknown group of each": ('one_from_each = ["lead"]', "one_from_each: no group 'lead'"),
    "an unknown group later on": (
        'approvers = ["ann", "ben"]\nescalate_to = ["@x"]\nescalate_after_seconds = 60',
        "escalate_to: no group 'x'",
    ),
    "an unknown group for emergencies": (
        'approvers = ["ann", "ben"]\nbreak_glass = ["@x"]',
        "break_glass: no group 'x'",
    ),
    "a stranger": ('approvers = ["ann", "zoe"]', "approvers names 'zoe', who is not in [people]"),
    "a stranger for emergencies": (
        'approvers = ["ann", "ben"]\nbreak_glass = ["zoe"]',
        "break_glass names 'zoe'",
    ),
    "a stranger who is quiet": ('approvers = ["ann", "ben"]\nquiet = ["zoe"]', "quiet names 'zoe'"),
    "somebody twice": ('approvers = ["ann", "ann"]', "approvers: a person is named twice"),
    "an escalation to nobody": (
        'approvers = ["ann", "ben"]\nescalate_after_seconds = 60',
        "escalate_to and escalate_after_seconds go together",
    ),
    "an escalation after the end": (
        'approvers = ["ann", "ben"]\nescalate_to = ["cleo"]\nescalate_after_seconds = 1800',
        "escalate_after_seconds is not less than expires_seconds",
    ),
    "a reminder after the end": (
        'approvers = ["ann", "ben"]\nremind_after_seconds = 2000',
        "remind_after_seconds is not less than expires_seconds",
    ),
    "an emergency that skips nothing": (
        'approvers = ["ann", "ben"]\nbreak_glass = ["ann"]\nbreak_glass_skips = []',
        "break_glass_skips",
    ),
}


@pytest.mark.parametrize("case", IMPOSSIBLE)
def test_a_policy_nobody_can_meet_is_refused_at_the_start_with_the_reason(
    tmp_path: Path, case: str
) -> None:
    rule, says = IMPOSSIBLE[case]
    twin = '[groups.twin]\npeople = ["ben"]\n' if "twin" in rule else ""

    said = refused(tmp_path, rule, twin)

    assert "environments.production" in said
    assert says in said
    assert said.count("\n") == 0
    assert "Nothing was started" in said


@pytest.mark.parametrize(
    ("away", "says"),
    [
        (AWAY.format("ann", "zoe"), "people.ann.away names 'zoe', who is not in [people]"),
        (AWAY.format("ann", "ann"), "people.ann.away names themselves"),
        (
            AWAY.format("ann", "ben"),
            "environments.production could not be approved from 2026-12-21",
        ),
        (AWAY.format("ann", "ben") + AWAY.format("ben", "ann"), "while ann and ben are away"),
    ],
    ids=["a stranger", "themselves", "who is asked anyway", "only delegates away"],
)
def test_who_is_away_with_nobody_left_to_answer_stops_the_start(
    tmp_path: Path, away: str, says: str
) -> None:
    rule = 'approvers = ["ann", "ben"]\nquorum = 2\nrequester_may_approve = true'

    assert says in refused(tmp_path, rule, away)


@pytest.mark.parametrize(
    "rule",
    [
        'approvers = ["@leads", "cleo"]\nquorum = 2',
        'one_from_each = ["leads", "security"]\napprovers = ["dan"]\nrequester_may_approve = true',
        'one_from_each = ["leads", "security", "slack"]',
        'approvers = ["ann"]\nescalate_to = ["dan"]\nescalate_after_seconds = 60',
    ],
    ids=["a group and a person", "overlapping groups", "Slack knows who", "the next people"],
)
def test_what_can_be_met_is_taken(tmp_path: Path, rule: str) -> None:
    started(tmp_path, rule)


def test_somebody_away_whose_delegate_counts_alone_is_no_hindrance(tmp_path: Path) -> None:
    rule = 'approvers = ["ann", "ben"]\nquorum = 2\nrequester_may_approve = true'

    started(tmp_path, rule, AWAY.format("ann", "dan"))
