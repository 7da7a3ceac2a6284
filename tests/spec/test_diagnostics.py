"""Every mistake in the corpus is told as its golden file says, at its line and column."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.spec.diagnostics import CORPUS, cases, names, told


@pytest.mark.parametrize("case", cases(), ids=lambda case: f"{case.parent.name}/{case.stem}")
def test_case(case: Path, tmp_path: Path, update_golden: bool) -> None:
    text = told(case, tmp_path)
    golden = case.with_suffix(".txt")
    if update_golden:
        golden.write_text(text)
    assert case.parent.name in names(text)
    assert text == golden.read_text()


def test_corpus_is_large() -> None:
    assert len(cases()) >= 300


def test_no_golden_file_without_a_case() -> None:
    known = {case.with_suffix(".txt") for case in cases()}
    assert set(CORPUS.glob("*/*.txt")) <= known
