"""Ten thousand broken inputs: each is refused with diagnostics, in bounds of time and memory."""

from __future__ import annotations

import resource
import signal
import warnings
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

import pytest
import torch

import efspec
from efspec.importers import import_networks
from efspec.spec import load_all, loads
from tests.hardening.checkpoints import SENTINEL
from tests.hardening.damage import FIELDS
from tests.hardening.inputs import CHUNKS, PER_CHUNK, Input, inputs

SECONDS = 5.0
"""When an input is taken for one that hangs; most take some milliseconds."""
BYTES = 1 << 30
"""How much memory an input may ask for."""
BROKEN = 0.85
"""Least share of broken inputs: some changes leave a spec as good as it was."""


@contextmanager
def bounded() -> Iterator[None]:
    """Lets memory grow by `BYTES`, where the system can tell how large it is."""
    sizes = Path("/proc/self/statm")
    if not sizes.exists():
        yield
        return
    now = int(sizes.read_text().split()[0]) * resource.getpagesize()
    before = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (now + BYTES, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)


@contextmanager
def in_time() -> Iterator[None]:
    def stop(number: int, frame: FrameType | None) -> None:
        raise TimeoutError

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def give(one: Input, folder: Path) -> None:
    """Give an input to efspec; what it takes goes through everything that needs no torch."""
    match one.kind:
        case "yaml" | "random" | "noise":
            use(loads(one.content))
        case "json":
            use(loads(one.content, input_format="json"))
        case "jsonl":
            lines = folder / "in.jsonl"
            lines.write_bytes(one.content)
            wrong = [x for x in load_all(lines) if isinstance(x, efspec.EfspecError)]
            if wrong:
                raise wrong[0]
        case "fields":
            use(efspec.load(one.content))
        case "set":
            use(efspec.load(FIELDS, set=one.content))
        case "name":
            use(efspec.load(one.content))
        case "mes":
            (folder / "mes.yaml").write_bytes(one.content)
            efspec.load_mes(folder / "mes.yaml")
        case "import":
            (folder / "import.json").write_bytes(one.content)
            for found in import_networks(folder / "import.json"):
                use(found.spec)
        case "torch" | "safetensors":
            file = folder / ("in.pth" if one.kind == "torch" else "in.safetensors")
            file.write_bytes(one.content)
            spec = efspec.load(FIELDS)
            efspec.export(spec, folder / "out", targets=["weights"], weights=file)


def use(spec: Any) -> None:
    plan = efspec.resolve(spec)
    efspec.score(plan)
    efspec.generate(plan)
    assert efspec.load(FIELDS) is not None


@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_broken_inputs_are_refused(
    chunk: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    efspec.export(efspec.load(FIELDS), tmp_path / "out", targets=["code", "weights"])
    before = contents(tmp_path / "out")
    refused: Counter[str] = Counter()
    with warnings.catch_warnings(), bounded():
        warnings.simplefilter("ignore")
        made = inputs(chunk)
        for number, one in enumerate(made):
            case = f"inputs({chunk})[{number}]"
            error = refusal(case, one, tmp_path)
            now = contents(tmp_path / "out")
            if error:
                refused[one.kind] += 1
                assert error.diagnostics
                assert all(line.isprintable() for line in str(error).splitlines()), case
                assert now == before, f"{case} changed files"
            assert not Path(SENTINEL).exists(), f"{case} ran: {one.content!r}"
            before = now
    assert sum(refused.values()) >= BROKEN * PER_CHUNK, refused


def refusal(case: str, one: Input, folder: Path) -> efspec.EfspecError | None:
    """What efspec says of an input that it refuses."""
    try:
        with in_time():
            give(one, folder)
    except efspec.EfspecError as error:
        return error
    except BaseException as error:
        pytest.fail(f"{case}: {error!r}: {one.kind} {one.content!r:.3000}")
    return None


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_ten_thousand_inputs_are_distinct_and_stay_the_same() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        digests = [one.digest() for chunk in range(CHUNKS) for one in inputs(chunk)]
        assert digests[:PER_CHUNK] == [one.digest() for one in inputs(0)]  # as in every run
    assert len(set(digests)) >= 10_000


def test_checkpoints_of_old_torch_cut_short(tmp_path: Path) -> None:
    """Their bytes differ between runs, so they are not among the ten thousand."""
    spec = efspec.load(FIELDS)
    file = tmp_path / "old.pth"
    torch.save(efspec.build(spec).state_dict(), file, _use_new_zipfile_serialization=False)
    efspec.export(spec, tmp_path / "out", targets=["weights"], weights=file)
    whole = file.read_bytes()
    for end in range(0, len(whole), len(whole) // 50):
        file.write_bytes(whole[:end])
        with pytest.raises(efspec.EfspecError, match="unreadable-checkpoint"):
            efspec.export(spec, tmp_path / "out", targets=["weights"], weights=file)
