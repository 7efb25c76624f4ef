"""Signing in with Slack: OpenID Connect, from the way there to a verified token; sessions are `sessions`'.

What is trusted is the signature of Slack's keys over who, for which app, in which team, and over the
nonce that this browser was sent away with.
"""

import json
import logging
import secrets
from dataclasses import dataclass, field
from datetime import timedelta
from typing import cast
from urllib.parse import urlencode, urljoin

import jwt
import redis
from slack_sdk import WebClient
from slack_sdk.errors import SlackClientError

from deploybot.errors import InboundError
from deploybot.queue import PREFIX, answering
from deploybot.web.sessions import hashed, new_id

logger = logging.getLogger(__name__)

AWAY = timedelta(minutes=10)
"""How long somebody may take on Slack's page."""
LEEWAY = 30
"""Seconds by which Slack's clock may differ."""
PATIENCE = 10
"""Seconds that one of Slack's answers may take."""
ISSUER = "https://slack.com"
USER, TEAM = "https://slack.com/user_id", "https://slack.com/team_id"
"""What Slack calls its own claims."""


@dataclass(frozen=True)
class SlackPlaces:
    """Where Slack's sign-in is, found from where its Web API is."""

    api: str

    @property
    def authorize(self) -> str:
        """Where the browser goes."""
        return urljoin(self.api, "/openid/connect/authorize")

    @property
    def keys(self) -> str:
        """Where the keys are that sign tokens."""
        return urljoin(self.api, "/openid/connect/keys")

    @property
    def origin(self) -> str:
        """What a form may lead on to."""
        return urljoin(self.api, "/").rstrip("/")


class SlackSignIn:
    """Sends people to Slack, and reads what they bring back."""

    def __init__(
        self,
        connection: redis.Redis,
        *,
        client_id: str,
        client_secret: str,
        places: SlackPlaces,
        redirect: str,
        team: str,
    ) -> None:
        self._redis = connection
        self._client_id = client_id
        self._client_secret = client_secret
        self._places = places
        self._redirect = redirect
        self._team = team
        self._keys = jwt.PyJWKClient(places.keys, timeout=PATIENCE)

    def leave(self, visitor: str, then: str) -> str:
        """Return Slack's address for this browser; `then` is where it wants to be afterwards."""
        state, nonce = new_id(), secrets.token_urlsafe(24)
        trip = {"visitor": hashed(visitor), "nonce": nonce, "then": then}
        with answering():
            self._redis.set(_key(state), json.dumps(trip), px=AWAY)
        asked = {
            "response_type": "code",
            "scope": "openid profile",
            "client_id": self._client_id,
            "redirect_uri": self._redirect,
            "state": state,
            "nonce": nonce,
        } | ({"team": self._team} if self._team else {})
        return f"{self._places.authorize}?{urlencode(asked)}"

    def come_back(self, visitor: str, state: str, code: str) -> "Arrival":
        """Return who Slack says it is; raises InboundError with a sentence when that cannot be.

        A state is good once, and in the browser that was sent away with it alone.
        """
        with answering():
            found = cast(bytes | None, self._redis.getdel(_key(state)))
        trip: dict[str, str] = json.loads(found) if found else {}
        if trip.get("visitor") != hashed(visitor):
            raise InboundError(
                "This way back from Slack was used already, is too old, or began in another "
                "browser, so nobody was signed in. Sign in again.",
                status=403,
            )
        claims = self._claims(self._token(code))
        if claims.get("nonce") != trip["nonce"]:
            raise _not_genuine("the nonce is another one")
        if self._team and claims.get(TEAM) != self._team:
            raise InboundError(
                "You signed in to another Slack workspace than the one that deploybot belongs to, "
                "so nothing was done. Choose the right one, and sign in again.",
                status=403,
            )
        return Arrival(user=str(claims[USER]), then=trip["then"])

    def _token(self, code: str) -> str:
        client = WebClient(base_url=self._places.api, timeout=PATIENCE)
        try:
            answer = client.openid_connect_token(
                client_id=self._client_id,
                client_secret=self._client_secret,
                code=code,
                redirect_uri=self._redirect,
            )
        except (SlackClientError, OSError) as error:
            logger.warning("Slack gave no token: %s", error, extra={"action": "sign_in"})
            raise InboundError(
                "Slack did not say who you are, so nobody was signed in. Sign in again.",
                status=403,
            ) from None
        return str(answer.get("id_token", ""))

    def _claims(self, token: str) -> dict[str, object]:
        try:
            key = self._keys.get_signing_key_from_jwt(token)
            claims: dict[str, object] = jwt.decode(
                token,
                key,
                algorithms=["RS256"],
                audience=self._client_id,
                issuer=ISSUER,
                leeway=LEEWAY,
                options={"require": ["exp", "iat", "aud", "iss", "nonce", USER]},
            )
        except jwt.PyJWTError as error:
            raise _not_genuine(str(error)) from None
        return claims


@dataclass(frozen=True)
class Arrival:
    """A person as Slack knows them, and where they want to be."""

    user: str
    then: str = field(default="/")


def _not_genuine(why: str) -> InboundError:
    logger.warning("a token of Slack's does not hold: %s", why, extra={"action": "sign_in"})
    return InboundError(
        "What came back from Slack does not hold, so nobody was signed in. Sign in again.",
        status=403,
    )


def _key(state: str) -> str:
    return f"{PREFIX}slack-trip:{hashed(state)}"
