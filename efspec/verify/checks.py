"""What is looked at, one thing at a time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property

import torch
from torch import Tensor

from efspec.errors import fail
from efspec.record import Node
from efspec.verify.compare import Check, State, figures, state_of
from efspec.verify.images import Images
from efspec.verify.package import HASH_KEY, Package
from efspec.verify.reference import Reference, gives_probabilities, output_shape
from efspec.verify.run import Precision, Runner, numeric_outputs

Outputs = list[tuple[Tensor, ...]]
"""What is given for each batch of images."""

PACKAGE, TWIN, CORE_ML = "package", "twin", "Core ML"
"""What computes the outputs that are compared."""


class Trial(Node):
    """Images, and what is right for them.

    Attributes:
        reference: What says so.
        batches: The images.
    """

    reference: Reference
    batches: Sequence[Images]

    @cached_property
    def expected(self) -> Outputs:
        """What the reference gives for each batch."""
        return [self.reference.outputs(batch) for batch in self.batches]

    @cached_property
    def rounding(self) -> float:
        """Relative error of the reference itself in single precision; 0 if that is not known.

        Where it is large, as behind a norm over two channels, none can come closer.
        """
        if self.exact is None:
            return 0.0
        pairs = zip(self.expected[0], self.exact[0], strict=True)
        return max(figures([single], [double]).relative for single, double in pairs)

    @cached_property
    def exact(self) -> Outputs | None:
        """What it gives for the first batch in double precision; None if it cannot."""
        exact = self.reference.exact
        return None if exact is None else [exact(self.batches[0])]


def computed(
    name: str, package: Package, precision: Precision, tried: Trial, tolerance: float | None
) -> list[Check]:
    """A check per output of what a package's program gives in some arithmetic.

    Args:
        name: What the package is.
        package: The package.
        precision: The arithmetic; in double precision the trial has to have exact outputs.
        tried: Images, and what is right for them.
        tolerance: Largest relative error, or None.

    Raises:
        DamagedError: When the program cannot be run.
    """
    is_exact = precision == "fp64"
    batches = tried.batches[:1] if is_exact else tried.batches
    runner = Runner(package.program, precision)
    with torch.inference_mode():
        found = [runner.run(batch.taken(package.image)) for batch in batches]
    expected = tried.exact if is_exact and tried.exact is not None else tried.expected
    checks = compared(name, package, precision, found, expected, tried.reference, tolerance)
    if precision == "fp16" and not package.program.is_half:
        # Nobody said that it is to be computed so: what is too large for a half is no fault.
        return [check.replaced(state="reported") for check in checks]
    return checks


def compared(
    name: str,
    package: Package,
    precision: str,
    found: Outputs,
    expected: Outputs,
    reference: Reference,
    tolerance: float | None,
) -> list[Check]:
    """A check per output of a package. Where one side gives probabilities, so does the other."""
    mine, theirs = gives_probabilities(package), reference.gives_probabilities
    found = _probabilities(found) if theirs and not mine else found
    expected = _probabilities(expected) if mine and not theirs else expected
    names = numeric_outputs(package.program)
    return output_checks(name, precision, names, found, expected, tolerance)


def output_checks(
    name: str,
    precision: str,
    outputs: Sequence[str],
    found: Outputs,
    expected: Outputs,
    tolerance: float | None,
) -> list[Check]:
    """A check per output.

    Args:
        name: What computed them.
        precision: In what arithmetic.
        outputs: Their names.
        found: What was computed.
        expected: What is right.
        tolerance: Largest relative error, or None.
    """
    checks = []
    for index, output in enumerate(outputs):
        far = figures([batch[index] for batch in found], [batch[index] for batch in expected])
        checks.append(
            Check(
                name=name,
                state=state_of(far, tolerance),
                precision=precision,
                output=output,
                figures=far,
                tolerance=tolerance,
            )
        )
    return checks


def metadata_checks(package: Package, reference: Reference) -> Iterator[Check]:
    """Whether the names in a package of efspec's, and the spec that it carries, are right."""
    plan = reference.plan
    said = package.metadata.get(HASH_KEY)
    if plan is not None and said is not None:
        state: State = "passed" if said == plan.hash else "failed"
        message = "" if said == plan.hash else f"its spec is {said[:12]}, not {plan.hash[:12]}"
        yield Check(name="made from this spec", state=state, message=message)
    ids = package.ids()
    if not ids:
        return
    made = {
        one.name: op for op in package.program.operations if op.kind != "cast" for one in op.outputs
    }
    single = {op.label for op in made.values() if len(op.outputs) == 1}
    wrong = [name for name in made if name not in ids] + sorted(single - made.keys())
    wrong += [name for name in ids if name not in made]
    known = {placed.id for placed in plan.ops()} if plan is not None else set(ids.values())
    known.add("")  # normalising pixels, and what makes labels of logits
    wrong += [name for name in ids if ids[name] not in known]
    listed = ", ".join(dict.fromkeys(wrong[:3]))
    message = f"wrong: {listed}" if wrong else f"{len(ids):,} names"
    yield Check(name="named after the plan", state="failed" if wrong else "passed", message=message)


def check_package_shapes(package: Package, reference: Reference) -> None:
    """Refuse a package of a network of another shape.

    Raises:
        EfspecError: When its input or its outputs have other shapes.
    """
    program = package.program
    shapes = tuple(output_shape(package, name) for name in numeric_outputs(program))
    check_shapes(str(package.path), program.inputs[0].shape[1:], shapes, reference)


def check_shapes(
    file: str,
    source: tuple[int, ...],
    outputs: tuple[tuple[int, ...], ...],
    reference: Reference,
) -> None:
    """Refuse a file of a network of another shape.

    Args:
        file: The file.
        source: Shape of its input, batch axis left out.
        outputs: Shapes of its outputs, batch axis left out.
        reference: What it is compared with.

    Raises:
        EfspecError: When these are others.
    """
    pairs = (("takes", (source,), (reference.input,)), ("gives", outputs, reference.shapes))
    for verb, found, expected in pairs:
        if found != expected:
            raise fail(
                "other-network",
                f"it {verb} {_listed(found)}, and {reference.name} {_listed(expected)}",
                file=file,
                fix="compare it with the network that it was made from",
            )


def _probabilities(logits: Outputs) -> Outputs:
    return [tuple(y.double().softmax(-1) for y in batch) for batch in logits]


def _listed(shapes: Sequence[tuple[int, ...]]) -> str:
    return ", ".join("x".join(map(str, shape)) for shape in shapes)
