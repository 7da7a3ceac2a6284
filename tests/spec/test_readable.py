"""A wrong field hides no mistake elsewhere, and brings none along."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from efspec.errors import Diagnostic, EfspecError
from efspec.spec import dump, load, resolve
from efspec.spec.source_map import Loc, field_text
from tests.spec.diagnostics import RUN, cases, diagnose, options, working_in

OF_SEVERAL_PARTS = {
    "attention-too-large",
    "attention-too-small",
    "kernel-does-not-fit",
    "no-channels",
    "no-such-stage",
    "too-many-blocks",
    "too-many-parameters",
    "width-mismatch",
}
PYRAMID: dict[str, Any] = {
    "efspec": 1,
    "name": "pyramid",
    "input": {"size": [64, 96]},
    "stem": {"type": "patch_stem", "kernel": 3, "stride": 2, "width": 16},
    "stages": [
        {"width": 16, "blocks": [{"type": "mb4d"}, {"type": "mb3d"}]},
        {"width": 24, "downsample": {"type": "attention"}, "blocks": [{"type": "ffn"}]},
        {"width": 24, "downsample": None, "blocks": [{"type": "attn_ffn", "repeat": 2}]},
    ],
    "head": {"type": "features", "stages": [0, 2]},
}
OF_NAMES = {"missing-field", "missing-type", "unknown-field"}


@pytest.mark.parametrize(
    "case",
    [c for c in cases() if c.parent.name in OF_SEVERAL_PARTS and c.suffix not in RUN],
    ids=lambda case: f"{case.parent.name}/{case.stem}",
)
def test_a_wrong_field_hides_no_mistake_of_other_parts(case: Path) -> None:
    with working_in(case.parent), pytest.raises(EfspecError) as error:
        load(case.name, set=[*options(case), "description=7"])
    found = list(error.value.diagnostics)
    (wrong,) = [d for d in found if d.field == "description"]
    found.remove(wrong)
    assert found == diagnose(case)


@pytest.mark.parametrize("source", ["v1_l1", "v2_s0", PYRAMID], ids=["v1_l1", "v2_s0", "pyramid"])
def test_a_wrong_field_is_all_that_is_told(source: Any) -> None:
    data = json.loads(dump(load(source), format="json", resolved=True))
    for path in fields(data):
        for wrong in ({"neither": "nor"}, -7.5):
            found = mistakes(changed(data, path, wrong))
            text = field_text(path)
            assert found, text
            assert all(d.field.startswith(text) for d in found), (text, found)


@pytest.mark.parametrize("source", ["v1_l1", "v2_s0", PYRAMID], ids=["v1_l1", "v2_s0", "pyramid"])
def test_a_misspelt_field_is_all_that_is_told(source: Any) -> None:
    data = json.loads(dump(load(source), format="json", resolved=True))
    for path in fields(data):
        if isinstance(path[-1], str):
            found = mistakes(misspelt(data, path))
            parent = field_text(path[:-1])
            assert found, path
            assert all(d.name in OF_NAMES for d in found), (path, found)
            assert all(d.field.startswith(parent) for d in found), (path, found)


def fields(data: Any, path: Loc = ()) -> Iterator[Loc]:
    """The paths of all values but the whole."""
    if path:
        yield path
    if isinstance(data, dict | list):
        for key, value in data.items() if isinstance(data, dict) else enumerate(data):
            yield from fields(value, (*path, key))


def changed(data: Any, path: Loc, value: object) -> Any:
    whole, holder = copied(data, path)
    holder[path[-1]] = value
    return whole


def misspelt(data: Any, path: Loc) -> Any:
    whole, holder = copied(data, path)
    holder[f"{path[-1]}_"] = holder.pop(path[-1])
    return whole


def copied(data: Any, path: Loc) -> tuple[Any, Any]:
    """A copy of a spec, and what holds the value at a path in it."""
    whole = holder = copy.deepcopy(data)
    for part in path[:-1]:
        holder = holder[part]
    return whole, holder


def mistakes(data: Any) -> list[Diagnostic]:
    try:
        resolve(load(data))
    except EfspecError as error:
        return list(error.diagnostics)
    return []
