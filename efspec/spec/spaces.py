"""Finding search spaces by shipped name or file, and reading and writing them."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from efspec.errors import Diagnostic, EfspecError, fail, suggestion
from efspec.resources import folder
from efspec.spec.dump import compact, field_lines
from efspec.spec.files import decode, read_bytes
from efspec.spec.kinds import is_network, is_space
from efspec.spec.reading import checked
from efspec.spec.source_map import SourceMap, placed, plain
from efspec.spec.space import SpaceSpec
from efspec.spec.space_members import member_mistakes
from efspec.spec.space_readable import further_mistakes
from efspec.spec.yaml_reader import read_yaml


@cache
def shipped_spaces() -> dict[str, Path]:
    """The file of each shipped space by its name."""
    return {file.stem: file for file in sorted((folder("specs") / "search").glob("*.yaml"))}


def find_space(source: str | Path) -> Path | None:
    """The file of a shipped space, `v2` or `search/v2`, or of a path; None for what is neither."""
    name = str(source)
    shipped = shipped_spaces().get(name.removeprefix("search/"))
    if shipped:
        return shipped
    try:
        return Path(source) if name and Path(source).is_file() else None
    except (OSError, ValueError):  # too long for a file system, or with a null byte
        return None


def read_space(source: str | Path) -> SpaceSpec:
    """The space of a shipped name or of a file.

    Raises:
        EfspecError: When there is none, with every mistake of it, or when its members cannot be.
    """
    path = find_space(source)
    if path is None:
        shown = ascii(str(source))[:100]
        raise fail(
            "no-such-space",
            f"{shown} is no shipped space and no file",
            expected=f"a file, or one of {', '.join(shipped_spaces())}",
            fix=suggestion(str(source)[:100], shipped_spaces()),
        )
    mistakes: list[Diagnostic] = []
    root = read_yaml(decode(read_bytes(path), str(path)), mistakes)
    if is_network(plain(root)):
        raise fail(
            "is-a-network",
            "this is a network, and a search space is wanted",
            expected="stages with `depth` and `block`, whose `width` is a list",
            fix="`efspec score` and `efspec validate` take networks",
            **root.place(),
        )
    try:
        space = checked(root, SpaceSpec, mistakes)
    except EfspecError as error:
        others = placed(further_mistakes(plain(root)), SourceMap(root))
        raise EfspecError(dict.fromkeys([*error.diagnostics, *others])) from None
    if wrong := member_mistakes(space):
        raise EfspecError(placed(wrong, SourceMap(root)))
    return space


def holds_space(path: Path) -> bool:
    """Whether a file holds a space, right or wrong, and not a network."""
    try:
        return is_space(plain(read_yaml(decode(read_bytes(path), str(path)), [])))
    except EfspecError:
        return False


def dump_space(space: SpaceSpec, schema: str = "") -> str:
    """The text of a space, which reads as an equal one.

    Args:
        space: The space.
        schema: Address of the JSON Schema that editors are to use, written as a YAML comment.
    """
    lines = [f"# yaml-language-server: $schema={schema}"] * bool(schema)
    for name, value in compact(space).items():
        if name == "stages":
            lines.append("stages:")
            for stage in space.stages:
                start = "  - "
                for field, choices in compact(stage).items():
                    lines += field_lines(f"{start}{field}: ", choices)
                    start = "    "
        elif name == "stem":
            lines += field_lines("stem: ", {k: v for k, v in value.items() if k != "width"})  # type: ignore[attr-defined]  # a mapping
        else:
            lines += field_lines(f"{name}: ", value)
    return "\n".join(lines) + "\n"
