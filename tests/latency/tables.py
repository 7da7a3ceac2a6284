"""Tables for tests."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from efspec.latency import DeviceTable, Figure, Protocol
from efspec.plan import Plan, parts
from efspec.plan.key import BlockKey, block_key

PROTOCOL = Protocol(device="A bench", os="Linux", runtime="torch", unit="cpu", precision="fp32")


def figure(ns: int, method: Any = "measured", spread: int = 0) -> Figure:
    if not spread:
        return Figure(p50_ns=ns, method=method)
    return Figure(p50_ns=ns, p10_ns=ns - spread, p90_ns=ns + spread, n=10, method=method)


def table(rows: dict[str, Figure], network: Figure | None = None, **fields: Any) -> DeviceTable:
    return DeviceTable(
        efspec=1, name="bench", protocol=PROTOCOL, network=network, rows=rows, **fields
    )


def table_of(*plans: Plan, ns: Callable[[BlockKey], int]) -> DeviceTable:
    """A table with a row for every part of some networks."""
    keys = {block_key(plan, part) for plan in plans for part in parts(plan)}
    return table({key.text: figure(ns(key)) for key in keys})
