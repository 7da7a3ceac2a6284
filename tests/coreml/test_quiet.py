"""What coremltools says beside its work is kept back, and nothing else is, nor for longer."""

from __future__ import annotations

import logging
import warnings
from pathlib import Path

import pytest
import torch

from efspec.coreml.quiet import quiet
from tests.verify.packages import convert


def test_nothing_is_printed(
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    convert(torch.nn.ReLU().eval(), (1, 3, 8, 8), tmp_path, "relu")
    assert capfd.readouterr() == ("", "")
    assert caplog.records == []


def test_all_is_as_before_behind_it() -> None:
    from tqdm import tqdm

    log = logging.getLogger("coremltools")
    before = log.level, tqdm.__init__, warnings.filters[:]
    with quiet():
        assert log.level == logging.ERROR
        assert tqdm(range(3)).disable
        warnings.warn("of coremltools", UserWarning, stacklevel=1)
    assert (log.level, tqdm.__init__, warnings.filters[:]) == before


def test_errors_are_still_logged(caplog: pytest.LogCaptureFixture) -> None:
    with quiet():
        logging.getLogger("coremltools").warning("kept back")
        logging.getLogger("coremltools").error("told")
    assert [record.message for record in caplog.records] == ["told"]
