"""The Python interface, as its docstrings have it."""

from __future__ import annotations

import hashlib
import json
import pickle
from pathlib import Path
from typing import Any

import pytest
import torch

import efspec
from efspec.cost import given
from efspec.errors import EfspecError
from efspec.latency import device_source

TINY: dict[str, Any] = {
    "efspec": 1,
    "name": "tiny",
    "input": {"size": 32},
    "stem": {"type": "conv_stem", "width": 8},
    "stages": [
        {"width": 8, "blocks": [{"type": "ffn", "repeat": 2, "expansion_ratio": 2}]},
        {
            "width": 16,
            "downsample": {"type": "conv"},
            "blocks": [{"type": "ffn", "expansion_ratio": 2}],
        },
    ],
    "head": {"type": "linear", "classes": 10},
}
TOO_LARGE = {
    **TINY,
    "input": {"size": 2048},
    "stages": [{"width": 8, "blocks": [{"type": "attn_ffn", "expansion_ratio": 2}]}],
}
"""What is wrong with it shows only once shapes are known."""


def names(error: efspec.EfspecError) -> list[str]:
    return [diagnostic.name for diagnostic in error.diagnostics]


def test_everything_public_is_documented() -> None:
    for name in efspec.__all__:
        assert getattr(efspec, name).__doc__, name


def test_load_takes_names_paths_and_mappings(tmp_path: Path) -> None:
    spec = efspec.load(TINY)
    assert spec.name == "tiny"
    for suffix, text in ((".yaml", efspec.dump(spec)), (".json", json.dumps(TINY))):
        file = tmp_path / f"tiny{suffix}"
        file.write_text(text)
        assert efspec.load(file) == efspec.load(str(file)) == spec
    assert efspec.load("v2_s1").name == "v2_s1"
    assert efspec.load({"extends": "v2_s1"}) == efspec.load("v2_s1")


def test_load_applies_changes_in_order(tmp_path: Path) -> None:
    changes = ("stages.1.width=20", "head.classes=3", "stages.1.width=24")
    for set_ in (changes, list(changes), iter(changes)):
        spec = efspec.load(TINY, set=set_)
        assert [stage.width for stage in spec.stages] == [8, 24]
    assert efspec.load(TINY).stages[1].width == 16  # the mapping is as it was


@pytest.mark.parametrize(
    ("source", "set_", "name"),
    [
        ("nope", (), "no-such-spec"),
        (Path("nope.yaml"), (), "no-such-spec"),
        (Path(), (), "unreadable-file"),
        ({}, (), "missing-field"),
        ({**TINY, "efspec": 2}, (), "unsupported-format"),
        ({**TINY, "nmae": "x"}, (), "unknown-field"),
        ({"extends": "nope"}, (), "no-such-spec"),
        (TINY, ("name",), "bad-set"),
        (TINY, ("input.size=8",), "out-of-range"),
    ],
    ids=lambda value: str(value)[:30],
)
def test_load_tells_what_is_wrong(source: Any, set_: tuple[str, ...], name: str) -> None:
    with pytest.raises(efspec.EfspecError) as caught:
        efspec.load(source, set=set_)
    assert name in names(caught.value)
    assert f"error[{name}]" in str(caught.value)


def test_load_tells_every_mistake() -> None:
    with pytest.raises(efspec.EfspecError) as caught:
        efspec.load({**TINY, "nmae": "x", "head": {"type": "linear", "classes": "ten"}})
    assert len(caught.value.diagnostics) == 2
    again = pickle.loads(pickle.dumps(caught.value))
    assert again.diagnostics == caught.value.diagnostics


@pytest.mark.parametrize("form", ["yaml", "json"])
def test_dump_loads_to_an_equal_spec(form: Any, tmp_path: Path) -> None:
    spec = efspec.load("v2_s0", set=["stages.2.width=104"])
    file = tmp_path / f"spec.{form}"
    file.write_text(efspec.dump(spec, format=form))
    assert efspec.load(file) == spec
    assert efspec.resolve(efspec.load(file)).hash == efspec.resolve(spec).hash


def test_resolve_gives_a_plan_and_a_plan_is_its_own() -> None:
    plan = efspec.resolve(efspec.load(TINY))
    assert (plan.name, plan.input) == ("tiny", (3, 32, 32))
    assert efspec.resolve(plan) is plan


def test_resolve_tells_what_shows_only_with_shapes() -> None:
    spec = efspec.load(TOO_LARGE)
    with pytest.raises(efspec.EfspecError) as caught:
        efspec.resolve(spec)
    assert names(caught.value) == ["attention-too-large"]
    assert caught.value.diagnostics[0].field.startswith("stages[0]")


@pytest.mark.parametrize("function", ["resolve", "score", "generate", "build"])
def test_every_function_tells_a_spec_that_cannot_be_resolved(function: str) -> None:
    spec = efspec.load(TOO_LARGE)
    with pytest.raises(efspec.EfspecError):
        getattr(efspec, function)(spec)


def test_score_of_a_spec_and_of_its_plan() -> None:
    spec = efspec.load("v2_s0")
    score = efspec.score(spec)
    assert score == efspec.score(efspec.resolve(spec))
    assert score.params_folded == 3_548_960
    assert score.latency_ms is score.mes is score.coverage is score.device is None
    assert json.loads(json.dumps(score.as_dict()))["macs"] == score.macs


def test_score_on_a_device() -> None:
    spec = efspec.load("v2_s1")
    score = efspec.score(spec, device="iphone12")
    assert score == efspec.score(spec, latency=device_source("iphone12"))
    assert (score.device, score.coverage) == ("iphone12", {"fitted": 1.0})
    with pytest.raises(EfspecError, match="both a latency and a device"):
        efspec.score(spec, latency=1.0, device="iphone12")
    with pytest.raises(EfspecError, match="did you mean `iphone12`"):
        efspec.score(spec, device="iphone13")


def test_score_with_a_latency() -> None:
    spec = efspec.load("v2_s1")
    mes = pytest.approx(100 * (6_111_296 / 3e6) ** -0.5 / 2)
    for latency in (2, 2.0, given(2.0)):
        score = efspec.score(spec, latency=latency)
        assert (score.latency_ms, score.mes, score.coverage) == (2, mes, {"given": 1.0})


def test_constants_of_the_mes(tmp_path: Path) -> None:
    paper = efspec.load_mes()
    assert (paper.score, set(paper.terms)) == (100, {"params_folded", "latency_ms"})
    file = tmp_path / "mes.yaml"
    file.write_text("score: 10\nterms:\n  latency_ms: {unit: 2, exponent: -1}\n")
    for source in (file, str(file)):
        score = efspec.score(efspec.load(TINY), latency=4.0, mes=efspec.load_mes(source))
        assert score.mes == 5


@pytest.mark.parametrize(
    ("text", "name"),
    [
        (None, "unreadable-file"),
        ("score: 10\n", "missing-field"),
        ("score: 10\nterms: {mass: {unit: 1, exponent: 1}}\n", "unknown-field"),
        ("score: -1\nterms: {}\n", "out-of-range"),
    ],
)
def test_load_mes_tells_what_is_wrong(tmp_path: Path, text: str | None, name: str) -> None:
    file = tmp_path / "mes.yaml"
    if text is not None:
        file.write_text(text)
    with pytest.raises(efspec.EfspecError) as caught:
        efspec.load_mes(file)
    assert names(caught.value) == [name]


def test_generate_gives_source_that_runs(tmp_path: Path) -> None:
    source = efspec.generate(efspec.load(TINY))
    assert source == efspec.generate(efspec.resolve(efspec.load(TINY)))
    namespace: dict[str, Any] = {"__name__": "tiny"}
    exec(compile(source, "tiny.py", "exec"), namespace)
    module = namespace["Tiny"]()
    assert module.state_dict().keys() == efspec.build(efspec.load(TINY)).state_dict().keys()


def test_generate_takes_templates(tmp_path: Path) -> None:
    (tmp_path / "network.py.jinja").write_text("# {{ plan.name }}\n")
    for folder in (tmp_path, str(tmp_path)):
        assert efspec.generate(efspec.load(TINY), templates=folder) == "# tiny\n"


def test_generate_tells_a_broken_template(tmp_path: Path) -> None:
    (tmp_path / "network.py.jinja").write_text("{{ nope }}\n")
    with pytest.raises(efspec.EfspecError) as caught:
        efspec.generate(efspec.load(TINY), templates=tmp_path)
    assert names(caught.value) == ["bad-template"]


def equal(one: torch.nn.Module, other: torch.nn.Module) -> bool:
    a, b = one.state_dict(), other.state_dict()
    return a.keys() == b.keys() and all(torch.equal(a[key], b[key]) for key in a)


def test_build_gives_a_module_in_training_mode() -> None:
    spec = efspec.load(TINY)
    module = efspec.build(spec)
    assert module.training
    assert equal(module, efspec.build(spec, seed=0))
    assert equal(module, efspec.build(efspec.resolve(spec)))
    assert not equal(module, efspec.build(spec, seed=1))
    assert module(torch.zeros(2, 3, 32, 32)).shape == (2, 10)


def test_build_leaves_the_random_state_alone() -> None:
    state = torch.random.get_rng_state()
    efspec.build(efspec.load(TINY), seed=3)
    assert torch.equal(torch.random.get_rng_state(), state)


@pytest.mark.parametrize("suffix", [".pth", ".pt", ".safetensors"])
def test_weights_are_loaded(tmp_path: Path, suffix: str) -> None:
    spec = efspec.load(TINY)
    module = efspec.build(spec, seed=1)
    file = tmp_path / f"weights{suffix}"
    if suffix == ".safetensors":
        from safetensors.torch import save_file

        save_file(module.state_dict(), file)
    else:
        torch.save(module.state_dict(), file)
    assert equal(efspec.build(spec, weights=file), module)
    assert equal(efspec.build(spec, weights=str(file)), module)
    other = efspec.build(spec)
    assert efspec.load_weights(other, spec, file) == "efspec"
    assert equal(other, module)
    assert efspec.load_weights(other, efspec.resolve(spec), str(file), layout="timm") == "timm"


def test_load_weights_is_all_or_nothing(tmp_path: Path) -> None:
    spec = efspec.load(TINY)
    module, untouched = efspec.build(spec), efspec.build(spec)
    state = efspec.build(spec, seed=1).state_dict()
    del state["head.bias"]
    state["head.wieght"] = state["head.weight"]
    state["head.weight"] = state["head.weight"][:5]
    torch.save(state, tmp_path / "weights.pth")
    for load in (
        lambda: efspec.load_weights(module, spec, tmp_path / "weights.pth"),
        lambda: efspec.build(spec, weights=tmp_path / "weights.pth"),
    ):
        with pytest.raises(efspec.EfspecError) as caught:
            load()
        assert set(names(caught.value)) == {"missing-keys", "extra-keys", "misshapen-keys"}
    assert equal(module, untouched)


@pytest.mark.parametrize(
    ("data", "name"),
    [
        (None, "no-such-checkpoint"),
        (b"", "unreadable-checkpoint"),
        (b"nothing", "unreadable-checkpoint"),
    ],
)
@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
def test_load_weights_tells_what_cannot_be_read(
    tmp_path: Path, suffix: str, data: bytes | None, name: str
) -> None:
    file = tmp_path / f"weights{suffix}"
    if data is not None:
        file.write_bytes(data)
    spec = efspec.load(TINY)
    with pytest.raises(efspec.EfspecError) as caught:
        efspec.load_weights(efspec.build(spec), spec, file)
    assert names(caught.value) == [name]
    assert caught.value.diagnostics[0].file == str(file)


def test_export_writes_what_is_taken_away(tmp_path: Path) -> None:
    spec = efspec.load(TINY)
    paths = efspec.export(spec, tmp_path / "a" / "b", seed=4)
    assert list(paths) == ["code", "weights", "coreml", "card", "page"]
    assert paths["code"].read_text() == efspec.generate(spec)
    assert equal(efspec.build(spec, weights=paths["weights"]), efspec.build(spec, seed=4))
    again = efspec.export(
        efspec.resolve(spec), str(tmp_path / "c"), targets=["weights"], weights=paths["weights"]
    )
    assert again["weights"].read_bytes() == paths["weights"].read_bytes()
    listing = json.loads((tmp_path / "a" / "b" / "build.json").read_text())
    for target, path in paths.items():
        assert listing["artefacts"][target]["file"] == path.name
        if path.is_dir():
            continue
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        assert listing["artefacts"][target]["sha256"] == digest


@pytest.mark.parametrize(
    ("options", "name"),
    [
        ({"targets": ["cod"]}, "unknown-target"),
        ({"targets": []}, "no-target"),
        ({"targets": "code"}, "unknown-target"),
        ({"seed": -1}, "bad-seed"),
        ({"seed": 2**64}, "bad-seed"),
        ({"weights": "nope.pth"}, "no-such-checkpoint"),
        ({"folder": "file"}, "not-a-folder"),
        ({"folder": "file/below"}, "cannot-access"),
    ],
    ids=str,
)
def test_export_tells_what_is_wrong(tmp_path: Path, options: dict[str, Any], name: str) -> None:
    (tmp_path / "file").touch()
    folder = tmp_path / options.pop("folder", "out")
    with pytest.raises(efspec.EfspecError) as caught:
        efspec.export(efspec.load(TINY), folder, **options)
    assert names(caught.value)[0] == name
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
