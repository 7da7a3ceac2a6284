"""The pages of packages: what is written on them, what is derived, and how examples are run.

A page is the `README.md` of a package. What stands between `<!-- NAME ARGUMENT -->` and
`<!-- end -->` follows from the code, by the function of that name in `TABLES`;
`pytest tests/test_pages.py --update-golden` writes it anew.
"""

from __future__ import annotations

import ast
import inspect
import json
import re
import shlex
import shutil
import sys
from collections.abc import Callable, Iterable
from importlib import import_module
from pathlib import Path
from typing import Any, get_args

import click
import torch
import typer
from pydantic import BaseModel
from pydantic.fields import FieldInfo

import efspec
from efspec.cli.main import app
from efspec.cli.schema import all_schemas
from efspec.coreml.package import pack
from efspec.diagram.figure import KIND_LABELS
from efspec.doctor import PACKAGES, PROBLEMS
from efspec.importers.detect import SIGNS
from efspec.latency import read_table
from efspec.latency.residuals import residuals
from efspec.plan import AnyOp, Plan
from efspec.pytorch.adapt import adapt
from efspec.pytorch.build import deployed
from efspec.spec.fields import follow, parts_of, parts_of_the_language
from efspec.spec.json_schema import field_docstrings
from efspec.spec.space import SpaceSpec
from efspec.train.recipe import RecipeSpec
from efspec.verify import read_package
from tests.pytorch.test_golden import checkpoint
from tests.verify.networks import module, weights
from tests.verify.packages import convert

ROOT = Path(efspec.__file__).parents[1]
PAGES = {
    file.parent.name: file.parent / "README.md"
    for file in sorted((ROOT / "efspec").glob("*/__init__.py"))
}
"""Where the page of each package is to be, by the package's name."""
DERIVED = re.compile(r"(<!-- (\w+)(?: (\w+))? -->\n)(.*?)(<!-- end -->)", re.DOTALL)

CANDIDATE = {"d": [2, 2, 6, 4], "e": 4, "w": [32, 48, 96, 176]}
"""What a search has found, in the manner of once-for-all."""
RATING = """
from efspec import score


def accuracy(spec):
    \"\"\"The more work, the better, ever less so.\"\"\"
    return 1 - 1e5 / (1e5 + score(spec).macs)
"""
"""A user's evaluator."""
CANDIDATES = [
    {"extends": "v2_s0", "name": f"candidate_{width}", "set": {"stages.2.width": width}}
    for width in (96, 112, 128)
]


def fences(text: str, language: str) -> list[str]:
    """The code blocks of a language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)


def derived(text: str, package: str) -> str:
    """A page with all that follows from the code as it is now."""

    def anew(match: re.Match[str]) -> str:
        start, name, argument, _, end = match.groups()
        return f"{start}\n{TABLES[name](argument or package)}\n{end}"

    return DERIVED.sub(anew, text)


def table(columns: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """A table in Markdown."""
    head = list(columns)
    lines = [f"| {' | '.join(map(_cell, cells))} |" for cells in (head, *map(list, rows))]
    return "\n".join([lines[0], f"|{'---|' * len(head)}", *lines[1:], ""])


def modules(package: str) -> list[Path]:
    """The modules of a package, which itself is no more than their public names."""
    files = (ROOT / "efspec" / package).glob("*.py")
    return sorted(file for file in files if file.name != "__init__.py")


def first_paragraph(text: str | None) -> str:
    return " ".join(inspect.cleandoc(text or "").partition("\n\n")[0].split())


def provide(commands: str, folder: Path) -> None:
    """Put the files that commands speak of into a folder, as a user would have them."""
    if "tiny.yaml" in commands:
        (spec,) = fences((ROOT / "README.md").read_text(), "yaml")
        (folder / "tiny.yaml").write_text(spec)
    if "profile.csv" in commands:
        _profile_tiny(folder)
    if "points.yaml" in commands:
        shutil.copy(ROOT / "specs" / "devices" / "iphone12-points.yaml", folder / "points.yaml")
    if "candidate.json" in commands:
        (folder / "candidate.json").write_text(json.dumps(CANDIDATE))
    if "candidates.jsonl" in commands:
        lines = [json.dumps(candidate) + "\n" for candidate in CANDIDATES]
        (folder / "candidates.jsonl").write_text("".join(lines))
    if "rating:accuracy" in commands:
        (folder / "rating.py").write_text(RATING)
    if "v2_s0.mlpackage" in commands:
        pack(*deployed(*_published("v2_s0"))).write(folder / "v2_s0.mlpackage")
    if "half.mlpackage" in commands:
        _convert_tiny(folder)
    if "v2_s0.pth" in commands:
        torch.save({"model": checkpoint("v2_s0", "official")}, folder / "v2_s0.pth")


def _published(name: str) -> tuple[Plan, dict[str, torch.Tensor]]:
    """A shipped network with the weights of the tests' checkpoint of it."""
    plan = efspec.resolve(efspec.load(name))
    return plan, dict(adapt(plan, checkpoint(name, "official")).state)


def _profile_tiny(folder: Path) -> None:
    """What Xcode might say of the package of `tiny.yaml`, typed: every op takes as long."""
    plan = efspec.resolve(efspec.load(folder / "tiny.yaml"))
    pack(*deployed(plan, weights(plan))).write(folder / "tiny.mlpackage")
    names = read_package(folder / "tiny.mlpackage").ids()
    said = ["prediction, 1 ms", "device, A phone", "os, iOS 16", "compute units, all"]
    lines = [*said, "precision, fp16", "name, time (us)", *(f"{name}, 10" for name in names)]
    (folder / "profile.csv").write_text("\n".join(lines) + "\n")


def _convert_tiny(folder: Path) -> None:
    """Packages of `tiny.yaml` and its weights."""
    plan = efspec.resolve(efspec.load(folder / "tiny.yaml"))
    state = weights(plan)
    torch.save(state, folder / "tiny.pth")
    for name, half in (("single", False), ("half", True)):
        convert(module(plan, state), (1, *plan.input), folder, name, half=half)


def run(command: str) -> int:
    """The exit code of an `efspec` command, run in this process; a comment behind it is none."""
    try:
        app(shlex.split(command, comments=True)[1:])
    except SystemExit as stop:
        return int(stop.code or 0)
    return 0


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def _files(package: str) -> str:
    """What each module of a package holds, as its docstring begins."""
    rows = (
        (f"`{file.name}`", first_paragraph(ast.get_docstring(ast.parse(file.read_text()))))
        for file in modules(package)
    )
    return table(("file", "holds"), rows)


def _fields(model: str) -> str:
    """The fields of a part of the spec language that are not those of what it is based on."""
    part = known_part(model)
    inherited = {n for base in part.__mro__[1:] for n in getattr(base, "model_fields", ())}
    own = {
        name: info
        for name, info in part.model_fields.items()
        if name != "type" and (name not in inherited or name in inspect.get_annotations(part))
    }
    rows = (
        (f"`{name}`", takes(part, name), _default(info), _meaning(part, name))
        for name, info in own.items()
    )
    return (
        table(("field", "takes", "default", "meaning"), rows) if own else "No fields of its own.\n"
    )


def known_part(name: str) -> type[BaseModel]:
    """A model of what users write, or what several of them are based on."""
    # MesSpec is one of those that spaces hold.
    parts = (*parts_of_the_language(), *parts_of(SpaceSpec), *parts_of(RecipeSpec))
    bases = (base for part in parts for base in part.__mro__ if issubclass(base, BaseModel))
    return next(base for base in bases if base.__name__ == name)


def takes(part: type[BaseModel], name: str) -> str:
    """What a field takes, in the words of diagnostics."""
    return follow((name,), part).expected


def _default(info: FieldInfo) -> str:
    value = info.default
    if info.is_required():
        return "required"
    if value == "inherit":
        return "that of `defaults`"
    if isinstance(value, BaseModel):
        return "those of its fields"
    written = f"{value:g}".replace("e-0", "e-") if isinstance(value, float) else json.dumps(value)
    return f"`{written}`"


def _meaning(part: type[BaseModel], name: str) -> str:
    """What a field means, as editors show it."""
    owners = (base for base in part.__mro__ if name in inspect.get_annotations(base))
    return first_paragraph(field_docstrings(next(owners)).get(name, ""))


def _listed(model: str) -> str:
    """The names of a part's fields, in a line."""
    return ", ".join(f"`{name}`" for name in known_part(model).model_fields) + "\n"


def _names(package: str) -> str:
    """What a package offers to others."""
    module = import_module(f"efspec.{package}")
    offered = {name: getattr(module, name) for name in module.__all__}
    rows = (
        (f"`{name}`", first_paragraph(one.__doc__))
        for name, one in offered.items()
        if inspect.isfunction(one) or inspect.isclass(one)
    )
    return table(("name", "is"), rows)


def _ops(package: str) -> str:
    """The primitive ops."""
    del package
    kinds = (kind for union in get_args(AnyOp) for kind in get_args(union) or (union,))
    rows = ((f"`{op.__name__}`", op.category, first_paragraph(op.__doc__)) for op in kinds)
    return table(("op", "category", "is"), rows)


def _figures(record: str) -> str:
    """The figures of a record that commands print, as its published schema has them."""
    schema = json.loads(all_schemas()["score.schema.json"])["$defs"][record]
    rows = ((f"`{name}`", field["description"]) for name, field in schema["properties"].items())
    return table(("figure", "is"), rows)


def _kinds(package: str) -> str:
    del package
    return table(("kind", "in the legend"), ((f"`{k}`", v) for k, v in KIND_LABELS.items()))


def _formats(package: str) -> str:
    """What tells the formats of networks apart."""
    del package
    rows = (
        (f"`{form.value}`", ", ".join(f"`{sign}`" for sign in sorted(signs)))
        for form, signs in SIGNS.items()
    )
    return table(("format", "fields that tell it"), rows)


def _packages(package: str) -> str:
    del package
    rows = (
        (f"`{one.name}`", one.purpose, "yes" if one.needed else "", "yes" if one.probed else "")
        for one in PACKAGES
    )
    return table(("package", "for", "needed", "imported to see"), rows)


def _problems(package: str) -> str:
    del package
    rows = (
        (f"`{one.name}`", ", ".join(f"{n} {v}".strip() for n, v in one.between.items()), one.source)
        for one in PROBLEMS
    )
    return table(("problem", "between", "known from"), rows)


def _commands(package: str) -> str:
    """The commands, as the help lists them."""
    del package
    group: Any = typer.main.get_command(app)
    with click.Context(group) as context:
        commands = [group.get_command(context, name) for name in group.list_commands(context)]
    files = (Path(sys.modules[c.callback.__module__].__file__ or "").name for c in commands)
    rows = (
        (f"`efspec {command.name}`", f"`{file}`", command.short_help)
        for command, file in zip(commands, files, strict=True)
    )
    return table(("command", "module", "does"), rows)


def _residuals(device: str) -> str:
    """How the model of a shipped device compares with what is published."""
    model = read_table(device).model
    assert model
    rows = (
        (
            row.network,
            f"{row.ms:.3g}",
            f"{row.fitted_ms:.2f}",
            f"{row.fitted_error:+.0%}",
            f"{row.unseen_ms:.2f}" if row.use == "fit" else "",
            f"{row.unseen_error:+.0%}",
        )
        for row in residuals(model)
    )
    columns = ("network", "printed ms", "fitted ms", "error", "unseen ms", "error unseen")
    return table(columns, rows)


TABLES: dict[str, Callable[[str], str]] = {
    "files": _files,
    "names": _names,
    "listed": _listed,
    "fields": _fields,
    "ops": _ops,
    "figures": _figures,
    "kinds": _kinds,
    "formats": _formats,
    "packages": _packages,
    "problems": _problems,
    "commands": _commands,
    "residuals": _residuals,
}
"""What can be derived, by its name on pages."""
