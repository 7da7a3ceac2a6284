"""Both searches on real images, against random search and NSGA-II; what they chose, against others.

For each seed a supernet learns from 1,000 images of MNIST and is searched, down to the smallest
network, by its accuracy on others. Other searches ask the same supernet for as many accuracies.
Then the network that the search chose is trained from scratch, and three random ones that cost the
same, and all are rated on images that no search has seen. Of more images to learn from, nearly all
networks of these spaces tell 98 % of the digits, and no test could tell the networks apart.

    python -m tests.benchmarks.search --seed 0     # about an hour on one core
    python -m tests.benchmarks.search --report     # of all seeds that were run

Fronts are compared by their hypervolume: of accuracy, from guessing on and from 0.9 on, and of the
decimal logarithm of what is gained on the largest network: of the MES in V2's search, of latency in
V1's. The latencies are those that `efspec latency measure` found for onnxruntime on one thread of a
busy machine, in `search_v1_host.yaml`.
"""

from __future__ import annotations

import argparse
import json
import random
import time
from collections.abc import Callable
from itertools import pairwise
from math import log10
from pathlib import Path
from statistics import mean, median
from typing import Any

import torch

from efspec.api import load_mes, mes_of
from efspec.latency import device_source
from efspec.pytorch.build import build_module
from efspec.search import CompiledSpace, compiled
from efspec.search.baselines import nsga2, random_search
from efspec.search.evaluation import Evaluation, Evaluations
from efspec.search.front import hypervolume
from efspec.search.joint import Outcome, joint
from efspec.search.slimming import slimming
from efspec.spec.candidates import Candidate, largest, member, sample
from efspec.spec.resolve import resolve
from efspec.spec.spaces import read_space
from efspec.supernet import MetaPaths, Supernet
from efspec.train.data import Data, Picked, mnist, read_data
from efspec.train.loaders import loaders
from efspec.train.loop import Job, make_accelerator, train
from efspec.train.members import Members
from efspec.train.methods import Alone
from efspec.train.recipe import RecipeSpec
from efspec.train.recipes import changed, read_recipe
from efspec.train.supernets import KINDS, method_of

FOLDER = Path("build") / "search"
HOST = Path(__file__).with_name("search_v1_host.yaml")
SEEDS = (0, 1, 2)
LEARNED, SEARCHED = 1000, 1500
"""Images that networks learn from, and that searches rate them on; the others are for the end."""
SUPERNET_EPOCHS, ALONE_EPOCHS = 60, 40
"""With so few images, epochs are short; the rest of the recipes is as they are shipped."""
RIVALS, TRIALS = 3, 4
"""How many other networks are trained, and how often each."""
ALIKE = 0.02
"""By how much rivals may differ in what they cost, as a share."""
CHOSEN = {"joint": 9.0, "slimming": 2.5}
"""How much is gained on the largest network by the one that is trained from scratch."""
REFERENCES = {"from 0.1": 0.1, "from 0.9": 0.9}
"""Accuracies that a front should beat."""

Gain = Callable[[dict[str, float]], float]
"""How many times better than the largest network a network's figures are."""


def images() -> tuple[Data, Data]:
    """MNIST for searches, and for the networks that they chose: other images rate these."""
    data, every = read_data("mnist"), mnist()
    order = random.Random(0).sample(range(len(every)), len(every))
    ends = (0, LEARNED, LEARNED + SEARCHED, len(every))
    learned, searched, unseen = (
        Picked(every, tuple(order[start:end])) for start, end in pairwise(ends)
    )
    return (
        data.replaced(train=learned, validation=searched),
        data.replaced(train=learned, validation=unseen),
    )


def trained(supernet: Supernet, recipe: RecipeSpec, data: Data, shape: tuple[int, int, int]) -> Any:
    """The last epoch of a supernet's training."""
    read = loaders(recipe, data, shape)
    job = Job(method_of(supernet, recipe), supernet, recipe, read)
    *_, state = train(job, make_accelerator(recipe, has_unused=True))
    return state.history[-1].as_dict()


def alone(space: CompiledSpace, candidate: Candidate, seed: int, data: Data) -> list[float]:
    """The accuracies of a network that is trained from scratch, of each trial."""
    plan = resolve(member(space.space, candidate))
    # Only the end of a training counts: epochs before are rated on a few images.
    few = data.replaced(validation=Picked(data.validation, tuple(range(64))))
    found = []
    for trial in range(TRIALS):
        own = TRIALS * seed + trial
        recipe = changed(read_recipe("small"), seed=own, epochs=ALONE_EPOCHS, ema=None)
        method, module = Alone(plan), build_module(plan, recipe.seed)
        accelerator = make_accelerator(recipe)
        for _ in train(Job(method, module, recipe, loaders(recipe, few, plan.input)), accelerator):
            pass
        found.append(method.rate(module, loaders(recipe, data, plan.input), accelerator).top1)
    return found


def rivals(space: CompiledSpace, chosen: Candidate, wanted: float, gain: Gain, seed: int) -> Any:
    """Random members that cost as much as a network."""
    chance, found = random.Random(seed), []
    evaluations = Evaluations(space, lambda one: 0.0)
    while len(found) < RIVALS:
        candidate = sample(space.space, chance)
        (figures,) = evaluations.figures([candidate])
        if candidate != chosen and abs(gain(figures) / wanted - 1) < ALIKE:
            found.append(candidate)
    return found


def volumes(evaluations: list[Evaluation], gain: Gain) -> dict[str, float]:
    """The hypervolumes of some evaluations."""
    points = [(log10(gain(one.figures)), one.accuracy) for one in evaluations]
    return {name: hypervolume(points, (0.0, least)) for name, least in REFERENCES.items()}


def compare(
    space: CompiledSpace, kind: str, gained: Callable[[dict[str, float]], float], seed: int
) -> dict[str, Any]:
    """One search, what it is compared with, and what was chosen."""
    data, unseen = images()
    recipe = changed(read_recipe("supernet"), seed=seed, epochs=SUPERNET_EPOCHS)
    plan = resolve(member(space.space, largest(space.space)))
    supernet = KINDS[kind](space.space, recipe)
    started = time.monotonic()
    last = trained(supernet, recipe, data, plan.input)
    seconds = {"training": time.monotonic() - started}
    members = Members(supernet, loaders(recipe, data, plan.input), make_accelerator(recipe))
    own = Evaluations(space, members.accuracy)
    started = time.monotonic()
    outcome: Outcome = (
        slimming(own, supernet.importances(), {})
        if isinstance(supernet, MetaPaths)
        else joint(own, {})
    )
    seconds["search"] = time.monotonic() - started
    most = gained(outcome.start.figures)

    def gain(figures: dict[str, float]) -> float:
        return gained(figures) / most

    budget = len(own)
    found = {"search": volumes(list(own), gain)}
    for name, baseline in (("random", random_search), ("nsga2", nsga2)):
        other = Evaluations(space, members.accuracy, budget=budget)
        baseline(other, budget, seed)
        found[name] = volumes(list(other), gain)
    target = CHOSEN["slimming" if isinstance(supernet, MetaPaths) else "joint"]
    fitting = [one for one in own if gain(one.figures) >= target]
    chosen = max(fitting, key=lambda one: (one.accuracy, gain(one.figures)))
    others = rivals(space, chosen.candidate, gain(chosen.figures), gain, seed)
    return {
        "supernet": last,
        "seconds": seconds,
        "evaluations": budget,
        "steps": len(outcome.steps),
        "hypervolume": found,
        "chosen": chosen.figures | {"in_supernet": chosen.accuracy},
        "from_scratch": alone(space, chosen.candidate, seed, unseen),
        "rivals": [
            {"in_supernet": members.accuracy(one), "from_scratch": alone(space, one, seed, unseen)}
            for one in others
        ],
    }


def report() -> None:
    """Print what all seeds have shown."""
    runs = {seed: json.loads((FOLDER / f"{seed}.json").read_text()) for seed in SEEDS}
    for name in ("joint", "slimming"):
        print(f"\n{name}")
        for seed, run in runs.items():
            one = run[name]
            print(f"seed {seed}: {one['evaluations']} evaluations")
            for reference in REFERENCES:
                each = one["hypervolume"].items()
                areas = ", ".join(f"{key} {value[reference]:.4f}" for key, value in each)
                print(f"        hypervolume {reference}: {areas}")
            own, *others = (
                f"{mean(found):.4f} (from {min(found):.4f} to {max(found):.4f})"
                for found in (one["from_scratch"], *(r["from_scratch"] for r in one["rivals"]))
            )
            print(f"        from scratch: {own}; random: {', '.join(others)}")
            took = ", ".join(f"{key} {value:.0f} s" for key, value in one["seconds"].items())
            print(f"        {took}")
        for reference in REFERENCES:
            shares = [
                own["search"][reference] / own["random"][reference]
                for run in runs.values()
                for own in [run[name]["hypervolume"]]
            ]
            print(f"over random search {reference}: median {median(shares):.3f}")


def main() -> None:
    """Run one seed, or report all."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seed", type=int, choices=SEEDS)
    parser.add_argument("--report", action="store_true")
    asked = parser.parse_args()
    if asked.report:
        report()
        return
    torch.set_num_threads(1)
    v2, v1 = read_space("digits"), read_space(Path(__file__).with_name("search_v1.yaml"))
    assert v2.objective is not None
    found = {
        "joint": compare(
            compiled(v2, None, mes_of(v2.objective)),
            "slimmable",
            lambda figures: figures["mes"],
            asked.seed,
        ),
        "slimming": compare(
            compiled(v1, device_source(str(HOST)), load_mes()),
            "metapaths",
            lambda figures: 1 / figures["latency_ms"],
            asked.seed,
        ),
    }
    FOLDER.mkdir(parents=True, exist_ok=True)
    (FOLDER / f"{asked.seed}.json").write_text(json.dumps(found, indent=2) + "\n")
    print(json.dumps(found, indent=2))


if __name__ == "__main__":
    main()
