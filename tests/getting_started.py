"""Follows docs/getting-started.md as a person would: its commands in a shell, and a workspace made from its manifest."""

import json
import os
import re
import signal
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tiny_bot import People

from deploy.free_ports import free_ports
from deploybot.demo.waiting import answers, until
from deploybot.demo.workspace.server import WorkspaceServer
from deploybot.demo.workspace.settings import Channel, Person, WorkspaceSettings

ROOT = Path(__file__).parent.parent
DOCUMENT = ROOT / "docs/getting-started.md"
TOKEN = "xoxb-getting-started"
SECRET = "5ec2e7" * 5 + "5e"
CHANNEL, ANN = "C0HELLO0001", "U0ANN000001"
PATIENCE = 60.0
Json = dict[str, Any]


def commands() -> list[str]:
    """Return the blocks of commands, in order."""
    text = DOCUMENT.read_text(encoding="utf-8")
    return re.findall(r"^```sh\n(.*?)^```", text, re.DOTALL | re.MULTILINE)


def words() -> str:
    """Return what is written in the channel."""
    (line,) = re.findall(r"^> (@deploybot .+)$", DOCUMENT.read_text(encoding="utf-8"), re.MULTILINE)
    return line.replace("@deploybot", "<@U0DEPLOYBOT>")


class Follower:
    """Somebody who does what the document says; a context manager, which ends what it started."""

    def __init__(self, folder: Path) -> None:
        self.home = folder / "deploys"
        self.home.mkdir()
        (self._port,) = free_ports(1)
        self.url = f"http://127.0.0.1:{self._port}"
        self.environ = {
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",  # noqa: TID251 - for a child
            "HOME": str(folder),
            "DEPLOYBOT_PORT": str(self._port),
            **{
                f"GIT_{who}_{what}": "ann@example.com"
                for who in ("AUTHOR", "COMMITTER")
                for what in ("NAME", "EMAIL")
            },
        }
        self._stack = ExitStack()
        self.server: WorkspaceServer | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stack.close()

    def gets_ready(self) -> None:
        """Do everything up to the point at which the bot can be written to."""
        _, manifest, secrets, sample, config, _, serve, _ = commands()
        for block in (manifest, secrets, sample, config):
            if block is secrets:
                self.creates_the_app()
            done = self.types(block)
            assert done.returncode == 0, done.stderr
        self.invites()
        self.starts(serve)

    # -- the shell -----------------------------------------------------------------

    def types(self, block: str) -> subprocess.CompletedProcess[str]:
        """Run a block, with what a person would fill in; what it exports stays."""
        kept = self.home / ".exported"
        script = f"set -e\n{self._filled_in(block)}\nenv -0 > {kept}\n"
        done = subprocess.run(
            ["bash", "-c", script],
            cwd=self.home,
            env=self.environ,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
        if kept.exists():
            pairs = kept.read_text().split("\0")
            self.environ = dict(pair.split("=", 1) for pair in pairs if "=" in pair)
            kept.unlink()
        return done

    def starts(self, block: str) -> None:
        """Run the block that does not end, and wait until everything is ready."""
        log = self._stack.enter_context((self.home / "log").open("w"))
        process = subprocess.Popen(
            ["bash", "-c", f"exec {self._filled_in(block)}"],
            cwd=self.home,
            env=self.environ,
            stdout=log,
            stderr=log,
        )
        self._stack.callback(self._ends, process)
        until(lambda: answers(f"{self.url}/readyz"), PATIENCE, "everything is ready")

    def _ends(self, process: "subprocess.Popen[bytes]") -> None:
        process.send_signal(signal.SIGINT)
        process.wait(PATIENCE)

    def _filled_in(self, block: str) -> str:
        for told, meant in (
            ("https://deploybot.example.com", self.url),
            ("xoxb-…", TOKEN),
            ("paste-the-signing-secret", SECRET),
            ("C0123456789", CHANNEL),
            ("U0123456789", ANN),
        ):
            block = block.replace(told, meant)
        return block

    # -- Slack ---------------------------------------------------------------------

    def creates_the_app(self) -> None:
        """Make the workspace, whose app is what the manifest asks for and nothing more."""
        manifest = json.loads((self.home / "manifest.json").read_text())
        events = manifest["settings"]["event_subscriptions"]
        settings = WorkspaceSettings(
            bot_token=TOKEN,
            signing_secret=SECRET,
            scopes=tuple(manifest["oauth_config"]["scopes"]["bot"]),
            events=tuple(events["bot_events"]),
            bot_url=events["request_url"].removesuffix("/slack/events"),
            channels=(Channel(id=CHANNEL, name="deploys", bot_is_member=False),),
            people=(Person(id=ANN, name="ann", real_name="Ann Okafor"),),
        )
        self.server = self._stack.enter_context(WorkspaceServer(settings))
        self.environ["SLACK_API_URL"] = f"{self.server.url}/api/"

    def invites(self) -> None:
        """Invite the bot to the channel."""
        workspace = self.slack.workspace
        workspace.conversations.by_id[CHANNEL].members.append(workspace.settings.bot_user_id)

    @property
    def slack(self) -> WorkspaceServer:
        assert self.server is not None
        return self.server

    def says(self, text: str) -> None:
        People(self.slack.port).does(ANN, "say", channel=CHANNEL, text=text)

    def card(self) -> Json | None:
        """Return the newest message that has an Approve button."""
        found = [message for message in self.messages() if '"approve"' in json.dumps(message)]
        return found[-1] if found else None

    def messages(self) -> list[Json]:
        _, found = People(self.slack.port)("GET", f"/_control/messages?channel={CHANNEL}")
        return sorted(found, key=lambda message: str(message["ts"]))

    def approves(self, card: Json) -> None:
        what = {"channel": CHANNEL, "ts": card["ts"], "action_id": "approve"}
        People(self.slack.port).does(ANN, "click", **what)
