"""Models: that they answer and know the key; and, for a price, that one can fill in the form."""

from collections.abc import Callable, Iterator
from urllib.parse import urlsplit

from deploy.secret import Secret
from deploybot.bootstrap import prompt_builder
from deploybot.config import Configuration, Settings
from deploybot.configured_models import model_tables
from deploybot.doctor.asking import ask
from deploybot.doctor.finding import Finding, ok, warning, wrong
from deploybot.errors import ModelUnavailableError
from deploybot.events import ApiMessageReceived
from deploybot.model_tables import ModelTable
from deploybot.models.openai import OpenAIModel
from deploybot.ports import Clockwork, Prompt
from deploybot.thread import Thread

OPENAI = "https://api.openai.com/v1"
NO_MODEL = "No model is set: the built-in planner (rules) chooses."
KEYS = "Correct the key in the variable that it comes from."


def of_models(
    settings: Settings, configuration: Configuration | None, clock: Clockwork, *, paid: bool
) -> Iterator[Finding]:
    """Ask each endpoint which models it has, which is free; when paid for, each model for a step."""
    tables = model_tables(settings, configuration.models if configuration else ())
    if not tables:
        yield warning("models", NO_MODEL, "Set OPENAI_API_KEY for a model.")
        return
    names = ", ".join(table.name for table in tables)
    yield ok("models", f"Models are asked in this order: {names}.")
    for table in tables:
        yield _reached(table)
    if not paid or configuration is None:
        yield warning(
            "models",
            "That a model can fill in the form was not tried: each costs one call of about "
            "3,000 tokens.",
            "Run `deploybot doctor --paid`.",
        )
        return
    prompt = prompt_builder(configuration, settings.prompts_dir, settings.renderer)
    for table in tables:
        yield _tried(table, lambda: prompt(_question(clock)))


def _reached(table: ModelTable) -> Finding:
    about = f"models.{table.name}"
    base = (table.base_url or OPENAI).rstrip("/")
    host = urlsplit(base).hostname
    said = ask(f"{base}/models", token=table.api_key.get_secret_value())
    if said.status in (401, 403):
        return wrong(about, f"{host} refuses the key of {table.name} ({said.status}).", KEYS)
    if said.status == 0:
        return wrong(
            about,
            f"{host} does not answer ({said.why}).",
            "Correct its base address; until then the next model, or the planner, chooses.",
        )
    listed = said.body.get("data") if isinstance(said.body, dict) else None
    known = [row.get("id") for row in listed if isinstance(row, dict)] if listed else []
    if known and table.name not in known:
        return wrong(
            about,
            f"{host} has no model {table.name}.",
            "Correct the name; it has " + ", ".join(map(str, known[:5])) + ", for example.",
        )
    if said.status >= 400 and said.status not in (404, 405, 501):
        return warning(about, f"{host} answers {said.status} when asked for its models.")
    return ok(about, f"{host} answers, and takes the key of {table.name}.")


def _tried(table: ModelTable, prompt: Callable[[], Prompt]) -> Finding:
    about = f"models.{table.name}"
    model = OpenAIModel(
        model=table.name,
        base_url=table.base_url or None,
        api_key=Secret.of(table.api_key),
        timeout=table.timeout,
        budget=table.budget,
        answer_tokens=table.answer_tokens,
    )
    try:
        choice = model.next_step(prompt())
    except ModelUnavailableError as error:
        return wrong(about, str(error), "Choose a model that keeps to a JSON schema.")
    finally:
        model.close()
    return ok(
        about,
        f"{table.name} filled in the form ({choice.step.intent}) in {choice.ms / 1000:.1f} s, "
        f"with {choice.tokens_in} tokens read and {choice.tokens_out} written.",
    )


def _question(clock: Clockwork) -> Thread:
    asked = ApiMessageReceived(
        at=clock.now(), by="doctor", delivery="doctor", text="what's live on production?"
    )
    return Thread("doctor").extended(asked, head="")
