"""New rows for a table, whether there is one yet or not."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import ValidationError

from efspec.errors import Diagnostic, EfspecError
from efspec.importers.document import printable
from efspec.latency.devices import dump_table
from efspec.latency.merge import Prefer, check_same_protocol, merge
from efspec.latency.table import DeviceTable, Figure, Protocol
from efspec.latency.values import MAX_TEXT
from efspec.plan.key import BlockKey
from efspec.spec.explain import explain
from efspec.spec.reading import part_of
from efspec.spec.source_map import Source, SourceMap, tree

WANTED = {
    "device": '--device-name "iPhone 12"',
    "os": '--os "iOS 16.1"',
    "unit": "--unit all",
    "precision": "--precision fp16",
}
"""What a protocol cannot do without, and the options that say it."""


def protocol_of(
    given: Mapping[str, str], said: Mapping[str, str], table: DeviceTable | None, file: str
) -> Protocol:
    """How figures were taken.

    Args:
        given: What the user says of it, which counts first.
        said: What the file says.
        table: The table that they are for, which tells the rest.
        file: The file.

    Raises:
        EfspecError: When nothing tells one of its fields, or one cannot be so.
    """
    before = table.protocol.model_dump(exclude={"batch", "date", "tool"}) if table else {}
    told = {name: printable(text, MAX_TEXT) for name, text in {**said, **given}.items()}
    fields = {**before, **told}
    missing = [
        Diagnostic(
            "missing-protocol",
            "nothing says it",
            field=f"protocol.{name}",
            file=file,
            fix=f"say it, as in {option}",
        )
        for name, option in WANTED.items()
        if not fields.get(name)
    ]
    if missing:
        raise EfspecError(missing)
    try:
        return Protocol.model_validate(fields)
    except ValidationError as error:
        places = SourceMap(tree(fields, Source(file, first_line=0)))
        raise EfspecError(explain(error, places, Protocol)) from None


def extended(
    table: DeviceTable | None,
    new: DeviceTable,
    prefer: Prefer | None,
    file: str,
    source: str,
) -> DeviceTable:
    """A table with new rows, which contradict none of its own.

    Args:
        table: The table; None if there is none yet.
        new: The rows, with how they were taken.
        prefer: Which row to take where two differ; None to refuse them.
        file: Where the table is.
        source: Where the rows are from.

    Raises:
        EfspecError: When they were taken in another way than the table's, or rows contradict.
    """
    if table is not None:
        check_same_protocol(table.protocol, new.protocol, source)
        both = merge({file: table, source: new}, table.name, prefer)
        changed = {name: getattr(both, name) for name in ("protocol", "network", "rows")}
        new = table.model_copy(update=changed)
    return part_of(Source(file, dump_table(new)), DeviceTable)


def unchecked(
    name: str,
    protocol: Protocol,
    rows: Mapping[BlockKey, Figure],
    network: Figure | None,
    description: str,
) -> DeviceTable:
    """A table of new rows, which `extended` checks."""
    return DeviceTable.model_construct(
        efspec=1,
        name=name,
        description=description,
        protocol=protocol,
        network=network,
        rows={key.text: figure for key, figure in rows.items()},
    )
