"""`audit --deep`: whether everything that was promised holds, thread by thread and target by target."""

from rich.text import Text

from deploy.look import Look
from deploybot.bootstrap import Bot, now
from deploybot.cli.exits import Exit
from deploybot.cli.terminal import Terminal, one_line
from deploybot.config import sealing_key
from deploybot.gathering import Gathering, settled_verdicts, sites
from deploybot.invariants import Verdict, World
from deploybot.models import templates
from deploybot.redaction import secrets_in


def deep_audit(terminal: Terminal, bot: Bot) -> int:
    """Judge the installation by each invariant; 1 when something goes against one."""
    settings, configuration = bot.settings, bot.configuration
    catalog, key = configuration.catalog, sealing_key(settings)
    look = Look(catalog, clock=now, connections=settings.connections())
    gathering = Gathering(
        bot.queues.connection, key, templates.read(settings.prompts_dir).words
    )  # fmt: skip
    secrets = (key.decode(), *secrets_in(settings), *secrets_in(configuration))
    bots = {configuration.slack.bot_user, settings.email_address} - {""}

    def world() -> World:
        return World(
            now=now(),
            places=sites(catalog, look, bot.store),
            people=bot.people,
            channels=tuple(channel.name for channel in bot.channels),
            bots=frozenset(bots),
            mail_decides=bot.mail.environments if bot.mail else frozenset(),
            secrets=secrets,
            calls_of_a_thread=configuration.budgets.thread.calls or 0,
        )

    verdicts = settled_verdicts(gathering.threads, world)
    _tell(terminal, verdicts)
    return Exit.DONE if all(verdict.holds for verdict in verdicts) else Exit.REFUSED


def _tell(terminal: Terminal, verdicts: tuple[Verdict, ...]) -> None:
    if terminal.as_json:
        terminal.json(
            {
                "invariants": [
                    {"name": v.name, "says": v.says, "violations": list(v.violations)}
                    for v in verdicts
                ]
            }
        )
        return
    for verdict in verdicts:
        mark, style = ("✓", "green") if verdict.holds else ("✗", "bold red")
        line = Text(f"{mark} ", style=style)
        terminal.out.print(line.append(f"{verdict.name:<4}{verdict.says}", style="default"))
        for sentence in verdict.violations:
            terminal.out.print(Text(f"      {one_line(sentence)}"))
