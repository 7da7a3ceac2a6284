"""Training recipes, format 1: everything that decides how a network is trained, but for the data.

Words that name a thing of timm's or PyTorch's (an optimiser, a policy of augmentations) are handed
on as they are; the libraries know more of them than could be listed here.
"""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, StringConstraints, model_validator
from pydantic_core import PydanticCustomError

from efspec.blocks.options import Expected, Flag, Items, Part, Rate
from efspec.spec.schema import FormatNumber

Epochs = Annotated[int, Field(ge=0, le=100_000), Expected("an integer from 0 to 100,000")]
LearningRate = Annotated[
    float, Field(ge=0, le=100, allow_inf_nan=False), Expected("a number from 0 to 100")
]
Share = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False), Expected("a number from 0 to 1")]
Strength = Annotated[
    float, Field(ge=0, le=10, allow_inf_nan=False), Expected("a number from 0 to 10")
]
BatchSize = Annotated[int, Field(ge=1, le=1_000_000), Expected("an integer from 1 to 1,000,000")]
Word = Annotated[
    str,
    StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.+\-]*$", max_length=100),
    Expected("a word of letters, digits and `_.+-`"),
]
Interpolation = Annotated[
    Literal["nearest", "bilinear", "bicubic", "random"],
    Expected("nearest, bilinear, bicubic or random"),
]


class Clip(Part):
    """How gradients are kept small."""

    mode: Annotated[Literal["agc", "norm", "value"], Expected("agc, norm or value")] = "agc"
    """By the norm of the weights (adaptive), by the norm of all gradients, or one by one."""
    value: Annotated[
        float, Field(gt=0, le=1e6, allow_inf_nan=False), Expected("a number above 0")
    ] = 0.01
    """How large they may be."""


class OptimizerSpec(Part):
    """What takes a step, and how long that is."""

    name: Word = "adamw"
    """Its name in timm."""
    lr: LearningRate
    """Learning rate after the warm-up, at a batch of `lr_batch` images."""
    lr_batch: BatchSize | None = None
    """The batch that `lr` is for: at another it changes in proportion; null to leave it."""
    weight_decay: LearningRate = 0.0
    """Of the weights of convolutions and linears; nothing else decays."""
    eps: (
        Annotated[float, Field(gt=0, le=1, allow_inf_nan=False), Expected("a number above 0")]
        | None
    ) = None
    """What keeps divisions finite; null for the optimiser's own."""
    momentum: Rate = 0.9
    """Of optimisers that have one."""
    layer_decay: (
        Annotated[
            float,
            Field(gt=0, le=1, allow_inf_nan=False),
            Expected("a number above 0, up to 1, or null"),
        ]
        | None
    ) = None
    """What the learning rate of a part is multiplied with for each part after it."""
    clip: Clip | None = None
    """How gradients are kept small."""


class ScheduleSpec(Part):
    """How the learning rate changes."""

    name: Word = "cosine"
    """Its name in timm."""
    warmup_epochs: Epochs = 0
    """Epochs, of those there are, in which the rate rises from `warmup_lr`."""
    warmup_lr: LearningRate = 1e-6
    """Rate of the first epoch, where there is a warm-up."""
    min_lr: LearningRate = 0.0
    """Rate that it falls to."""
    cooldown_epochs: Epochs = 0
    """Further epochs at `min_lr`, behind those of the recipe."""
    per: Annotated[Literal["epoch", "step"], Expected("epoch or step")] = "epoch"
    """How often it changes."""


class AugmentationSpec(Part):
    """What is done to training images."""

    interpolation: Interpolation = "bicubic"
    """How images are resized; at `random`, one of two in training."""
    scale: Annotated[
        Items[Share], Field(min_length=2, max_length=2), Expected("two numbers from 0 to 1")
    ] = (0.08, 1.0)
    """Least and greatest share of an image's area that a crop takes."""
    ratio: Annotated[
        Items[Strength], Field(min_length=2, max_length=2), Expected("two numbers from 0 to 10")
    ] = (0.75, 4 / 3)
    """Least and greatest width of a crop over its height."""
    hflip: Share = 0.5
    """Probability of mirroring."""
    auto_augment: Word | None = None
    """A policy, as timm writes it."""
    color_jitter: Strength = 0.0
    """Change of brightness, contrast and saturation; not beside `auto_augment`."""
    erasing: Share = 0.0
    """Probability of erasing a rectangle."""
    mixup: Strength = 0.0
    """Alpha of mixing two images; 0 for none."""
    cutmix: Strength = 0.0
    """Alpha of pasting a part of one image into another; 0 for none."""
    repeats: Annotated[int, Field(ge=1, le=64), Expected("an integer from 1 to 64")] = 1
    """How often an image is in an epoch, which then holds fewer images."""
    crop: Annotated[
        float, Field(gt=0, le=1, allow_inf_nan=False), Expected("a number above 0, up to 1")
    ] = 0.95
    """Share of its side that is cropped of a validation image."""

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        for name in ("scale", "ratio"):
            low, high = getattr(self, name)
            if not 0 < low <= high:
                least, most = min(low, high) or 0.1, max(low, high) or 1
                raise PydanticCustomError(
                    "not-in-order",
                    "the two numbers of `{name}` do not rise from above 0",
                    {"name": name, "fix": f"write [{least:g}, {most:g}]"},
                )
        return self


class DistillationSpec(Part):
    """How a network learns from another."""

    kind: Annotated[Literal["hard", "soft"], Expected("hard or soft")] = "hard"
    """Whether it learns the class that the teacher says, or all that the teacher says."""
    alpha: Share = 0.5
    """Share of the loss that is the teacher's."""
    tau: Annotated[
        float, Field(gt=0, le=1000, allow_inf_nan=False), Expected("a number above 0")
    ] = 1.0
    """Temperature, of `soft`."""
    teacher: Word | None = None
    """A model of timm's with its weights; null where the command line names the teacher."""


class SupernetSpec(Part):
    """What only supernets need; nothing else reads it."""

    distil: Flag = False
    """Slimmable: whether the largest member teaches the others."""
    noise: Annotated[Literal["gumbel", "uniform", "none"], Expected("gumbel, uniform or none")] = (
        "gumbel"
    )
    """Meta paths: what is added to the importances of paths."""
    temperature: Annotated[
        Items[
            Annotated[
                float, Field(gt=0, le=1000, allow_inf_nan=False), Expected("a number above 0")
            ]
        ],
        Field(min_length=2, max_length=2),
        Expected("two numbers above 0"),
    ] = (5.0, 0.1)
    """Meta paths: what importances are divided by at the start and at the end."""


class RecipeSpec(Part):
    """A training recipe, as its file says it."""

    efspec: FormatNumber
    """Version of the format of this file."""
    name: Word
    """Name of the recipe."""
    description: Annotated[
        str, StringConstraints(max_length=500), Expected("a text of up to 500 characters")
    ] = ""
    """One line about the recipe."""
    epochs: Annotated[int, Field(ge=1, le=100_000), Expected("an integer from 1 to 100,000")]
    """How often all images are looked at."""
    batch: BatchSize
    """Images per step, of all processes together."""
    seed: Annotated[int, Field(ge=0, lt=2**32), Expected("an integer from 0 to 4,294,967,295")] = 0
    """Seed of initial weights, of the order of images and of all that is random."""
    precision: Annotated[Literal["fp32", "fp16", "bf16"], Expected("fp32, fp16 or bf16")] = "fp32"
    """What most is computed in; weights are always fp32."""
    optimizer: OptimizerSpec
    """What takes a step."""
    schedule: ScheduleSpec = ScheduleSpec.model_construct()
    """How the learning rate changes."""
    augmentation: AugmentationSpec = AugmentationSpec.model_construct()
    """What is done to training images."""
    label_smoothing: Rate = 0.0
    """Share of a label that is spread over all classes."""
    ema: Rate | None = None
    """Decay of the moving average of weights, which is rated, too; null for none."""
    distillation: DistillationSpec | None = None
    """How the network learns from another; null for not at all."""
    supernet: SupernetSpec = SupernetSpec.model_construct()
    """What only supernets need."""
    sync_batch_norm: Flag = True
    """Whether batch norms see the images of all processes, on GPUs."""
    gradient_checkpointing: Flag = False
    """Whether stages are computed again in the backward pass, to save memory."""

    @model_validator(mode="after")
    def _warmup_fits(self) -> Self:
        if self.schedule.warmup_epochs > self.epochs:
            raise PydanticCustomError(
                "out-of-range",
                "the warm-up of {warmup} epochs is longer than the training of {epochs}",
                {
                    "warmup": self.schedule.warmup_epochs,
                    "epochs": self.epochs,
                    "fix": "lower `schedule.warmup_epochs`, or raise `epochs`",
                },
            )
        return self

    @property
    def all_epochs(self) -> int:
        """The epochs, with those of the cooldown."""
        return self.epochs + self.schedule.cooldown_epochs

    @property
    def lr(self) -> float:
        """Learning rate at this recipe's batch."""
        reference = self.optimizer.lr_batch
        return self.optimizer.lr * (self.batch / reference if reference else 1.0)
