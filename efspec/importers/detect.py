"""Finding the networks in a file, and how each is described, from the names of its fields."""

from __future__ import annotations

from collections.abc import Iterator

from efspec.errors import EfspecError, fail
from efspec.importers.description import Description, Format
from efspec.importers.ofa import ofa_description
from efspec.importers.official import SPELLINGS, official_descriptions
from efspec.importers.timm import timm_description
from efspec.spec.source_map import Loc, Node, field_text

SIGNS: dict[Format, frozenset[str]] = {
    Format.spec: frozenset({"efspec", "extends", "spec"}),
    Format.ofa: frozenset({"d", "e", "w"}),
    Format.timm: frozenset(
        {"architecture", "depths", "embed_dims", "img_size", "in_chans", "mlp_ratios"}
        | {"model_args", "model_name", "num_vit", "pretrained_cfg"}
    ),
    Format.official: frozenset({"depth", "vit_num", "width", *SPELLINGS}) - {"depths", "num_vit"},
}
"""Fields that tell how a network is described: the format with most of them is taken."""


def descriptions(root: Node, wanted: Format | None) -> Iterator[Description]:
    """The networks that a tree describes: one, or several in lists or under their names.

    Args:
        root: The tree.
        wanted: How they are described; None to find out.

    Raises:
        EfspecError: When something in it describes no network.
    """
    yield from _descriptions(root, wanted, (), "")


def _descriptions(node: Node, wanted: Format | None, path: Loc, name: str) -> Iterator[Description]:
    form = _format(node, wanted)
    match form:
        case Format.spec:
            yield _spec_description(node, path, name)
        case Format.ofa:
            yield ofa_description(node, path, name)
        case Format.timm:
            yield timm_description(node, path, name)
        case Format.official:
            yield from official_descriptions(node, path, name)
        case None:
            children = list(_children(node, path))
            if not children:
                raise _unknown(node, path)
            for child, where, own_name in children:
                yield from _descriptions(child, wanted, where, own_name)


def _format(node: Node, wanted: Format | None) -> Format | None:
    """How a mapping describes a network; None when it seems to describe none."""
    if not isinstance(node.value, dict):
        return None
    found = {form: len(signs & node.value.keys()) for form, signs in SIGNS.items()}
    if wanted is None:
        best = max(found, key=lambda form: found[form])
        return best if found[best] else None
    return None if not found[wanted] and list(_children(node, ())) else wanted


def _children(node: Node, path: Loc) -> Iterator[tuple[Node, Loc, str]]:
    """The elements of a list, or of a mapping that holds nothing but mappings and lists of them."""
    value = node.value
    if isinstance(value, list):
        yield from ((child, (*path, i), "") for i, child in enumerate(value))
    elif isinstance(value, dict) and all(map(_holds_mappings, value.values())):
        yield from ((child, (*path, key), key) for key, child in value.items())


def _holds_mappings(node: Node) -> bool:
    inner = node.value if isinstance(node.value, list) else [node]
    return bool(inner) and all(isinstance(child.value, dict) for child in inner)


def _spec_description(node: Node, path: Loc, name: str) -> Description:
    """A spec, or what a search found, with its spec under `spec` and figures beside it."""
    assert isinstance(node.value, dict)  # what is none has no signs of a format
    inner = node.value.get("spec")
    if inner is None:
        return Description(format=Format.spec, root=node, path=path, name=name)
    beside = tuple(key for key in node.value if key != "spec")
    return Description(
        format=Format.spec, root=inner, path=(*path, "spec"), name=name, left_out=beside
    )


def _unknown(node: Node, path: Loc) -> EfspecError:
    return fail(
        "not-a-network",
        "nothing in it tells of a network",
        field=field_text(path),
        expected="a spec, or `spec` with one; `width` and `depth` of the authors' code; "
        "`depths` and `embed_dims` of timm's, or an `architecture`; or `d`, `e` and `w`",
        **node.place(),
    )
