"""Where images come from, and what networks are given of them."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from PIL import Image

from efspec.errors import EfspecError
from efspec.train.data import Data, check_fits, read_data
from efspec.train.loaders import Share, loaders
from tests.train import networks

COLOURS = (3, 32, 32)
GREY = (1, 32, 32)


@pytest.mark.parametrize(
    ("name", "count", "size"), [("digits", 1797, (8, 8)), ("mnist", 5000, (28, 28))]
)
def test_small_sets_are_split_the_same_each_time(
    name: str, count: int, size: tuple[int, int]
) -> None:
    one, other = read_data(name), read_data(name)
    assert (one.train.numbers, one.validation.numbers) == (
        other.train.numbers,
        other.validation.numbers,
    )
    assert sorted(one.train.numbers + one.validation.numbers) == list(range(count))
    assert len(one.validation) == count // 6
    assert one.classes == 10
    assert {one.validation[index][1] for index in range(len(one.validation))} == set(range(10))
    image, _ = one.train[0]
    assert (image.mode, image.size) == ("RGB", size)


def test_digits_are_those_of_scikit_learn() -> None:
    from sklearn.datasets import load_digits

    found, data = load_digits(), read_data("digits")
    for index in (0, 700):
        image, label = data.train[index]
        number = data.train.numbers[index]
        assert label == found.target[number]
        brightest = [image.getpixel((x, y))[0] for y in range(8) for x in range(8)]
        assert brightest == (found.images[number] * 255 / 16).round().astype(int).ravel().tolist()


def test_folders_without_parts_are_split(tmp_path: Path) -> None:
    data = read_data(str(networks.folder_of_images(tmp_path / "images")))
    assert (len(data.train), len(data.validation), data.classes) == (20, 4, 3)


@pytest.mark.parametrize("validation", ["val", "validation", "test"])
def test_folders_with_parts_are_taken_as_they_are(validation: str, tmp_path: Path) -> None:
    networks.folder_of_images(tmp_path / "train", 24)
    networks.folder_of_images(tmp_path / validation, 12)
    data = read_data(str(tmp_path))
    assert (len(data.train), len(data.validation), data.classes) == (24, 12, 3)


def test_folders_with_training_images_only_are_split(tmp_path: Path) -> None:
    networks.folder_of_images(tmp_path / "train", 24)
    data = read_data(str(tmp_path))
    assert (len(data.train), len(data.validation)) == (20, 4)


def test_what_timm_reads(tmp_path: Path) -> None:
    """A name of timm's whose images lie in a folder."""
    networks.folder_of_images(tmp_path / "train", 24)
    networks.folder_of_images(tmp_path / "val", 12)
    data = read_data("torch/folder", tmp_path)
    assert (len(data.train), len(data.validation), data.classes) == (24, 12, 3)
    images, _ = next(loaders(networks.recipe(batch=4), data, COLOURS).epoch(0))
    assert images.shape == (4, *COLOURS)


def test_grey_networks_see_the_brightness_and_others_the_colours(tmp_path: Path) -> None:
    data = read_data(str(networks.folder_of_images(tmp_path / "images")))
    how = networks.recipe(batch=4)
    grey, _ = next(loaders(how, data, GREY).rated())
    colours, labels = next(loaders(how, data, COLOURS).rated())
    assert (grey.shape, colours.shape) == ((4, *GREY), (4, *COLOURS))
    means = torch.tensor(data.mean)[:, None, None], torch.tensor(data.std)[:, None, None]
    brightest = (colours * means[1] + means[0]).mean(dim=(2, 3)).argmax(dim=1)
    assert torch.equal(brightest, labels)


@pytest.mark.filterwarnings("ignore:.* multi-threaded, use of fork:DeprecationWarning")
@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize("damage", [b"no image", b""])
def test_an_image_that_cannot_be_read_is_named(workers: int, damage: bytes, tmp_path: Path) -> None:
    folder = networks.folder_of_images(tmp_path / "train")
    networks.folder_of_images(tmp_path / "val")
    broken = folder / "class_1" / "3.png"
    broken.write_bytes(damage or broken.read_bytes()[:200])
    read = loaders(networks.recipe(batch=4), read_data(str(tmp_path)), COLOURS, workers=workers)
    with pytest.raises(EfspecError, match="unreadable-image") as error:
        list(read.epoch(0))
    (diagnostic,) = error.value.diagnostics
    assert diagnostic.file == str(broken)
    assert sum(len(labels) for _, labels in read.rated()) == 24


def test_epochs_differ_and_each_is_the_same_again() -> None:
    read = loaders(networks.recipe(), read_data("digits"), GREY)

    def order(epoch: int) -> list[int]:
        read.sampler.set_epoch(epoch)
        return list(read.sampler)

    first, second = order(0), order(1)
    assert sorted(first) == sorted(second) == list(range(1498))
    assert first != second
    assert order(0) == first


def test_repeats_are_shared_between_processes() -> None:
    how = networks.recipe(augmentation={"repeats": 3})
    data = read_data("digits")
    orders = [list(loaders(how, data, GREY, Share(rank, 2)).sampler) for rank in (0, 1)]
    assert [len(order) for order in orders] == [640, 640]
    seen = [number for pair in zip(*orders, strict=True) for number in pair]
    assert seen == [number for number in dict.fromkeys(seen) for _ in range(3)][: len(seen)]


def test_every_validation_image_is_rated_once() -> None:
    data = read_data("digits")
    shares = [loaders(networks.recipe(), data, GREY, Share(rank, 2)) for rank in (0, 1)]
    counts = [sum(len(labels) for _, labels in read.rated()) for read in shares]
    assert counts == [150, 149]


def test_pictures_of_any_mode_are_read() -> None:
    modes = ("1", "L", "P", "RGBA", "CMYK", "LA", "I;16")
    examples = [(Image.new(mode, (40, 40)), 0) for mode in modes]
    data = Data("modes", examples, examples, 1, *[(0.5, 0.5, 0.5)] * 2)
    read = loaders(networks.recipe(batch=7), data, COLOURS)
    (images, _) = next(read.epoch(0))
    assert images.shape == (7, *COLOURS)


def test_a_network_of_other_classes_is_refused() -> None:
    check_fits(networks.plan(), 10, "it has")
    with pytest.raises(EfspecError, match="has 10 classes, and it has 3"):
        check_fits(networks.plan(), 3, "it has")
