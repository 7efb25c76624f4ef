import logging

from deploybot.quiet import ANSWERED, REFUSED, WINDOW, Quiet


def line(name="deploybot.web.watching", text="answered", at=1000.0, **about) -> logging.LogRecord:
    return logging.makeLogRecord({"name": name, "msg": text, "created": at, **about})


def written(quiet: Quiet, *lines: logging.LogRecord) -> list[str]:
    told = []
    for one in lines:
        told += [f"{x.getMessage()}: {x.left_out} {x.lines}" for x in quiet.told(one.created)]
        told += [one.getMessage()] if quiet.lets(one) else []
    return told


def test_of_many_refusals_alike_some_are_written_and_the_rest_is_counted():
    quiet = Quiet()

    flood = written(quiet, *[line(status=401, route="/slack/events")] * 5000)
    after = written(quiet, line(at=1000.0 + WINDOW, status=200, route="/"))

    assert flood == ["answered"] * REFUSED
    assert after == [f"left out lines that were alike: {5000 - REFUSED} answered", "answered"]


def test_a_refusal_of_another_kind_is_written_in_the_middle_of_a_flood():
    quiet = Quiet()
    written(quiet, *[line(status=401, route="/slack/events")] * 5000)

    others = [
        line(status=401, route="/github/webhook"),
        line(status=503, route="/slack/events"),
        line(name="deploybot.web.problem", text="the store cannot be reached"),
    ]

    assert len(written(quiet, *others)) == 3


def test_what_was_answered_has_more_room_than_what_was_refused():
    quiet = Quiet()

    assert len(written(quiet, *[line(status=200, route="/api/threads")] * 5000)) == ANSWERED


def test_lines_that_nobody_outside_can_cause_are_all_written():
    quiet = Quiet()

    assert len(written(quiet, *[line(name="deploybot.operate", text="x")] * 5000)) == 5000


def test_requests_that_are_none_are_counted_too():
    quiet = Quiet()
    broken = line(name="uvicorn.error", text="Invalid HTTP request received.")

    assert len(written(quiet, *[broken] * 5000)) == REFUSED


def test_the_next_window_has_room_again():
    quiet = Quiet()
    written(quiet, *[line(status=401)] * 50)

    after = written(quiet, *[line(status=401, at=1000.0 + WINDOW)] * 50)

    assert after.count("answered") == REFUSED
