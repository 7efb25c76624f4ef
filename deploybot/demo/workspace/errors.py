"""The one error of the Web API; every refusal of the server is a Slack error code."""

from deploybot.demo.workspace.settings import Json


class SlackError(Exception):
    """A call that Slack refuses: answered as `{"ok": false, "error": code, ...}`.

    `messages` become `response_metadata.messages`; `extra` is merged into the answer.
    """

    def __init__(self, code: str, *messages: str, **extra: str) -> None:
        super().__init__(code)
        self.code = code
        self.messages = messages
        self.extra = extra

    def answer(self) -> Json:
        """Return the body that Slack would send."""
        body: Json = {"ok": False, "error": self.code, **self.extra}
        if self.messages:
            body["response_metadata"] = {
                "messages": [f"[ERROR] {message}" for message in self.messages]
            }
        return body
