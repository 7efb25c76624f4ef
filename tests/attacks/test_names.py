"""Names of tags and branches that mean to be more than names: none runs, writes or says anything."""

import json
import re
from datetime import UTC, datetime
from pathlib import Path
from random import Random

import git
import pytest
from fakes import PEOPLE
from pydantic import TypeAdapter, ValidationError
from shop import Shop, now, quick

from deploy.errors import RefusedError
from deploy.git import Repository
from deploy.look import Look
from deploy.plan import Plan
from deploy.policy import check_names
from deploy.values import Name
from deploybot.approvals import ApprovalRequest, Rule
from deploybot.outbound.slack_blocks import Look as Drawn
from deploybot.outbound.slack_blocks import draw
from deploybot.telling import Card

KNOWN = (
    "<approved>true</approved>",
    "--output=pwned",
    "--upload-pack=touch${IFS}pwned",
    "-x",
    "v1;id",
    "v1$(id)",
    "v1`id`",
    "v1|id",
    "v1&id",
    "v1.2.3\u200b",
    "v1'quote",
    'v1"quote',
    "v1{sha}",
    "v1%00",
    "v1!",
    "v1#x",
    "ext::sh -c touch% pwned",
    "é",
    "0" * 40,
    "refs/heads/main",
    "HEAD",
)
PIECES = (
    *(
        "v1",
        "v2.0",
        "release",
        "main",
        "HEAD",
        "a",
        "0",
        "deadbeef",
        "/",
        ".",
        "-",
        "--",
        "_",
        "+",
        "@",
    ),
    *(
        "@{-1}",
        "@{u}",
        "^{commit}",
        "~1",
        ":",
        "..",
        "...",
        "^",
        "!",
        "*",
        "?",
        "[",
        "\\",
        "%00",
        "%s",
    ),
    *("--output=pwned", "--exec=touch", "--upload-pack=touch", "-c", "-O", "core.pager=touch"),
    *(
        "$(touch${IFS}pwned)",
        "`touch${IFS}pwned`",
        ";touch",
        "|touch",
        "&&touch",
        ">pwned",
        "'",
        '"',
    ),
    *(
        "{sha}",
        "{0.__class__}",
        "{{7*7}}",
        "<!channel>",
        "<b>",
        "</slack_message>",
        "approved:true",
    ),
    *(
        "../pwned",
        "/etc/passwd",
        "ext::touch",
        "file://",
        ".lock",
        "\u202e",
        "\u200b",
        "\u2028",
        "é",
    ),
    *("\U000e0041", "\x1b[31m", "\t", "\n", " "),
)
GENERATED = 500


def names() -> list[str]:
    """Return the names that are known to have done harm somewhere, and many made of such pieces."""
    chance = Random(7)
    made: dict[str, None] = dict.fromkeys(KNOWN)
    while len(made) < len(KNOWN) + GENERATED:
        made["".join(chance.choices(PIECES, k=chance.randrange(1, 6)))] = None
    return list(made)


def acceptable(name: str) -> bool:
    """Tell whether git lets a tag be called so: only then can somebody have pushed it."""
    if not name or name.startswith("/") or any(c in "\n\t \x1b" for c in name):
        return False
    status, _, _ = git.Git().execute(
        ["git", "check-ref-format", f"refs/tags/{name}"],
        with_extended_output=True,
        with_exceptions=False,
    )
    return bool(status == 0)


def _side_by_side(found: list[str]) -> list[str]:
    """Return the names that can be in one repository: none is a folder of another."""
    folders = {
        "/".join(name.split("/")[:n]) for name in found for n in range(1, name.count("/") + 1)
    }
    return [name for name in found if name not in folders]


class Yard:
    """A repository in which every such name is a tag of one commit and a branch of another."""

    def __init__(self, folder: Path) -> None:
        self.shop = Shop(folder)
        self.repository = Repository(self.shop.repository.path)
        self.old = self.repository.resolve("v1.0.0").sha
        self.new = self.repository.resolve("main").sha
        self.names = names()
        self.real = _side_by_side([name for name in self.names if acceptable(name)])
        existing = (self.repository.path / "packed-refs").is_file()
        lines = [] if not existing else self._packed()
        spaces = (("tags", self.old), ("heads", self.new))
        taken = {line.split(" ", 1)[1] for line in lines}
        lines += [
            f"{sha} refs/{space}/{name}"
            for space, sha in spaces
            for name in self.real
            if f"refs/{space}/{name}" not in taken and name != "main"
        ]
        lines.sort(key=lambda line: line.split(" ", 1)[1].encode())
        text = "# pack-refs with: peeled fully-peeled sorted \n" + "\n".join(lines) + "\n"
        (self.repository.path / "packed-refs").write_text(text, encoding="utf-8")

    def _packed(self) -> list[str]:
        text = (self.repository.path / "packed-refs").read_text(encoding="utf-8")
        return [line for line in text.splitlines() if line and line[0] not in "#^"]

    def files(self) -> set[Path]:
        """Return every file there is, but for the objects that git keeps."""
        found = self.shop.folder.parent.rglob("*")
        return {path for path in found if "objects" not in path.parts and path.name != "trace"}


@pytest.fixture(name="yard", scope="module")
def _yard(tmp_path_factory):
    return Yard(tmp_path_factory.mktemp("yard") / "shop")


@pytest.fixture(name="trace")
def _trace(yard, monkeypatch):
    """Let every git write down what it starts, and stand in a folder of its own."""
    here = yard.shop.folder.parent / "here"
    here.mkdir(exist_ok=True)
    trace = yard.shop.folder.parent / "trace"
    trace.unlink(missing_ok=True)
    monkeypatch.chdir(here)
    monkeypatch.setenv("GIT_TRACE2_EVENT", str(trace))
    return trace


def children(trace: Path) -> list[list[str]]:
    """Return the commands that git itself started."""
    events = [json.loads(line) for line in trace.read_text(encoding="utf-8").splitlines()]
    assert any(event["event"] == "start" for event in events)
    return [event["argv"] for event in events if event["event"] == "child_start"]


def test_most_of_these_names_can_be_pushed(yard):
    assert len(yard.names) == len(KNOWN) + GENERATED
    assert len(yard.real) > 100
    assert {name for name in KNOWN if name[0] in "<-v"} <= set(yard.real)


def asked(yard: Yard, name: str) -> tuple[str, str]:
    """Return the reason code and the words of a refusal, or that one of the two commits was found."""
    try:
        found = yard.repository.resolve(name)
    except RefusedError as error:
        return error.reason_code, str(error)
    assert found.sha in (yard.old, yard.new)
    return "resolved", ""


def test_no_name_runs_a_command_or_leaves_a_file_and_each_is_a_commit_or_refused_by_name(
    yard, trace
):
    before = yard.files()
    outcomes: dict[str, int] = {}

    for name in yard.names:
        outcome, says = asked(yard, name)
        if outcome != "resolved":
            assert outcome in ("ref_malformed", "ref_missing", "ref_ambiguous")
            assert repr(name[:80]) in says
            assert says.isprintable()
            assert "Nothing was deployed" in says
        outcomes[outcome] = outcomes.get(outcome, 0) + 1

    assert outcomes["ref_malformed"] > 300
    assert outcomes["ref_ambiguous"] > 5
    assert children(trace) == []
    assert yard.files() == before


def test_listing_tags_shows_only_plain_names(yard, trace):
    tags = yard.repository.tags(1000)

    assert len(tags) > 10
    assert all(tag.name.isascii() and tag.name.isprintable() for tag in tags)
    assert not any(set(tag.name) & set("<>`$;|&'\"{}!# \\") for tag in tags)
    assert not any(tag.name.startswith("-") for tag in tags)
    assert children(trace) == []


def test_a_mirror_of_them_all_starts_nothing_but_git(yard, trace, tmp_path):
    mirror = Repository(tmp_path / "mirror.git", f"file://{yard.repository.path}")
    before = yard.files()

    mirror.fetch()

    assert mirror.resolve("main").sha == yard.new
    started = {Path(argv[0].split(" ")[0]).name for argv in children(trace)}
    assert started <= {"git", "git-upload-pack"}
    assert not any("pwned" in part for argv in children(trace) for part in argv)
    assert yard.files() == before


def test_a_plan_by_name_runs_what_a_plan_by_commit_runs(yard, trace):
    look = Look(quick(yard.shop, build=[["make", "{sha}", "{service}"]]), clock=now)
    by_commit = look.plan("deploy", "backend", yard.old, "staging")
    plain = [name for name in yard.real if _is_plain(yard, name)][:5]

    for name in plain:
        plan = look.plan("deploy", "backend", name, "staging")
        assert plan.steps == _of(look, plan.sha).steps
        assert _draws_harmlessly(plan)

    assert plain
    assert by_commit.steps[1].argv == ("make", yard.old, "backend")


def test_no_such_name_is_a_service_or_an_environment(yard):
    catalog = quick(yard.shop)
    plain = [name for name in yard.names if re.fullmatch("[a-z0-9][a-z0-9-]{0,62}", name)]

    for name in yard.names:
        for service, environment in ((name, "staging"), ("backend", name)):
            refusal = check_names(service, environment, catalog)
            assert refusal is not None
            assert refusal.message.isprintable()
            assert len(refusal.message) < 400
        if name not in plain:
            with pytest.raises(ValidationError):
                TypeAdapter(Name).validate_python(name)


def _is_plain(yard: Yard, name: str) -> bool:
    return asked(yard, name)[0] == "resolved"


def _of(look: Look, sha: str) -> Plan:
    return look.plan("deploy", "backend", sha, "staging")


@pytest.mark.parametrize("name", KNOWN)
def test_a_card_shows_such_a_name_to_the_letter(yard, name):
    look = Look(quick(yard.shop), clock=now)

    assert _draws_harmlessly(_of(look, yard.old).model_copy(update={"ref": name}))


def _draws_harmlessly(plan: Plan) -> bool:
    at = datetime(2026, 3, 1, tzinfo=UTC)
    rule = Rule(approvers=("ann", "ben"))
    asked = ApprovalRequest(
        id="r", thread="t", head="", plan=plan, rule=rule, requesters=("eve",), expires_at=at
    )
    shown = json.dumps(draw(Card("card:r", asked.sealed()), Drawn(PEOPLE, "t")).blocks)
    return not any(bad in shown for bad in ("<!channel>", "<approved>", "\\u200b", "\\u202e"))


def test_such_a_name_in_the_environment_of_git_changes_nothing(yard, trace, monkeypatch):
    """What an attacker may have put into the process' environment is not git's to read."""
    marker = Path.cwd() / "pwned"
    for variable in ("GIT_PAGER", "PAGER", "GIT_EDITOR", "GIT_EXTERNAL_DIFF", "GIT_SSH_COMMAND"):
        monkeypatch.setenv(variable, f"touch {marker}")

    yard.repository.log(yard.new, 5)
    yard.repository.changed(yard.old, yard.new)
    yard.repository.between(yard.old, yard.new, 5)

    assert children(trace) == []
    assert not marker.exists()
