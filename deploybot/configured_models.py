"""The models that the settings and the file name, as one chain; what a model is asked is `models`'."""

from deploy.secret import Secret
from deploybot.attending import AttendedModel
from deploybot.config import Configuration, Settings
from deploybot.model_tables import ModelTable
from deploybot.models.chain import Chain
from deploybot.models.tally import Tally
from deploybot.ports import Model, Store
from deploybot.watched import Watch, WatchedModel


def chain(
    settings: Settings,
    configuration: Configuration,
    tally: Tally,
    watch: Watch | None = None,
    store: Store | None = None,
) -> Chain:
    """Return who chooses: plain commands, the configured models in order, then the planner.

    With a store, two workers do not ask about the same thread at once.
    """
    models: tuple[Model, ...] = tuple(
        _model(table) for table in model_tables(settings, configuration.models)
    )
    if watch is not None:
        models = tuple(WatchedModel(model, watch) for model in models)
    if store is not None:
        models = tuple(AttendedModel(model, store) for model in models)
    return Chain(
        models=models,
        tally=tally,
        budgets=configuration.budgets,
    )


def _model(table: ModelTable) -> Model:
    """Return the model behind an endpoint; its client is loaded by the first one and by no other."""
    from deploybot.models.openai import OpenAIModel

    return OpenAIModel(
        model=table.name,
        base_url=table.base_url or None,
        api_key=Secret.of(table.api_key),
        timeout=table.timeout,
        budget=table.budget,
        answer_tokens=table.answer_tokens,
    )


def model_tables(
    settings: Settings, configured: tuple[ModelTable, ...] = ()
) -> tuple[ModelTable, ...]:
    """Return the models in the order in which they are asked: the file's, else OPENAI_MODEL's."""
    return configured or tuple(
        ModelTable(
            name=name,
            base_url=settings.openai_base_url,
            api_key=settings.openai_api_key,
            timeout=settings.model_timeout / 2,  # leaves room for one more try
            budget=settings.model_timeout,
        )
        for name in settings.openai_models
    )
