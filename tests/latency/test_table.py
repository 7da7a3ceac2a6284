"""Files of tables: what is written reads as the same, and what is wrong is told."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import jsonschema
import pytest
import yaml
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

import efspec
from efspec.cli.schema import all_schemas
from efspec.errors import EfspecError
from efspec.latency import DeviceTable, Figure, dump_table, read_table
from efspec.latency.table import MAX_NS, MAX_ROWS
from tests.latency.tables import PROTOCOL, figure, table, table_of

SMALL = table(
    {
        "FFN(hidden_dim=8; act=gelu) @ 4x8x8": figure(5000, "differenced", spread=100),
        "Downsample(out_dim=8) @ 4x8x8": figure(900),
    },
    figure(70, "fitted"),
    description="Of nothing: for tests.",
)

figures = st.builds(
    lambda values, n, method: Figure(
        p10_ns=values[0], p50_ns=values[1], p90_ns=values[2], n=n, method=method
    ),
    st.lists(st.integers(0, 10**5), min_size=3, max_size=3).map(sorted),
    st.none() | st.integers(1, 1000),
    st.sampled_from(["measured", "differenced", "apportioned", "interpolated", "fitted"]),
)
rows = st.dictionaries(
    st.builds(
        "FFN(hidden_dim={}; act=gelu) @ {}x7x7".format, st.integers(1, 99), st.integers(1, 9)
    ),
    figures,
    max_size=5,
)


def read(text: str, folder: Path) -> DeviceTable:
    file = folder / "table.yaml"
    file.write_text(text)
    return read_table(file)


@given(rows=rows, network=st.none() | figures, batch=st.integers(1, 64), words=st.text(max_size=50))
def test_what_is_written_reads_as_the_same(
    rows: dict[str, Figure],
    network: Figure | None,
    batch: int,
    words: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    words = "".join(c for c in words if c.isprintable())
    protocol = PROTOCOL.model_copy(update={"batch": batch, "os": words})
    written = table(rows, network).model_copy(update={"protocol": protocol})
    text = dump_table(written, schema="device.schema.json")
    again = read(text, tmp_path_factory.mktemp("table"))
    assert again == written
    assert dump_table(again, schema="device.schema.json") == text


def test_a_table_is_a_row_per_key() -> None:
    assert dump_table(SMALL) == (
        "efspec: 1\n"
        "name: bench\n"
        'description: "Of nothing: for tests."\n'
        "protocol: {device: A bench, os: Linux, runtime: torch, unit: cpu, precision: fp32}\n"
        "network: {p50_ns: 70, method: fitted}\n"
        "rows:\n"
        "  Downsample(out_dim=8) @ 4x8x8:\n"
        "    {p50_ns: 900, method: measured}\n"
        "  FFN(hidden_dim=8; act=gelu) @ 4x8x8:\n"
        "    {p50_ns: 5000, p10_ns: 4900, p90_ns: 5100, n: 10, method: differenced}\n"
    )


def test_the_published_schema_takes_it() -> None:
    schema = yaml.safe_load(all_schemas()["device.schema.json"])
    jsonschema.validate(yaml.safe_load(dump_table(SMALL)), schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({**yaml.safe_load(dump_table(SMALL)), "rows": {"a": 1}}, schema)


def test_every_part_of_every_model_has_a_key_that_a_table_takes() -> None:
    plans = [efspec.resolve(efspec.load(name)) for name in ("v1_l3", "v2_l")]
    whole = table_of(*plans, ns=lambda key: 1000)
    assert len(whole.rows) == len(whole.figures) > 20


def test_noise_between_small_rows_is_no_contradiction() -> None:
    small, large = (f"FFN(hidden_dim={8 * n}; act=gelu) @ {n}x8x8" for n in (4, 8))
    assert table({small: figure(90_000), large: figure(1_000)})
    with pytest.raises(ValueError, match="the rows do not fit"):
        table({small: figure(200_000), large: figure(1_000)})
    assert table({small: figure(200_000), large: figure(11_000)})


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("", "empty-file"),
        ("- 1\n", "wrong-type"),
        ("efspec: 2\nname: a\n", "unsupported-format"),
        (dump_table(SMALL).replace("name: bench", "name: A Bench"), "bad-name"),
        (dump_table(SMALL).replace("fp32", "bf16"), "unknown-value"),
        (dump_table(SMALL).replace("p50_ns: 900", f"p50_ns: {MAX_NS + 1}"), "out-of-range"),
        (dump_table(SMALL).replace("p50_ns: 900", "p50_ns: -1"), "out-of-range"),
        (dump_table(SMALL).replace("p50_ns: 900", "p50_ns: 900.5"), "wrong-type"),
        (dump_table(SMALL).replace("p50_ns: 900", "p50_ns: nine"), "wrong-type"),
        (dump_table(SMALL).replace("p50_ns: 900", "p50_ns: .inf"), "wrong-type"),
        (dump_table(SMALL).replace("p50_ns: 900, ", ""), "missing-field"),
        (dump_table(SMALL).replace("method: measured", "method: guessed"), "unknown-value"),
        (dump_table(SMALL)[:-20], "yaml-syntax"),
        (dump_table(SMALL).replace("n: 10", "n: 0"), "out-of-range"),
        (dump_table(SMALL).replace("n: 10", "n: 10, noise: -0.1"), "out-of-range"),
        (dump_table(SMALL).replace("n: 10", "n: 10, noise: .nan"), "out-of-range"),
    ],
)
def test_what_is_wrong_is_told(text: str, name: str, tmp_path: Path) -> None:
    with pytest.raises(EfspecError) as error:
        read(text, tmp_path)
    assert name in {d.name for d in error.value.diagnostics}
    assert {d.file for d in error.value.diagnostics} == {str(tmp_path / "table.yaml")}


def test_words_with_commas_are_read_back(tmp_path: Path) -> None:
    words = PROTOCOL.model_copy(update={"unit": "cpu, 2 threads", "runtime": "a: b, [c], {d}"})
    whole = SMALL.model_copy(update={"protocol": words, "description": "One, two"})
    assert read(dump_table(whole), tmp_path) == whole


def test_a_table_has_limits(tmp_path: Path) -> None:
    rows = "".join(
        f"  F(a={n}) @ 3: {{p50_ns: {n}, method: fitted}}\n" for n in range(MAX_ROWS + 1)
    )
    with pytest.raises(EfspecError, match="at most 4,096 rows"):
        read(dump_table(table({})) + f"rows:\n{rows}", tmp_path)


TEXT = dump_table(SMALL)
PIECES = ["-1", "1e99", ".nan", "null", "FFN", " @ ", *"{}[]:,x&*\t\n\0"]


@settings(max_examples=400, deadline=None, phases=[Phase.generate])
@given(data=st.data())
def test_no_mangled_table_is_more_than_a_mistake(
    data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    text = TEXT
    for _ in range(data.draw(st.integers(1, 4))):
        start = data.draw(st.integers(0, len(text)))
        end = data.draw(st.integers(start, min(len(text), start + 30)))
        text = text[:start] + data.draw(st.sampled_from(PIECES)) + text[end:]
    with suppress(EfspecError):
        table = read(text, tmp_path_factory.mktemp("mangled"))
        assert all(0 <= row.range[0] <= row.p50_ns <= row.range[1] for row in table.rows.values())
