import subprocess
import sys
from pathlib import Path

import pytest

from deploybot.config import read_configuration, read_settings
from deploybot.configured_models import chain, model_tables
from deploybot.errors import ConfigError
from deploybot.models.openai import OpenAIModel
from deploybot.models.tally import MemoryTally

TWO = """
[[models]]
name = "large"
base_url = "https://models.example.com/v1"
api_key_env = "LARGE_KEY"
timeout = 5
budget = 8

[[models]]
name = "small"
base_url = "http://127.0.0.1:8000/v1"

[budgets.thread]
calls = 7
"""
KEYS = {"LARGE_KEY": "sk-large-0123456789"}


def written(folder: Path, text: str) -> Path:
    path = folder / "deploybot.toml"
    path.write_text(text)
    return path


def test_the_models_of_the_file_are_asked_in_its_order_each_with_its_own_key(
    tmp_path: Path,
) -> None:
    configuration = read_configuration(written(tmp_path, TWO), KEYS)
    settings = read_settings({"OPENAI_API_KEY": "sk-other", "OPENAI_MODEL": "other"})

    built = chain(settings, configuration, MemoryTally())

    assert [model.name for model in built.models if isinstance(model, OpenAIModel)] == [
        "large",
        "small",
    ]
    assert [
        model.api_key.get_secret_value() for model in built.models if isinstance(model, OpenAIModel)
    ] == [
        "sk-large-0123456789",
        "",
    ]
    assert built.budgets.thread.calls == 7


def test_without_a_table_the_models_of_the_environment_are_asked() -> None:
    settings = read_settings({"OPENAI_API_KEY": "sk-other", "OPENAI_MODEL": "one, two"})

    assert [table.name for table in model_tables(settings)] == ["one", "two"]
    assert model_tables(read_settings({})) == ()


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (TWO, "LARGE_KEY, which is not set"),
        ('[[models]]\nname = "m"\napi_key = "sk-0123456789"', "does not belong in the file"),
        ('[[models]]\nname = "m"\nbase_url = "models.example.com"', "http:// or https://"),
        ('[[models]]\nname = ""', "models.0.name"),
        ('[[models]]\nname = "m"\ntimeout = -1', "timeout"),
        ("[budgets.week]\ncalls = 1", "budgets.week"),
        ("[budgets.day]\ncalls = -1", "budgets.day.calls"),
    ],
)
def test_what_is_wrong_with_a_table_is_said_and_nothing_is_started(
    tmp_path: Path, text: str, says: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        read_configuration(written(tmp_path, text), {})

    assert says in str(caught.value)
    assert "Nothing was started" in str(caught.value)
    assert "sk-" not in str(caught.value)


def test_a_key_never_prints(tmp_path: Path) -> None:
    configuration = read_configuration(written(tmp_path, TWO), KEYS)

    assert "sk-large" not in repr(configuration)
    assert "sk-large" not in configuration.model_dump_json()


def test_no_models_client_is_loaded_where_there_is_no_model(tmp_path: Path) -> None:
    written(tmp_path, "")
    code = (
        "import sys\n"
        "from deploybot.bootstrap import chain, read_configuration, read_settings\n"
        "from deploybot.models.tally import MemoryTally\n"
        "def built(**environ):\n"
        "    settings = read_settings(environ)\n"
        "    chain(settings, read_configuration(settings.config), MemoryTally())\n"
        "    return 'openai' in sys.modules\n"
        f"config = {str(tmp_path / 'deploybot.toml')!r}\n"
        "print(built(DEPLOYBOT_CONFIG=config))\n"
        "print(built(DEPLOYBOT_CONFIG=config, OPENAI_API_KEY='sk-other'))\n"
    )

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)

    assert done.stdout == "False\nTrue\n", done.stderr
