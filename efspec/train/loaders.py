"""Batches: images read, augmented, and dealt out to processes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Protocol

import torch
from timm.data import Mixup, create_transform
from timm.data.distributed_sampler import RepeatAugSampler
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, DistributedSampler, Subset, default_collate
from torchvision.transforms import Compose, Grayscale

from efspec.errors import EfspecError, fail
from efspec.record import Record
from efspec.train.data import Data, Examples, Picked
from efspec.train.policies import mended
from efspec.train.recipe import RecipeSpec

Batch = tuple[Tensor, Tensor]
"""Images (B, C, H, W), and the numbers of their classes (B,)."""


class Order(Protocol):
    """Numbers of the images of an epoch."""

    def set_epoch(self, epoch: int) -> None:
        """Take the order of an epoch."""

    def __iter__(self) -> Iterator[int]: ...

    def __len__(self) -> int: ...


class Share(Record):
    """Which of several processes this is."""

    rank: int = 0
    processes: int = 1


ALONE = Share()
CALIBRATION = 512
"""About how many images statistics of batch norms are found on."""


class Loaders(Record):
    """What a process reads in training.

    Attributes:
        train: Batches to learn from, of images that were drawn by `sampler`.
        sampler: Has `set_epoch`.
        validation: Batches of this process's share of the images to rate on.
        calibration: Batches of some training images, the same in every process, as they would be
            rated: for statistics of batch norms.
        mix: Mixes the images of a batch, and makes its labels probabilities; None for no mixing.
        classes: How many classes there are.
    """

    train: DataLoader[Batch]
    sampler: Order
    validation: DataLoader[Batch]
    calibration: DataLoader[Batch]
    mix: Callable[[Tensor, Tensor], Batch] | None
    classes: int

    def epoch(self, number: int) -> Iterator[Batch]:
        """The batches of an epoch.

        Raises:
            EfspecError: When an image cannot be read.
        """
        self.sampler.set_epoch(number)
        return checked(self.train)

    def rated(self) -> Iterator[Batch]:
        """The batches to rate on.

        Raises:
            EfspecError: When an image cannot be read.
        """
        return checked(self.validation)

    def calibrating(self) -> Iterator[Batch]:
        """The batches to find statistics on.

        Raises:
            EfspecError: When an image cannot be read.
        """
        return checked(self.calibration)

    @property
    def steps(self) -> int:
        """How many batches an epoch has."""
        return len(self.train)


def loaders(
    recipe: RecipeSpec,
    data: Data,
    shape: tuple[int, int, int],
    share: Share = ALONE,
    workers: int = 0,
) -> Loaders:
    """What a process reads in training.

    The processes share each batch of the recipe: together they see the images that one alone sees.

    Args:
        recipe: How images are augmented, and how many make a batch.
        data: The images.
        shape: Channels, height and width of the network's input.
        share: Which of the processes this is.
        workers: How many processes of its own it reads images with.

    Raises:
        EfspecError: When the batch cannot be shared, filled, normalised or mixed, or the channels
            are neither grey nor colours.
    """
    if shape[0] not in (1, 3):
        raise fail(
            "no-image",
            f"the network takes {shape[0]} channels, and images have 1 or 3",
            expected="input.channels of 1 (grey) or 3 (red, green and blue)",
        )
    own, rest = divmod(recipe.batch, share.processes)
    if rest:
        raise fail(
            "bad-batch",
            f"a batch of {recipe.batch:,} cannot be shared by {share.processes} processes",
            fix=f"set the recipe's batch to {own * share.processes or share.processes:,}",
        )
    if own < 2 or (own % 2 and _mixes(recipe)):
        raise fail(
            "bad-batch",
            f"a process would see batches of {own:,}, which cannot be "
            + ("normalised" if own < 2 else "mixed in pairs"),
            fix=f"set the recipe's batch to {(own + 1) * share.processes:,}",
        )
    images = Images(data.train, training_transform(recipe, data, shape))
    if recipe.augmentation.repeats > 1:
        sampler: Order = Reseeded(
            RepeatAugSampler(
                images, share.processes, share.rank, num_repeats=recipe.augmentation.repeats
            ),
            recipe.seed,
        )
    else:
        sampler = DistributedSampler(images, share.processes, share.rank, seed=recipe.seed)
    train: DataLoader[Batch] = DataLoader(
        images,
        batch_size=own,
        sampler=sampler,
        drop_last=True,
        num_workers=workers,
        collate_fn=collated,
        persistent_workers=False,  # they would keep the random state of the epoch before
    )
    if not len(train):
        raise fail(
            "bad-batch",
            f"{len(data.train):,} images do not fill a batch of {recipe.batch:,}",
            file=data.name,
            fix=f"set the recipe's batch to {max(1, len(data.train) // 4):,}",
        )
    rated = Images(data.validation, validation_transform(recipe, data, shape))
    numbers = range(share.rank, len(rated), share.processes)
    validation: DataLoader[Batch] = DataLoader(
        Subset(rated, numbers), batch_size=own, num_workers=workers, collate_fn=collated
    )
    calibration: DataLoader[Batch] = DataLoader(
        Subset(Images(data.train, rated.transform), _calibrating(recipe, len(data.train))),
        batch_size=recipe.batch,
        num_workers=workers,
        collate_fn=collated,
    )
    mix = _mix(recipe, data.classes)
    return Loaders(train, sampler, validation, calibration, mix, data.classes)


def _calibrating(recipe: RecipeSpec, count: int) -> list[int]:
    """Numbers of the images that statistics are found on: some whole batches."""
    order = torch.randperm(count, generator=torch.Generator().manual_seed(recipe.seed)).tolist()
    wanted: list[int] = order[: max(1, CALIBRATION // recipe.batch) * recipe.batch]
    return wanted


class Images(Dataset[Any]):
    """Examples as tensors; one that cannot be read is what is wrong with it.

    An exception that is raised in a worker would reach the reader as another one.
    """

    def __init__(self, examples: Examples, transform: Callable[[Any], Tensor]) -> None:
        self.examples = examples
        self.transform = transform

    def __len__(self) -> int:
        return len(self.examples)

    def __getitem__(self, index: int) -> tuple[Tensor, int] | EfspecError:
        try:
            image, label = self.examples[index]
            return self.transform(image.convert("RGB")), int(label)
        except Exception as error:  # a damaged image fails anywhere in its reader
            return fail(
                "unreadable-image",
                f"{type(error).__name__}: {str(error).partition(chr(10))[0][:200]}",
                file=str(_file(self.examples, index)),
                fix="mend or remove it; with --resume the training then goes on",
            )


def collated(samples: list[tuple[Tensor, int] | EfspecError]) -> Batch | EfspecError:
    """A batch of examples, or what is wrong with the first that is wrong."""
    for sample in samples:
        if isinstance(sample, EfspecError):
            return sample
    images, labels = default_collate(samples)
    return images, labels


def checked(batches: DataLoader[Batch]) -> Iterator[Batch]:
    """Batches of `collated`, until one is wrong.

    Raises:
        EfspecError: When an image cannot be read.
    """
    for batch in batches:
        if isinstance(batch, EfspecError):
            raise batch
        yield batch


def training_transform(recipe: RecipeSpec, data: Data, shape: tuple[int, int, int]) -> Any:
    """What makes a network's input of a colour image, by chance.

    Raises:
        EfspecError: When timm knows no such policy of augmentations.
    """
    wanted = recipe.augmentation

    def parts(channels: int) -> Any:
        return create_transform(
            shape,
            is_training=True,
            scale=wanted.scale,
            ratio=wanted.ratio,
            hflip=wanted.hflip,
            color_jitter=wanted.color_jitter or None,
            auto_augment=wanted.auto_augment,
            interpolation=wanted.interpolation,
            mean=data.mean[:channels],
            std=data.std[:channels],
            re_prob=wanted.erasing,
            re_mode="pixel",
            separate=True,
        )

    try:
        before, change, _ = parts(3)
    except (AssertionError, KeyError, ValueError):
        raise fail(
            "unknown-in-timm",
            f"`{wanted.auto_augment}` is no policy of timm's",
            field="augmentation.auto_augment",
            expected="one such as rand-m9-mstd0.5-inc1 or original",
        ) from None
    _, _, after = parts(shape[0])
    # Policies want colours, whatever the network takes.
    return Compose([before, *map(mended, change.transforms), *_grey(shape), after])


def validation_transform(recipe: RecipeSpec, data: Data, shape: tuple[int, int, int]) -> Any:
    """What makes a network's input of a colour image, the same each time."""
    wanted = recipe.augmentation.interpolation
    resized = create_transform(
        shape,
        interpolation="bilinear" if wanted == "random" else wanted,
        mean=data.mean[: shape[0]],
        std=data.std[: shape[0]],
        crop_pct=recipe.augmentation.crop,
    )
    return Compose([*_grey(shape), resized])


class Reseeded:
    """A sampler whose order depends on a seed, which timm's does not."""

    def __init__(self, sampler: RepeatAugSampler, seed: int) -> None:
        self.sampler = sampler
        self.seed = seed

    def set_epoch(self, epoch: int) -> None:
        """Take the order of an epoch."""
        self.sampler.set_epoch(self.seed + epoch)

    def __iter__(self) -> Iterator[int]:
        return iter(self.sampler)

    def __len__(self) -> int:
        return len(self.sampler)


def _grey(shape: tuple[int, int, int]) -> list[Grayscale]:
    return [Grayscale(1)] if shape[0] == 1 else []


def _mixes(recipe: RecipeSpec) -> bool:
    return recipe.augmentation.mixup > 0 or recipe.augmentation.cutmix > 0


def _mix(recipe: RecipeSpec, classes: int) -> Callable[[Tensor, Tensor], Batch] | None:
    wanted = recipe.augmentation
    if not _mixes(recipe):
        return None
    mixed: Callable[[Tensor, Tensor], Batch] = Mixup(
        mixup_alpha=wanted.mixup,
        cutmix_alpha=wanted.cutmix,
        label_smoothing=recipe.label_smoothing,
        num_classes=classes,
    )
    return mixed


def _file(examples: Examples, index: int) -> Any:
    """Name of the file of an example, where that is known."""
    while isinstance(examples, Picked):
        index = examples.numbers[index]
        examples = examples.examples
    samples = getattr(examples, "samples", None)
    return samples[index][0] if samples else f"image {index}"
