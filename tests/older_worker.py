"""The workers as an older version would run them: one that has never heard of some kind of event.

`python older_worker.py KIND` starts them; everything else is as it is.
"""

import sys
from typing import Annotated, Any, Union, get_args

from pydantic import Field, TypeAdapter

from deploybot import events


def forget(kind: str) -> None:
    """Let no event of this kind be read; whoever imports `EVENT` afterwards gets the older one."""
    known = [
        one
        for one in get_args(get_args(events.Event)[0])
        if one.model_fields["kind"].default != kind
    ]
    union: Any = Union[tuple(known)]  # noqa: UP007 - made of a list
    events.EVENT = TypeAdapter(Annotated[union, Field(discriminator="kind")])


if __name__ == "__main__":
    forget(sys.argv[1])
    from workers.__main__ import main

    sys.argv = ["workers"]
    sys.exit(main())
