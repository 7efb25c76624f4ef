"""Where the templates of the prompts are read from: the installed `prompts` package.

What they are made into is written in `prompting`.
"""

from importlib.resources import files

from deploybot.prompting import Templates


def read() -> Templates:
    """Return all templates, from a checkout and from an installed wheel alike."""
    found = (entry for entry in files("prompts").iterdir() if entry.name.endswith(".j2"))
    return Templates({entry.name: entry.read_text(encoding="utf-8") for entry in found})
