"""A dry run in Slack: what would run, with every fact of a request and without its buttons."""

from deploybot.outbound import slack_facts as facts
from deploybot.outbound.slack_card import each
from deploybot.outbound.slack_parts import SEVERAL, title
from deploybot.outbound.slack_rich import Json, rich, section, words
from deploybot.outbound.slack_text import escape, line, moment
from deploybot.telling import Shown

ALL_STEPS = 4000
"""Characters that the steps of all changes may have together."""
NOTHING = "Nothing was done, and nothing waits."


def shown_text(shown: Shown) -> str:
    """Return the dry run in one line, escaped, for notifications."""
    what = escape(title(*shown.plans)) if shown.plans else "there is nothing to run"
    return f"Dry run: {what}. {NOTHING}"


def shown_blocks(shown: Shown, url: str = "") -> list[Json]:
    """Return the blocks: each change with its facts, and its steps as they would run."""
    if not shown.plans:
        return [rich(section(words(f"Dry run: there is nothing to run. {NOTHING}")))]
    heading = line(f"Dry run: {title(*shown.plans)}", 150)
    when = ""
    if shown.start_at is not None:
        when = f" It would start {moment(shown.start_at, '{date_short_pretty} at {time}')}."
    blocks: list[Json] = [
        {"type": "header", "text": {"type": "plain_text", "text": heading}},
        {"type": "section", "text": _marked(f"🔍 *{NOTHING}*{when}")},
    ]
    if len(shown.plans) == 1:
        (plan,) = shown.plans
        blocks += [{"type": "section", "text": _marked(f"*Change*  {facts.change(plan)}")}]
        blocks += [facts.commit(plan), *facts.commits(plan, "would go live", "would be taken back")]
        blocks += [*facts.warnings(plan), *facts.judged(plan)]
    else:
        blocks += each(shown.plans, whole=True)
    if len(shown.plans) <= SEVERAL:
        for plan in shown.plans:
            of = f" for {line(plan.service, 80)}" if len(shown.plans) > 1 else ""
            blocks.append(facts.runs(plan, f"What would run{of}", ALL_STEPS // len(shown.plans)))
    if url:
        blocks.append(facts.small(f"<{url}|Everything about this thread>"))
    return blocks


def _marked(text: str) -> Json:
    return {"type": "mrkdwn", "text": text, "verbatim": True}
