"""The fields of the spec language: what stands at a location, and what is accepted there."""

from __future__ import annotations

import types
from collections.abc import Iterator
from typing import Annotated, Any, Literal, NamedTuple, Union, get_args, get_origin

from pydantic import BaseModel, Tag
from pydantic.fields import FieldInfo

from efspec.blocks.options import Expected
from efspec.blocks.registry import Registry
from efspec.spec.schema import NetworkSpec
from efspec.spec.source_map import Loc


class Field(NamedTuple):
    """A place in the spec language.

    Attributes:
        loc: Keys and indices as the user wrote them.
        expected: What is accepted, in words.
        siblings: The fields of the mapping that it stands in.
        types: Values of `type`, where a mapping with one is accepted.
        words: The accepted strings, where some are.
    """

    loc: Loc
    expected: str
    siblings: tuple[str, ...]
    types: tuple[str, ...]
    words: tuple[str, ...]


def follow(loc: Loc, root: type[BaseModel] = NetworkSpec) -> Field:
    """The place that a location of pydantic's leads to.

    Those hold a tag for every choice that was made between types, which nobody wrote. Where
    there is none, the location is one of ours.
    """
    hint: Any = root
    written: list[str | int] = []
    siblings: tuple[str, ...] = ()
    expected = ""
    for part in loc:
        model = _model(hint) or _owner(hint, part)
        if model:
            info = model.model_fields.get(str(part))
            hint, siblings = _hint(info), field_names(model)
        elif isinstance(part, int):
            hint = _item(hint)
        elif get_origin(_parts(hint)[0]) is dict:
            hint = get_args(_parts(hint)[0])[1]
        else:
            hint = _choice(hint, part)
            continue
        written.append(part)
        expected = _expected(hint)
    leaves = list(_leaves(hint))
    known = tuple(str(_type(leaf)) for leaf in leaves if _model(leaf) and _type(leaf))
    words = tuple(
        word
        for leaf in leaves
        if get_origin(leaf) is Literal
        for word in get_args(leaf)
        if word != "inherit"  # what it is when nothing is written
    )
    return Field(tuple(written), expected, siblings, known, words)


def field_names(model: type[BaseModel]) -> tuple[str, ...]:
    """The fields of a mapping, in the order in which people write them."""
    return tuple(sorted(model.model_fields, key=lambda name: name != "type"))


def parts_of_the_language() -> list[type[BaseModel]]:
    """Every mapping that a spec may hold, the spec itself first."""
    return parts_of(NetworkSpec)


def parts_of(root: type[BaseModel]) -> list[type[BaseModel]]:
    """Every mapping that a file may hold, the whole of it first."""
    found: list[type[BaseModel]] = [root]
    for model in found:  # grows meanwhile
        hints = map(_hint, model.model_fields.values())
        parts = dict.fromkeys(part for hint in hints for part in _models(hint))
        found += [part for part in parts if part not in found]
    return found


def _models(hint: Any) -> Iterator[type[BaseModel]]:
    for leaf in _leaves(hint):
        model = _model(leaf)
        if model:
            yield model
        elif get_origin(leaf) is tuple:
            yield from _models(get_args(leaf)[0])
        elif get_origin(leaf) is dict:
            yield from _models(get_args(leaf)[1])


def _hint(info: FieldInfo | None) -> Any:
    """A field's type with its metadata, which pydantic keeps apart."""
    if info is None:
        return Any
    return Annotated[info.annotation, *info.metadata] if info.metadata else info.annotation


def _parts(hint: Any) -> tuple[Any, tuple[Any, ...]]:
    """A type, and what it is annotated with."""
    if get_origin(hint) is Annotated:
        registries = [m for m in hint.__metadata__ if isinstance(m, Registry)]
        return registries[0].union() if registries else hint.__origin__, hint.__metadata__
    return hint, ()


def _leaves(hint: Any) -> Iterator[Any]:
    """The types that a union allows."""
    bare, _ = _parts(hint)
    if get_origin(bare) in (Union, types.UnionType):
        for member in get_args(bare):
            yield from _leaves(member)
    else:
        yield bare


def _model(hint: Any) -> type[BaseModel] | None:
    bare, _ = _parts(hint)
    return bare if isinstance(bare, type) and issubclass(bare, BaseModel) else None


def _type(model: type[BaseModel]) -> str | None:
    info = model.model_fields.get("type")
    return info.default if info else None


def _owner(hint: Any, name: str | int) -> type[BaseModel] | None:
    """The first member of a union that has a field, unless the name is a tag of the union."""
    if not isinstance(name, str) or _choice(hint, name) is not Any:
        return None
    models = [model for leaf in _leaves(hint) if (model := _model(leaf))]
    return next((model for model in models if name in model.model_fields), None)


def _item(hint: Any) -> Any:
    """Type of a list's elements."""
    for leaf in _leaves(hint):
        if get_origin(leaf) is tuple:
            return get_args(leaf)[0]
    return Any


def _choice(hint: Any, tag: str) -> Any:
    """The member of a union that a tag stands for."""
    bare, metadata = _parts(hint)
    if any(isinstance(m, Tag) and m.tag == tag for m in metadata):
        return bare
    model = _model(bare)
    if model and _type(model) == tag:
        return model
    if get_origin(bare) in (Union, types.UnionType):
        for member in get_args(bare):
            found = _choice(member, tag)
            if found is not Any:
                return found
    return Any


def _expected(hint: Any) -> str:
    bare, metadata = _parts(hint)
    words = [m.words for m in metadata if isinstance(m, Expected)]
    if words:
        return words[-1]
    models = [model for leaf in _leaves(bare) if (model := _model(leaf))]
    if models:
        tags = [tag for model in models if (tag := _type(model))]
        return f"a mapping with `type`: {', '.join(tags)}" if tags else "a mapping"
    if get_origin(bare) in (Union, types.UnionType):
        return next(filter(None, map(_expected, get_args(bare))), "")
    return "a list" if get_origin(bare) is tuple else ""
