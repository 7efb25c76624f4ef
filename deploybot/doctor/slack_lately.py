"""Slack: the user groups that may approve, and what it refused lately."""

from collections.abc import Iterator

import redis
from slack_sdk import WebClient

from deploybot.bootstrap import redis_url
from deploybot.config import Configuration, Settings
from deploybot.doctor.finding import Finding, ok, warning, wrong
from deploybot.errors import DeliveryError
from deploybot.outbound.slack_calls import RefusedCallError, call
from deploybot.redis_safety import client as store_client
from deploybot.troubles import last


def of_groups(client: WebClient, configuration: Configuration) -> Iterator[Finding]:
    """Ask Slack who is in each user group, as it is asked whenever it counts."""
    known = {person.slack for person in configuration.people.values() if person.slack}
    by_address = any(one.email and not one.slack for one in configuration.people.values())
    for name, group in configuration.catalog.groups.items():
        if not group.slack:
            continue
        about = f"groups.{name}"
        try:
            answer = call(client.usergroups_users_list, usergroup=group.slack)
        except RefusedCallError as error:
            what = f"Slack does not say who is in the user group {group.slack} ({error.code})."
            mend = f"Correct groups.{name}.slack, or install the app again from the manifest."
            yield wrong(about, what, mend)
            continue
        except DeliveryError as error:
            yield warning(about, f"Slack: {error}")
            continue
        users = set(answer.get("users") or ())
        here = len(users & known)
        text = (
            f"{here} of {len(users)} in the Slack user group {name} are known by their member id."
        )
        if here or by_address or group.people:
            yield ok(about, text)
        else:
            yield warning(about, text, "Nobody of it can approve: add them under [people].")


def of_what_was_refused(settings: Settings) -> Iterator[Finding]:
    """Tell what the bot could not say lately, if the store can be asked."""
    try:
        trouble = last(store_client(redis_url(settings)))
    except (redis.RedisError, OSError):
        return
    if trouble is not None:
        what = f"At {trouble.at}, of thread {trouble.thread}: {trouble.why}"
        yield wrong("slack.refused", what, "It is tried again every minute.")
