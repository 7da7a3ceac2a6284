"""Where the shipped specs, schemas and templates lie, in a checkout and in an installed wheel."""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).parent


def folder(kind: str) -> Path:
    """The folder of shipped files of one kind: `specs`, `schemas` or `templates`."""
    installed = _PACKAGE / "_data" / kind
    return installed if installed.is_dir() else _PACKAGE.parent / kind


def shipped_specs() -> dict[str, Path]:
    """Path of each shipped network spec by its name, such as `v2_s1` or `ablation/row4`."""
    root = folder("specs")
    files = [*root.iterdir(), *(root / "ablation").iterdir()]
    paths = sorted(file for file in files if file.suffix == ".yaml" and file.name != "mes.yaml")
    return {str(path.relative_to(root).with_suffix("").as_posix()): path for path in paths}
