"""Fitting, on points whose cost model is known."""

from __future__ import annotations

from pathlib import Path

import pytest

import efspec
from efspec.errors import EfspecError
from efspec.latency.determined import bounds_of
from efspec.latency.fit import FitReport, fit
from efspec.latency.forms import FIXED, Counted, Form, choose, everything, forms
from efspec.latency.model import TermsSpec
from efspec.latency.points import PointsSpec, observed
from efspec.latency.predict import parts_ns
from efspec.latency.residuals import residuals
from tests.latency.tables import PROTOCOL

NAMES = ("v1_l1", "v1_l3", "v1_l7", "v2_s0", "v2_s1", "v2_s2", "v2_l")
FIXED_NS = 300_000
TRUTH = TermsSpec.model_validate(
    {
        "roofline": {"ns": 15.0, "per": "kB", "macs_per_byte": 40},
        "wide_heads": {"ns": 50_000.0, "per": "head"},
    }
)
CLOSE = 1e-4
"""Milliseconds are written to a nanosecond, so a coefficient is not what it was to the digit."""


def points(names: tuple[str, ...] = NAMES, sizes: tuple[int, ...] = (224, 512)) -> PointsSpec:
    """What networks would take if the truth were known."""
    found = []
    for name in names:
        for size in sizes:
            change = f"input.size={size}"
            plan = efspec.resolve(efspec.load(name, set=[change]))
            ms = (FIXED_NS + parts_ns(TRUTH, plan)) / 1e6
            found.append(
                {
                    "name": f"{name} @ {size}",
                    "spec": name,
                    "set": [change],
                    "model": name,
                    "ms": ms,
                    "step": 1e-6,
                    "source": "truth",
                    "status": "measured",
                }
            )
    return PointsSpec.model_validate(
        {
            "efspec": 1,
            "name": "bench",
            "protocol": PROTOCOL,
            "sources": {"truth": "Computed."},
            "points": found,
        }
    )


@pytest.fixture(scope="module")
def report() -> FitReport:
    return fit(points(), Path())


def test_a_known_model_is_found(report: FitReport) -> None:
    terms = report.model.terms
    assert report.form.columns == (FIXED, "roofline", "wide_heads")
    assert report.form.macs_per_byte == 40
    assert report.fixed_ns == pytest.approx(FIXED_NS, rel=CLOSE)
    assert terms.roofline
    assert terms.wide_heads
    assert terms.roofline.ns == pytest.approx(15.0, rel=CLOSE)
    assert terms.wide_heads.ns == pytest.approx(50_000.0, rel=CLOSE)


def test_it_is_right_about_what_it_has_not_seen(report: FitReport) -> None:
    assert [errors.input for errors in report.model.held_out] == [224, 512]
    assert all(errors.largest <= CLOSE for errors in report.model.held_out)
    for row in residuals(report.model):
        assert row.unseen_error == pytest.approx(0, abs=CLOSE)
        assert row.fitted_error == pytest.approx(0, abs=CLOSE)


def test_its_domain_is_what_the_networks_had(report: FitReport) -> None:
    domain = report.model.domain
    assert domain.input == (224, 512)
    assert {"conv 3x3", "depthwise 3x3", "gelu", "softmax", "layer_norm"} < set(domain.ops)
    assert "hardswish" not in domain.ops
    assert domain.largest["wide_heads"] == 8


def test_small_images_alone_do_not_tell_wide_heads() -> None:
    """No network at 224 pixels has any, so no form may say what they cost."""
    found = fit(points(sizes=(224,)), Path())
    assert found.model.terms.wide_heads is None
    assert found.model.domain.input == (224, 224)
    assert not any("queries" in text for text in found.model.undetermined)
    counted = Counted(observed(points(sizes=(224,)), Path()))
    bounds = bounds_of(counted, everything(), 0.2)
    assert {bound.term for bound in bounds} == set(everything().columns) - {"wide_heads"}
    assert all(0 <= bound.least < bound.most and 0 < bound.share <= 1 for bound in bounds)
    assert bounds_of(counted, Form(("wide_heads",)), 0.2) == ()


def test_any_unit_of_time_will_do() -> None:
    """Networks that take microseconds, and points that no model can explain."""
    tiny = [point.model_copy(update={"ms": point.ms * 1e-3}) for point in points().points]
    found = fit(points().model_copy(update={"points": tuple(tiny)}), Path())
    assert all(row.fitted_ms > 0 for row in residuals(found.model))
    wild = [point.model_copy(update={"ms": 10.0 ** (i % 7 - 3)}) for i, point in enumerate(tiny)]
    odd = fit(points().model_copy(update={"points": tuple(wild)}), Path())
    assert odd.model.interval.high > 10


def test_fitting_is_repeatable(report: FitReport) -> None:
    assert fit(points(), Path()) == report


def test_a_report_is_for_programs_too(report: FitReport) -> None:
    data = report.as_dict()
    assert data["model"]["terms"]["roofline"]["macs_per_byte"] == 40
    assert data["held"][0]["network"] == "v1_l1 @ 224"
    assert data["form"]["terms"] == ("roofline", "wide_heads")


def test_its_table_says_that_all_is_fitted(report: FitReport) -> None:
    table = report.table(points(), "bench-points.yaml")
    assert (table.name, table.points, table.protocol) == ("bench", "bench-points.yaml", PROTOCOL)
    assert table.network
    assert (table.network.p50_ns, table.network.method) == (report.fixed_ns, "fitted")
    assert table.model == report.model
    assert table.rows == {}


def test_few_models_allow_few_coefficients() -> None:
    few = Counted(observed(points(NAMES[:5]), Path()))
    assert len(choose(few, [True] * len(few.networks), forms()).columns) == 2


def test_too_few_models_are_refused() -> None:
    with pytest.raises(EfspecError) as error:
        fit(points(NAMES[:3]), Path(), file="points.yaml")
    (diagnostic,) = error.value.diagnostics
    assert (diagnostic.name, diagnostic.file) == ("too-few-points", "points.yaml")
    assert "3 models" in diagnostic.message
