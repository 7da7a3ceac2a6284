"""The Mermaid flowchart: its syntax, and that no name changes it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings

import efspec
from efspec.diagram import mermaid
from efspec.diagram.figure import figure
from efspec.plan import Plan
from tests.diagram.networks import all_networks
from tests.strategies import networks

GOLDEN = Path(__file__).parent / "golden"
NETWORKS = all_networks()

LABEL = r"\[\"(?:[\w .,:()/×→·+-]|#\d+;|<br/>)+\"\]"
NAME = r"(?:input|output|band\d+|n\d+_\d+)"
LINES = (
    "flowchart TB",
    r"  acc(?:Title|Descr): [^{}\n]+",
    rf"  (?:input|output)\({LABEL}\)",
    rf"  subgraph band\d+{LABEL}",
    "    direction LR",
    rf"    n\d+_\d+{LABEL}",
    r"    n\d+_\d+(?: --> n\d+_\d+)+",
    "  end",
    rf"  input(?: --> {NAME})*",
    r"  classDef \w+ fill:#\w{6},stroke:#\w{6},color:#\w{6},stroke-width:[\d.]+px"
    r"(?:,stroke-dasharray:6 3)?",
    r"  class n\d+_\d+(?:,n\d+_\d+)* \w+",
)
"""Each line of a flowchart is one of these."""


def check(plan: Plan) -> None:
    _, head, body = mermaid(plan).split("---\n", 2)
    assert yaml.safe_load(head)["title"] == plan.name
    for line in body.splitlines():
        assert any(re.fullmatch(pattern, line) for pattern in LINES), line
    nodes = re.findall(r"^    (n\d+_\d+)\[", body, re.MULTILINE)
    runs = [run for band in figure(plan).bands for run in band.runs]
    assert len(nodes) == len(set(nodes)) == len(runs)
    classed = re.findall(r"^  class (\S+) ", body, re.MULTILINE)
    assert sorted(",".join(classed).split(",")) == sorted(nodes)
    assert body.count("subgraph ") == body.count("\n  end\n")


@pytest.mark.parametrize("plan", NETWORKS.values(), ids=NETWORKS)
def test_every_line_is_one_that_mermaid_knows(plan: Plan) -> None:
    check(plan)


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(networks(max_size=96))
def test_random_networks_are_drawn_as_well(fields: dict[str, Any]) -> None:
    check(efspec.resolve(efspec.load(fields)))


@pytest.mark.parametrize("name", ["v1_l1", "v2_s0"])
def test_is_as_it_was(name: str, update_golden: bool) -> None:
    drawn = mermaid(efspec.resolve(efspec.load(name)))
    golden = GOLDEN / f"{name}.mmd"
    if update_golden:
        golden.write_text(drawn)
    assert drawn == golden.read_text()
