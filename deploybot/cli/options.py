"""Options and arguments that several commands take, each described once."""

from pathlib import Path
from typing import Annotated

import typer

from deploybot.cli import completing

State = Annotated[
    Path | None,
    typer.Option("--state", help="folder of a running demo: says where the bot is, and as whom"),
]
As = Annotated[
    str, typer.Option("--as", metavar="PERSON", help="as whom, where several tokens are known")
]
Json = Annotated[bool, typer.Option("--json", help="for programs; standard output holds only JSON")]
ThreadId = Annotated[
    str, typer.Argument(metavar="THREAD", help="its id", autocompletion=completing.threads)
]
Follow = Annotated[
    bool, typer.Option("--follow", "-f", help="watch what comes of it; the exit code says")
]
Wait = Annotated[
    bool, typer.Option("--wait", help="stay while others must approve, answer or resume")
]
Timeout = Annotated[
    str, typer.Option("--timeout", metavar="TIME", help="follow for no longer: 90s, 30m, 2h")
]
Service = Annotated[
    str, typer.Argument(metavar="SERVICE", autocompletion=completing.services, show_default=False)
]
Environment = Annotated[
    str, typer.Argument(metavar="ENVIRONMENT", autocompletion=completing.environments)
]
