"""The state folder is its owner's alone, whatever the umask; what is kept in it is the callers'."""

import os
import secrets
import stat
from pathlib import Path

from deploybot.errors import ConfigError

KEY = "secret.key"
LEAST_KEY = 32


def private_folder(folder: Path) -> Path:
    """Make the folder, and everybody else stay out of it; return it.

    Raises ConfigError for a folder that is somebody else's, or that others may write to: what
    lies there may be theirs.
    """
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = folder.stat()
    except OSError as error:
        raise ConfigError(
            f"The state folder {folder} cannot be made ({error.strerror}), so nothing was started. "
            "Set DEPLOYBOT_STATE_DIR to a folder that this user may write to."
        ) from None
    if found.st_uid != os.geteuid():
        raise ConfigError(
            f"The state folder {folder} belongs to somebody else (user {found.st_uid}, and this is "
            f"user {os.geteuid()}), so nothing was started. Run as its owner, or set "
            "DEPLOYBOT_STATE_DIR to a folder of your own."
        )
    if found.st_mode & 0o022:
        raise ConfigError(
            f"Others than its owner may write into the state folder {folder}, so nothing was "
            f"started. See what lies there, then: chmod 700 {folder}"
        )
    if stat.S_IMODE(found.st_mode) != 0o700:
        folder.chmod(0o700)
    return folder


def opened_for_its_owner(path: str, flags: int) -> int:
    """Open a file as `open(opener=…)` wants it: what is made is readable by its owner alone."""
    descriptor = os.open(path, flags, 0o600)
    os.fchmod(descriptor, 0o600)
    return descriptor


def kept_key(folder: Path) -> bytes:
    """Return the key that is kept in the state folder; make one if there is none.

    Of processes that start at once, all get the same one, and none gets half of it. Raises
    ConfigError for a key that others may read or change, or that is none.
    """
    path = private_folder(folder) / KEY
    if not path.exists():
        _make(path)
    found = path.lstat()
    if not stat.S_ISREG(found.st_mode) or found.st_uid != os.geteuid():
        raise _refused(path, "is not a file of this user", "Look who put it there")
    if found.st_mode & 0o077:
        raise _refused(
            path,
            "seals the threads, and others may read it",
            f"If nobody has seen it: chmod 600 {path}. Otherwise whoever has can forge threads: "
            "ask for a look at all of them with `deploybot audit` before you go on",
        )
    key = path.read_bytes()
    if len(key.strip()) < LEAST_KEY:
        raise _refused(
            path,
            f"holds fewer than {LEAST_KEY} characters",
            "Bring it back from your backup: without it the threads cannot be verified",
        )
    return key


def _make(path: Path) -> None:
    """Write a new key beside its place, and put it there unless somebody was quicker."""
    draft = path.with_name(f".{KEY}.{secrets.token_hex(8)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "w") as file:
            os.fchmod(file.fileno(), 0o600)
            file.write(secrets.token_hex(32))
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(draft, path)
        except FileExistsError:
            return
    finally:
        draft.unlink()


def _refused(path: Path, what: str, mend: str) -> ConfigError:
    return ConfigError(f"{path} {what}, so nothing was started. {mend}.")
