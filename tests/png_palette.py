"""Makes a browser's screenshot smaller: the same picture in 256 colours, which is all that a page has but for its edges."""

import struct
import zlib
from collections import Counter
from pathlib import Path

COLOURS = 256
SIGNATURE = b"\x89PNG\r\n\x1a\n"

Colour = tuple[int, int, int]


def shrink(path: Path) -> None:
    """Write the picture anew, in at most 256 colours; one that does not get smaller stays as it is."""
    whole = path.read_bytes()
    width, height, rows = _pixels(whole)
    palette, index = _palette(Counter(pixel for row in rows for pixel in row))
    lines = b"".join(b"\0" + bytes(index[pixel] for pixel in row) for row in rows)
    header = struct.pack(">IIBBBBB", width, height, 8, 3, 0, 0, 0)
    table = b"".join(bytes(colour) for colour in palette)
    parts = (
        (b"IHDR", header),
        (b"PLTE", table),
        (b"IDAT", zlib.compress(lines, 9)),
        (b"IEND", b""),
    )
    small = SIGNATURE + b"".join(_chunk(kind, body) for kind, body in parts)
    if len(small) < len(whole):
        path.write_bytes(small)


def _palette(used: "Counter[Colour]") -> tuple[list[Colour], dict[Colour, int]]:
    """Return the colours that are used most, and for every colour the place of the nearest of them."""
    palette = [colour for colour, _ in used.most_common(COLOURS)]
    index = {colour: place for place, colour in enumerate(palette)}
    for colour in used:
        if colour not in index:
            red, green, blue = colour
            index[colour] = min(
                range(len(palette)),
                key=lambda n: (
                    (palette[n][0] - red) ** 2
                    + (palette[n][1] - green) ** 2
                    + (palette[n][2] - blue) ** 2
                ),
            )
    return palette, index


def _pixels(whole: bytes) -> tuple[int, int, list[list[Colour]]]:
    """Return width, height and rows of a picture of eight bits for red, green and blue each."""
    parts = list(_chunks(whole))
    width, height, depth, kind = struct.unpack(">IIBB", parts[0][1][:10])
    if (depth, kind) != (8, 2):
        raise ValueError("This is no screenshot in full colour.")
    raw = zlib.decompress(b"".join(body for name, body in parts if name == b"IDAT"))
    stride = 3 * width
    rows, before = [], bytes(stride)
    for start in range(0, len(raw), stride + 1):
        line = _unfiltered(raw[start], bytearray(raw[start + 1 : start + 1 + stride]), before)
        rows.append(list(zip(line[0::3], line[1::3], line[2::3], strict=True)))
        before = bytes(line)
    return width, height, rows


def _unfiltered(kind: int, line: bytearray, above: bytes) -> bytearray:
    for n in range(len(line) if kind else 0):
        left = line[n - 3] if n >= 3 else 0
        corner = above[n - 3] if n >= 3 else 0
        match kind:
            case 1:
                add = left
            case 2:
                add = above[n]
            case 3:
                add = (left + above[n]) // 2
            case _:
                add = _paeth(left, above[n], corner)
        line[n] = (line[n] + add) & 255
    return line


def _paeth(left: int, above: int, corner: int) -> int:
    guess = left + above - corner
    near = (abs(guess - left), abs(guess - above), abs(guess - corner))
    return (
        left
        if near[0] <= near[1] and near[0] <= near[2]
        else above
        if near[1] <= near[2]
        else corner
    )


def _chunks(whole: bytes) -> "list[tuple[bytes, bytes]]":
    found, at = [], len(SIGNATURE)
    while at < len(whole):
        (size,) = struct.unpack(">I", whole[at : at + 4])
        found.append((whole[at + 4 : at + 8], whole[at + 8 : at + 8 + size]))
        at += size + 12
    return found


def _chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
