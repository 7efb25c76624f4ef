"""`show --prompt`: exactly what a model reads of a thread, made on the server's host from its store."""

from dataclasses import replace
from pathlib import Path
from typing import cast

from deploy.secret import Secret
from deploybot.bootstrap import Bot, build_bot
from deploybot.cli.exits import Exit
from deploybot.cli.terminal import Terminal, harmless, write
from deploybot.config import read_configuration, read_settings
from deploybot.errors import ThreadNotFoundError
from deploybot.events import StepChosen
from deploybot.thread import Thread


def bot_on_this_host(state: Path | None = None) -> Bot:
    """Return the bot that the settings describe, or whose state folder this is."""
    settings = read_settings()
    if state is not None:
        kept = state / settings.config.name
        config = kept if kept.exists() else settings.config
        settings = replace(settings, state_dir=state, config=config, redis_url=Secret(""))
    return build_bot(settings, read_configuration(settings.config))


def show_prompt(terminal: Terminal, bot: Bot, thread_id: str) -> int:
    """Print what was sent before the last step that a prompt led to, or what would be sent now."""
    thread = bot.store.load(thread_id)
    if not thread.events:
        raise ThreadNotFoundError(
            f"There is no thread {thread_id}. `deploybot threads` lists those there are."
        )
    sent = [n for n, e in enumerate(thread.events) if isinstance(e, StepChosen) and e.prompt]
    then = thread
    note = "No prompt has been made yet; this is what a model would read now."
    if sent:
        then = Thread(thread.id).extended(*thread.events[: sent[-1]], head="")
        chosen = cast("StepChosen", thread.events[sent[-1]])
        note = f"Before event {sent[-1] + 1}, chosen by {chosen.model} from prompt {chosen.prompt}."
    built = bot.prompt(then)
    if sent and built.digest != chosen.prompt:
        note += f" Templates, services or the form have changed since; they are {built.digest} now."
    terminal.note(note)
    if terminal.as_json:
        terminal.json([{"role": "system", "content": built.system}, *built.messages])
    else:
        text = f"{built.system}\n\n{built.text}"
        write(harmless(text) if terminal.out.is_terminal else text)
    return Exit.DONE
