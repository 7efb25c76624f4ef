"""GitHub's API, through its client, with its errors in our words; what is asked is for others."""

from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice

import requests
import urllib3
from github import Auth, Github, GithubException
from github.GithubException import BadAttributeException, RateLimitExceededException
from github.Repository import Repository
from urllib3.exceptions import HTTPError

from deploy import failpoints
from deploy.answers import REQUEST_SECONDS, busy, refused, unheard
from deploy.checks import Check, State
from deploy.connections import Connections
from deploy.errors import DeniedError, NoAnswerError, PlaceError

_NO_API = (
    *(BadAttributeException, AssertionError, AttributeError, LookupError),
    *(RuntimeError, TypeError, ValueError),
)
"""What the client raises when an answer is not what the API's would be."""
_LOG_BYTES = 8 * 1024 * 1024


_CHECKS_SEEN = 500


class GitHub:
    """One GitHub, spoken to with one token; nothing is asked before it is needed, nor again."""

    def __init__(self, connections: Connections) -> None:
        self._token = connections.github_token
        token = self._token.get_secret_value()
        self._api = Github(
            auth=Auth.Token(token) if token else None,
            base_url=connections.github_url,
            timeout=REQUEST_SECONDS,
            user_agent="deploybot",
            per_page=100,
            retry=0,
            seconds_between_requests=None,
            seconds_between_writes=None,
            lazy=True,
        )

    def repository(self, name: str) -> Repository:
        """Return `owner/name`; what it is asked for belongs into `github_answers`."""
        return self._api.get_repo(name)

    def checks(self, repository: str, sha: str) -> tuple[Check, ...]:
        """Return what was checked of a commit, its check runs and statuses; raises PlaceError.

        Of those with one name GitHub gives the last. Statuses that do not fit on one page of its
        stand as one check, by what they come to together.
        """
        with github_answers("list the checks"):
            commit = self.repository(repository).get_commit(sha)
            runs = islice(commit.get_check_runs(), _CHECKS_SEEN)
            checks = [
                Check(name=run.name, state=_of_run(run.conclusion), link=run.html_url or "")
                for run in runs
            ]
            combined = commit.get_combined_status()
            checks += [
                Check(name=status.context, state=_of(status.state), link=status.target_url or "")
                for status in combined.statuses
            ]
            if combined.total_count > len(combined.statuses):
                checks.append(Check(name="further statuses", state=_of(combined.state)))
        return tuple(checks)

    def _authorization(self) -> dict[str, str]:
        token = self._token.get_secret_value()
        return {"Authorization": f"Bearer {token}"} if token else {}

    def log_tail(self, url: str, lines: int) -> tuple[bytes, ...]:
        """Return the last lines of a log, as far as 8 MB go; raises PlaceError.

        A log is kept elsewhere: the token is shown to GitHub, never to where it points.
        """
        with github_answers("give the log"), urllib3.PoolManager(retries=False) as pool:
            headers = {"User-Agent": "deploybot", **self._authorization()}
            answer = pool.request(
                "GET", url, headers=headers, redirect=False, timeout=REQUEST_SECONDS
            )
            place = answer.headers.get("Location", "")
            if answer.status != 302 or not place:
                raise DeniedError(f"GitHub gave no log ({answer.status}).", answer.status)
            log = pool.request(
                "GET", place, redirect=False, timeout=REQUEST_SECONDS, preload_content=False
            )
            return _last_lines(log, lines)


@contextmanager
def github_answers(doing: str) -> Iterator[None]:
    """Turn what goes wrong with GitHub into NoAnswerError, BusyError or DeniedError."""
    try:
        failpoints.at("github.call.before")
        yield
        failpoints.at("github.call.after", lost=requests.ConnectionError)
    except RateLimitExceededException as error:
        raise busy("GitHub", doing, error.headers or {}) from None
    except GithubException as error:
        raise _refused(doing, error) from None
    except (requests.RequestException, HTTPError) as error:
        raise unheard("GitHub", doing, error) from None
    except _NO_API as error:
        text = f"GitHub, asked to {doing}, answered with what is not its API's."
        raise NoAnswerError(text) from error


def _of(state: str) -> State:
    states: dict[str, State] = {"success": "success", "failure": "failure", "error": "failure"}
    return states.get(state, "pending")


def _of_run(conclusion: str | None) -> State:
    """Return how a check run stands; one that was skipped or found nothing stops nobody."""
    if conclusion is None:
        return "pending"
    return "success" if conclusion in ("success", "neutral", "skipped") else "failure"


def _refused(doing: str, error: GithubException) -> PlaceError:
    said = error.data.get("message") if isinstance(error.data, dict) else None
    return refused("GitHub", doing, error.status, error.headers or {}, said)


def _last_lines(log: urllib3.BaseHTTPResponse, lines: int) -> tuple[bytes, ...]:
    kept: deque[bytes] = deque(maxlen=lines)
    rest, left = b"", _LOG_BYTES
    for chunk in log.stream(65_536):
        *whole, rest = (rest + chunk).split(b"\n")
        kept.extend(whole)
        rest, left = rest[-65_536:], left - len(chunk)
        if left <= 0:
            break
    log.close()
    if rest:
        kept.append(rest)
    return tuple(kept)
