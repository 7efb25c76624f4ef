"""Who may answer in Slack, asked of Slack at the click and at the start: guests, bots, groups, addresses."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from fakes import catalog
from slack_bot import bot, served
from slack_office import Office, opened

from deploybot.demo.workspace import Fault, Person, UserGroup, actions
from deploybot.events import AnswerRefused, ApprovalGranted, SlackMessageReceived, StepFailed
from deploybot.outbox import tellings
from deploybot.slack_directory import CLICK_SECONDS
from deploybot.telling import Card, CardState

NAMES = ("ann", "ben", "eve", "mia", "zoe")
SLACKS_OWN_WAIT = 3.0


def people(**changes: dict[str, Any]) -> tuple[Person, ...]:
    """Return everybody, each with an address; some with flags."""
    return tuple(
        Person(
            **{"id": f"U0{name.upper()}", "name": name, "email": f"{name}@shop.example"}
            | changes.get(name, {})
        )
        for name in NAMES
    )


@contextmanager
def company(**given: Any) -> Iterator[Office]:
    """Open an office that asks Slack who may answer, with a request that Eve made."""
    given = {"people": people(), "delivery_timeout": 20.0} | given
    with opened(asks_slack=True, **given) as office, served(bot(office.desk)) as url:
        office.server.bot_url = url
        office.proposed()
        yield office


def led_by(*members: str, slack: str = "S0LEADS") -> dict[str, Any]:
    """Return an environment that leads approve for, and those who are leads in Slack."""
    group = UserGroup(id="S0LEADS", handle="leads", name="Leads", users=tuple(members))
    return {
        "table": catalog(groups={"leads": {"slack": slack}}, approvers=["@leads"]),
        "groups": (group,),
    }


def change(office: Office, **settings: Any) -> None:
    """Let something be changed in Slack, and more than a minute pass."""
    server = office.server
    server.settings = server.settings.model_copy(update=settings)
    forgets(office)


def forgets(office: Office) -> None:
    """Let what was looked up be of no use any more, as after a minute or in another process."""
    office.story.directory._kept.clear()  # type: ignore[union-attr]


def refusals(office: Office) -> list[AnswerRefused]:
    office.tell()
    return [event for event in office.story.thread.events if isinstance(event, AnswerRefused)]


FLAGS = [
    ({"is_restricted": True}, "account_guest", "You are a guest"),
    ({"is_ultra_restricted": True}, "account_guest", "You are a guest"),
    ({"is_bot": True}, "account_bot", "Bots and apps may not"),
    ({"is_stranger": True}, "account_foreign", "another workspace"),
    ({"team_id": "T0OTHER"}, "account_foreign", "another workspace"),
]


@pytest.mark.parametrize(("flags", "code", "says"), FLAGS)
@pytest.mark.parametrize("action", ["approve", "deny"])
def test_an_account_that_may_not_answer_is_told_why_and_nothing_runs(
    flags: dict[str, Any], code: str, says: str, action: str
) -> None:
    with company(people=people(ben=flags)) as office:
        office.click("ben", action, office.card("r1"))
        office.works()

        (refused,) = refusals(office)
        assert (refused.reason_code, refused.by) == (code, "ben")
        assert says in office.whispers()[0]
        assert "nothing changed" in refused.text
        assert office.view("U0BEN") is None
        assert office.story.deployer.ran == []


@pytest.mark.parametrize(("flags", "code", "says"), FLAGS)
def test_a_stranger_hears_first_what_is_wrong_with_the_account(
    flags: dict[str, Any], code: str, says: str
) -> None:
    with company(people=people(zoe=flags)) as office:
        office.click("zoe", "approve", office.card("r1"))

        assert [one.reason_code for one in refusals(office)] == [code]
        assert says in office.whispers()[0]


def test_a_full_member_approves_and_it_is_asked_again_at_the_start() -> None:
    with company() as office:
        office.click("ben", "approve", office.card("r1"))
        forgets(office)
        asked = len(office.server.ledger.entries(method="users.info"))
        office.works()

        assert office.story.deployer.ran
        assert len(office.server.ledger.entries(method="users.info")) == asked + 1


@pytest.mark.parametrize("flags", [{"deleted": True}, {"is_restricted": True}])
def test_an_account_that_changed_after_its_approval_starts_nothing(flags: dict[str, Any]) -> None:
    with company() as office:
        office.click("ben", "approve", office.card("r1"))
        change(office, people=people(ben=flags))
        office.works()

        assert office.story.deployer.ran == []
        card = next(t for t in tellings(office.story.thread) if isinstance(t, Card))
        assert card.state is CardState.SUPERSEDED
        assert "ben may not answer any more" in card.note


# -- one person by a verified address ---------------------------------------------------


def test_a_verified_address_says_who_somebody_is_though_no_id_is_configured() -> None:
    with company() as office:
        office.click("mia", "approve", office.card("r1"))
        office.works()

        (granted,) = (e for e in office.story.thread.events if isinstance(e, ApprovalGranted))
        assert (granted.by, granted.channel) == ("mia", "slack")
        assert office.story.deployer.ran


def test_words_and_commands_of_that_person_are_known_too() -> None:
    with company() as office:
        actions.say(office.server, "mia", "C0DEPLOYS", "wait for me", office.card("r1"))

        said = office.story.thread.events[-1]
        assert isinstance(said, SlackMessageReceived)
        assert (said.by, said.name) == ("mia", "Mia")


@pytest.mark.parametrize(
    ("flags", "code"),
    [
        ({"is_email_confirmed": False}, "unknown_person"),
        ({"email": ""}, "unknown_person"),
        ({"email": "mia@elsewhere.example"}, "unknown_person"),
        ({"is_restricted": True}, "account_guest"),
        ({"is_bot": True}, "account_bot"),
        ({"team_id": "T0OTHER"}, "account_foreign"),
    ],
)
def test_an_address_that_vouches_for_nobody_makes_nobody_known(
    flags: dict[str, Any], code: str
) -> None:
    with company(people=people(mia=flags)) as office:
        office.click("mia", "approve", office.card("r1"))
        office.works()

        (refused,) = refusals(office)
        assert (refused.reason_code, refused.by) == (code, "slack:U0MIA")
        assert office.story.deployer.ran == []


def test_somebody_elses_address_helps_nobody_who_is_configured_by_id() -> None:
    with company(people=people(zoe={"email": "ben@shop.example"}, ben={"email": ""})) as office:
        office.click("zoe", "approve", office.card("r1"))

        assert [one.by for one in refusals(office)] == ["slack:U0ZOE"]


def test_an_address_that_was_given_up_after_the_approval_starts_nothing() -> None:
    with company() as office:
        office.click("mia", "approve", office.card("r1"))
        change(office, people=people(mia={"email": "mia@elsewhere.example"}))
        office.works()

        assert office.story.deployer.ran == []


# -- Slack user groups -------------------------------------------------------------------


@pytest.mark.parametrize("member", ["ben", "mia"])
def test_a_member_of_the_user_group_may_and_others_may_not(member: str) -> None:
    with company(**led_by(f"U0{member.upper()}", "U0ZOE")) as office:
        office.click("ann", "approve", office.card("r1"))
        assert [one.reason_code for one in refusals(office)] == ["not_an_approver"]

        office.click(member, "approve", office.card("r1"))
        office.works()

        assert office.story.deployer.ran


def test_who_leaves_the_group_before_the_click_is_refused() -> None:
    with company(**led_by("U0ANN", "U0BEN")) as office:
        change(office, groups=led_by("U0ANN")["groups"])
        office.click("ben", "approve", office.card("r1"))

        assert [one.reason_code for one in refusals(office)] == ["not_an_approver"]


def test_who_leaves_the_group_between_click_and_start_starts_nothing() -> None:
    with company(**led_by("U0ANN", "U0BEN")) as office:
        office.click("ben", "approve", office.card("r1"))
        change(office, groups=led_by("U0ANN")["groups"])
        office.works()

        assert office.story.deployer.ran == []
        card = next(t for t in tellings(office.story.thread) if isinstance(t, Card))
        assert "ben is no longer in leads" in card.note


@pytest.mark.parametrize("method", ["users.info", "usergroups.users.list"])
@pytest.mark.parametrize(
    ("fault", "says"),
    [
        ({"kind": "status", "status": 500}, "Slack failed"),
        ({"kind": "drop_before"}, "Slack did not answer"),
        ({"kind": "ratelimit"}, "Slack asks to wait"),
        ({"kind": "error", "error": "missing_scope"}, "install it again"),
        ({"kind": "delay", "seconds": 4.0}, "Slack took too long"),
    ],
    ids=["500", "cut", "429", "scope", "slow"],
)
def test_what_cannot_be_looked_up_approves_nothing_and_may_be_tried_again(
    method: str, fault: dict[str, Any], says: str
) -> None:
    with company(**led_by("U0ANN", "U0BEN")) as office:
        forgets(office)
        office.server.faults.add(Fault(method=method, **fault))
        office.click("ben", "approve", office.card("r1"))

        (refused,) = refusals(office)
        assert refused.reason_code == "rights_unknown"
        assert says in refused.text
        assert "Nothing was approved" in refused.text
        forgets(office)
        office.click("ben", "approve", office.card("r1"))
        office.works()
        assert office.story.deployer.ran


def test_a_group_that_is_gone_is_said_so() -> None:
    given = led_by("U0BEN", slack="S0GONE")
    with opened(asks_slack=True, people=people(), **given) as office:
        office.proposed()

        (failed, *_) = (e for e in office.story.thread.events if isinstance(e, StepFailed))
        assert failed.code == "rights_unknown"
        assert "correct its id in deploybot.toml" in failed.error


@pytest.mark.parametrize("method", ["users.info", "usergroups.users.list"])
def test_what_cannot_be_looked_up_at_the_start_starts_nothing(method: str) -> None:
    with company(**led_by("U0ANN", "U0BEN")) as office:
        office.click("ben", "approve", office.card("r1"))
        forgets(office)
        office.server.faults.add(Fault(method=method, kind="status"))
        office.works()

        assert office.story.deployer.ran == []
        failed = [e for e in office.story.thread.events if isinstance(e, StepFailed)]
        assert failed[-1].code == "rights_unknown"
        assert "Nothing was started" in failed[-1].error


def test_all_look_ups_of_a_click_share_half_of_the_time_that_slack_waits() -> None:
    with company(**led_by("U0ANN", "U0MIA")) as office:
        forgets(office)
        each = Fault(kind="delay", seconds=CLICK_SECONDS * 0.6, count=20)
        office.server.faults.add(each)
        office.click("mia", "approve", office.card("r1"))
        office.server.faults.clear()

        assert CLICK_SECONDS <= SLACKS_OWN_WAIT / 2
        (refused,) = refusals(office)
        assert refused.reason_code == "rights_unknown", "one alone would have been in time"


def test_what_was_looked_up_serves_for_a_minute_and_no_longer() -> None:
    with opened(asks_slack=True, people=people()) as office:
        directory: Any = office.story.directory
        time_is = [0.0]
        directory._clock = lambda: time_is[0]

        for seconds in (0, 59, 61, 62):
            time_is[0] = float(seconds)
            directory.refusal("ben", "slack")

        assert len(office.server.ledger.entries(method="users.info")) == 2


def test_over_other_channels_a_guest_is_who_the_configuration_says() -> None:
    with company(people=people(ben={"is_restricted": True})) as office:
        assert office.story.approves(by="ben").accepted


def test_whoever_was_deactivated_approves_over_no_channel() -> None:
    with company(people=people(ben={"deleted": True})) as office:
        receipt = office.story.approves(by="ben")
        office.works()

        assert not receipt.accepted
        assert receipt.reason_code == "account_closed"
        assert "nothing changed" in receipt.text
        assert office.story.deployer.ran == []


def test_other_channels_do_without_a_slack_that_is_down() -> None:
    with company(people=people(ben={"deleted": True})) as office:
        office.server.faults.add(Fault(method="users.info", kind="status"))

        assert office.story.approves(by="ben").accepted
