"""Model cards: true, whole, and safe to hand on."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

import efspec
from efspec.card import Artefact, Card, Interface, html, markdown
from efspec.cost import Mes, Term, given, score
from efspec.errors import EfspecError
from efspec.resources import shipped_specs
from efspec.spec.dump import dump

NASTY = "<script>alert(1)</script> [x](javascript:y) | `code` *b* \\ & \"q\" 'r' ```"


def card_of(name: str = "v2_s0", **changes: Any) -> Card:
    spec = efspec.load(name)
    plan = efspec.resolve(spec)
    fields = {
        "plan": plan,
        "score": score(plan),
        "spec": dump(spec),
        "latency_from": "",
        "weights": "Weights: initial ones",
        "artefacts": (
            Artefact("code", f"{plan.name}.py", 900, ""),
            Artefact("weights", f"{plan.name}.safetensors", 14_659_144, ""),
            Artefact("coreml", f"{plan.name}.mlpackage", 7_263_334, "as the module"),
        ),
        "coreml": interface(f"{plan.name}.mlpackage"),
    }
    return Card(**fields | changes)


def interface(file: str, **changes: Any) -> Interface:
    fields = {
        "file": file, "precision": "fp16", "ios": 16, "image": False, "outputs": ("logits",),
        "labels": False, "findings": (("tokens", "inference", "works on tokens", 4, "Apple"),),
    }  # fmt: skip
    return Interface(**fields | changes)


class Page(HTMLParser):
    """What is in a page: its tags, all balanced, its text, and what it loads."""

    VOID = ("meta", "br", "link", "img")

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.words: list[str] = []
        self.loads: list[str] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.loads += [v for k, v in attrs if k in ("src", "href", "onload") and v]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words.append(data)


@pytest.mark.parametrize("name", shipped_specs())
def test_cards_of_shipped_specs(name: str) -> None:
    card = card_of(name)
    page, text = Page(html(card)), markdown(card)
    shown = "".join(page.words)
    for one in (shown, text):
        for row in card.score.stages:
            assert f"{row.macs:,}" in one
        assert f"{card.score.params:,}" in one
        assert card.plan.hash in one
        assert "No latency is known" in one
        assert card.spec.rstrip() in one
    assert page.loads == []
    assert text.count("```") % 2 == 0
    assert (html(card), markdown(card)) == (html(card_of(name)), markdown(card_of(name)))


def test_a_latency_comes_with_its_source() -> None:
    plan = efspec.resolve(efspec.load("v2_s0"))
    mes = Mes(100.0, {"params_folded": Term(3e6, -0.5), "latency_ms": Term(1.0, -1.0)})
    known = card_of(score=score(plan, given(0.9), mes), latency_from="given by hand")
    for text in ("".join(Page(html(known)).words), markdown(known)):
        assert "0.900 ms" in text
        assert "Latency: given by hand" in text
        assert "Mobile Efficiency Score" in text
        assert "No latency" not in text


@pytest.mark.parametrize(
    ("options", "lines"),
    [
        ({}, ["shape: [1, 3, 224, 224], dataType: .float16", 'featureValue(for: "logits")!.multi']),
        ({"precision": "fp32"}, ["dataType: .float32"]),
        ({"image": True}, ["MLFeatureValue(pixelBuffer: pixelBuffer)", "224 x 224 pixels"]),
        (
            {"labels": True, "outputs": ("classLabel", "classLabel_probs")},
            ['"classLabel")!.stringValue', '"classLabel_probs")!.dictionaryValue'],
        ),
        ({"outputs": ("stages_0", "stages_3")}, ["let stages0 = ", 'for: "stages_3")']),
    ],
)
def test_swift_uses_the_names_that_there_are(options: dict[str, Any], lines: list[str]) -> None:
    text = markdown(card_of(coreml=interface("x_y.mlpackage", **options)))
    assert 'forResource: "x_y", withExtension: "mlmodelc"' in text
    assert 'dictionary: ["image": image]' in text
    for line in lines:
        assert line in text


def test_python_of_a_card_is_python() -> None:
    for artefacts in (card_of().artefacts, ()):
        text = markdown(card_of(artefacts=artefacts))
        (code,) = re.findall("```python\n(.*?)```", text, re.DOTALL)
        compile(code, "card", "exec")


def test_what_users_write_is_text() -> None:
    nasty = Artefact("code", NASTY, 1, NASTY)
    fields = json.loads(dump(efspec.load("v2_s0"), format="json"))
    plan = efspec.resolve(efspec.load({**fields, "description": NASTY}))
    card = card_of(plan=plan, artefacts=(nasty,), weights=NASTY, spec=NASTY)
    page = Page(html(card))
    assert "script" not in page.tags
    assert page.loads == []
    assert "".join(page.words).count("<script>alert(1)</script>") >= 4
    body = markdown(card)
    outside = re.sub(r"^(````*)\w*\n.*?^\1$", "", body, flags=re.DOTALL | re.MULTILINE)
    assert "<script>" not in outside
    assert "](javascript" not in outside


def test_latency_of_a_device_says_how_it_is_known(tmp_path: Path) -> None:
    written = efspec.export(efspec.load("v2_s0"), tmp_path, targets=["card"], device="iphone12")
    score = efspec.score(efspec.load("v2_s0"), device="iphone12")
    for path in (written["card"], written["page"]):
        text = path.read_text()
        assert f"{score.latency_ms:.3f} ms" in text
        assert f"{score.mes:.1f}" in text
        assert "iPhone 12, iOS 16, Core ML" in text
        assert "100% fitted" in text
        assert "none is made up here" not in text


def test_a_network_that_a_device_does_not_know_is_not_built(tmp_path: Path) -> None:
    folder = tmp_path / "out"
    with pytest.raises(EfspecError, match="missing-latency"):
        efspec.export(
            efspec.load("v2_s0", set=["defaults.act=relu6"]),
            folder,
            targets=["card"],
            device="iphone12",
        )
    assert not list(folder.glob("*.md"))
