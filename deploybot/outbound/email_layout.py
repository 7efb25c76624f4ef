"""How a mail is laid out: lines short enough for a terminal, and the style sheet written into the tags."""

import re
import textwrap
from functools import cache
from importlib import resources

import css_inline
from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

COLUMNS = 76
"""Columns of a line of text: with two marks of a quotation before it, it still fits."""
_COMMENT = re.compile(r"/\*.*?\*/\s*", re.DOTALL)


def wrapped(text: str, indent: int = 0, hang: int = 0) -> str:
    """Return the text in lines of at most COLUMNS; words that are longer, as addresses, stay whole.

    Every line begins `indent` columns to the right, and what goes on in a next line `hang` more.
    """
    lines: list[str] = []
    for line in text.splitlines() or [""]:
        further = hang or (2 if line.startswith("• ") else 0)
        lines += textwrap.wrap(
            line,
            COLUMNS,
            initial_indent=" " * indent,
            subsequent_indent=" " * (indent + further),
            break_long_words=False,
            break_on_hyphens=False,
        ) or [""]
    return "\n".join(lines)


def text(values: dict[str, object]) -> str:
    """Return the mail for programs that show text alone; nothing is left out of it."""
    return _templates().get_template("letter.txt.j2").render(values).strip() + "\n"


def html(values: dict[str, object]) -> str:
    """Return the mail for all others, with the style in its tags and dark mode beside it."""
    page = _templates().get_template("letter.html.j2").render(values, style=_style())
    return _inliner().inline(page)


@cache
def _templates() -> Environment:
    environment = Environment(
        loader=PackageLoader("deploybot.outbound"),
        autoescape=select_autoescape(("html.j2",)),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["wrapped"] = wrapped
    return environment


@cache
def _inliner() -> css_inline.CSSInliner:
    return css_inline.CSSInliner(keep_at_rules=True, load_remote_stylesheets=False)


@cache
def _style() -> str:
    sheet = resources.files("deploybot.outbound").joinpath("templates", "letter.css")
    return _COMMENT.sub("", sheet.read_text(encoding="utf-8"))
