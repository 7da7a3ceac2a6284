"""Importing networks: what a description says, what is assumed beside it, and the spec."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from efspec.errors import Diagnostic, EfspecError, fail, suggestion
from efspec.importers import ofa, official, timm
from efspec.importers.arguments import Foreign
from efspec.importers.complete import Assumption, completed, family_of, origins_of
from efspec.importers.description import Description, Format, checked
from efspec.importers.detect import descriptions
from efspec.importers.outline import Family, fixed_options, spec_fields
from efspec.importers.reading import trees
from efspec.record import Record
from efspec.spec.loader import MAX_SHOWN, load_tree, shown
from efspec.spec.resolve import resolve
from efspec.spec.schema import NetworkSpec
from efspec.spec.source_map import Loc, Node, Source

MAX_NETWORKS = 10_000
"""How many specs one import makes. What scores a million candidates reads them as they are."""

MODELS: Mapping[Format, Mapping[Family, type[Foreign]]] = {
    Format.official: official.MODELS,
    Format.timm: timm.MODELS,
    Format.ofa: ofa.MODELS,
}


class Imported(Record):
    """A network from a foreign description.

    Attributes:
        spec: Its spec, which resolves.
        format: How it was described.
        assumed: What the description leaves open.
        left_out: What the description says besides that is no part of a network.
    """

    spec: NetworkSpec
    format: Format
    assumed: tuple[Assumption, ...] = ()
    left_out: tuple[str, ...] = ()


def import_networks(
    file: Path,
    *,
    input_format: str | None = None,
    format: Format | None = None,
    family: Family | None = None,
    name: str | None = None,
    variant: str | None = None,
) -> list[Imported]:
    """The networks that a file describes, at least one.

    Args:
        file: The file; `-` is standard input.
        input_format: `yaml`, `json` or `jsonl`; None to find out.
        format: How the networks are described; None to find out.
        family: What they are; None to find out.
        name: What to call the network, if it is one.
        variant: The only network that is wanted, by its name.

    Raises:
        EfspecError: With every mistake of every network.
    """
    found: list[Imported] = []
    names: list[str] = []
    mistakes: list[Diagnostic] = []
    for description in _descriptions(file, input_format, format, mistakes):
        if len(names) >= MAX_NETWORKS:
            raise fail("too-many-networks", f"more than {MAX_NETWORKS:,}", file=str(file))
        names.append(description.label())
        if variant is not None and names[-1] != variant:
            continue
        if len(mistakes) > MAX_SHOWN:
            break
        try:
            found.append(_imported(description, family, name, _file_name(file)))
        except EfspecError as error:
            mistakes += error.diagnostics
    if mistakes:
        raise EfspecError(shown(mistakes))
    if not found:
        raise _no_such_variant(variant or "", names, file)
    if name is not None and len(found) > 1:
        message = f"--name: {len(found):,} networks cannot all be called {name!a}"
        raise fail("several-specs", message, fix="choose one with --variant", file=str(file))
    return list(_with_own_names(found))


def _descriptions(
    file: Path, input_format: str | None, format: Format | None, mistakes: list[Diagnostic]
) -> Iterator[Description]:
    """Every network of a file; what describes none goes into `mistakes`."""
    for tree in trees(file, input_format):
        try:
            if isinstance(tree, EfspecError):
                raise tree
            yield from descriptions(tree, format)
        except EfspecError as error:
            mistakes += error.diagnostics


def _imported(
    description: Description, family: Family | None, name: str | None, file_name: str
) -> Imported:
    if description.format is Format.spec:
        return _imported_spec(description, name)
    models = MODELS[description.format]
    assumed: list[Assumption] = []
    if family is None:
        family, why = family_of(description, models)
        assumed.append(Assumption("family", family, why))
    model = checked(models[family], description)
    outline = completed(model, family, description, assumed)
    label = name or description.name or model.label()
    if not label:
        label = file_name
        assumed.append(Assumption("name", label, "from the name of the file"))
    fixed = f"as in the published {family.upper()} networks"
    assumed += [Assumption(field, value, fixed) for field, value in fixed_options(outline)]
    fields = spec_fields(outline, label)
    spec = load_tree(_placed(fields, origins_of(model, description), (), description.root))
    resolve(spec)  # for its mistakes
    return Imported(
        spec=spec, format=description.format, assumed=tuple(assumed), left_out=description.left_out
    )


def _imported_spec(description: Description, name: str | None) -> Imported:
    root = description.root
    if name is not None and isinstance(root.value, dict):
        option = Node(name, Source(f"--name {name}", first_line=0))
        root = Node({**root.value, "name": option}, root.source, root.at, root.key_at)
    try:
        spec = load_tree(root)
        resolve(spec)  # for its mistakes
    except EfspecError as error:
        raise EfspecError(map(description.located, error.diagnostics)) from None
    return Imported(spec=spec, format=description.format, left_out=description.left_out)


def _placed(data: object, origins: dict[Loc, Node], loc: Loc, at: Node) -> Node:
    """A tree of plain values, each where it comes from."""
    at = origins.get(loc, at)
    if isinstance(data, dict):
        fields = {key: _placed(v, origins, (*loc, key), at) for key, v in data.items()}
        return Node(fields, at.source, at.at, at.key_at)
    if isinstance(data, list | tuple):
        items = [_placed(v, origins, (*loc, i), at) for i, v in enumerate(data)]
        return Node(items, at.source, at.at, at.key_at)
    assert data is None or isinstance(data, str | int | float)  # what outlines are made of
    return Node(data, at.source, at.at, at.key_at)


def _file_name(file: Path) -> str:
    """A network's name from that of its file."""
    stem = re.sub(r"[^A-Za-z0-9_.-]", "_", file.stem)[:60].lstrip("0123456789_.-")
    return stem or "imported"


def _with_own_names(found: list[Imported]) -> Iterator[Imported]:
    """The networks, those of a name that was there already with a number behind it."""
    counts: dict[str, int] = {}  # in lower case, as some file systems see names
    for one in found:
        name = first = one.spec.name
        while name.lower() in counts:
            counts[first.lower()] += 1
            name = f"{first[:56]}_{counts[first.lower()]}"
        counts[name.lower()] = 1
        if name != first:
            why = Assumption("name", name, f"another one is called {first}")
            spec = one.spec.model_copy(update={"name": name})
            one = one.replaced(spec=spec, assumed=(*one.assumed, why))
        yield one


def _no_such_variant(variant: str, names: list[str], file: Path) -> EfspecError:
    known = list(dict.fromkeys(filter(None, names)))
    return fail(
        "no-such-variant",
        f"there is no network {variant!a} in it",
        expected=", ".join(known[:20]),
        fix=suggestion(variant, known[:1000]),
        file=str(file),
    )
