"""The spec language with the types that packages add."""

from __future__ import annotations

from collections.abc import Iterable

from pydantic import ValidationError

from efspec.blocks.plugins import Plugin, add_plugins, added
from efspec.errors import Diagnostic
from efspec.record import Record
from efspec.spec.schema import NetworkSpec, StageSpec


class Search(Record):
    """What a search for types found.

    Attributes:
        plugins: The types that packages offer, those included that cannot be used.
        has_added: Whether specs may now say types that they could not say before.
    """

    plugins: tuple[Plugin, ...]
    has_added: bool

    def mistakes(self) -> list[Diagnostic]:
        """Why some cannot be used."""
        return [plugin.mistake for plugin in self.plugins if plugin.mistake]


def look_for(names: Iterable[str] | None = None) -> Search:
    """Let specs say the types of these names that packages offer, or all that they offer."""
    before = added()
    plugins = tuple(add_plugins(names))
    has_added = added() > before
    if has_added:
        from efspec.spec import readable, space, space_readable  # which have models of their own

        # What stages are made of comes first: models keep what those in them were built to.
        for model in (StageSpec, NetworkSpec, space.StageSpace, space.SpaceSpec):
            model.model_rebuild(force=True)
        readable.rebuild()
        space_readable.rebuild()
    return Search(plugins, has_added)


def unknown_types(error: ValidationError) -> set[str]:
    """The types that a spec says and that are not known."""
    return {
        str(details["ctx"]["tag"])
        for details in error.errors(include_url=False, include_input=False)
        if details["type"] == "union_tag_invalid"
    }
