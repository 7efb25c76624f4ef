"""Mails with a signature (DKIM), as a sender's mail server makes them, and the keys in a DNS of our own."""

import base64
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import dkim
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from letters import BEN, BOT, raw_mail

COVERED = (b"from", b"to", b"subject", b"message-id", b"content-type")


@cache
def key_pair(bits: int) -> tuple[bytes, bytes]:
    """Return a private key as a signer wants it, and the record that the DNS holds of it."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=bits)
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.TraditionalOpenSSL,
        serialization.NoEncryption(),
    )
    public = key.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return private, b"v=DKIM1; k=rsa; p=" + base64.b64encode(public)


class _Signer(dkim.DKIM):  # type: ignore[misc]
    """Writes further tags into the signature, too."""

    tags: tuple[tuple[bytes, bytes], ...] = ()

    def gen_header(self, fields: list[tuple[bytes, bytes]], *more: Any, **named: Any) -> Any:
        return super().gen_header([*fields[:-1], *self.tags, fields[-1]], *more, **named)


def signed(
    raw: bytes,
    *,
    domain: bytes = b"shop.example",
    covered: tuple[bytes, ...] = COVERED,
    tags: tuple[tuple[bytes, bytes], ...] = (),
    algorithm: bytes = b"rsa-sha256",
    bits: int = 2048,
    length: bool = False,
) -> bytes:
    """Return the mail with a signature before it."""
    signer = _Signer(raw)
    signer.tags = tags
    return bytes(
        signer.sign(
            b"s1",
            domain,
            key_pair(bits)[0],
            signature_algorithm=algorithm,
            canonicalize=(b"relaxed", b"relaxed"),
            include_headers=covered,
            length=length,
        )
        + raw
    )


def unvouched(text: str, *, sender: str = BEN, to: str = BOT, **more: Any) -> bytes:
    """Return a mail that no mail server of ours has said anything about."""
    return raw_mail(text, sender=sender, to=to, results=(), **more)


@dataclass
class Keys:
    """A DNS: what it holds, what it was asked, and what it raises instead."""

    records: dict[str, bytes | None] = field(
        default_factory=lambda: {"s1._domainkey.shop.example": key_pair(2048)[1]}
    )
    error: Exception | None = None
    asked: list[str] = field(default_factory=list)

    def look_up(self, name: str) -> bytes | None:
        self.asked.append(name)
        if self.error:
            raise self.error
        return self.records.get(name)
