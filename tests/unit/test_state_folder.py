import os
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from small_company import in_this_process

from deploybot.embedded import EmbeddedServer
from deploybot.errors import ConfigError
from deploybot.reach import Reach, write_reach
from deploybot.redis_safety import client
from deploybot.state_folder import kept_key, private_folder


@pytest.fixture(params=[0o000, 0o022, 0o077, 0o777], ids=oct)
def umask(request: pytest.FixtureRequest) -> Iterator[None]:
    before = os.umask(request.param)
    yield
    os.umask(before)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.lstat().st_mode)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def somebody_elses(tmp_path: Path) -> Path:
    """Return a folder that another user owns, made by root or by whoever made the machine."""
    folder = tmp_path / "theirs"
    folder.mkdir(mode=0o700)
    if os.geteuid() == 0:
        os.chown(folder, 65534, 65534)
        return folder
    return Path("/usr")


@pytest.mark.usefixtures("umask")
def test_the_folder_and_the_key_are_for_their_owner_whatever_the_umask(tmp_path):
    key = kept_key(tmp_path / "state")

    assert len(key) == 64
    assert kept_key(tmp_path / "state") == key
    assert mode(tmp_path / "state") == 0o700
    assert mode(tmp_path / "state" / "secret.key") == 0o600
    assert names(tmp_path / "state") == ["secret.key"]


@pytest.mark.parametrize("umask", [0o000, 0o022], ids=oct, indirect=True)
def test_all_that_the_built_in_store_writes_is_for_its_owner(umask, tmp_path):
    with EmbeddedServer.start(private_folder(tmp_path / "state") / "redis") as server:
        connection = client(server.url)
        connection.set("a", "b")
        connection.config_set("save", "3600 1")
        connection.save()
        connection.close()
        write_reach(tmp_path / "state", Reach("http://127.0.0.1:1", {"ann": "token-of-ann-1234"}))
        written = {path.name: oct(mode(path)) for path in (tmp_path / "state").rglob("*")}

    assert {"redis", "r.sock", "dump.rdb", "appendonlydir", "server.log"} <= set(written)
    assert {name: bits for name, bits in written.items() if not bits.endswith("00")} == {}


def test_a_folder_that_others_may_look_into_is_closed(tmp_path):
    tmp_path.chmod(0o755)

    private_folder(tmp_path)

    assert mode(tmp_path) == 0o700


def test_a_folder_that_others_may_write_to_is_refused(tmp_path):
    tmp_path.chmod(0o777)

    with pytest.raises(ConfigError, match="Others than its owner may write into the state folder"):
        kept_key(tmp_path)

    assert names(tmp_path) == []


def test_a_folder_of_somebody_else_is_refused(tmp_path):
    folder = somebody_elses(tmp_path)
    before = names(folder)

    with pytest.raises(ConfigError, match=r"belongs to somebody else .* nothing was started"):
        kept_key(folder)

    assert names(folder) == before


def test_a_folder_that_cannot_be_made_is_said(tmp_path):
    (tmp_path / "file").write_text("")

    with pytest.raises(ConfigError, match="cannot be made"):
        kept_key(tmp_path / "file" / "state")


@pytest.mark.parametrize("readable", [0o640, 0o604, 0o660], ids=oct)
def test_a_key_that_others_may_read_is_not_used(tmp_path, readable):
    kept_key(tmp_path)
    (tmp_path / "secret.key").chmod(readable)

    with pytest.raises(ConfigError, match=r"others may read it, so nothing was started.*chmod 600"):
        kept_key(tmp_path)


def test_a_key_that_is_a_link_to_elsewhere_is_not_used(tmp_path):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.write_text("k" * 64)
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / "secret.key").symlink_to(elsewhere)

    with pytest.raises(ConfigError, match="is not a file of this user"):
        kept_key(tmp_path / "state")


def test_a_key_that_was_cut_off_is_not_used(tmp_path):
    kept_key(tmp_path)
    (tmp_path / "secret.key").write_text("")

    with pytest.raises(ConfigError, match="holds fewer than 32 characters"):
        kept_key(tmp_path)


MAKES = """
import sys
from pathlib import Path
from deploybot.state_folder import kept_key
sys.stdin.read()
print(kept_key(Path(sys.argv[1])).decode())
"""


def test_of_processes_that_start_at_once_all_get_the_same_key(tmp_path):
    started = [
        subprocess.Popen(
            (sys.executable, "-c", MAKES, str(tmp_path / "state")),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(4)
    ]
    for process in started:
        process.stdin.close()
    keys = {process.stdout.read().strip() for process in started}
    for process in started:
        process.stdout.close()
        assert process.wait(30) == 0

    assert len(keys) == 1
    assert len(keys.pop()) == 64


def test_what_is_open_to_others_stops_the_start_in_one_line(tmp_path):
    config = tmp_path / "deploybot.toml"
    config.write_text('[people.ann]\nname = "Ann"\n')
    environ = {"DEPLOYBOT_CONFIG": str(config), "DEPLOYBOT_STATE_DIR": str(tmp_path / "state")}
    kept_key(tmp_path / "state")
    (tmp_path / "state").chmod(0o777)

    ended = in_this_process("serve", environ=environ)

    assert ended.returncode == 2
    assert ended.stderr.count("\n") == 1
    assert "chmod 700" in ended.stderr
