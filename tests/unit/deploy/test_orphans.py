import subprocess
import sys

import pytest

from deploy import orphans

SLEEPER = [
    sys.executable,
    "-S",
    "-E",
    "-c",
    "import signal; print('up', flush=True); signal.pause()",
]


@pytest.fixture(name="sleeper")
def _sleeper():
    process = subprocess.Popen(
        SLEEPER, env={"OPERATION": "a-1"}, start_new_session=True, stdout=subprocess.PIPE
    )
    assert process.stdout is not None
    process.stdout.readline()
    yield process
    process.kill()
    process.communicate()


def test_what_a_session_left_behind_is_ended(sleeper):
    assert orphans.end(sleeper.pid, "OPERATION=a-1") == 1

    assert sleeper.wait(10) == -9


def test_a_session_of_the_same_number_that_is_somebody_elses_is_left_alone(sleeper):
    assert orphans.end(sleeper.pid, "OPERATION=a-2") == 0
    assert orphans.end(sleeper.pid, "OPERATION=a") == 0
    assert orphans.end(1, "OPERATION=a-1") == 0

    assert sleeper.poll() is None


def test_a_boot_has_a_name():
    assert len(orphans.boot()) == 36
