"""Supernets: networks that hold every member of a search space, and train them together."""

from efspec.supernet.files import encode_supernet, load_supernet, space_hash
from efspec.supernet.metapaths import MetaPaths, temperature
from efspec.supernet.sandwich import accumulate, sandwich
from efspec.supernet.slimmable import Slimmable
from efspec.supernet.subnets import calibrate, extract
from efspec.supernet.supernet import Statistics, Supernet

__all__ = [
    "MetaPaths",
    "Slimmable",
    "Statistics",
    "Supernet",
    "accumulate",
    "calibrate",
    "encode_supernet",
    "extract",
    "load_supernet",
    "sandwich",
    "space_hash",
    "temperature",
]
