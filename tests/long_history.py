"""A repository with a long past, made in seconds: commits, merges and tags by `git fast-import`."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

FILES = 400
EPOCH = 1_500_000_000


def create(path: Path, commits: int, tags: int) -> Path:
    """Make a bare repository whose `main` has so many commits, with tags spread evenly over them."""
    subprocess.run(["git", "init", "--quiet", "--bare", "--initial-branch=main", path], check=True)
    every = max(1, commits // tags)
    with subprocess.Popen(
        ["git", f"--git-dir={path}", "fast-import", "--quiet", "--depth=50"],
        stdin=subprocess.PIPE,
    ) as process:
        assert process.stdin is not None
        for words in _stream(commits, every):
            process.stdin.write(words)
        process.stdin.close()
    assert process.returncode == 0
    subprocess.run(["git", f"--git-dir={path}", "pack-refs", "--all"], check=True)  # as gc does
    return path


def _stream(commits: int, every: int) -> Iterator[bytes]:
    for number in range(1, commits + 1):
        text = f"Change {number}: make part {number % FILES} of the shop better (#{number})"
        who = f"Dev {number % 40} <dev{number % 40}@shop.example> {EPOCH + 600 * number} +0000"
        body = f"part {number % FILES}\nrevision {number}\n"
        yield f"commit refs/heads/main\nmark :{number}\n".encode()
        yield f"author {who}\ncommitter {who}\ndata {len(text)}\n{text}\n".encode()
        if number > 60 and number % 25 == 0:
            yield f"merge :{number - 12}\n".encode()
        folder = "backend" if number % 3 else "frontend"
        yield f"M 100644 inline {folder}/part-{number % FILES}.txt\n".encode()
        yield f"data {len(body)}\n{body}\n".encode()
        if number % every == 0:
            yield f"tag v{number // every}.0.0\nfrom :{number}\n".encode()
            yield f"tagger {who}\ndata 7\nrelease\n".encode()
    yield b"done\n"
