"""What each format's files say, and what is no profile."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from efspec.errors import EfspecError
from efspec.latency.from_probes import Probe, differenced, read_manifest, read_times
from efspec.latency.profile import Prediction, Profile, ProfiledOp
from efspec.latency.profiles import DOCUMENTS, read_profile, read_source, together
from efspec.latency.sheet import Sheet
from efspec.latency.table import Figure
from efspec.latency.values import document
from efspec.plan.key import parse_key
from efspec.spec.files import MAX_BYTES
from efspec.spec.source_map import Source

SAMPLES = Path(__file__).parent / "profiles"
THREE = (
    ProfiledOp("stem_conv1_conv", 0.5, "ane"),
    ProfiledOp("stem_act", 0.25, "cpu"),
    ProfiledOp("stem_conv2_conv", 0.25, "ane"),
)
EXPECTED = {
    "script.json": Profile(
        "script.json",
        "profile by efspec's script",
        Prediction(1_010_000, 994_000, 1_026_000, 5),
        THREE,
        load_ns=31_000_000,
        said={
            "device": "Apple M3 Pro",
            "os": "macOS 15.2",
            "runtime": "Core ML, coremltools 9.0",
            "unit": "ane",
            "precision": "fp16",
            "tool": "efspec's script for coremltools",
            "date": "2026-11-20",
        },
        metadata={
            "efspec.version": "0.1.0",
            "efspec.ops": '{"stem_conv1_conv":"stem.conv1.conv"}',
        },
    ),
    "network.mlperf": Profile(
        "network.mlperf/report.json",
        "report of Xcode's",
        Prediction(1_100_000, 1_020_000, 1_180_000, 3),
        (ProfiledOp("stem_conv1_conv", 0.75, "ane"), ProfiledOp("stem_act", 0.25, "cpu")),
        load_ns=40_000_000,
        compile_ns=250_000_000,
        said={
            "device": "iPhone 12",
            "os": "iOS 18.1",
            "runtime": "Core ML",
            "tool": "Xcode",
            "unit": "all",
        },
    ),
    "typed.csv": Profile(
        "typed.csv",
        "typed report",
        Prediction(1_020_000, 980_000, 1_100_000, 50),
        tuple(op.replaced(weight=op.weight) for op in THREE),
        load_ns=31_000_000,
        compile_ns=250_000_000,
        said={
            "device": "iPhone 12",
            "os": "iOS 16.1",
            "runtime": "Core ML",
            "tool": "Xcode 14.1",
            "unit": "all",
            "date": "2026-11-20",
        },
    ),
    "shares.tsv": Profile(
        "shares.tsv",
        "typed report",
        Prediction(1_020_000),
        tuple(op.replaced(weight=100 * op.weight) for op in THREE),
        said={"runtime": "Core ML"},
    ),
    "analytics.mil": Profile(
        "analytics.mil",
        "analytics.mil of Core ML's cache",
        None,
        (ProfiledOp("stem_conv1_conv", 0.0021, "ane"), ProfiledOp("stem_act", 0.0007, "cpu")),
        said={"runtime": "Core ML"},
    ),
    "coreml_cli.json": Profile(
        "coreml_cli.json",
        "coreml-cli's benchmark",
        Prediction(1_020_000, n=100),
        said={"runtime": "Core ML", "tool": "coreml-cli", "unit": "ane"},
    ),
    "benchmark_results.json": Profile(
        "benchmark_results.json",
        "executorch's benchmark",
        Prediction(1_020_000),
        load_ns=31_000_000,
        said={
            "runtime": "ExecuTorch, coreml",
            "tool": "executorch's benchmark app",
            "device": "iPhone 15.4",
            "os": "iOS 17.2.1",
        },
    ),
}


def profile(text: str) -> Profile:
    found = read_profile(Source("it", text))
    assert isinstance(found, Profile)
    return found


def refused(text: str) -> set[str]:
    with pytest.raises(EfspecError) as raised:
        read_profile(Source("it", text))
    return {diagnostic.name for diagnostic in raised.value.diagnostics}


@pytest.mark.parametrize("name", EXPECTED)
def test_each_format_is_told_and_read(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(SAMPLES)
    assert read_profile(read_source(Path(name))) == EXPECTED[name]


def test_every_sample_has_an_expectation() -> None:
    assert {path.name for path in SAMPLES.iterdir()} == EXPECTED.keys() | {"probes"}


@pytest.mark.parametrize("name", ["script.json", "network.mlperf", "coreml_cli.json"])
def test_a_document_is_of_one_format(name: str) -> None:
    root = document(read_source(SAMPLES / name))
    assert sum(told(root) for told, _ in DOCUMENTS) == 1


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("{}", "not-a-profile"),
        ("[]", "not-a-profile"),
        ("[1, {}]", "not-a-profile"),
        ("", "not-a-profile"),
        ('{"profile": "coremltools"', "json-syntax"),
        ('{"profile": "coremltools", "efspec": 2}', "unsupported-format"),
        ('{"profile": "coremltools", "efspec": 1, "samples_ns": 3}', "wrong-type"),
        ('{"profile": "coremltools", "efspec": 1, "samples_ns": [-1]}', "wrong-type"),
        ('{"profile": "coremltools", "efspec": 1, "samples_ns": [0]}', "bad-time"),
        ('{"profile": "coremltools", "efspec": 1, "samples_ns": [1e999]}', "wrong-type"),
        ('{"profile": "coremltools", "efspec": 1, "samples_ns": [NaN]}', "json-syntax"),
        ('{"profile": "coremltools", "efspec": 1, "ops": [{"weight": true}]}', "wrong-type"),
        ('{"profile": "coremltools", "efspec": 1, "ops": [{"name": 7}]}', "wrong-type"),
        ('{"deviceResults": {"predict": {"samples": [0]}}}', "bad-time"),
        ('{"deviceResults": {"predict": {"samples": [1e9]}}}', "bad-time"),
        ('{"p50LatencyMs": "1"}', "wrong-type"),
        ('{"p50LatencyMs": null}', "bad-time"),
        ("program(1.0)\n{}", "not-a-profile"),
        ("prediction,1 s,\nprediction,2 s", "duplicate-key"),
        ("prediction,0", "bad-time"),
        ("prediction,5%", "bad-time"),
        ("prediction,abc", "bad-time"),
        ("predicton,1\nname,time\na,1", "unknown-field"),
        ("prediction,1\nn,many", "bad-row"),
        ("prediction,1\np10,2", "not-in-order"),
        ("p90,1\np10,2\nname,time\na,1", "not-in-order"),
        ('{"profile": "coremltools", "efspec": 1, "samples_ns": [1, 1e300]}', "bad-time"),
        ("name,time,time\na,1,2", "duplicate-key"),
        ("name,time\na,1,2,3", "bad-row"),
        ("name,time\na,-1", "bad-time"),
        ("name,time\na,1e999", "bad-time"),
        ("name,time\na,1\nb,2%", "mixed-units"),
        ("name,share\na,1\nb,2 ms", "mixed-units"),
        ('name,time\n"a,1', "bad-row"),
        ("only", "bad-row"),
        ("name,colour\na,red", "not-a-profile"),
    ],
)
def test_what_is_no_profile_is_told(text: str, name: str) -> None:
    assert refused(text) == {name}


def test_mistakes_in_documents_say_where(tmp_path: Path) -> None:
    text = '{\n "profile": "coremltools", "efspec": 1,\n "samples_ns": [1, "2"]\n}'
    with pytest.raises(EfspecError) as raised:
        profile(text)
    (found,) = raised.value.diagnostics
    assert (found.line, found.column, found.field) == (3, 20, "samples_ns[1]")


def test_mistakes_in_tables_say_where() -> None:
    with pytest.raises(EfspecError) as raised:
        profile('name, note, time\na, "x, y", 1\nb, "1", two\n')
    (found,) = raised.value.diagnostics
    assert (found.line, found.column) == (3, 9)


def test_profiles_may_be_larger_than_specs(tmp_path: Path) -> None:
    file = tmp_path / "large.csv"
    file.write_text("prediction,1\n" + "# padding\n" * (MAX_BYTES // 8))
    profile = read_profile(read_source(file))
    assert isinstance(profile, Profile)
    assert profile.prediction == Prediction(1_000_000)


def test_semicolons_and_units_in_words() -> None:
    found = profile("prediction (us);12\nname;time [ns]\na;5\n")
    assert found.prediction == Prediction(12_000)
    assert found.ops == (ProfiledOp("a", 5 * 1e-6, ""),)


def test_profiles_complete_each_other() -> None:
    shares, whole = profile("name,time\na,1\n"), profile("prediction,2\nos,iOS 16\nload,3\n")
    both = together([shares, whole])
    assert (both.ops, both.prediction, both.load_ns) == (shares.ops, whole.prediction, 3_000_000)
    assert both.said == {"runtime": "Core ML", "os": "iOS 16"}
    for twice in ([shares, shares], [whole, whole]):
        with pytest.raises(EfspecError, match="several-profiles"):
            together(twice)


def test_executorch_times_of_several_networks_are_refused() -> None:
    one = {"metric": "avg_inference_latency(ms)", "actualValue": 1.0}
    assert refused(json.dumps([one, one])) == {"several-profiles"}


def probes() -> dict[str, Probe]:
    return read_manifest(document(read_source(SAMPLES / "probes" / "manifest.json")))


def times(text: str | None = None) -> Sheet:
    path = SAMPLES / "probes" / "times.csv"
    found = read_profile(read_source(path) if text is None else Source("it", text))
    assert isinstance(found, Sheet)
    return found


def test_times_of_probes_become_differences() -> None:
    found = differenced(read_times(times(), probes()), probes(), "times.csv")
    stem, ffn = (parse_key(probes()[f].key.text) for f in list(probes())[::3][:2])
    assert found.rows == {
        stem: Figure(p50_ns=50_000, method="differenced"),
        ffn: Figure(p50_ns=100_000, p10_ns=96_250, p90_ns=106_250, n=80, method="differenced"),
    }
    assert found.network == Figure(p50_ns=250_000, method="differenced")
    assert [doubt.rpartition(" by ")[2] for doubt in found.doubts] == ["+21%"]
    assert found.left_out == ("Head(num_classes=10; head=linear, norm=batch_norm2d) @ 16x4x4",)


def test_several_runs_of_a_package_are_one() -> None:
    rows = "file,median_ms\n" + "".join(f"001_FFN_x1.mlpackage,{ms}\n" for ms in (3, 1, 2))
    found = read_times(times(rows), probes())["001_FFN_x1.mlpackage"]
    assert (found.p50, found.p10, found.p90) == (2_000_000, 1_000_000, 3_000_000)


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("file,median_ms\n001_FFN_x2.mlpackage,1\nnone,2", ["no-such-package"] * 2),
        ("file,median_ms\n001_FFN_x1.mlpackage,0\nnone,2", ["bad-time", "no-such-package"]),
        ("file,median_ms,p10,p90\n001_FFN_x1.mlpackage,1,2,3", ["not-in-order"]),
        ("file,median_ms,n\n001_FFN_x1.mlpackage,1,-3", ["bad-row"]),
        ("file,colour\n001_FFN_x1.mlpackage,1", ["bad-row"]),
    ],
)
def test_wrong_times_are_told(text: str, names: list[str]) -> None:
    with pytest.raises(EfspecError) as raised:
        read_times(times(text), probes())
    assert [diagnostic.name for diagnostic in raised.value.diagnostics] == names


def test_parts_that_take_no_time_are_told() -> None:
    text = "file,median_ms\n001_FFN_x1.mlpackage,2\n001_FFN_x9.mlpackage,1"
    with pytest.raises(EfspecError, match="no-slope"):
        differenced(read_times(times(text), probes()), probes(), "it")


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("{}", "not-a-profile"),
        ('{"efspec": 1, "packages": [{"file": "a", "key": "b", "copies": 1}]}', "wrong-type"),
        (
            '{"efspec": 1, "packages": [{"key": "Downsample(out_dim=8) @ 4x8x8", "copies": 0}]}',
            "wrong-type",
        ),
    ],
)
def test_wrong_manifests_are_told(text: str, name: str) -> None:
    with pytest.raises(EfspecError, match=name):
        read_manifest(document(Source("it", text)))
