"""Each thing that a new installation gets wrong, against real servers on the loopback."""

import json
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from fakes import NOON
from model_server import chooses, completion, serving
from redis_server import running_server
from small_web import answering
from smtp_sink import SmtpSink

from deploybot import troubles
from deploybot.cli import checks
from deploybot.config import SETTINGS
from deploybot.demo.workspace.faults import Fault
from deploybot.demo.workspace.server import WorkspaceServer
from deploybot.demo.workspace.settings import Channel, UserGroup, WorkspaceSettings
from deploybot.demo.workspace.settings import Person as WorkspacePerson
from deploybot.doctor.examine import findings
from deploybot.doctor.finding import Finding
from deploybot.doctor.own import line_of
from deploybot.errors import DeliveryError
from deploybot.manifest import SCOPES
from deploybot.redis_safety import client

KEY = "k" * 40
TOKEN = "xoxb-workspace-test"
SECRET = "0123456789abcdef" * 2
CONFIG = """\
[slack]
channel = "C0DEPLOYS"
team = "T0HARBOUR"
bot_user = "U0DEPLOYBOT"

[people.ann]
name = "Ann"
slack = "U0ANN"
[people.ben]
name = "Ben"
slack = "U0BEN"

[repositories.shop]
path = "shop.git"
github = "harbour/shop"

[services.backend]
repository = "shop"
[services.backend.target]
kind = "releases"
base = "releases"
start = ["python3", "server.py"]

[environments.production]
approvers = ["ann", "ben"]
[environments.production.services.backend]
"""


@dataclass
class Installation:
    """A folder and the environment that a start there would see."""

    folder: Path
    environ: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        subprocess.run(["git", "init", "-q", "-b", "main", "made"], cwd=self.folder, check=True)
        made = ["git", "-c", "user.name=a", "-c", "user.email=a@b", "-C", "made"]
        subprocess.run(
            [*made, "commit", "-q", "--allow-empty", "-m", "x"], cwd=self.folder, check=True
        )
        (self.folder / "made").rename(self.folder / "shop.git")
        self.environ = {
            "DEPLOYBOT_CONFIG": str(self.folder / "deploybot.toml"),
            "DEPLOYBOT_STATE_DIR": str(self.folder / "state"),
        }
        self.write(CONFIG)

    def write(self, text: str) -> None:
        (self.folder / "deploybot.toml").write_text(text)

    def change(self, old: str, new: str) -> None:
        text = (self.folder / "deploybot.toml").read_text()
        assert old in text
        self.write(text.replace(old, new))

    def found(self, *, paid: bool = False, **environ: str) -> list[Finding]:
        return list(findings(self.environ | environ, paid=paid))

    def about(self, about: str, *, paid: bool = False, **environ: str) -> list[Finding]:
        return [one for one in self.found(paid=paid, **environ) if one.about == about]


@pytest.fixture
def here(tmp_path: Path) -> Installation:
    return Installation(tmp_path)


def wrong(found: list[Finding]) -> list[str]:
    return [one.text for one in found if one.verdict == "wrong"]


def test_an_installation_without_mistakes_has_nothing_wrong(here: Installation) -> None:
    assert wrong(here.found()) == []


def test_whatever_is_wrong_says_what_and_how_to_mend_it(here: Installation) -> None:
    here.change('path = "shop.git"', 'path = "elsewhere.git"')
    here.change('slack = "U0ANN"', 'slack = "@ann"')

    found = [one for one in here.found(DEPLOYBOT_FAILPOINT="mail.*:kill") if one.verdict == "wrong"]

    assert len(found) == 3
    assert all(one.what.endswith(".") and one.mend for one in found)


# -- settings and the file ---------------------------------------------------------


def test_a_wrong_setting_is_named(here: Installation) -> None:
    (line,) = wrong(here.found(DEPLOYBOT_PORT="many"))

    assert line.startswith("DEPLOYBOT_PORT is wrong: it is not a number.")


@pytest.mark.parametrize(
    ("old", "new", "line", "says"),
    [
        ('["ann", "ben"]', '["ann"]', 24, "nobody could approve"),
        ('["ann", "ben"]', '["ann", "zoe"]', 25, "'zoe', who is not in [people]"),
        ('name = "Ben"', 'nmae = "Ben"', 9, "people.ben"),
        ('base = "releases"', "base = 3", 21, "services.backend.target.base"),
        ("[people.ann]", "[people.ann", 6, "cannot be read"),
    ],
    ids=["nobody can approve", "a stranger approves", "misspelt", "of another type", "no TOML"],
)
def test_a_mistake_in_the_file_is_shown_with_its_line(
    here: Installation, old: str, new: str, line: int, says: str
) -> None:
    here.change(old, new)

    (found,) = here.about("configuration")

    assert found.verdict == "wrong"
    assert f"deploybot.toml:{line}: " in found.text
    assert says in found.text


def test_an_error_that_names_no_key_has_no_line(tmp_path: Path) -> None:
    assert line_of(tmp_path / "none.toml", "There is no none.toml, so nothing was started.") == 0


def test_an_id_that_is_none_and_a_token_for_nobody_are_found(here: Installation) -> None:
    here.change('slack = "U0ANN"', 'slack = "ann"')

    found = wrong(here.found(DEPLOYBOT_API_TOKENS="zoe:0123456789abcdef"))

    assert any("people.ann.slack is 'ann', which is no member id" in line for line in found)
    assert any("gives a token to zoe" in line for line in found)


def test_the_file_of_tokens_is_read(here: Installation) -> None:
    path = here.folder / "tokens.toml"
    (missing,) = wrong(here.about("DEPLOYBOT_TOKENS_FILE", DEPLOYBOT_TOKENS_FILE=str(path)))
    hashed = "0" * 64
    path.write_text(
        f'[[tokens]]\nname = "t"\nperson = "zoe"\nscopes = ["read"]\nsha256 = "{hashed}"\n'
    )
    path.chmod(0o666)

    found = wrong(here.about("DEPLOYBOT_TOKENS_FILE", DEPLOYBOT_TOKENS_FILE=str(path)))

    assert "is not there" in missing
    assert [("may write" in line, "tokens of zoe" in line) for line in found] == [
        (True, False),
        (False, True),
    ]


@pytest.mark.parametrize(
    ("answers", "verdict"),
    [
        ({"/healthz": (200, {"status": "ok"})}, "ok"),
        ({"/healthz": (502, {})}, "wrong"),
        ({}, "wrong"),
    ],
)
def test_the_address_for_people_must_lead_here(
    here: Installation, answers: dict[str, Any], verdict: str
) -> None:
    with answering(answers) as url:
        (found,) = here.about("DEPLOYBOT_URL", DEPLOYBOT_URL=url)

    assert found.verdict == verdict


def test_what_runs_is_asked_what_it_misses(here: Installation) -> None:
    reasons = ["no worker serves threads: start `deploybot worker`"]
    answers = {"/healthz": (200, {"status": "ok"}), "/readyz": (503, {"reasons": reasons})}

    with answering(answers) as url:
        (found,) = here.about("readyz", DEPLOYBOT_URL=url)

    assert found.verdict == "wrong"
    assert found.text == "It is not ready: no worker serves threads. Start `deploybot worker`"


def test_an_address_where_nothing_answers_yet_is_a_warning(here: Installation) -> None:
    (found,) = here.about("DEPLOYBOT_URL", DEPLOYBOT_URL="http://127.0.0.1:1")

    assert found.verdict == "warning"


# -- the store ---------------------------------------------------------------------


def test_a_good_redis_is_good(here: Installation, redis_url: str) -> None:
    found = here.found(DEPLOYBOT_REDIS_URL=redis_url, DEPLOYBOT_SECRET_KEY=KEY)

    assert wrong(found) == []
    assert "The store keeps what it acknowledges." in [one.what for one in found]


@pytest.mark.parametrize(
    ("name", "bad", "good", "says"),
    [
        ("maxmemory-policy", "allkeys-lru", "noeviction", "maxmemory-policy is allkeys-lru"),
        ("appendonly", "no", "yes", "appendonly must be yes"),
        ("min-replicas-to-write", "1", "0", "takes no writes"),
    ],
)
def test_a_redis_that_loses_or_takes_nothing_is_found(
    here: Installation, redis_url: str, name: str, bad: str, good: str, says: str
) -> None:
    connection = client(redis_url)
    connection.config_set(name, bad)
    try:
        found = here.found(DEPLOYBOT_REDIS_URL=redis_url, DEPLOYBOT_SECRET_KEY=KEY)
    finally:
        connection.config_set(name, good)

    assert any(says in line for line in wrong(found))


def test_a_redis_that_is_not_there_or_has_no_key_beside_it_is_found(here: Installation) -> None:
    found = wrong(here.found(DEPLOYBOT_REDIS_URL="redis://127.0.0.1:1"))

    assert any("The Redis does not answer" in line for line in found)
    assert any(line.startswith("DEPLOYBOT_SECRET_KEY is wrong") for line in found)


# -- deploys -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ('path = "shop.git"', 'path = "none.git"', "There is no"),
        ('path = "shop.git"', 'path = "."', "is no git repository that this user may read"),
        (
            'github = "harbour/shop"',
            'default_branch = "trunk"',
            "has no branch trunk",
        ),
        (
            'github = "harbour/shop"',
            'url = "https://127.0.0.1:1/harbour/shop.git"',
            "git cannot read https://127.0.0.1:1/harbour/shop.git",
        ),
        ('base = "releases"', 'base = "deploybot.toml/releases"', "cannot be written"),
    ],
)
def test_what_deploys_could_not_do_is_found(
    here: Installation, old: str, new: str, says: str
) -> None:
    here.change(old, new)

    found = wrong(here.found())

    assert any(says in line for line in found), found


def test_a_mirror_that_git_can_read_is_good(here: Installation) -> None:
    here.change('path = "shop.git"', f'path = "mirror"\nurl = "file://{here.folder}/shop.git"')

    (found,) = here.about("repositories.shop")

    assert found.verdict == "ok"


@pytest.mark.parametrize("word", ["--token=ghp_0123456789abcdef0123456789", KEY])
def test_a_secret_among_the_words_of_a_command_is_found_and_not_repeated(
    here: Installation, word: str
) -> None:
    here.change('["python3", "server.py"]', f'["python3", "server.py", "{word}"]')

    (line,) = wrong(here.found(DEPLOYBOT_SECRET_KEY=KEY))

    assert line.startswith("services.backend.target.start seems to hold a secret")
    assert word not in line


def test_githubs_rights_are_looked_up(here: Installation) -> None:
    here.change(
        'approvers = ["ann", "ben"]', 'approvers = ["ann", "ben"]\nrequired_checks = ["ci"]'
    )
    answers = {"/repos/harbour/shop": (200, {"permissions": {"push": False}})}

    missing = wrong(here.found())
    with answering(answers, token="good") as url:
        bad = wrong(here.found(GITHUB_TOKEN="bad", GITHUB_API_URL=url))
        (good,) = here.about("GITHUB_TOKEN harbour/shop", GITHUB_TOKEN="good", GITHUB_API_URL=url)
    with answering({}, token="good") as url:
        blind = wrong(here.found(GITHUB_TOKEN="good", GITHUB_API_URL=url))

    assert missing[0].startswith("GITHUB_TOKEN is not set, and is needed for harbour/shop.")
    assert bad[0].startswith("GitHub refuses GITHUB_TOKEN.")
    assert good.verdict == "ok"
    assert blind[0].startswith("GITHUB_TOKEN does not see harbour/shop.")


def test_every_target_is_asked_what_is_live(here: Installation) -> None:
    here.change('kind = "releases"', 'kind = "vercel"\nproject = "shop"')
    here.change('start = ["python3", "server.py"]', "")
    answers = {"/v9/projects/shop": (403, {"error": {"code": "forbidden", "message": "no"}})}

    with answering(answers) as url:
        found = here.about(
            "environments.production.services.backend", VERCEL_TOKEN="bad", VERCEL_API_URL=url
        )

    assert [one.verdict for one in found] == ["wrong"]
    assert "What is live of backend on production cannot be told" in found[0].what


# -- Slack -------------------------------------------------------------------------


def workspace(**settings: Any) -> WorkspaceServer:
    given = {"bot_token": TOKEN, "signing_secret": SECRET, "scopes": SCOPES, **settings}
    return WorkspaceServer(WorkspaceSettings(**given))


def slack(server: WorkspaceServer, **environ: str) -> dict[str, str]:
    return {
        "SLACK_BOT_TOKEN": TOKEN,
        "SLACK_SIGNING_SECRET": SECRET,
        "SLACK_API_URL": f"{server.url}/api/",
        **environ,
    }


def test_a_workspace_that_fits_has_nothing_wrong_and_hears_nothing(here: Installation) -> None:
    with workspace() as server:
        found = here.found(**slack(server))
        said = server.workspace.conversations.by_id["C0DEPLOYS"].messages

    assert wrong(found) == []
    assert "The bot is in the channel C0DEPLOYS." in [one.what for one in found]
    assert not said


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"scopes": SCOPES[:-1]}, "The app lacks the permissions users:read.email."),
        (
            {"channels": (Channel(id="C0DEPLOYS", name="deploys", bot_is_member=False),)},
            "Write /invite @deploybot in it.",
        ),
        ({"channels": (Channel(id="C0OTHER", name="other"),)}, "Slack does not know the channel"),
        ({"team_id": "T0OTHER"}, "slack.team is T0HARBOUR, and the token's is T0OTHER"),
        ({"bot_user_id": "U0OTHER"}, "slack.bot_user is U0DEPLOYBOT"),
        ({"bot_token": "xoxb-another"}, "check SLACK_BOT_TOKEN"),
    ],
    ids=["scope", "not invited", "no channel", "team", "bot user", "token"],
)
def test_what_does_not_fit_in_slack_is_found(
    here: Installation, settings: dict[str, Any], says: str
) -> None:
    with workspace(**settings) as server:
        found = wrong(here.found(**slack(server)))

    assert len(found) == 1
    assert says in found[0]


def test_permissions_that_nobody_uses_are_a_warning(here: Installation) -> None:
    with workspace(scopes=(*SCOPES, "admin")) as server:
        found = here.about("slack.scopes", **slack(server))

    assert [one.verdict for one in found] == ["ok", "warning"]


@pytest.mark.parametrize(
    ("environ", "about", "verdict"),
    [
        ({"SLACK_SIGNING_SECRET": ""}, "SLACK_SIGNING_SECRET", "wrong"),
        ({"SLACK_SIGNING_SECRET": "hush"}, "SLACK_SIGNING_SECRET", "warning"),
        ({"SLACK_BOT_TOKEN": ""}, "SLACK_BOT_TOKEN", "wrong"),
        ({"SLACK_CLIENT_ID": "1.2"}, "settings", "wrong"),
        ({"SLACK_BOT_TOKEN": "xoxp-a-persons-own"}, "SLACK_BOT_TOKEN", "wrong"),
        ({"SLACK_API_URL": "http://127.0.0.1:1/api/"}, "SLACK_BOT_TOKEN", "wrong"),
    ],
)
def test_what_is_missing_for_slack_is_found(
    here: Installation, environ: dict[str, str], about: str, verdict: str
) -> None:
    with workspace() as server:
        found = here.about(about, **slack(server, **environ))

    assert found[0].verdict == verdict


APP_TOKEN = "xapp-1-canary-app-token"


def test_by_socket_mode_no_signing_secret_is_missed_and_nothing_is_connected(
    here: Installation,
) -> None:
    with workspace(app_token=APP_TOKEN) as server:
        found = here.found(**slack(server, SLACK_SIGNING_SECRET="", SLACK_APP_TOKEN=APP_TOKEN))
        connections = len(server.workspace.sockets)

    assert wrong(found) == []
    assert [one.verdict for one in found if one.about == "SLACK_APP_TOKEN"] == ["ok"]
    assert connections == 0


@pytest.mark.parametrize(
    ("token", "fault", "says"),
    [
        ("xoxb-a-bots", None, "does not begin with xapp-"),
        ("xapp-another", None, "Slack refuses SLACK_APP_TOKEN (invalid_auth)"),
        (APP_TOKEN, "missing_scope", "connections:write"),
        (APP_TOKEN, "access_denied", "Ask the workspace's admins"),
    ],
)
def test_what_keeps_us_from_connecting_is_found(
    here: Installation, token: str, fault: str | None, says: str
) -> None:
    with workspace(app_token=APP_TOKEN) as server:
        if fault:
            broken = Fault(method="apps.connections.open", kind="error", error=fault)
            server.workspace.faults.add(broken)
        (found,) = here.about("SLACK_APP_TOKEN", **slack(server, SLACK_APP_TOKEN=token))

    assert found.verdict == "wrong"
    assert says in found.text


LEADS = (UserGroup(id="S0LEADS", handle="leads", name="Leads", users=("U0BEN", "U0ZOE")),)
USERS = tuple(WorkspacePerson(id=f"U0{one}", name=one.lower()) for one in ("ANN", "BEN", "ZOE"))


@pytest.mark.parametrize(
    ("group", "verdict", "says"),
    [
        ("S0LEADS", "ok", "1 of 2 in the Slack user group leads are known"),
        ("S0GONE", "wrong", "(no_such_subteam). Correct groups.leads.slack"),
        ("S0EMPTY", "warning", "Nobody of it can approve"),
    ],
)
def test_the_user_groups_that_may_approve_are_asked_for(
    here: Installation, group: str, verdict: str, says: str
) -> None:
    here.write(f'{CONFIG}\n[groups.leads]\nslack = "{group}"\n')
    empty = UserGroup(id="S0EMPTY", handle="empty", name="Empty", users=("U0ZOE",))
    with workspace(groups=(*LEADS, empty), people=USERS) as server:
        (found,) = here.about("groups.leads", **slack(server))

    assert found.verdict == verdict
    assert says in found.text


def test_what_slack_refused_lately_is_told_until_it_takes_something_again(
    here: Installation,
) -> None:
    refused = DeliveryError("Slack refused the message (is_archived).", retry_after=None)
    with workspace() as server, running_server() as url:
        environ = slack(server, DEPLOYBOT_REDIS_URL=url, DEPLOYBOT_SECRET_KEY=KEY)
        troubles.note(client(url), NOON, "t1", refused)
        (found,) = here.about("slack.refused", **environ)
        troubles.note(client(url), NOON, "t1", None)
        after = here.about("slack.refused", **environ)

    assert found.verdict == "wrong"
    assert "of thread t1: Slack refused the message (is_archived)" in found.what
    assert after == []


# -- mail --------------------------------------------------------------------------


def test_a_mail_server_that_lets_the_bot_in_is_good_and_gets_no_mail(here: Installation) -> None:
    with SmtpSink() as sink:
        mail = {"DEPLOYBOT_SMTP_URL": sink.url, "DEPLOYBOT_EMAIL_ADDRESS": "bot@example.com"}
        found = here.found(**mail)

    assert wrong(found) == []
    assert any("mail goes out as bot@example.com" in one.what for one in found)
    assert sink.mails == []


@pytest.mark.parametrize(
    ("environ", "says"),
    [
        ({"DEPLOYBOT_SMTP_URL": "smtp://127.0.0.1:1"}, "cannot be reached"),
        ({"DEPLOYBOT_EMAIL_ADDRESS": ""}, "DEPLOYBOT_EMAIL_ADDRESS is not set"),
        ({"DEPLOYBOT_EMAIL_ADDRESS": "bot+x@example.com"}, "must be one plain address"),
        (
            {"DEPLOYBOT_EMAIL_SECRET": "s" * 20, "DEPLOYBOT_EMAIL_DKIM": "0"},
            "every mail is words by nobody",
        ),
        (
            {"DEPLOYBOT_IMAP_URLS": "imap://bot:x@127.0.0.1:1", "DEPLOYBOT_EMAIL_DKIM": "0"}
            | {"DEPLOYBOT_EMAIL_AUTHSERV_ID": "mx.example.com"},
            "bot@127.0.0.1:1/INBOX cannot be read now",
        ),
    ],
)
def test_what_does_not_fit_in_mail_is_found(
    here: Installation, environ: dict[str, str], says: str
) -> None:
    with SmtpSink() as sink:
        mail = {"DEPLOYBOT_SMTP_URL": sink.url, "DEPLOYBOT_EMAIL_ADDRESS": "bot@example.com"}
        found = wrong(here.found(**mail | environ))

    assert len(found) == 1
    assert says in found[0]


def test_a_password_is_not_sent_in_the_clear_to_find_out(here: Installation) -> None:
    with SmtpSink() as sink:
        url = sink.url.replace("smtp://", "smtp://bot:hunter2-hunter2@")
        found = wrong(here.found(DEPLOYBOT_SMTP_URL=url, DEPLOYBOT_EMAIL_ADDRESS="bot@example.com"))

    assert len(found) == 1
    assert "hunter2" not in found[0]


def test_approval_by_mail_needs_mail_both_ways(here: Installation) -> None:
    here.change('approvers = ["ann", "ben"]', 'approvers = ["ann", "ben"]\napprove_by_mail = true')

    (line,) = wrong(here.found())

    assert line.startswith("production may be approved by mail, and mail does not work both ways.")


# -- models ------------------------------------------------------------------------


def models(url: str, **environ: str) -> dict[str, str]:
    given = {"OPENAI_BASE_URL": f"{url}/v1", "OPENAI_API_KEY": "good", "OPENAI_MODEL": "small"}
    return given | environ


def test_without_being_asked_to_pay_no_model_is_asked_for_a_step(here: Installation) -> None:
    with serving([], api_key="good") as server:
        here.found(**models(server.base_url.removesuffix("/v1")))

    assert server.requests == []


@pytest.mark.parametrize(
    ("environ", "says"),
    [
        ({"OPENAI_API_KEY": "bad"}, "refuses the key of small (401)"),
        ({"OPENAI_MODEL": "huge"}, "has no model huge. Correct the name; it has small"),
        ({"OPENAI_BASE_URL": "http://127.0.0.1:1/v1"}, "does not answer (ConnectError)"),
    ],
)
def test_a_model_that_cannot_be_reached_is_found(
    here: Installation, environ: dict[str, str], says: str
) -> None:
    with answering({"/v1/models": (200, {"data": [{"id": "small"}]})}, token="good") as url:
        found = wrong(here.found(**models(url, **environ)))

    assert len(found) == 1
    assert says in found[0]


def test_for_a_price_a_model_is_asked_to_fill_in_the_form(here: Installation) -> None:
    step = {"intent": "check_deployments", "environment": None}
    with serving([chooses(**step)], api_key="good") as server:
        url = server.base_url.removesuffix("/v1")
        found = here.about("models.small", paid=True, **models(url))

    assert [one.verdict for one in found] == ["ok", "ok"]
    assert "filled in the form (check_deployments)" in found[1].what
    assert len(server.requests) == 1


def test_a_model_that_cannot_fill_in_the_form_is_found(here: Installation) -> None:
    with serving([completion("Sure!")] * 9, api_key="good") as server:
        url = server.base_url.removesuffix("/v1")
        found = wrong(here.about("models.small", paid=True, **models(url)))

    assert len(found) == 1
    assert "Choose a model that keeps to a JSON schema." in found[0]


# -- printing ----------------------------------------------------------------------


def test_the_command_prints_lines_for_people_and_json_for_programs(
    here: Installation, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, value in (here.environ | {"DEPLOYBOT_FAILPOINT": "1"}).items():
        monkeypatch.setenv(name, value)

    code = checks.doctor()
    lines = capsys.readouterr().out.splitlines()
    code_too = checks.doctor(as_json=True)
    told = json.loads(capsys.readouterr().out)

    assert code == code_too == told["wrong"] == 1
    assert len(lines) == len(told["findings"]) + 1
    assert lines[-1].startswith("1 wrong, ")
    assert {"verdict", "about", "what", "mend"} == set(told["findings"][0])


def test_no_finding_tells_a_secret(here: Installation) -> None:
    canaries = {s.name: f"canary-{n:02d}-{'x' * 24}" for n, s in enumerate(SETTINGS) if s.is_secret}
    here.change('start = ["python3", "server.py"]', 'start = ["run", "canary-in-words"]')
    nowhere = {
        "DEPLOYBOT_API_TOKENS": f"zoe:{canaries['DEPLOYBOT_API_TOKENS']}",
        "DEPLOYBOT_SMTP_URL": f"smtp://bot:{canaries['DEPLOYBOT_SMTP_URL']}@127.0.0.1:1",
        "DEPLOYBOT_IMAP_URLS": f"imap://bot:{canaries['DEPLOYBOT_IMAP_URLS']}@127.0.0.1:1",
        "DEPLOYBOT_EMAIL_ADDRESS": "bot@example.com",
        "DEPLOYBOT_EMAIL_DKIM": "0",
        "DEPLOYBOT_REDIS_URL": f"redis://:{canaries['DEPLOYBOT_SECRET_KEY']}@127.0.0.1:1",
        "SLACK_BOT_TOKEN": f"xoxb-{canaries['SLACK_BOT_TOKEN']}",
        "SLACK_API_URL": "http://127.0.0.1:1/api/",
        "SLACK_APP_TOKEN": f"xapp-{canaries['SLACK_APP_TOKEN']}",
        "SLACK_CLIENT_ID": "1.2",
        "OPENAI_BASE_URL": "http://127.0.0.1:1/v1",
        "GITHUB_API_URL": "http://127.0.0.1:1",
    }

    told = json.dumps([one.row() for one in here.found(paid=True, **canaries | nowhere)])

    assert len(canaries) >= 10
    assert "cannot be read now" in told
    assert [name for name, secret in canaries.items() if secret in told] == []
