"""Who calls the API: bearer tokens, known by their hash; what a person may do is the inbox's."""

import hashlib
import hmac
from collections.abc import Mapping

from starlette.requests import Request

from deploybot.web.problem import ProblemError

CHALLENGE = {"WWW-Authenticate": 'Bearer realm="deploybot"'}


def person_of(request: Request, tokens: Mapping[str, str]) -> str:
    """Return the person whose token the request carries; raises ProblemError 401.

    `tokens` is SHA-256 of a token, in hex, → person id; all are compared, each in constant time.
    """
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    hashed = hashlib.sha256(token.strip().encode("latin-1", "replace")).hexdigest()
    found = [person for known, person in tokens.items() if hmac.compare_digest(known, hashed)]
    if scheme.casefold() != "bearer" or not token.strip() or len(found) != 1:
        raise ProblemError(
            401,
            "The request carries no valid bearer token; nothing was done. "
            "Ask your operator for one (DEPLOYBOT_API_TOKENS).",
            headers=CHALLENGE,
        )
    return found[0]
