"""Latencies of devices: tables of them, and what those say of networks."""

from efspec.latency.device import Device
from efspec.latency.devices import device_source, dump_table, read_table, shipped_devices
from efspec.latency.table import DeviceTable, Figure, Protocol

__all__ = [
    "Device",
    "DeviceTable",
    "Figure",
    "Protocol",
    "device_source",
    "dump_table",
    "read_table",
    "shipped_devices",
]
