"""When people who are told in Slack are told by mail instead: it refuses, or says nothing for minutes."""

import json
from collections.abc import Mapping
from datetime import datetime, timedelta

from deploybot.errors import DeliveryError
from deploybot.mail import REACH
from deploybot.outbound.slack_calls import RefusedCallError, UnsureCallError

PATIENCE = timedelta(minutes=5)
"""How long Slack may fail before those who must act hear of it by mail."""
AGAIN_SECONDS = 60.0
"""How long what Slack refuses for good is left alone: a person must mend something first."""
DOWN = "slack:down"


def instead(
    channel: str, error: DeliveryError, noted: Mapping[str, str], now: datetime
) -> dict[str, str]:
    """Return what is to be noted of the thread because this channel did not take something."""
    refused, silent = isinstance(error, RefusedCallError), isinstance(error, UnsureCallError)
    if channel != "slack" or not (refused or silent):
        return {}
    since = noted.get(DOWN) or now.isoformat()
    notes = {DOWN: since}
    if refused or now - datetime.fromisoformat(since) >= PATIENCE:
        notes[f"email:{REACH}"] = json.dumps({"at": now.isoformat(), "why": str(error)})
    return {key: value for key, value in notes.items() if not noted.get(key)}


def well_again(channel: str, noted: Mapping[str, str]) -> dict[str, str]:
    """Return what is to be noted because it took everything: from here on it may fail anew."""
    return {DOWN: ""} if channel == "slack" and noted.get(DOWN) else {}
