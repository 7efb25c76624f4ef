"""Slack's sign-in over HTTP on the loopback: sends people back with a code, and signs who they are."""

import base64
import json
import secrets
import threading
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import parse_qs, urlencode, urlsplit

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa

USER, TEAM = "https://slack.com/user_id", "https://slack.com/team_id"


@dataclass
class SlackSignInServer:
    """`user` is who is signed in to Slack; `claims` are added to what is signed, and `key` signs it."""

    client_id: str = "1234.5678"
    client_secret: str = "canary-of-slack-sign-in"
    team: str = "T0HARBOUR"
    user: str = "U0BEN"
    claims: dict[str, Any] = field(default_factory=dict)
    key: rsa.RSAPrivateKey = field(default_factory=lambda: rsa.generate_private_key(65537, 2048))
    forger: rsa.RSAPrivateKey | None = None
    codes: dict[str, dict[str, str]] = field(default_factory=dict)

    def __enter__(self) -> Self:
        world = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                path = urlsplit(self.path)
                if path.path == "/openid/connect/keys":
                    return self._say(200, world.keys())
                if path.path == "/openid/connect/authorize":
                    asked = {name: values[0] for name, values in parse_qs(path.query).items()}
                    self.send_response(302)
                    self.send_header("Location", world.way_back(asked))
                    self.send_header("Content-Length", "0")
                    return self.end_headers()
                return self._say(404, {"ok": False})

            def do_POST(self) -> None:
                raw = self.rfile.read(int(self.headers["Content-Length"])).decode()
                form = {name: values[0] for name, values in parse_qs(raw).items()}
                self._say(200, world.token(form, self.headers.get("Authorization", "")))

            def _say(self, status: int, answer: dict[str, Any]) -> None:
                body = json.dumps(answer).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None: ...

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def api(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}/api/"

    def way_back(self, asked: dict[str, str]) -> str:
        assert asked["response_type"] == "code"
        assert asked["client_id"] == self.client_id
        assert "openid" in asked["scope"].split()
        code = secrets.token_hex(8)
        self.codes[code] = asked
        back = urlencode({"code": code, "state": asked["state"]})
        return f"{asked['redirect_uri']}?{back}"

    def token(self, form: dict[str, str], authorization: str) -> dict[str, Any]:
        basic = base64.b64encode(f"{self.client_id}:{self.client_secret}".encode()).decode()
        asked = self.codes.pop(form.get("code", ""), None)
        if authorization != f"Basic {basic}":
            return {"ok": False, "error": "bad_client_secret"}
        if asked is None or asked["redirect_uri"] != form.get("redirect_uri"):
            return {"ok": False, "error": "invalid_code"}
        now = datetime.now(UTC)  # noqa: TID251 (tests have no bootstrap)
        claims = {
            "iss": "https://slack.com",
            "aud": self.client_id,
            "sub": self.user,
            "iat": now,
            "exp": now + timedelta(minutes=5),
            "nonce": asked["nonce"],
            USER: self.user,
            TEAM: self.team,
        } | self.claims
        token = jwt.encode(claims, self.forger or self.key, "RS256", headers={"kid": "k1"})
        return {"ok": True, "access_token": "xoxp-x", "token_type": "Bearer", "id_token": token}

    def keys(self) -> dict[str, Any]:
        jwk = jwt.algorithms.RSAAlgorithm.to_jwk(self.key.public_key(), as_dict=True)
        return {"keys": [jwk | {"kid": "k1", "use": "sig", "alg": "RS256"}]}
