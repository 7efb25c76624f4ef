"""Who calls the API: bearer tokens, known by their hash; what a person may do is the inbox's."""

import hmac
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from starlette.requests import Request

from deploybot.errors import ConfigError
from deploybot.tokens import SCOPES, Scope, TokenFile, hash_of
from deploybot.web.problem import ProblemError

CHALLENGE = {"WWW-Authenticate": 'Bearer realm="deploybot"'}

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Caller:
    """Who is behind a request: `token` names the token, `by` who acts, `scopes` what for."""

    token: str
    by: str
    scopes: tuple[Scope, ...] = SCOPES

    def require(self, *scopes: Scope) -> None:
        """Raise ProblemError 403 when the token is for none of these."""
        if not set(scopes).intersection(self.scopes):
            needed = " or ".join(scopes)
            raise ProblemError(
                403,
                f"This token is not for that: it lacks the scope {needed}. Nothing was done. "
                "Ask your operator for one that has it.",
                reason_code="missing_scope",
            )


@dataclass(frozen=True)
class Callers:
    """Everybody who may call: `pairs` is SHA-256 of a token, in hex → person id, `file` the rest."""

    pairs: Mapping[str, str] = field(default_factory=dict, repr=False)
    file: TokenFile | None = None
    now: Callable[[], datetime] | None = None

    def of(self, request: Request) -> Caller:
        """Return who sent the request; raises ProblemError 401, or 503 when nobody can tell."""
        scheme, _, given = request.headers.get("authorization", "").partition(" ")
        token = given.strip()
        known = token and (self._of_pairs(token) or self._of_file(token))
        if known and scheme.casefold() == "bearer":
            return known
        raise ProblemError(
            401,
            "The request carries no valid bearer token; nothing was done. "
            "Ask your operator for one.",
            headers=CHALLENGE,
        )

    def _of_pairs(self, token: str) -> Caller | None:
        """Compare with all of them, each in constant time."""
        wanted = hash_of(token)
        found = [by for known, by in self.pairs.items() if hmac.compare_digest(known, wanted)]
        return Caller(token=found[0], by=found[0]) if found else None

    def _of_file(self, token: str) -> Caller | None:
        if self.file is None or self.now is None:
            return None
        try:
            known = self.file.find(token, self.now())
        except ConfigError as error:
            logger.error("%s", error, extra={"action": "tokens"})  # noqa: TRY400 - the sentence says it
            text = "The tokens cannot be read now, so nothing was done. Call an operator."
            raise ProblemError(503, text, headers={"Retry-After": "30"}) from None
        if known is None:
            return None
        return Caller(token=f"file/{known.name}", by=known.by, scopes=known.scopes)
