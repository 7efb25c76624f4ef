"""The one place that runs git: alone with one repository, and deaf to every setting of the machine."""

from pathlib import Path

import git

from deploy.errors import RepositoryError

SECONDS = 20.0
"""How long one question to git may take."""

_OPTIONS = (
    "--no-pager",
    "--no-replace-objects",
    "-c", "core.hooksPath=/dev/null",
    "-c", "core.fsmonitor=false",
    "-c", "core.attributesFile=/dev/null",
    "-c", "protocol.ext.allow=never",
    "-c", "log.showSignature=false",
    "-c", "log.mailmap=false",
    "-c", "i18n.logOutputEncoding=UTF-8",
    "-c", "gc.auto=0",
)  # fmt: skip
_VARIABLES = {
    "GIT_ALLOW_PROTOCOL": "https:ssh:file",
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": "/dev/null",
    "GIT_CONFIG_COUNT": "0",
    "GIT_CONFIG_PARAMETERS": "",
    "GIT_ATTR_NOSYSTEM": "1",
    "GIT_OPTIONAL_LOCKS": "0",
    "GIT_NAMESPACE": "",
    "GIT_ALTERNATE_OBJECT_DIRECTORIES": "",
    "GIT_SSH_COMMAND": "ssh -o BatchMode=yes",
}


class GitCommand:
    """Git, about the repository at `path`; every method raises RepositoryError if that is not there."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._directory = path / ".git" if (path / ".git").is_dir() else path

    def ask(self, *arguments: str) -> str:
        """Return what git prints; raise RepositoryError when it fails."""
        status, text, error = self.run(*arguments)
        if status != 0:
            raise self.failed(error)
        return text

    def run(self, *arguments: str, seconds: float = SECONDS) -> tuple[int, str, str]:
        """Return the exit code of git, what it printed, and what it said was wrong."""
        status, output, error = self._git().execute(
            [*self._command, *arguments],
            with_extended_output=True,
            with_exceptions=False,
            stdout_as_string=False,
            strip_newline_in_stdout=False,
            kill_after_timeout=seconds,
            env=_VARIABLES,
        )
        return status, output.decode("utf-8", "replace"), error

    def started(self, *arguments: str) -> git.Git.AutoInterrupt:
        """Return the running git, its output to be read."""
        return self._git().execute([*self._command, *arguments], as_process=True, env=_VARIABLES)

    def failed(self, error: str) -> RepositoryError:
        """Return the error that says what git said."""
        reason = " ".join(error.split())[:300].removeprefix("fatal: ").rstrip(".")
        return RepositoryError(
            f"Git could not read the repository {self.path}: {reason or 'no reason given'}. "
            "Nothing was deployed; mend the repository or its settings, then ask again."
        )

    @property
    def _command(self) -> list[str]:
        return ["git", f"--git-dir={self._directory}", *_OPTIONS]

    def _git(self) -> git.Git:
        if not self._directory.is_dir():
            raise self.failed("the folder does not exist")
        return git.Git(self._directory)
