"""What people and GitHub do in the company, and what can be seen of it: all over HTTP, nothing else."""

import hashlib
import hmac
import http.client
import json
import uuid
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode, urlsplit

from deploybot.demo.company import Access

TIMEOUT = 20.0
Json = dict[str, Any]


@dataclass(frozen=True)
class Answered:
    """One HTTP answer: `body` is its JSON, or {} when it was none."""

    status: int
    body: Any


@dataclass(frozen=True)
class Hands:
    """Acts in the workspace, at GitHub and over the bot's API as anybody in the company."""

    access: Access

    # -- doing ---------------------------------------------------------------------

    def say(self, person: str, text: str, thread_ts: str | None = None) -> str:
        """Write in the channel, or in a thread; return the message's ts."""
        said = {"channel": self.access.channel, "text": text, "thread_ts": thread_ts}
        return str(self._human(person, "say", said).body["ts"])

    def click(self, person: str, ts: str, action: str) -> Answered:
        """Click a button of a message; 409 when it has none of that name."""
        return self._human(
            person, "click", {"channel": self.access.channel, "ts": ts, "action_id": action}
        )

    def submit(self, person: str, view_id: str, words: str) -> Answered:
        """Send the open dialog off with these words."""
        values = {"view_id": view_id, "values": {"words": words}}
        return self._human(person, "submit", values)

    def click_again(self, person: str, button: Json, ts: str) -> Answered:
        """Click a button that the message no longer shows, as a page that was left open does."""
        people = self.access.people
        payload = {
            "type": "block_actions",
            "team": {"id": "T0HARBOUR"},
            "api_app_id": "A0DEPLOYBOT",
            "user": {"id": people[person], "team_id": "T0HARBOUR"},
            "channel": {"id": self.access.channel},
            "container": {
                "type": "message",
                "message_ts": ts,
                "channel_id": self.access.channel,
            },
            "message": {"ts": ts},
            "trigger_id": uuid.uuid4().hex,
            "actions": [{**button, "action_ts": f"{uuid.uuid4().int % 10**10}.000100"}],
        }
        body = urlencode({"payload": json.dumps(payload)})
        content_type = "application/x-www-form-urlencoded"
        raw = {"body": body, "content_type": content_type}
        return self._call("POST", f"{self.access.workspace}/_control/send", raw)

    def push(self, sha: str, before: str, *, by: str, subject: str) -> Answered:
        """Tell the bot, as GitHub does, that main moved."""
        body = json.dumps(
            {
                "ref": "refs/heads/main",
                "before": before,
                "after": sha,
                "deleted": False,
                "repository": {"full_name": "harbour/shop"},
                "sender": {"login": by},
                "pusher": {"name": by},
                "head_commit": {"id": sha, "message": subject},
            }
        ).encode()
        signature = hmac.new(self.access.github_secret.encode(), body, hashlib.sha256)
        headers = {
            "Content-Type": "application/json",
            "X-GitHub-Event": "push",
            "X-GitHub-Delivery": str(uuid.uuid4()),
            "X-Hub-Signature-256": f"sha256={signature.hexdigest()}",
        }
        return self._call("POST", f"{self.access.bot}/github/webhook", body, headers)

    def send_mail(self, person: str, subject: str, text: str) -> Answered:
        """Write a new mail to the bot."""
        return self._human(person, "send_mail", {"subject": subject, "text": text})

    def reply_mail(self, person: str, mail_id: str, text: str) -> Answered:
        """Answer a mail."""
        return self._human(person, "reply_mail", {"id": mail_id, "text": text})

    # -- seeing --------------------------------------------------------------------

    def messages(self) -> list[Json]:
        """Return the channel's messages as they are now, threads included, oldest first."""
        url = f"{self.access.workspace}/_control/messages?channel={self.access.channel}"
        messages: list[Json] = self._call("GET", url).body
        return sorted(messages, key=lambda message: str(message["ts"]))

    def card(self, request_id: str) -> Json | None:
        """Return the message that is a request's card."""
        key = f"card:{request_id}"
        return next((m for m in self.messages() if _key(m) == key), None)

    def dialog(self, person: str) -> Json | None:
        """Return the dialog that is open before a person."""
        views = self._call("GET", f"{self.access.workspace}/_control/views").body
        stack: list[Json] = views["stacks"].get(self.access.people[person], [])
        return stack[-1] if stack else None

    def mails(self) -> list[Json]:
        """Return every mail that the bot sent."""
        mails: list[Json] = self._call("GET", f"{self.access.workspace}/_control/mail").body
        return mails

    def threads(self) -> list[str]:
        """Return the ids of all threads, newest first."""
        return [
            str(row["id"]) for row in self._api("GET", "/api/threads?limit=200").body["threads"]
        ]

    def thread(self, thread_id: str) -> Json:
        """Return a thread: status, events and the open request; without events if there is none."""
        answer = self._api("GET", f"/api/threads/{thread_id}")
        if answer.status == 404:
            return {"id": thread_id, "status": "", "events": [], "request": None}
        thread: Json = answer.body
        return thread

    def events(self, thread_id: str, kind: str) -> list[Json]:
        """Return the thread's events of one kind."""
        return [event for event in self.thread(thread_id)["events"] if event["kind"] == kind]

    def environments(self) -> list[Json]:
        """Return what is live where, held and running."""
        rows: list[Json] = self._api("GET", "/api/environments").body["environments"]
        return rows

    def live(self, environment: str, service: str) -> str:
        """Ask the running service itself which commit it is; "" when it does not answer."""
        try:
            url = f"{self.access.releases[environment][service]}/healthz"
            return str(self._call("GET", url).body.get("sha", ""))
        except OSError:
            return ""

    def read(self, message: Json) -> str:
        """Return everything a person reads in a message; people by their name."""
        text = text_of(message)
        for person, user in self.access.people.items():
            text = text.replace(user, person.title())
        return text

    # -- how -----------------------------------------------------------------------

    def _human(self, person: str, act: str, values: Json) -> Answered:
        user = self.access.people[person]
        return self._call("POST", f"{self.access.workspace}/_human/{user}/{act}", values)

    def _api(self, method: str, path: str) -> Answered:
        token = self.access.tokens["ann"]
        headers = {"Authorization": f"Bearer {token}"}
        return self._call(method, f"{self.access.bot}{path}", headers=headers)

    def _call(
        self,
        method: str,
        url: str,
        body: Json | bytes | None = None,
        headers: dict[str, str] | None = None,
    ) -> Answered:
        parts = urlsplit(url)
        connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=TIMEOUT)
        sent = json.dumps(body).encode() if isinstance(body, dict) else body
        given = {"Content-Type": "application/json", **(headers or {})}
        target = f"{parts.path}?{parts.query}" if parts.query else parts.path
        try:
            connection.request(method, target, sent, given)
            response = connection.getresponse()
            raw = response.read()
        finally:
            connection.close()
        try:
            return Answered(response.status, json.loads(raw))
        except ValueError:
            return Answered(response.status, {})


def text_of(message: Json) -> str:
    """Return everything a person reads in a message; people by their Slack id."""
    return " ".join([str(message.get("text", "")), *_strings(message.get("blocks", []))])


def buttons_of(message: Json) -> dict[str, Json]:
    """Return the buttons that a message shows, by action id."""
    return {
        element["action_id"]: {**element, "block_id": block.get("block_id", "")}
        for block in message.get("blocks", [])
        for element in block.get("elements", [])
        if element.get("type") == "button"
    }


def _key(message: Json) -> str:
    metadata = message.get("metadata") or {}
    return str(metadata.get("event_payload", {}).get("key", ""))


def _strings(value: Any) -> list[str]:
    if isinstance(value, dict):
        own = [value[key] for key in ("text", "user_id") if isinstance(value.get(key), str)]
        return own + [
            s for one in value.values() if not isinstance(one, str) for s in _strings(one)
        ]
    if isinstance(value, list):
        return [s for one in value for s in _strings(one)]
    return []
