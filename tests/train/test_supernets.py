"""Supernets: what they learn of a batch, what their members are worth, and several processes."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest
import torch

import efspec
from efspec.errors import EfspecError
from efspec.pytorch.build import build_module
from efspec.spec.candidates import Candidate, largest, sample, smallest
from efspec.supernet import MetaPaths, Slimmable, Supernet
from efspec.train.data import read_data
from efspec.train.loaders import loaders
from efspec.train.loop import Job, train
from efspec.train.members import Members, across
from efspec.train.methods import Lesson, Moment
from efspec.train.rating import top1
from efspec.train.state import State
from efspec.train.supernets import KINDS, method_of, supernet_groups
from tests.supernet.spaces import space
from tests.train import networks

PROCESSES = 2


def job(kind: str = "slimmable", **changes: Any) -> Job:
    how = networks.recipe(**{"ema": None, "epochs": 2, **changes})
    supernet = KINDS[kind](space(networks.SPACE), how)
    read = loaders(how, read_data("digits"), (1, 32, 32))
    return Job(method_of(supernet, how), supernet, how, read)


def last(job: Job, begun: State | None = None) -> State:
    *_, state = train(job, networks.accelerator(), begun)
    return state


def members(supernet: Supernet) -> Members:
    how = networks.recipe()
    return Members(supernet, loaders(how, read_data("digits"), (1, 32, 32)), networks.accelerator())


def some(count: int) -> list[Candidate]:
    of, chance = space(networks.SPACE), random.Random(0)
    return [largest(of), smallest(of), *(sample(of, chance) for _ in range(count - 2))]


@pytest.mark.parametrize("kind", KINDS)
def test_each_parameter_is_in_one_group(kind: str) -> None:
    supernet = KINDS[kind](space(networks.SPACE), networks.recipe())
    groups = supernet_groups(supernet, networks.recipe(optimizer={"lr": 1.0, "weight_decay": 0.5}))
    decays = {id(p): group["weight_decay"] for group in groups for p in group["params"]}
    assert sum(len(group["params"]) for group in groups) == len(decays)
    for name, parameter in supernet.named_parameters():
        # Weights of convolutions and linears are all that has more than one axis, but for these.
        bias = name.endswith((".attention_biases", "layer_scale", "gamma")) or "alpha." in name
        wanted = 0.5 if parameter.ndim > 1 and name.endswith(".weight") and not bias else 0.0
        assert decays[id(parameter)] == wanted, name


def test_what_a_step_draws_depends_on_its_number_alone() -> None:
    supernet = Slimmable(space(networks.SPACE))
    method = method_of(supernet, networks.recipe())
    images = torch.randn(4, 1, 32, 32, generator=torch.Generator().manual_seed(0))
    seen: list[list[tuple[int, ...]]] = []

    class Watched(torch.nn.Module):
        module = supernet

        def forward(self, images: torch.Tensor, candidate: Candidate) -> Any:
            picks.append(tuple(stage.width for stage in candidate.stages))
            return supernet(images, candidate)

    for step in (7, 7, 8):
        picks: list[tuple[int, ...]] = []
        torch.manual_seed(step)
        lesson = Lesson(
            images,
            lambda logits: logits.square().mean(),  # type: ignore[union-attr]  # one head
            torch.Tensor.backward,
            Moment(seed=3, step=step, progress=0.0),
        )
        method.learn(Watched(), lesson)
        seen.append(picks)
    assert seen[0] == seen[1]
    assert seen[0] != seen[2]
    assert [len(picks) for picks in seen] == [4, 4, 4]


@pytest.mark.parametrize("kind", KINDS)
def test_they_learn(kind: str) -> None:
    begun = job(kind, epochs=6, optimizer={"lr": 5e-3})
    state = last(begun)
    first, final = state.history[0], state.history[-1]
    assert final.loss < first.loss
    assert final.top1 > 0.6
    assert final.smallest_top1 is not None
    assert final.smallest_top1 > 0.2
    if isinstance(begun.module, MetaPaths):
        assert begun.module.temperature == pytest.approx(0.1, rel=0.1)


@pytest.mark.parametrize("kind", KINDS)
def test_going_on_ends_in_the_same_bits(kind: str) -> None:
    whole = last(job(kind))
    begun = job(kind)
    state = next(train(begun, networks.accelerator()))
    other = last(job(kind), state)
    assert whole.module.keys() == other.module.keys()
    assert all(torch.equal(t, other.module[name]) for name, t in whole.module.items())


def test_a_supernet_is_not_computed_again() -> None:
    with pytest.raises(EfspecError, match="no-checkpointing"):
        last(job(gradient_checkpointing=True))


@pytest.mark.parametrize("kind", KINDS)
def test_a_members_accuracy_is_that_of_the_network_cut_out(kind: str) -> None:
    begun = job(kind, epochs=1)
    last(begun)
    assert isinstance(begun.module, Supernet)
    found = members(begun.module)
    for candidate in some(4):
        accuracy = found.accuracy(candidate)
        spec, plan, state = found.cut_out(candidate, "cut")
        assert efspec.resolve(spec).parameters() == plan.parameters()
        module = build_module(plan)
        module.load_state_dict(state)
        module.eval()
        assert top1(module, begun.loaders.rated(), networks.accelerator()) == accuracy
        assert found.accuracy(candidate) == accuracy


def test_processes_share_evaluations(tmp_path: Path) -> None:
    """Each gets all of them, in order, and the same as one process alone."""
    alone = list(across(networks.accelerator())(_length, some(5)))
    assert alone == [_length(candidate) for candidate in some(5)]
    torch.multiprocessing.spawn(_process, (str(tmp_path),), nprocs=PROCESSES)
    for rank in range(PROCESSES):
        assert torch.load(tmp_path / f"{rank}.pt") == alone
        assert (tmp_path / f"{rank}.txt").read_text() == "fails"


def _length(candidate: Candidate) -> float:
    return sum(len(stage.expansion_ratio) + stage.width for stage in candidate.stages) / 1000


def _process(rank: int, folder: str) -> None:
    import os

    os.environ |= {
        "RANK": str(rank),
        "LOCAL_RANK": str(rank),
        "WORLD_SIZE": str(PROCESSES),
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": "29541",
        "ACCELERATE_USE_CPU": "true",
    }
    accelerator = networks.accelerator()
    asked: list[Candidate] = []

    def evaluate(candidate: Candidate) -> float:
        asked.append(candidate)
        return _length(candidate)

    found = list(across(accelerator)(evaluate, some(5)))
    assert asked == some(5)[rank::PROCESSES]
    torch.save(found, f"{folder}/{rank}.pt")

    def failing(candidate: Candidate) -> float:
        del candidate
        from efspec.errors import fail

        raise fail("failed-evaluator", "it fails")

    try:
        list(across(accelerator)(failing, some(2)))
    except EfspecError:
        Path(folder, f"{rank}.txt").write_text("fails")
    accelerator.end_training()
