"""What must hold after any attack: nothing started, nothing forged, nothing told that is secret or false."""

import json
import re
import unicodedata
from collections.abc import Iterator
from html.parser import HTMLParser
from typing import Any

from attacks.siege import LEAKS, PAGE, TEMPLATES, Siege
from fakes import PEOPLE
from letters import parsed
from oracle import violations

from deploybot.approvals import POLICY
from deploybot.events import ApprovalRequested
from deploybot.outbound.slack_blocks import Drawing
from deploybot.outbox import tellings
from deploybot.ports import Prompt
from deploybot.prompting import build, parse
from deploybot.prompting.entries import entries
from deploybot.prompting.shown import Entry
from deploybot.telling import Card
from deploybot.thread import Thread

TAGS = re.compile(r"<(/?)([^>]*)>")
MARKED = re.compile(r"<([^<>]*)>")
SLACK_IDS = {person.id: person.slack for person in PEOPLE.known}


def all_is_well(siege: Siege) -> None:
    """Check whatever an attack could have changed."""
    nothing_started_without_approval(siege)
    no_event_was_forged(siege)
    for thread in siege.threads:
        every_card_shows_the_truth(siege, thread)
        for drawing in siege.drawings(thread):
            nobody_is_pinged_or_led_astray(drawing, may_be_mentioned(thread))
        for mail in siege.mails(thread):
            a_mail_leads_nowhere_else(parsed(mail, "html"))
    no_secret_is_anywhere(siege)


def nothing_started_without_approval(siege: Siege) -> None:
    for thread in siege.threads:
        assert violations(thread.events) == []
    assert siege.began() <= siege.granted()


def no_event_was_forged(siege: Siege) -> None:
    answered = {"ben", "mia", POLICY}
    for thread in siege.threads:
        for event in thread.events:
            if event.kind in ("approval_granted", "approval_denied"):
                assert event.by in answered
    for prompt, thread in siege.made:
        assert prompt.system == untouched(siege, thread)
        assert all(char == "\n" or char.isprintable() for char in prompt.text)
        assert {message["role"] for message in prompt.messages} <= {"user", "assistant", "tool"}
        _only_its_own_entries(siege.renderer, prompt, entries(thread, TEMPLATES.words))


def _only_its_own_entries(renderer: str, prompt: Prompt, shown: tuple[Entry, ...]) -> None:
    tags, names = TAGS.findall(prompt.text), [tag for tag, _ in shown]
    match renderer:
        case "tags":
            assert parse(prompt.text) == shown
            assert [name for _, name in tags] == [name for name in names for _ in "<>"]
        case "lines":
            assert not tags
            assert [line.partition(" ")[0] for line in prompt.text.splitlines()] == names
        case "chat":
            assert not tags
            users = [message for message in prompt.messages if message["role"] == "user"]
            assert all(message["content"].partition(" ")[0] in names for message in users)
            assert len(prompt.messages) <= 2 * len(shown)
        case _:
            raise AssertionError(f"nobody has thought of how to check {renderer}")


def untouched(siege: Siege, thread: Thread) -> str:
    """Return the instructions as they are when nobody has said anything."""
    return build(
        Thread("t"),
        templates=TEMPLATES,
        services=tuple(siege.table.services),
        environments=tuple(siege.table.environments),
        agent=thread.standing.agent,
        approvers={name: one.approvers for name, one in siege.table.environments.items()},
        renderer=siege.renderer,
    ).system


def every_card_shows_the_truth(siege: Siege, thread: Thread) -> None:
    drawn = dict(zip((t for t in tellings(thread)), siege.drawings(thread), strict=False))
    for telling, drawing in drawn.items():
        if isinstance(telling, Card):
            plan = telling.request.plan
            assert plan.service in siege.table.services
            assert plan.environment in siege.table.environments
            assert plan.sha == siege.commit_of(plan.ref)
            assert telling.request.sealed().digest == telling.request.digest
            shown = json.dumps(drawing.blocks)
            assert f"{plan.service} to {plan.environment}" in drawing.text or (
                f"{plan.service} on {plan.environment}" in drawing.text
            )
            assert plan.sha in shown or telling.request.rule.automatic
            assert plan.sha[:7] in shown


def may_be_mentioned(thread: Thread) -> set[str]:
    """Return who may approve what was asked for, and who spoke: an urgent question calls them."""
    approvers = {
        person
        for event in thread.events
        if isinstance(event, ApprovalRequested)
        for person in event.request.rule.approvers
    }
    people = approvers | {event.by for event in thread.events}
    known = {SLACK_IDS.get(person, person.removeprefix("slack:")) for person in people}
    return {user for user in known if user.startswith("U")}


def things(thing: object) -> Iterator[dict[str, Any]]:
    if isinstance(thing, dict):
        yield thing
        for value in thing.values():
            yield from things(value)
    elif isinstance(thing, list | tuple):
        for value in thing:
            yield from things(value)


def nobody_is_pinged_or_led_astray(drawing: Drawing, approvers: set[str]) -> None:
    mentioned: list[str] = []
    for thing in things(drawing.blocks):
        assert thing.get("type") not in {
            "link",
            "broadcast",
            "usergroup",
            "channel",
            "emoji",
            "image",
        }
        assert "url" not in thing
        if thing.get("type") == "user":
            mentioned.append(thing["user_id"])
        if thing.get("type") == "mrkdwn":
            assert thing["verbatim"] is True
            mentioned += [one for one in MARKED.findall(thing["text"]) if not is_ours(one)]
    assert {one.removeprefix("@") for one in mentioned} <= approvers
    assert not MARKED.findall(re.sub(r"<!date\^[^<>]*>", "", drawing.text))
    assert visible(drawing.text)
    assert all(visible(t["text"]) for t in things(drawing.blocks) if isinstance(t.get("text"), str))


def is_ours(markup: str) -> bool:
    return markup.startswith(("!date^", f"{PAGE}|"))


def visible(text: str) -> bool:
    return all(
        char in "\n\t" or unicodedata.category(char) not in {"Cc", "Cf", "Cs"} for char in text
    )


class _Links(HTMLParser):
    """Collects what a mail could load, run or lead to."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag not in {"img", "script", "iframe", "form", "object", "link", "base"}
        self.found += [value or "" for name, value in attrs if name in ("href", "src", "action")]
        assert not [name for name, _ in attrs if name.startswith("on")]


def a_mail_leads_nowhere_else(html: str) -> None:
    links = _Links()
    links.feed(html)

    assert all(link.startswith((PAGE, "mailto:deploybot+")) for link in links.found), links.found


def no_secret_is_anywhere(siege: Siege) -> None:
    told = [
        *(prompt.system + prompt.text for prompt, _ in siege.made),
        *(event.model_dump_json() for thread in siege.threads for event in thread.events),
        *(
            json.dumps([drawing.text, drawing.blocks])
            for thread in siege.threads
            for drawing in siege.drawings(thread)
        ),
        *(
            parsed(mail, kind)
            for thread in siege.threads
            for mail in siege.mails(thread)
            for kind in ("plain", "html")
        ),
        *(json.dumps(siege.store.progress(name)) for name in siege.began()),
    ]
    assert [(leak, text[:200]) for text in told for leak in LEAKS if leak in text] == []
