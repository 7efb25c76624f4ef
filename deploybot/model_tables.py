"""What `deploybot.toml` says about models: which are asked, in which order, and how much they may spend.

Only data. The file is read in `config`; the models are asked, and their spending counted, in `models`.
"""

from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator


class _Table(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class ModelTable(_Table):
    """One `[[models]]`: a model behind an endpoint that speaks chat completions.

    `timeout` bounds one request, `budget` everything that one step takes, both in seconds.
    """

    name: str = Field(min_length=1)
    base_url: str = ""
    """"" for the OpenAI client's own."""
    api_key_env: str = ""
    """The environment variable that holds the key; "" for endpoints that want none."""
    timeout: float = Field(default=15.0, ge=0.1, le=300)
    budget: float = Field(default=30.0, ge=0.1, le=600)
    answer_tokens: int = Field(default=0, ge=0)
    """The longest answer, with what the model thinks before it; 0 leaves that to the server."""
    api_key: SecretStr = Field(default=SecretStr(""), exclude=True)
    """Filled in from the environment; never written in the file."""

    @field_validator("base_url")
    @classmethod
    def _is_an_address(cls, value: str) -> str:
        if value and urlsplit(value).scheme not in ("http", "https"):
            raise ValueError("it does not begin with http:// or https://")
        return value


class AllowanceTable(_Table):
    """How much may be spent; 0 for as much as is wanted."""

    calls: int = Field(default=0, ge=0)
    """Times a model is asked for a step, each one in the order counted."""
    tokens: int = Field(default=0, ge=0)
    """Read and written together."""


class BudgetTables(_Table):
    """`[budgets]`: what models may spend; once it is spent, the built-in planner chooses."""

    thread: AllowanceTable = AllowanceTable(calls=100, tokens=1_000_000)
    """Over the life of one thread."""
    person: AllowanceTable = AllowanceTable(calls=300, tokens=3_000_000)
    """For what one person asks in a day."""
    hour: AllowanceTable = AllowanceTable(calls=500, tokens=5_000_000)
    """By everyone together in an hour."""
    day: AllowanceTable = AllowanceTable(calls=3000, tokens=30_000_000)
    """By everyone together in a day."""
