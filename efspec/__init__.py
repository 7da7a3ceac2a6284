"""efspec: a declarative architecture compiler for EfficientFormer-style mobile vision networks.

    import efspec

    spec = efspec.load("v2_s1")          # a shipped name, a path, or a mapping
    print(efspec.score(spec).macs)       # exact, and without torch
    module = efspec.build(spec)          # a torch.nn.Module

Importing efspec imports nothing heavy: torch and friends come with the functions that use them.
"""

from efspec.api import (
    CheckpointWarning,
    build,
    dump,
    export,
    generate,
    load,
    load_mes,
    load_weights,
    resolve,
    score,
)
from efspec.errors import Diagnostic, EfspecError

__all__ = [
    "CheckpointWarning",
    "Diagnostic",
    "EfspecError",
    "build",
    "dump",
    "export",
    "generate",
    "load",
    "load_mes",
    "load_weights",
    "resolve",
    "score",
]
