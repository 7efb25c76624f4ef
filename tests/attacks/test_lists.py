"""Commands and paths as names: none becomes a word of a command, none leaves the folder of its release."""

import subprocess
import sys
from itertools import product
from pathlib import Path

import pytest
from pydantic import ValidationError
from shop import Shop

from deploy.catalog import Catalog
from deploy.errors import RefusedError
from deploy.placeholders import fill
from deploy.refs import checked_name, checked_sha, is_name
from deploy.targets.release_directory import ReleaseDirectory

RUNS = ("id", "touch pwned", "cat /etc/passwd", "curl http://169.254.169.254/", "rm -rf /")
SHELLS = (
    *(";{}", "| {}", "|| {}", "&& {}", "& {}", "\n{}", "\r\n{}", "`{}`", "$({})", "${{IFS}}{}"),
    *(
        "'; {} #",
        '"; {} #',
        "x;{};",
        "%0a{}",
        "<({})",
        ">({})",
        "{{{{{}}}}}",
        "\\{}",
        "!{}",
        "~ {}",
    ),
    *("x\t{}", "x\v{}", "x\x00{}", "$'{}'", "a=`{}`", "\u2028{}", "\uff1b{}", "x\u00a0;{}"),
)
COMMANDS = tuple(shell.format(command) for shell, command in product(SHELLS, RUNS))
OPTIONS = (
    *("-x", "--help", "--output=pwned", "--upload-pack=touch${IFS}pwned", "-c", "--exec=id"),
    *("--git-dir=/tmp", "-oProxyCommand=id", "--config=core.pager=id", "--", "-", "@{-1}"),
)
UPWARDS = ("..", "../", "..\\", "%2e%2e/", "..%2f", "..%252f", "....//", "..;/", "%c0%ae%c0%ae/")
WHERE = ("etc/passwd", "proc/self/environ", "root/.ssh/id_rsa", "windows/win.ini")
PATHS = (
    *(up * depth + where for up, depth, where in product(UPWARDS, (1, 3, 8), WHERE)),
    *("/etc/passwd", "//etc/passwd", "file:///etc/passwd", "C:\\boot.ini", "\\\\host\\share"),
    *(
        "~/.ssh/id_rsa",
        "./x",
        "x/../y",
        "x/./y",
        ".",
        "..",
        "",
        " ",
        "x\x00.txt",
        "a/b/",
        "/",
        "x/",
    ),
)
ALL = (*COMMANDS, *OPTIONS, *PATHS)


def test_there_are_many_of_each() -> None:
    assert (len(set(COMMANDS)), len(set(PATHS))) > (130, 120)
    assert len(set(ALL)) == len(ALL)


def test_none_of_them_is_the_name_of_a_service_or_an_environment(tmp_path: Path) -> None:
    tables = Shop(tmp_path).tables()
    taken = []
    for name in ALL:
        for kind in ("services", "environments"):
            there = tables[kind]
            one = there["backend" if kind == "services" else "staging"]
            try:
                Catalog.model_validate(tables | {kind: {**there, name: one}})
            except ValidationError:
                continue
            taken.append((kind, name))

    assert taken == []


def test_none_of_them_is_a_commit_and_what_is_a_name_is_a_plain_one() -> None:
    for name in ALL:
        with pytest.raises(RefusedError, match="Nothing was deployed"):
            checked_sha(name)
        if is_name(name):
            assert not set(name) & set(" ;|&`$<>(){}\"'\\!~*?\n\r\t\0")
            assert ".." not in name
            assert name[0] not in "-/."
        else:
            with pytest.raises(RefusedError, match=r"is refused: .* Nothing was deployed"):
                checked_name(name)


def test_whatever_a_value_holds_it_stays_one_word_of_a_command_that_no_shell_reads(
    tmp_path: Path,
) -> None:
    values = [value for value in ALL if "\0" not in value]
    say = "import json, sys; json.dump(sys.argv[1:], sys.stdout)"

    filled = [fill((sys.executable, "-c", say, "{sha}", "--"), {"sha": one}) for one in values]
    words = [word for argv in filled for word in argv[3:-1]]
    done = subprocess.run(
        (*filled[0][:3], *words), cwd=tmp_path, capture_output=True, text=True, check=True
    )

    assert all(len(argv) == 5 for argv in filled)
    assert words == values
    assert done.stdout.count('", "') == len(values) - 1
    assert list(tmp_path.iterdir()) == []


def test_no_commit_leads_out_of_the_folder_of_releases(tmp_path: Path) -> None:
    folder = ReleaseDirectory(tmp_path / "base", "production", "backend")
    folder.prepare()
    for name in ALL:
        with pytest.raises(RefusedError):
            checked_sha(name)

    sha = checked_sha("a" * 40)

    assert folder.release(sha).resolve().is_relative_to((tmp_path / "base").resolve())
    assert folder.release(sha).parent == folder.releases
