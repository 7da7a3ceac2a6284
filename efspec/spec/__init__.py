"""The spec language: what a network is, in YAML, and how it is read, checked and resolved."""

from efspec.spec.dump import dump, spec_hash
from efspec.spec.loader import load, load_all, loads
from efspec.spec.resolve import resolve
from efspec.spec.schema import NetworkSpec

__all__ = ["NetworkSpec", "dump", "load", "load_all", "loads", "resolve", "spec_hash"]
