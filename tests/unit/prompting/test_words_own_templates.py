"""A team's own words: any template from a folder of theirs, checked when a process starts."""

from functools import partial
from pathlib import Path

import pytest
from planning import COMMITS, Play

from deploybot.config import read_settings
from deploybot.errors import ConfigError
from deploybot.models import templates
from deploybot.ports import Prompt
from deploybot.prompting import Templates, build
from deploybot.thread import Thread


def prompt(found: Templates, thread: Thread) -> Prompt:
    return build(
        thread, templates=found, services=("backend",), environments=("staging", "production")
    )


def checked(folder: Path) -> Templates:
    found = templates.read(folder)
    templates.check(folder, found, partial(prompt, found))
    return found


def test_a_template_in_the_folder_stands_for_the_built_in_one(tmp_path: Path) -> None:
    (tmp_path / "deploy.j2").write_text(
        '{% include "built-in/deploy.j2" %}\n\nNever on a Friday.', encoding="utf-8"
    )
    thread = Play().says("hi").thread

    ours, theirs = prompt(templates.read(), thread), prompt(checked(tmp_path), thread)

    assert theirs.system.startswith(ours.system)
    assert theirs.system.endswith("Never on a Friday.")
    assert ours.digest != theirs.digest


def test_one_phrase_can_be_worded_alone(tmp_path: Path) -> None:
    (tmp_path / "events.j2").write_text(
        "{% macro commit(sha, at, author, subject) %}{{ subject }} <{{ sha }}>{% endmacro %}",
        encoding="utf-8",
    )
    play = Play().says("what are the last commits?")
    play.step()
    play.returns(COMMITS[:1])

    text = prompt(checked(tmp_path), play.thread).text

    assert "free shipping \\u003cb6589fc\\u003e" in text


@pytest.mark.parametrize(
    ("name", "source"),
    [
        ("deploy.j2", "{% if %}"),
        ("deploy.j2", "{{ nobody_gave_this }}"),
        ("rollback.j2", "{{ nobody_gave_this }}"),
        ("rules.j2", "{% include 'nowhere.j2' %}"),
        ("events.j2", "{% macro commit(sha) %}{{ sha }}{% endmacro %}"),
    ],
)
def test_a_template_that_cannot_be_used_stops_the_start(
    name: str, source: str, tmp_path: Path
) -> None:
    (tmp_path / name).write_text(source, encoding="utf-8")

    with pytest.raises(ConfigError, match=r"Nothing was started; mend the template"):
        checked(tmp_path)


def test_a_folder_that_is_not_there_stops_the_start(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        templates.read(tmp_path / "nowhere")


def test_folder_and_form_are_settings() -> None:
    given = {"DEPLOYBOT_PROMPTS_DIR": "ours", "DEPLOYBOT_RENDERER": "lines"}

    ours, default = read_settings(given), read_settings({})

    assert (ours.prompts_dir, ours.renderer) == (Path("ours"), "lines")
    assert (default.prompts_dir, default.renderer) == (None, "tags")


def test_an_unknown_form_is_refused_by_name() -> None:
    with pytest.raises(ConfigError, match="DEPLOYBOT_RENDERER is wrong: it is none of tags, lines"):
        read_settings({"DEPLOYBOT_RENDERER": "xml"})


def test_the_form_is_part_of_the_digest_and_of_the_instructions() -> None:
    thread = Play().says("hi").thread
    forms = {
        name: build(
            thread,
            templates=templates.read(),
            services=("backend",),
            environments=("staging",),
            renderer=name,
        )
        for name in ("tags", "lines", "chat")
    }

    assert len({made.digest for made in forms.values()}) == 3
    assert "list of tags" in forms["tags"].system
    assert "list of lines" in forms["lines"].system
    assert "it is a chat" in forms["chat"].system
