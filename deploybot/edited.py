"""What a request says of the edit that it came of: by whom, and what was different before."""

from pydantic import BaseModel, ConfigDict


class Edited(BaseModel):
    """Whose edit of an earlier request this one came of, what that changed, and why."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    by: str
    changes: tuple[str, ...]
    comment: str = ""
