"""Server-Sent Events, as servers may send them."""

from deploybot.cli.event_stream import Message, messages


def read(text: str) -> list[Message]:
    return list(messages(text.encode().splitlines(keepends=True)))


def test_a_message_has_an_id_a_name_and_data():
    assert read("id: 3\nevent: status\ndata: {}\n\n") == [Message("status", "{}", "3")]


def test_data_of_several_lines_is_one_text():
    assert read("data: a\ndata:b\n\n") == [Message("", "a\nb", "")]


def test_an_id_holds_for_what_follows_and_a_name_does_not():
    assert read("id: 1\nevent: x\ndata: a\n\ndata: b\n\n") == [
        Message("x", "a", "1"),
        Message("", "b", "1"),
    ]


def test_beats_and_comments_say_nothing():
    assert read(": ping\n\nretry: 5\n\n:\n\ndata: a\r\n\r\n") == [Message("", "a", "")]


def test_what_broke_off_in_the_middle_is_left_out():
    assert read("data: a\n\nid: 2\ndata: half") == [Message("", "a", "")]
