"""What a log line looks like, and what never stands in one."""

import io
import json
import logging
from collections.abc import Iterator

import pytest

from deploybot import logs
from deploybot.redaction import REMOVED, Redactor

logger = logging.getLogger("deploybot.tests")
SECRET = "hunter2-hunter2"


@pytest.fixture
def lines(monkeypatch: pytest.MonkeyPatch) -> Iterator[io.StringIO]:
    formatter = logs._Formatter("%(levelname)s %(message)s")
    formatter.redactor = Redactor([SECRET])
    monkeypatch.setattr(logs, "_FORMATTER", formatter)
    written = io.StringIO()
    handler = logging.StreamHandler(written)
    handler.setFormatter(formatter)
    root, level = logging.getLogger(), logger.level
    root.addHandler(handler)
    yield written
    root.removeHandler(handler)
    logging.getLogger("deploybot").setLevel(level)


def test_a_plain_line_is_constant_text_and_what_it_is_about(lines: io.StringIO) -> None:
    logs.configure()

    logger.info("woke threads", extra={"woken": 3})

    assert lines.getvalue() == "INFO woke threads [woken=3]\n"


def test_a_line_of_json_is_one_object_with_typed_values(lines: io.StringIO) -> None:
    logs.configure("json")

    logger.warning("slow", extra={"ms": 12.5, "thread_id": "t1"})

    line = json.loads(lines.getvalue())
    assert (line["level"], line["message"], line["ms"]) == ("warning", "slow", 12.5)
    assert line["logger"] == "deploybot.tests"
    assert line["at"].endswith("+00:00")


def test_what_a_block_is_about_is_on_every_line_within(lines: io.StringIO) -> None:
    logs.configure("json")

    with logs.about(request_id="r1"), logs.about(thread_id="t1"):
        logger.info("inside")
    logger.info("outside")

    inside, outside = map(json.loads, lines.getvalue().splitlines())
    assert (inside["request_id"], inside["thread_id"]) == ("r1", "t1")
    assert "request_id" not in outside


def test_lines_below_the_level_are_not_written(lines: io.StringIO) -> None:
    logs.configure(level="warning")

    logger.info("nothing")
    logger.warning("something")

    assert lines.getvalue() == "WARNING something\n"


@pytest.mark.parametrize("form", ["plain", "json"])
def test_a_secret_is_in_no_line_nor_in_its_trace(lines: io.StringIO, form: str) -> None:
    logs.configure(form)

    try:
        int(f"http://u:{SECRET}@host")
    except ValueError:
        logger.exception("failed", extra={"why": f'it says "{SECRET}"', "at_host": "a@b"})

    assert SECRET not in lines.getvalue()
    assert REMOVED in lines.getvalue()
    assert "Traceback" in lines.getvalue()


def test_a_line_stays_json_whatever_stands_in_it(lines: io.StringIO) -> None:
    logs.configure("json")

    logger.info("odd", extra={"url": "http://host", "who": 'a"@b\n', "password": "x" * 20})

    assert json.loads(lines.getvalue())["who"] == 'a"@b\n'


def test_configuring_twice_writes_no_line_twice() -> None:
    before = len(logging.getLogger().handlers)

    logs.configure()
    logs.configure("json")
    logs.configure()

    assert len(logging.getLogger().handlers) <= before + 1


def test_libraries_that_quote_mails_say_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure()

    for name in ("dkimpy", "flufl.bounce"):
        logging.getLogger(name).error("incomplete public key: approve")

    assert "approve" not in capsys.readouterr().err
