import pytest
from fakes import catalog
from story import Story

from deploybot.approvals import ApprovalRequest
from deploybot.cli.changing import Changes
from deploybot.errors import ConfigError
from deploybot.next_step import DeployTogether, Part


@pytest.fixture
def request_() -> ApprovalRequest:
    parts = tuple(Part(service=name, ref="main") for name in ("backend", "frontend"))
    step = DeployTogether(parts=parts, environment="production", reason="")
    story = Story(table=catalog(verified_in=None)).model_will(step).person_says("go")
    return story.request


def parts(changes: Changes, request: ApprovalRequest) -> list[tuple[str, str]]:
    return [(part["service"], part["ref"]) for part in changes.of(request)["parts"]]


def test_what_is_not_named_stays_as_it_is(request_):
    body = Changes(start="23:00", why="later").of(request_)

    assert body == {
        "request": request_.id,
        "digest": request_.digest,
        "comment": "later",
        "start": "23:00",
    }


def test_refs_orders_and_services_that_are_left_out(request_):
    changed = Changes(refs=("frontend=v1.1.0",), order=("frontend",))

    assert parts(changed, request_) == [("frontend", "v1.1.0"), ("backend", "main")]
    assert parts(Changes(left_out=("backend",)), request_) == [("frontend", "main")]


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        (Changes(), "Say what is to be different"),
        (Changes(refs=("v1.1.0",)), "say which, as --ref backend=v1.1.0"),
        (Changes(refs=("orders=v1",)), "not about orders"),
        (Changes(left_out=("orders",)), "not about orders"),
    ],
)
def test_what_makes_no_sense_of_this_request_is_not_sent(request_, changes, says):
    with pytest.raises(ConfigError, match=says):
        changes.of(request_)
