"""What a search on the command line writes and prints when it has ended."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from efspec.cli.console import Cell, print_notes, print_table
from efspec.cli.files import replaced

if TYPE_CHECKING:
    from efspec.cli.search_evaluators import CutOut
    from efspec.search.runs import Found, Settings
    from efspec.spec.candidates import Candidate
    from efspec.spec.space import SpaceSpec


def write_results(
    folder: Path, space: SpaceSpec, settings: Settings, found: Found, cut_out: CutOut | None
) -> None:
    """Write what was found: specs and their weights, a summary, and a report with its pictures."""
    from efspec.search.report import drawing, path_drawing, report
    from efspec.spec.candidates import member
    from efspec.spec.dump import dump

    files: dict[str, bytes] = {}
    records = []
    for number, one in enumerate(found.front):
        spec = member(space, one.candidate, f"{space.name}_front_{number}")
        files[f"front/{number:03}.yaml"] = dump(spec).encode()
        known = {"accuracy": one.accuracy, **one.figures}
        records.append({"spec": json.loads(dump(spec, format="json")), **known})
    files["front.json"] = (json.dumps(records, indent=2) + "\n").encode()
    wanted = [(f"targets/{name}", name, one) for name, one in found.targets.items()]
    best = next(iter(found.targets.values()), None)
    for path, name, one in [*wanted, ("best", "best", best)] if best else []:
        assert one is not None  # there is a best one
        files |= _network(path, space, one.candidate, f"{space.name}_{name}", cut_out)
    files["summary.json"] = (json.dumps(summary(found), indent=2) + "\n").encode()
    files["report.png"] = drawing(space.name, found, "png")
    if found.outcome:
        files["path.png"] = path_drawing(space.name, found.outcome, "png")
    files["report.html"] = report(space.name, settings, found).encode()
    for name, data in files.items():
        (folder / name).parent.mkdir(exist_ok=True)
        with replaced(folder / name) as temporary:
            temporary.write_bytes(data)


def _network(
    path: str, space: SpaceSpec, candidate: Candidate, name: str, cut_out: CutOut | None
) -> dict[str, bytes]:
    """The files of a network: its spec, and its weights where a supernet has them."""
    from efspec.spec.candidates import member
    from efspec.spec.dump import dump

    if cut_out is None:
        return {f"{path}.yaml": dump(member(space, candidate, name)).encode()}
    from efspec.pytorch.checkpoints import encode

    spec, plan, state = cut_out(candidate, name)
    weights = encode(plan, state, ".safetensors")
    return {f"{path}.yaml": dump(spec).encode(), f"{path}.safetensors": weights}


def summary(found: Found) -> dict[str, Any]:
    """What was found, as JSON holds it."""
    from efspec.search.runs import evaluation_as_dict

    return {
        "evaluated": len(found.evaluated),
        "steps": len(found.outcome.steps) if found.outcome else None,
        "ended": found.outcome.ended if found.outcome else None,
        "targets": {name: evaluation_as_dict(one) for name, one in found.targets.items()},
        "missed": list(found.missed),
        "front": [evaluation_as_dict(one) for one in found.front],
    }


def print_results(folder: Path, found: Found) -> None:
    """Show what was found for each target."""
    rows: list[list[Cell]] = []
    for name, one in found.targets.items():
        figures = [one.figures.get(metric) for metric in ("mes", "latency_ms", "params", "macs")]
        file = str(folder / "targets" / f"{name}.yaml")
        rows.append([name, f"{one.accuracy:.4f}", *figures, file])
    if rows:
        columns = ["target", "accuracy", "MES", "ms", "params", "MACs", "spec"]
        print_table(columns, rows, f"{len(found.evaluated):,} networks were evaluated")
    else:
        typer.echo(f"{len(found.evaluated):,} networks were evaluated")
    print_notes(f"no network was found for the target {name}" for name in found.missed)
    typer.echo(f"report: {folder / 'report.html'}")
