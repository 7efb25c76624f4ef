"""`deploybot demo`: starts the company, plays the story with a running commentary, and stays."""

import signal
import socket
import sys
import threading
from pathlib import Path

from rich.console import Console

from deploybot.bootstrap import now
from deploybot.demo.company import HOST, Company
from deploybot.demo.play import BrokenStepError, Player

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
        for environment, table in access.releases.items():
            console.print(f"  {environment:<10} [link={table['frontend']}]{table['frontend']}[/]")
        console.print(f"  state      {access.state}  (demo.json says how tools reach it)\n")
        try:
            Player(company, say=lambda text: console.print(text, markup=False)).play()
        except BrokenStepError as broken:
            sys.stderr.write(f"\nBROKEN at {broken}\nLogs: {access.state}/logs\n")
            return 1
        if ends:
            console.print("\nThe story went as told.")
            return 0
        console.print(
            f"\n[bold]Your turn:[/] open {access.workspace}, choose who you are, and write to "
            "@deploybot.\nCtrl-C ends everything."
        )
        try:
            stop.wait()
        except KeyboardInterrupt:
            console.print("\nEnding …")
    return 0


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
