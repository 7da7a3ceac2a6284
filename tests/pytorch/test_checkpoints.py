"""Reading checkpoints: every container, every wrapper, and all or nothing."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

import efspec
from efspec.plan import Plan
from efspec.pytorch.checkpoints import read_checkpoint

SPEC = ["input.size=64"]
State = dict[str, torch.Tensor]


@pytest.fixture(scope="module")
def plan() -> Plan:
    return efspec.resolve(efspec.load("v2_s0", set=SPEC))


@pytest.fixture
def state(plan: Plan) -> dict[str, torch.Tensor]:
    return efspec.build(plan, seed=5).state_dict()


def fresh(plan: Plan) -> torch.nn.Module:
    return efspec.build(plan, seed=6)


@pytest.mark.parametrize("wrapper", [None, "model", "state_dict", "model_state_dict"])
@pytest.mark.parametrize("suffix", [".pth", ".pt"])
def test_reads_what_training_scripts_write(
    plan: Plan, state: State, tmp_path: Path, suffix: str, wrapper: str | None
) -> None:
    file = tmp_path / f"checkpoint{suffix}"
    torch.save({wrapper: state, "epoch": 3} if wrapper else state, file)
    module = fresh(plan)
    assert efspec.load_weights(module, plan, file) == "efspec"
    for key, value in module.state_dict().items():
        assert torch.equal(value, state[key])


def test_reads_safetensors_and_distributed_prefixes(
    plan: Plan, state: State, tmp_path: Path
) -> None:
    file = tmp_path / "checkpoint.safetensors"
    save_file({f"module.{key}": value for key, value in state.items()}, file)
    module = fresh(plan)
    efspec.load_weights(module, plan, file)
    assert torch.equal(module.state_dict()["head.weight"], state["head.weight"])


def test_index_tables_of_the_authors_code_are_left_out(state: State, tmp_path: Path) -> None:
    file = tmp_path / "checkpoint.pth"
    extra = {"network.4.4.token_mixer.attention_bias_idxs": torch.zeros(4, 4, dtype=torch.long)}
    torch.save({**state, **extra}, file)
    assert read_checkpoint(file).keys() == state.keys()


def test_lists_everything_that_is_wrong_and_loads_nothing(
    plan: Plan, state: State, tmp_path: Path
) -> None:
    wrong = dict(state)
    del wrong["stem.conv1.conv.weight"], wrong["norm.bias"]
    wrong["surplus.weight"] = torch.zeros(1)
    wrong["head.weight"] = torch.zeros(7, 176)
    file = tmp_path / "checkpoint.pth"
    torch.save(wrong, file)
    module = fresh(plan)
    before = {key: value.clone() for key, value in module.state_dict().items()}
    with pytest.raises(efspec.EfspecError) as error:
        efspec.load_weights(module, plan, file)
    by_name = {d.name: d.message for d in error.value.diagnostics}
    assert by_name.keys() == {"missing-keys", "extra-keys", "misshapen-keys"}
    assert "stem.conv1.conv.weight" in by_name["missing-keys"]
    assert "norm.bias" in by_name["missing-keys"]
    assert "surplus.weight" in by_name["extra-keys"]
    assert "head.weight is (7, 176), not (1000, 176)" in by_name["misshapen-keys"]
    assert all(torch.equal(value, before[key]) for key, value in module.state_dict().items())


class Bomb:
    """A pickle that would run code."""

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return eval, ("__import__('os').abort()",)


@pytest.mark.parametrize("kind", ["code", "text", "empty", "list", "cut", "folder", "nothing"])
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_what_is_no_checkpoint_is_a_diagnostic(
    plan: Plan, state: State, tmp_path: Path, kind: str
) -> None:
    file = tmp_path / "checkpoint.pth"
    match kind:
        case "code":
            file.write_bytes(pickle.dumps(Bomb()))
        case "text":
            file.write_text("not a checkpoint")
        case "empty":
            file.write_bytes(b"")
        case "list":
            torch.save([1, 2], file)
        case "cut":
            torch.save(state, file)
            file.write_bytes(file.read_bytes()[:1000])
        case "folder":
            file.mkdir()
    with pytest.raises(efspec.EfspecError) as error:
        efspec.build(plan, weights=file)
    (diagnostic,) = error.value.diagnostics
    assert diagnostic.name in ("unreadable-checkpoint", "no-state-dict", "no-such-checkpoint")
    assert diagnostic.file == str(file)


def test_a_module_of_another_network_is_refused(plan: Plan, state: State, tmp_path: Path) -> None:
    file = tmp_path / "checkpoint.pth"
    torch.save(state, file)
    other = efspec.build(efspec.load("v2_s0", set=[*SPEC, "head.classes=7"]))
    with pytest.raises(efspec.EfspecError, match="wrong-module"):
        efspec.load_weights(other, plan, file)
