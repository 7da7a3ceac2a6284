"""The templates, as Jinja2 reads them: what is not known is an error, and HTML is escaped."""

from __future__ import annotations

from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape

from efspec.resources import folder


def environment(*instead: Path) -> Environment:
    """A new environment of the shipped templates.

    Args:
        instead: Folders whose templates take the place of shipped ones of the same name.
    """
    return Environment(
        loader=FileSystemLoader([*instead, folder("templates")]),
        undefined=StrictUndefined,
        autoescape=select_autoescape(["html.jinja"]),
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
