"""What the documentation says is so: each claim that a machine can check is checked here."""

import ast
import re
from functools import cache
from pathlib import Path

import click
import documents
import example
import pytest
import typer
import yaml
from bad_inputs import BAD_INPUTS
from documents import ROOT
from fastapi.openapi.utils import get_openapi
from office import Office
from planning import Play
from story import Story

from deploy.__main__ import _parser
from deploy.kinds import BUILT_IN
from deploybot.cli.app import app
from deploybot.config import SETTINGS, Configuration, read_configuration
from deploybot.manifest import EVENTS, SCOPES
from deploybot.metrics import METRICS
from deploybot.next_step import Change, Read
from deploybot.thread import TRANSITIONS
from deploybot.web.health import PARTS

DOCUMENTS = sorted(
    path for where in (".", "docs", "prompts") for path in (ROOT / where).glob("*.md")
)
README = (ROOT / "README.md").read_text(encoding="utf-8")
EXAMPLE = ROOT / "deploybot.example.toml"
PROMISES = README.partition("## Promises")[2].partition("\n## ")[0]
PROMISED = re.findall(r"\[`(test_\w+|Test\w+)`\]\((tests/[\w/]+\.py)\)", PROMISES)

each_document = pytest.mark.parametrize(
    "document", [pytest.param(path, id=str(path.relative_to(ROOT))) for path in DOCUMENTS]
)


@pytest.mark.parametrize("name", documents.BLOCKS)
def test_what_is_written_from_the_code_is_up_to_date(name):
    _, write = documents.BLOCKS[name]

    assert documents.block(name) == write(), "run `python tests/documents.py`"


# -- promises ----------------------------------------------------------------------


def test_every_promise_names_a_test():
    promises = re.split(r"^- ", PROMISES, flags=re.MULTILINE)[1:]

    assert len(promises) >= 10
    for promise in promises:
        assert "](tests/" in promise, promise


@pytest.mark.parametrize(("name", "file"), PROMISED, ids=[name for name, _ in PROMISED])
def test_a_promise_is_kept_by_a_test_that_runs(name, file):
    tree = ast.parse((ROOT / file).read_text(encoding="utf-8"))

    found = [node for node in tree.body if name in names_of(node)]

    assert len(found) == 1, f"{file} has no {name}"
    assert not skips(found[0])
    assert not any(skips(node) for node in tree.body if "pytestmark" in names_of(node))


PEERS = (ROOT / "docs/peers.md").read_text(encoding="utf-8")
SHOWN = sorted(set(re.findall(r"\[`(test_\w+)`\]\(\.\./(tests/[\w/]+\.py)\)", PEERS)))


@pytest.mark.parametrize(("name", "file"), SHOWN, ids=[name for name, _ in SHOWN])
def test_what_is_said_beside_others_is_shown_by_a_test_that_runs(name, file):
    test_a_promise_is_kept_by_a_test_that_runs(name, file)


def test_every_row_beside_others_is_shown_by_a_test_or_says_no():
    rows = [line.strip("| ").split(" | ") for line in PEERS.splitlines() if line.startswith("| ")]
    rows = [row for row in rows if row[-1] not in ("Shown by", "---")]

    assert len(rows) >= 80
    for row in rows:
        says_no = any(re.match(r"No\b", cell) for cell in row)
        assert "](../tests/" in row[-1] or says_no, row
        assert any(re.match(r"(?:Yes|No|In part|Otherwise|Through)\b", cell) for cell in row), row


def names_of(node: ast.stmt) -> set[str]:
    match node:
        case ast.FunctionDef(name=name) | ast.ClassDef(name=name):
            return {name}
        case ast.Assign(targets=targets):
            return {target.id for target in targets if isinstance(target, ast.Name)}
        case _:
            return set()


def skips(node: ast.stmt) -> bool:
    """Tell whether a mark keeps the test, or one of its cases, out of `make test`."""
    marks = node.decorator_list if isinstance(node, ast.FunctionDef | ast.ClassDef) else [node]
    kept_out = r"\bmark\.(skip|xfail)|^(pytestmark = .*)?\b(pytest\.mark\.)?benchmark$"
    return any(re.search(kept_out, ast.unparse(mark)) for mark in marks)


# -- the transcript ----------------------------------------------------------------


def test_the_transcript_could_have_happened():
    kinds = re.findall(r"^ +\d+ [\d:]{8} (\w+) · ", README, re.MULTILINE)
    table = {
        status: {documents.kind_of(event): leads_to for event, leads_to in events.items()}
        for status, events in TRANSITIONS.items()
    }

    status = next(iter(table))
    for kind in kinds:
        if kind not in documents.anywhere():
            status = table[status][kind]

    assert kinds[0] == "handed_over"
    assert {"approval_denied", "approval_granted", "deploy_succeeded"} <= set(kinds)


# -- settings ----------------------------------------------------------------------


@each_document
def test_every_variable_that_is_named_exists(document):
    text = document.read_text(encoding="utf-8")
    named = set(
        re.findall(r"\b(?:DEPLOYBOT|SLACK|OPENAI|GITHUB|OTEL|VERCEL|KUBERNETES)_[A-Z_]+\b", text)
    )

    assert named <= {setting.name for setting in SETTINGS}


def test_the_example_can_be_read():
    configuration = read_configuration(EXAMPLE)

    assert configuration.catalog.services
    assert configuration.people
    for repository in configuration.catalog.repositories.values():
        assert repository.path.is_absolute()


def test_relative_paths_are_read_from_the_files_own_folder(monkeypatch):
    monkeypatch.chdir(ROOT)

    named = read_configuration(Path(EXAMPLE.name))

    assert named == read_configuration(EXAMPLE)


def test_the_example_explains_every_key_and_knows_no_other():
    shown = example.keys_shown(EXAMPLE.read_text(encoding="utf-8"))

    for table, keys in example.keys_there_are(Configuration).items():
        assert shown[table] == keys, table.__name__


def test_every_key_that_the_example_leaves_off_may_be_switched_on(tmp_path, monkeypatch):
    on = example.switched_on(EXAMPLE.read_text(encoding="utf-8"))
    for name in re.findall(r'^api_key_env = "(\w+)"', on, re.MULTILINE):
        monkeypatch.setenv(name, "a key")
    (tmp_path / "deploybot.toml").write_text(on, encoding="utf-8")

    configuration = read_configuration(tmp_path / "deploybot.toml")

    assert configuration != read_configuration(EXAMPLE)


OTHER_KINDS = [
    re.sub(r"^#     ", "", block, flags=re.MULTILINE)
    for block in re.findall(
        r"^#     \[services.+\n(?:#     .+\n)+", EXAMPLE.read_text("utf-8"), re.MULTILINE
    )
]


@pytest.mark.parametrize(
    "shown", OTHER_KINDS, ids=[re.findall(r'"(\w+)"', one)[0] for one in OTHER_KINDS]
)
def test_every_other_kind_of_target_that_the_example_shows_can_be_used(shown, tmp_path):
    (header, *_), text = shown.splitlines(), EXAMPLE.read_text(encoding="utf-8")
    before, _, rest = text.partition(f"\n{header}\n")
    after = re.search(r"^\[", rest, re.MULTILINE).start()
    (tmp_path / "deploybot.toml").write_text(f"{before}\n{shown}\n{rest[after:]}", encoding="utf-8")

    target = read_configuration(tmp_path / "deploybot.toml").catalog.services["backend"].target

    assert f'kind = "{target.kind}"' in shown


def test_the_example_shows_every_kind_of_target():
    kinds = set(re.findall(r'^(?:#     )?kind = "(\w+)"', EXAMPLE.read_text("utf-8"), re.MULTILINE))

    assert kinds == set(BUILT_IN)


# -- metrics -----------------------------------------------------------------------

METRICS_DOCUMENT = (ROOT / "docs/metrics.md").read_text(encoding="utf-8")


def names_of_samples() -> dict[str, set[str]]:
    """Return each name that a query may use, and its labels."""
    names: dict[str, set[str]] = {}
    for metric in METRICS:
        names[metric.name] = set(metric.labels)
        if metric.kind == "histogram":
            names |= {f"{metric.name}_{part}": set(metric.labels) for part in ("count", "sum")}
            names[f"{metric.name}_bucket"] = {*metric.labels, "le"}
    return names


@each_document
def test_every_metric_that_is_named_exists_with_the_labels_that_are_used(document):
    known = names_of_samples()
    used = r"(deploybot_[a-z_]+_(?:total|seconds|bucket)|deploybot_(?:threads|workers|store_up|budget\w*))"
    for name, labels in re.findall(used + r"\b(?:\{([^}]*)\})?", document.read_text("utf-8")):
        assert name in known, name
        assert set(re.findall(r"(\w+)\s*(?:=|!=|=~)", labels)) <= known[name], name


def test_the_alerts_are_rules_each_with_something_to_do():
    blocks = re.findall(r"^```yaml\n(.*?)^```", METRICS_DOCUMENT, re.DOTALL | re.MULTILINE)
    (rules,) = [yaml.safe_load(block) for block in blocks if block.startswith("groups:")]

    (group,) = rules["groups"]
    for rule in group["rules"]:
        assert {"alert", "expr", "annotations"} <= set(rule)
        assert any(name in rule["expr"] for name in names_of_samples()), rule["alert"]
        assert rule["expr"].count("(") == rule["expr"].count(")")
        assert rule["annotations"]["do"].endswith(".")


def test_every_part_of_being_ready_is_told():
    for part in PARTS:
        assert f"| `{part}` |" in METRICS_DOCUMENT


# -- commands and routes -----------------------------------------------------------


SAID = (ROOT / "docs/slack.md").read_text("utf-8").partition("## What you can say")[2]
SENTENCES = [
    sentence
    for row in re.findall(r"^\| (`.+?) \| ", SAID.partition("\n## ")[0], re.MULTILINE)
    for sentence in re.findall(r"`([^`]+)`", row)
]


@pytest.mark.parametrize("sentence", SENTENCES)
def test_what_one_can_say_is_understood_without_a_model(sentence):
    step = Play().says(sentence).step()

    assert len(SENTENCES) >= 7
    assert isinstance(step, Change | Read)


@cache
def commands() -> dict[str, click.Command]:
    return typer.main.get_command(app).commands


def code_in(text: str) -> list[str]:
    """Return what stands in code spans, and line by line what stands in blocks of the shell."""
    blocks = re.findall(r"^```(?:sh|console|ini)\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    spans = re.findall(
        r"`([^`\n]+)`", re.sub(r"^```.*?^```", "", text, flags=re.DOTALL | re.MULTILINE)
    )
    return [
        line.strip().removeprefix("$ ") for block in blocks for line in block.splitlines()
    ] + spans


@each_document
def test_every_command_that_is_named_exists(document):
    for line in code_in(document.read_text(encoding="utf-8")):
        said = re.match(r"(?:\w+=\S*/?)*(?:[\w./-]*bin/)?deploybot ([a-z]+)(.*)", line)
        if said is None:
            continue
        command = commands().get(said[1])
        assert command is not None, line
        below = getattr(command, "commands", {}).get((said[2].split() or [""])[0])
        options = {option for each in (below or command).params for option in each.opts}
        assert set(re.findall(r"(?<!\S)--[a-z-]+", said[2])) <= options, line


@each_document
def test_every_command_by_hand_that_is_written_out_is_one(document):
    for line in code_in(document.read_text(encoding="utf-8")):
        said = re.match(r"python -m deploy ([^#]+)", line)
        if said is not None and len(said[1].split()) == 1:  # its name alone
            with pytest.raises(SystemExit, match=r"^0$"):
                _parser().parse_args([said[1].strip(), "--help"])
        elif said is not None:
            assert vars(_parser().parse_args(said[1].split())), line


@each_document
def test_every_make_target_that_is_named_exists(document):
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))

    for line in code_in(document.read_text(encoding="utf-8")):
        if said := re.match(r"make((?: [a-z-]+)*)(?:\s|$)", line):
            assert set(said[1].split()) <= targets, line


def test_every_command_is_told_of():
    told = "".join(path.read_text(encoding="utf-8") for path in DOCUMENTS)

    for name in commands():
        assert f"deploybot {name}" in told, name


def test_the_api_is_documented_route_by_route():
    text = (ROOT / "docs/api.md").read_text(encoding="utf-8")
    told = set(re.findall(r"`(GET|POST|PUT|DELETE) (/[^\s`?]*)", text))

    routes = Office(Story()).app().routes
    paths = get_openapi(title="", version="", routes=routes)["paths"]
    served = {
        (method.upper(), path.replace("{thread_id}", "{id}"))
        for path, methods in paths.items()
        for method in methods
    }

    assert told == served | {("POST", "/slack/events")}


def test_slacks_permissions_are_those_of_the_manifest():
    text = (ROOT / "docs/slack.md").read_text(encoding="utf-8")

    of_the_app_itself = {"connections:write"}
    named = set(re.findall(r"`([a-z_]+:[a-z.]+)`", text))
    assert named == {scope for scope in SCOPES if ":" in scope} | of_the_app_itself
    for scope in SCOPES:
        assert f"| `{scope}` |" in text
    for event in EVENTS:
        assert f"`{event}`" in text


# -- threats -----------------------------------------------------------------------

THREATS = (ROOT / "docs/threats.md").read_text(encoding="utf-8")
TRIED = sorted(set(re.findall(r"\[`(\w+)`\]\(\.\./(tests/[\w/]+\.py)\)", THREATS)))


def test_every_threat_has_a_row_with_where_it_is_met_and_what_tries_it():
    rows = [row.strip("| ").split(" | ") for row in THREATS.splitlines() if row.startswith("| T")]

    assert [row[0] for row in rows] == [f"T{number}" for number in range(1, 28)]
    for _, _, done, where, tests in rows:
        assert len(done) > 30
        assert all((ROOT / place).exists() for place in re.findall(r"`([\w/.]+)`", where)), where
        assert "](../tests/" in tests


@pytest.mark.parametrize(("name", "file"), TRIED, ids=[name for name, _ in TRIED])
def test_what_is_done_against_a_threat_is_tried_by_a_test_that_runs(name, file):
    test_a_promise_is_kept_by_a_test_that_runs(name, file)


# -- bad inputs --------------------------------------------------------------------

PLAYED = (ROOT / "tests/acceptance/test_bad_inputs.py").read_text(encoding="utf-8")


def test_each_of_the_bad_inputs_is_played():
    names = re.findall(r"^def test_(\d\d)_(?:to_(\d\d)_)?", PLAYED, re.MULTILINE)
    played = {n for first, last in names for n in range(int(first), int(last or first) + 1)}

    assert played == {one.number for one in BAD_INPUTS} == set(range(1, 26))
    assert len({one.answer for one in BAD_INPUTS}) == 25
    assert all(len(one.answer) > 10 for one in BAD_INPUTS)


# -- links -------------------------------------------------------------------------


@each_document
def test_every_link_inside_the_project_leads_somewhere(document):
    text = re.sub(
        r"^```.*?^```", "", document.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE
    )
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if re.match(r"[a-z]+:", target):
            continue
        file, _, anchor = target.partition("#")
        path = document.parent / file if file else document
        assert path.exists(), target
        if anchor:
            assert anchor in anchors(path), target


def anchors(path: Path) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", path.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.casefold()).replace(" ", "-") for heading in headings}
