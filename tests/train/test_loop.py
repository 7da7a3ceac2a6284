"""The loop: what a training comes to, and going on with one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from efspec.errors import EfspecError
from efspec.pytorch.build import build_module
from efspec.train.checkpointing import checkpoint_stages
from efspec.train.data import read_data
from efspec.train.loaders import Share, loaders
from efspec.train.loop import Job, train
from efspec.train.state import Epoch, State, encode_state, read_state
from tests.train import networks


def last(job: Job, begun: State | None = None) -> State:
    *_, state = train(job, networks.accelerator(job.recipe), begun)
    return state


def same(one: Any, other: Any) -> bool:
    """Whether two states are the same to the bit."""
    if isinstance(one, torch.Tensor):
        return torch.equal(one, other)
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(one[k], other[k]) for k in one)
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(map(same, one, other))
    return bool(one == other)


def timeless(state: State) -> list[Any]:
    """A state without how long it took."""
    history = [epoch.replaced(seconds=0.0) for epoch in state.history]
    return [history, *state.values()[1:]]


def test_it_learns() -> None:
    how = networks.recipe(epochs=8, optimizer={"lr": 5e-3})
    state = last(networks.job(how=how))
    assert len(state.history) == 8
    assert state.history[-1].loss < state.history[0].loss / 2
    assert state.best.best_top1 > 0.6


def test_going_on_from_a_file_ends_in_the_same_bits(tmp_path: Path) -> None:
    whole = last(networks.job())
    file = tmp_path / "state.pt"
    first = next(iter(train(networks.job(), networks.accelerator())))
    file.write_bytes(encode_state(first))
    continued = last(networks.job(), read_state(file))
    assert same(timeless(whole), timeless(continued))


def test_seeds_matter() -> None:
    one, other = (last(networks.job(how=networks.recipe(epochs=1, seed=n))) for n in (1, 2))
    assert not same(dict(one.module), dict(other.module))


@pytest.mark.parametrize(
    "change",
    [{"downsample": {"type": "attention"}}, {"blocks": [{"type": "mb4d"}, {"type": "mb3d"}]}],
    ids=["v2", "v1"],
)
def test_checkpointing_gradients_changes_no_bit(change: dict[str, Any]) -> None:
    """Batch norms count a batch once, and drop path drops the same."""
    first, second = networks.TINY["stages"]
    network = networks.plan(stages=[first, {**second, **change}])
    plain, saving = (
        last(networks.job(network, networks.recipe(epochs=1, gradient_checkpointing=on)))
        for on in (False, True)
    )
    assert same(timeless(plain), timeless(saving))


def test_stages_are_computed_again_where_gradients_are_checkpointed() -> None:
    network = networks.plan()
    module = build_module(network)
    calls: list[str] = []
    for number in range(2):
        block = module.get_submodule(f"stages.{number}.blocks.0")
        block.register_forward_pre_hook(lambda *_, name=f"{number}": calls.append(name))
    checkpoint_stages(module, network)
    module.train()(torch.randn(2, 1, 32, 32))[0].sum().backward()
    assert calls == ["0", "1", "1", "0"]


def test_the_moving_average_is_that_of_the_weights() -> None:
    state = last(networks.job(how=networks.recipe(epochs=1, ema=0.0)))
    assert state.ema is not None
    assert same(dict(state.ema), dict(state.module))
    slow = last(networks.job(how=networks.recipe(epochs=1, ema=0.999)))
    begun = build_module(networks.plan(), 0).state_dict()
    assert slow.ema is not None
    for name in networks.plan().parameters():
        far = (slow.module[name] - begun[name]).abs().sum()
        assert (slow.ema[name] - begun[name]).abs().sum() < far * 0.1
    without = last(networks.job(how=networks.recipe(epochs=1, ema=None)))
    assert without.ema is None
    assert without.history[-1].ema_top1 is None
    assert without.weights is without.module


def test_the_best_of_all_weights_is_known() -> None:
    rated = [(0.5, 0.1), (0.2, 0.6), (0.6, None), (0.3, 0.4)]
    history = tuple(
        Epoch(n, lr=0.1, loss=1.0, validation_loss=1.0, top1=own, ema_top1=ema, seconds=1.0)
        for n, (own, ema) in enumerate(rated)
    )
    states = [
        State(
            history[: n + 1], module={}, ema={"averaged": torch.ones(())}, optimizer={}, scaler=None
        )
        for n in range(4)
    ]
    assert [state.best.epoch for state in states] == [0, 1, 1, 1]
    assert [state.is_best for state in states] == [True, True, False, False]
    assert [bool(state.weights) for state in states] == [False, True, False, True]


def test_half_precision_keeps_weights_whole() -> None:
    state = last(networks.job(how=networks.recipe(epochs=1, precision="bf16")))
    assert {t.dtype for t in state.module.values()} == {torch.float32, torch.int64}
    whole = last(networks.job(how=networks.recipe(epochs=1)))
    assert not same(dict(state.module), dict(whole.module))


def test_everything_that_papers_do_at_once() -> None:
    how = networks.recipe(
        epochs=2,
        optimizer={
            "lr": 1e-3,
            "lr_batch": 1024,
            "layer_decay": 0.9,
            "clip": {"mode": "agc", "value": 0.01},
        },
        schedule={"name": "cosine", "warmup_epochs": 1, "cooldown_epochs": 1, "min_lr": 1e-5},
        augmentation={
            "auto_augment": "rand-m9-mstd0.5-inc1",
            "mixup": 0.8,
            "cutmix": 1.0,
            "erasing": 0.25,
            "repeats": 3,
        },
        label_smoothing=0.1,
    )
    state = last(networks.job(how=how))
    assert [epoch.lr for epoch in state.history] == pytest.approx([1e-6, 6.75e-5, 1e-5])


def test_a_teacher_is_learned_from_and_left_alone() -> None:
    teacher = networks.job().module
    before = {key: value.clone() for key, value in teacher.state_dict().items()}
    how = networks.recipe(epochs=1, distillation={"kind": "hard"})
    untaught = last(networks.job(how=how))
    taught = last(networks.job(how=how).replaced(teacher=teacher))
    assert not same(dict(untaught.module), dict(taught.module))
    assert same(before, dict(teacher.state_dict()))


def test_a_loss_that_is_no_number_stops_it() -> None:
    how = networks.recipe(optimizer={"name": "sgd", "lr": 100.0})
    with pytest.raises(EfspecError, match="loss-not-finite"):
        last(networks.job(how=how))


def test_processes_share_each_batch() -> None:
    data = read_data("digits")
    plain = networks.recipe()
    whole = list(loaders(plain, data, (1, 32, 32)).sampler)
    halves = [list(loaders(plain, data, (1, 32, 32), Share(rank, 2)).sampler) for rank in (0, 1)]
    size = plain.batch
    for start in range(0, len(whole) - size, size):
        part = slice(start // 2, (start + size) // 2)
        assert {*halves[0][part], *halves[1][part]} == {*whole[start : start + size]}
