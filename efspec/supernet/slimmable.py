"""V2's supernet: a slimmable network.

Every block of a stage with attention is attention, then the feed-forward part. A member of depth n
with m blocks with attention runs the first n slots; the last m of these with their attention, the
others without. So depth shrinks from the end, as in once-for-all networks, and a block that loses
its attention keeps its feed-forward part.

References:
    https://arxiv.org/abs/2212.08059, https://arxiv.org/abs/1812.08928
"""

from __future__ import annotations

from efspec.spec.candidates import Candidate
from efspec.spec.space import SpaceSpec
from efspec.supernet.layout import Layout, Slots, full_slots, types_apart
from efspec.supernet.supernet import Supernet


class Slimmable(Supernet):
    """A supernet of all members of a space, with shared weights.

    Batch norms are separate: weight, bias and statistics for each choice of channels in and out of
    the convolution before them. All of them are there from the start, so that optimisers and
    distributed training see them.

    Args:
        space: The space. Its `drop_path` makes depth elastic in training.
        seed: Seed of the initial weights.

    Raises:
        EfspecError: When the seed is out of range, or there are too many parameters.
    """

    def __init__(self, space: SpaceSpec, seed: int = 0) -> None:
        super().__init__(Layout(space, types_apart(space), separate=True), seed)

    def slots(self, candidate: Candidate) -> Slots:
        """See `Supernet.slots`."""
        return full_slots(candidate)
