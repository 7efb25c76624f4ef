import pytest
from office import DEAD, Office
from story import Story


@pytest.fixture
def office(story: Story) -> Office:
    return Office(story)


def test_a_running_process_is_healthy_and_ready(office: Office) -> None:
    client = office.client()

    assert client.get("/healthz").json() == {"status": "ok"}
    assert client.get("/readyz").status_code == 200


def test_a_process_that_could_lose_threads_is_not_ready_and_says_why(office: Office) -> None:
    client = office.client(ready=lambda: ("appendonly must be yes",))

    answer = client.get("/readyz")

    assert (answer.status_code, answer.json()["reasons"]) == (503, ["appendonly must be yes"])
    assert client.get("/healthz").status_code == 200


@pytest.mark.parametrize("error", [*DEAD, OSError("gone")])
def test_a_process_without_its_store_is_not_ready(office: Office, error: Exception) -> None:
    def ready() -> tuple[str, ...]:
        raise error

    assert office.client(ready=ready).get("/readyz").status_code == 503
