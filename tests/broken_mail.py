"""Mails that are broken in many ways, the same ones each time; and those of Python's own tests."""

import importlib.util
from collections.abc import Callable
from pathlib import Path
from random import Random

from letters import BEN, BOT, vouched

SEED = 20_260_302
WORDS = ("approve", "deploy backend", "wäit", "\u202eyes", "=?utf-8?q?approve?=", "x" * 900)


def broken_mails(count: int = 200) -> list[bytes]:
    """Return so many broken mails; who they seem to be from is mostly Ben."""
    chance = Random(SEED)
    return [_broken(chance, chance.choice(BREAKS)) for _ in range(count)]


def corpus() -> list[bytes]:
    """Return the mails that Python's own tests are made with; none where they are not installed."""
    found = importlib.util.find_spec("test.test_email")
    folder = Path(found.origin or "").parent / "data" if found else Path("/nowhere")
    return [path.read_bytes() for path in sorted(folder.glob("msg_*.txt"))]


def _whole(chance: Random) -> bytes:
    text = chance.choice(WORDS)
    plain = f"Content-Type: text/plain; charset=utf-8\r\n\r\n{text}\r\n"
    html = f"Content-Type: text/html; charset=utf-8\r\n\r\n<p>{text}</p>\r\n"
    body = f"\r\n--b\r\n{plain}--b\r\n{html}--b--\r\n"
    headers = [
        f"Authentication-Results: {vouched(BEN)}",
        f"From: {BEN}",
        f"To: {BOT}",
        "Subject: Re: =?utf-8?b?YXBwcm92ZQ==?=",
        f"Message-ID: <{chance.getrandbits(64):x}@shop.example>",
        "MIME-Version: 1.0",
        'Content-Type: multipart/alternative; boundary="b"',
    ]
    return ("\r\n".join(headers) + "\r\n" + body).encode("utf-8", "surrogatepass")


def _broken(chance: Random, how: Callable[[Random, bytes], bytes]) -> bytes:
    return how(chance, _whole(chance))


def _cut(chance: Random, raw: bytes) -> bytes:
    return raw[: chance.randrange(len(raw))]


def _bytes(chance: Random, raw: bytes) -> bytes:
    out = bytearray(raw)
    for _ in range(chance.randrange(1, 40)):
        out[chance.randrange(len(out))] = chance.randrange(256)
    return bytes(out)


def _shuffled(chance: Random, raw: bytes) -> bytes:
    lines = raw.split(b"\r\n")
    chance.shuffle(lines)
    return b"\r\n".join(lines)


def _doubled(chance: Random, raw: bytes) -> bytes:
    lines = raw.split(b"\r\n")
    for _ in range(chance.randrange(1, 6)):
        lines.insert(chance.randrange(len(lines)), chance.choice(lines))
    return b"\r\n".join(lines)


def _dropped(chance: Random, raw: bytes) -> bytes:
    return b"\r\n".join(line for line in raw.split(b"\r\n") if chance.random() > 0.25)


def _replaced(*pairs: tuple[bytes, bytes]) -> Callable[[Random, bytes], bytes]:
    def how(chance: Random, raw: bytes) -> bytes:
        old, new = chance.choice(pairs)
        return raw.replace(old, new)

    return how


_boundaries = _replaced(
    (b'boundary="b"', b""),
    (b'boundary="b"', b"boundary="),
    (b'boundary="b"', b'boundary="' + b"b" * 5_000 + b'"'),
    (b'boundary="b"', b"boundary*0=b; boundary*2=c"),
    (b'boundary="b"', b"boundary*=utf-9'x'b"),
    (b"--b--", b""),
    (b"--b\r\n", b"--B\r\n"),
    (b"multipart/alternative", b"multipart/"),
    (b"multipart/alternative", b"multipart/report"),
    (b"multipart/alternative", b"message/rfc822"),
    (b"multipart/alternative", b"message/partial; id=x; number=1; total=9"),
    (b"multipart/alternative", b"/"),
)
_encodings = _replaced(
    (b"charset=utf-8", b"charset=utf-9"),
    (b"charset=utf-8", b"charset=utf-16"),
    (b"charset=utf-8", b"charset=idna"),
    (b"charset=utf-8", b"charset*0=u; charset*1*=%ff"),
    (b"charset=utf-8", b"charset=utf-7"),
    (b"charset=utf-8\r\n", b"charset=utf-8\r\nContent-Transfer-Encoding: base64\r\n"),
    (b"charset=utf-8\r\n", b"charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n"),
    (b"charset=utf-8\r\n", b"charset=utf-8\r\nContent-Transfer-Encoding: x-uuencode\r\n"),
    (b"charset=utf-8\r\n", b"charset=utf-8\r\nContent-Transfer-Encoding: \xff\xfe\r\n"),
    (b"utf-8?b?", b"utf-9?b?"),
    (b"utf-8?b?YXBwcm92ZQ==", b"utf-8?b?A"),
    (b"utf-8?b?", b"?"),
)
_headers = _replaced(
    (b"From: ", b"From "),
    (b"From: ", b"From: =?utf-8?q?=00?= "),
    (b"From: ", b"From: " + b"(" * 2_000),
    (b"From: ", b'From: "' + b'\\"' * 2_000),
    (b"From: ", b"From: <<<>>>,,;;:: "),
    (b"From: ", b"From:\r\n\r\n "),
    (b"To: ", b"To: " + b"a@b.c, " * 3_000),
    (b"Subject: ", b"Subject: " + b"=?utf-8?q?x?= " * 2_000),
    (b"Subject: ", b"X" * 70_000 + b": "),
    (b"Message-ID: <", b"Message-ID: " + b"<" * 1_000),
    (b"MIME-Version: 1.0", b"References: " + b"<a@b> " * 5_000),
    (b"MIME-Version: 1.0", b"\x00\x01: \x02"),
    (b"MIME-Version: 1.0", b"Content-Disposition: attachment; filename*=%"),
    (b"Authentication-Results", b"DKIM-Signature"),
    (b"\r\n", b"\r"),
    (b"\r\n", b"\n"),
    (b"\r\n", b"\n\r"),
)


def _nested(chance: Random, raw: bytes) -> bytes:
    depth = chance.choice((20, 99, 150, 400, 3_000))
    inner = b"".join(
        b'Content-Type: multipart/mixed; boundary="%d"\r\n\r\n--%d\r\n' % (n, n)
        for n in range(depth)
    )
    return raw.replace(b"--b\r\n", b"--b\r\n" + inner, 1)


def _mails_in_mails(chance: Random, raw: bytes) -> bytes:
    return (
        b"From: ben@shop.example\r\nContent-Type: message/rfc822\r\n\r\n" * chance.randrange(2, 400)
        + raw
    )


def _noise(chance: Random, raw: bytes) -> bytes:
    return chance.choice(
        (
            b"",
            b"\x00",
            b"\r\n",
            b"\r\n\r\n",
            b":",
            b": :\r\n: :",
            chance.randbytes(3_000),
            b"\xff" * 9_000,
        )
    )


def _compressed(chance: Random, raw: bytes) -> bytes:
    bomb = (
        b"Content-Type: application/zip\r\nContent-Transfer-Encoding: base64\r\n\r\n"
        + b"UEsDBBQA" * 20_000
    )
    return raw.replace(b"--b--", b"--b\r\n" + bomb + b"\r\n--b--")


BREAKS: tuple[Callable[[Random, bytes], bytes], ...] = (
    _cut, _bytes, _shuffled, _doubled, _dropped, _boundaries, _encodings, _headers,
    _nested, _mails_in_mails, _noise, _compressed, _boundaries, _encodings, _headers,
)  # fmt: skip
