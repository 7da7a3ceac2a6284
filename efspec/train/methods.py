"""How a kind of network is trained: its groups, what it learns of a batch, and what it is worth.

The loop is the same for all of them. Supernets have methods of their own, in `supernets`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from accelerate import Accelerator
from torch import Tensor, nn

from efspec.plan import Plan
from efspec.record import Record
from efspec.train.checkpointing import checkpoint_stages
from efspec.train.groups import parameter_groups
from efspec.train.loaders import Loaders
from efspec.train.losses import Logits
from efspec.train.rating import Rating, rate
from efspec.train.recipe import RecipeSpec


class Moment(Record):
    """When something is learned; what is drawn depends on it alone.

    Attributes:
        seed: The recipe's.
        step: Number of the step, from 0, of all epochs.
        progress: How much of the training is over, from 0 to 1.
    """

    seed: int
    step: int
    progress: float


class Lesson(Record):
    """A batch, and how to learn from it.

    Attributes:
        images: The images (B, C, H, W).
        loss: The loss, of logits.
        backward: What computes gradients.
        moment: When this is.
    """

    images: Tensor
    loss: Callable[[Logits], Tensor]
    backward: Callable[[Tensor], object]
    moment: Moment


class Method(Protocol):
    """How a kind of network is trained."""

    has_unused: bool
    """Whether a step leaves parameters out, which processes have to know that share gradients."""

    def prepared(
        self, module: nn.Module, recipe: RecipeSpec, accelerator: Accelerator
    ) -> nn.Module:
        """The module as it is trained, on its device."""

    def checkpoint(self, module: nn.Module) -> None:
        """Have the module keep less, and compute it again in the backward pass."""

    def groups(self, module: nn.Module, recipe: RecipeSpec) -> list[dict[str, Any]]:
        """Its parameters in groups, as optimisers take them."""

    def learn(self, parallel: nn.Module, lesson: Lesson) -> Tensor:
        """The mean loss of a batch, whose gradients are added to the parameters'.

        Args:
            parallel: The module, as several processes share it.
            lesson: The batch.
        """

    def rate(self, module: nn.Module, read: Loaders, accelerator: Accelerator) -> Rating:
        """What the module is worth on the validation images; it is in eval mode afterwards."""


class Alone(Record):
    """The method of a single network."""

    plan: Plan
    has_unused = False

    def prepared(
        self, module: nn.Module, recipe: RecipeSpec, accelerator: Accelerator
    ) -> nn.Module:
        """See `Method`. Batch norms see the images of all processes, if that is wanted."""
        module = module.to(accelerator.device)
        on_gpus = accelerator.num_processes > 1 and accelerator.device.type == "cuda"
        if on_gpus and recipe.sync_batch_norm:
            # PyTorch gives this one function no types.
            module = nn.SyncBatchNorm.convert_sync_batchnorm(module)  # type: ignore[no-untyped-call]
        return module

    def checkpoint(self, module: nn.Module) -> None:
        """See `Method`."""
        checkpoint_stages(module, self.plan)

    def groups(self, module: nn.Module, recipe: RecipeSpec) -> list[dict[str, Any]]:
        """See `Method`."""
        return parameter_groups(self.plan, module.named_parameters(), recipe)

    def learn(self, parallel: nn.Module, lesson: Lesson) -> Tensor:
        """See `Method`."""
        value = lesson.loss(parallel(lesson.images))
        lesson.backward(value)
        return value.detach()

    def rate(self, module: nn.Module, read: Loaders, accelerator: Accelerator) -> Rating:
        """See `Method`."""
        module.eval()
        return rate(module, read.rated(), accelerator)
