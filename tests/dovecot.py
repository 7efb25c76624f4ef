"""A real IMAP server on the loopback, with LMTP in front: Debian's Dovecot, in a temporary folder."""

import grp
import os
import pwd
import shutil
import smtplib
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self
from urllib.parse import quote

import pytest
from imapclient import IMAPClient  # type: ignore[import-untyped]
from redis_server import wait_until

HOST = "127.0.0.1"
ACCOUNTS = tuple(f"bot{number}@bot.example" for number in range(1, 100))
PASSWORD = "p@ss, w/ord%"


def require_dovecot() -> str:
    """Return where Dovecot is; skips aloud where it is not installed."""
    found = shutil.which("dovecot", path="/usr/sbin:/usr/local/sbin")
    if not found or not Path("/usr/lib/dovecot/lmtp").exists():
        pytest.skip("Dovecot is not installed: apt-get install dovecot-imapd dovecot-lmtpd")
    return found


def free_port() -> int:
    with socket.create_server((HOST, 0)) as listener:
        return int(listener.getsockname()[1])


@dataclass
class Dovecot:
    """The server while the `with` block lasts."""

    folder: Path
    binary: str
    more: str = ""
    """Further lines of its configuration."""
    _unused: Iterator[str] = field(default_factory=lambda: iter(ACCOUNTS))
    pem: Path | None = None
    """A certificate and its key, for a server that speaks TLS, too."""
    ports: tuple[int, int] = field(default_factory=lambda: (free_port(), free_port()))
    imaps: int = 0

    def __enter__(self) -> Self:
        owner = self._owner()
        self.imaps = free_port() if self.pem else 0
        self.folder.mkdir(parents=True, exist_ok=True)
        self.folder.chmod(0o755)
        (self.folder / "mail").mkdir(exist_ok=True)
        accounts = (f"{name}:{{PLAIN}}{PASSWORD}::::::\n" for name in ACCOUNTS)
        (self.folder / "users").write_text("".join(accounts))
        (self.folder / "dovecot.conf").write_text(self._configuration(owner))
        if os.getuid() == 0:
            uid, gid = pwd.getpwnam(owner[0]).pw_uid, grp.getgrnam(owner[1]).gr_gid
            os.chown(self.folder / "mail", uid, gid)
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """Start it, and wait until it answers."""
        log = (self.folder / "stderr").open("ab")
        command = [self.binary, "-F", "-c", str(self.folder / "dovecot.conf")]
        self._process = subprocess.Popen(command, stderr=log, start_new_session=True)
        log.close()
        for port in self.ports:
            wait_until(lambda port=port: _answers(port), seconds=60)

    def stop(self) -> None:
        """End it, and every connection with it."""
        self._process.terminate()
        try:
            self._process.wait(20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def account(self) -> str:
        """Return the address of an account that nobody has used."""
        return next(self._unused)

    def url(self, address: str, *, password: str = PASSWORD, port: int = 0) -> str:
        """Return the address of its inbox as the bot is told it."""
        name, word = quote(address, safe=""), quote(password, safe="")
        return f"imap://{name}:{word}@{HOST}:{port or self.ports[0]}/INBOX"

    def deliver(self, raw: bytes, to: str) -> float:
        """Hand over a mail as a mail server would; return when it was in the mailbox."""
        with smtplib.LMTP(HOST, self.ports[1], timeout=60) as server:
            server.sendmail("sender@shop.example", [to], raw)
        return time.monotonic()

    def _owner(self) -> tuple[str, str]:
        uid = 65534 if os.getuid() == 0 else os.getuid()
        user = pwd.getpwuid(uid)
        return user.pw_name, grp.getgrgid(user.pw_gid).gr_name

    def _configuration(self, owner: tuple[str, str]) -> str:
        user, group = owner
        d, imap, lmtp = self.folder, *self.ports
        tls = (
            f"ssl = yes\nssl_cert = <{self.pem}\nssl_key = <{self.pem}" if self.pem else "ssl = no"
        )
        return f"""
base_dir = {d}/run
state_dir = {d}/run
log_path = {d}/dovecot.log
protocols = imap lmtp
listen = {HOST}
{tls}
disable_plaintext_auth = no
auth_failure_delay = 0
auth_mechanisms = plain login
default_internal_user = {user}
default_internal_group = {group}
default_login_user = {user}
first_valid_uid = 1
first_valid_gid = 1
mail_uid = {user}
mail_gid = {group}
mail_home = {d}/mail/%u
mail_location = maildir:~/Maildir
mail_max_userip_connections = 50
mailbox_idle_check_interval = 1s
auth_username_chars =
recipient_delimiter = +
passdb {{
  driver = passwd-file
  args = username_format=%u {d}/users
}}
userdb {{
  driver = static
  args = uid={user} gid={group} home={d}/mail/%u
}}
namespace inbox {{
  inbox = yes
  separator = /
}}
service imap-login {{
  chroot =
  inet_listener imap {{
    port = {imap}
  }}
  inet_listener imaps {{
    port = {self.imaps}
    ssl = {"yes" if self.pem else "no"}
  }}
}}
service lmtp {{
  user = {user}
  inet_listener lmtp {{
    address = {HOST}
    port = {lmtp}
  }}
}}
service anvil {{
  chroot =
}}
service stats {{
  chroot =
  unix_listener stats-reader {{
    mode = 0666
  }}
  unix_listener stats-writer {{
    mode = 0666
  }}
}}
protocol lmtp {{
  auth_username_format = %Lu
}}
{self.more}
"""


@contextmanager
def looking_into(server: Dovecot, address: str) -> Iterator[IMAPClient]:
    """Yield a client that is logged in, beside whoever reads the mailbox."""
    with IMAPClient(HOST, port=server.ports[0], ssl=False, timeout=60) as client:
        client.login(address, PASSWORD)
        yield client


def counted(server: Dovecot, address: str, folder: str = "INBOX") -> int:
    """Return how many mails lie in a folder."""
    with looking_into(server, address) as client:
        return int(client.folder_status(folder, ["MESSAGES"])[b"MESSAGES"])


def _answers(port: int) -> bool:
    try:
        with socket.create_connection((HOST, port), timeout=2) as line:
            return bool(line.recv(1))
    except OSError:
        return False
