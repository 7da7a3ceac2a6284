"""Finding devices by shipped name or file, and reading and writing their tables."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from efspec.errors import fail, suggestion
from efspec.latency.device import Device
from efspec.latency.model_text import model_lines
from efspec.latency.table import DeviceTable
from efspec.resources import folder
from efspec.spec.dump import compact, field_lines
from efspec.spec.reading import read_part


@cache
def shipped_devices() -> dict[str, Path]:
    """The file of each shipped device by its name."""
    files = sorted((folder("specs") / "devices").glob("*.yaml"))
    return {file.stem: file for file in files if not file.stem.endswith("-points")}


def find_device(source: str | Path) -> Path:
    """The table of a shipped name or of a path.

    Raises:
        EfspecError: When there is none.
    """
    name = str(source)
    if name in shipped_devices():
        return shipped_devices()[name]
    path = Path(source)
    try:
        if name and path.exists():
            return path
    except (OSError, ValueError):  # too long for a file system, or with a null byte
        pass
    shown = ascii(name) if len(name) < 100 else f"{ascii(name[:96])[:-1]}...'"
    raise fail(
        "no-such-device",
        f"{shown} is no shipped device and no file",
        expected=f"a table's file, or one of {', '.join(shipped_devices())}",
        fix=suggestion(name, shipped_devices()) if len(name) < 100 else "",
    )


def read_table(source: str | Path) -> DeviceTable:
    """The table of a shipped device or of a file.

    Raises:
        EfspecError: When there is none, or with every mistake of it.
    """
    return read_part(find_device(source), DeviceTable)


def device_source(
    source: str | Path,
    *,
    strict: bool = False,
    precision: str | None = None,
    batch: int = 1,
) -> Device:
    """A latency source of a shipped device or of a table's file.

    Args:
        source: Name or path.
        strict: Whether to take nothing but measured rows.
        precision: What the table is to be of; None to take what it is of.
        batch: How many images at a time the table is to be of.

    Raises:
        EfspecError: When there is no such table, it is wrong, or it is of something else.
    """
    path = find_device(source)
    table = read_part(path, DeviceTable)
    protocol = table.protocol
    if precision not in (None, protocol.precision):
        raise fail(
            "other-precision",
            f"the table is of {protocol.precision}, and {precision} is wanted",
            field="protocol.precision",
            file=str(path),
        )
    if protocol.batch != batch:
        raise fail(
            "other-batch",
            f"the table is of batch {protocol.batch:,}, and {batch:,} is wanted",
            field="protocol.batch",
            file=str(path),
            fix="measure it with `--batch`, or score with the table's own batch",
        )
    return Device(table, str(path), strict=strict)


def dump_table(table: DeviceTable, schema: str = "") -> str:
    """The text of a table, rows in alphabetic order, which reads as an equal one.

    Args:
        table: The table.
        schema: Address of the JSON Schema that editors are to use, written as a YAML comment.
    """
    lines = [f"# yaml-language-server: $schema={schema}"] * bool(schema)
    for name, value in compact(table).items():
        if name not in ("rows", "model"):
            lines += field_lines(f"{name}: ", value)
    lines += model_lines(table.model) if table.model else []
    lines += ["rows:"] if table.rows else []
    for text in sorted(table.rows):
        lines += [f"  {text}:", *field_lines("    ", compact(table.rows[text]))]
    return "\n".join(lines) + "\n"
