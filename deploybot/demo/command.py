"""`deploybot demo`: starts the company, plays the story with a running commentary, and stays."""

import select
import signal
import socket
import sys
import threading
from pathlib import Path

from rich.console import Console

from deploybot.bootstrap import now
from deploybot.demo.company import HOST, YOU, Company
from deploybot.demo.hands import Hands
from deploybot.demo.play import BrokenStepError, Player, merge

FAVOURITE_PORT = 8800


def run(directory: Path, *, port: int, ends: bool) -> int:
    """Play the story; 0 when it went as told, 1 with the first broken step otherwise."""
    console = Console(highlight=False, soft_wrap=True)
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    console.print("[bold]deploybot demo[/] · starting a company in a box …")
    with Company(directory, now=now, port=_port(port, ends=ends)) as company:
        access = company.access
        console.print(f"  Slack      [link={access.workspace}]{access.workspace}[/]")
        console.print(f"  pages      [link={access.bot}]{access.bot}[/]")
        for environment, table in access.releases.items():
            console.print(f"  {environment:<10} [link={table['frontend']}]{table['frontend']}[/]")
        console.print(f"  state      {access.state}  (demo.json says how tools reach it)")
        console.print(f"  commands   deploybot threads --state {access.state} --as {YOU}")
        try:
            Player(company, say=lambda text: _line(console, text)).play()
        except BrokenStepError as broken:
            sys.stderr.write(f"\nBROKEN at {broken}\nLogs: {access.state}/logs\n")
            return 1
        if ends:
            console.print("\nThe story went as told.")
            return 0
        console.print(
            f"\n[bold]Your turn:[/] open {access.workspace}, choose who you are, and write to "
            "@deploybot.\nProduction is held after the roll back: as Ann or Ben, say "
            "“@deploybot unlock backend on production”."
        )
        _stay(company, console, stop)
    return 0


def _line(console: Console, text: str) -> None:
    """Print a line of the story; what begins at the margin is a heading."""
    heading = not text.startswith(" ")
    console.print(text, markup=False, style="bold" if heading else None)


def _stay(company: Company, console: Console, stop: threading.Event) -> None:
    """Keep the company open; whoever sits at the terminal may merge pull requests."""
    hands = Hands(company.access)
    if sys.stdin.isatty():
        console.print(
            "Here: [bold]m[/] + Enter merges a pull request, [bold]b[/] one that breaks in "
            "production, [bold]q[/] ends."
        )
    console.print("Ctrl-C ends everything.")
    try:
        while not stop.is_set():
            match _typed(stop):
                case "m" | "b" as letter:
                    sha = merge(company, hands, broken=letter == "b")
                    console.print(f"  Eve merged; main is at {sha[:7]}. Watch the channel.")
                case "q":
                    return
                case _:
                    pass
    except KeyboardInterrupt:
        pass
    console.print("\nEnding …")


def _typed(stop: threading.Event) -> str:
    """Return the next line typed; "" when there is none within a second, or no terminal."""
    if not sys.stdin.isatty():
        stop.wait()
        return ""
    ready, _, _ = select.select([sys.stdin], [], [], 1.0)
    return sys.stdin.readline().strip().lower() if ready else ""


def _port(wanted: int, *, ends: bool) -> int:
    """Return the wanted port; unasked, a memorable one if it is free, and any free one if not."""
    if wanted >= 0 or ends:
        return max(wanted, 0)
    try:
        for port in range(FAVOURITE_PORT, FAVOURITE_PORT + 7):
            socket.create_server((HOST, port)).close()
    except OSError:
        return 0
    return FAVOURITE_PORT
