"""Random valid specs, for hypothesis."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from efspec.plan.op import ACTIVATIONS

MAX_ATTENTION = 2**22
"""Attention elements per map: what a test can afford."""


def halved(space: tuple[int, int]) -> tuple[int, int]:
    """A map after a stride of 2."""
    return -(-space[0] // 2), -(-space[1] // 2)


@st.composite
def per_repeat(draw: Any, values: Any, repeat: int) -> Any:
    """One value, or one for each repeat."""
    if draw(st.booleans()):
        return draw(values)
    return [draw(values) for _ in range(repeat)]


ratios = st.sampled_from([0.5, 1, 1.7, 2, 3, 4])
rates = st.sampled_from([0.0, 0.1, 0.25])


@st.composite
def residual_options(draw: Any) -> dict[str, Any]:
    """Options that all blocks have."""
    entry: dict[str, Any] = {}
    repeat = draw(st.integers(1, 3))
    if repeat > 1 or draw(st.booleans()):
        entry["repeat"] = repeat
    if draw(st.booleans()):
        entry["expansion_ratio"] = draw(per_repeat(ratios, repeat))
    if draw(st.booleans()):
        entry["act"] = draw(st.sampled_from(ACTIVATIONS))
    if draw(st.booleans()):
        entry["layer_scale"] = draw(st.sampled_from([None, 1e-5, 0.1]))
    if draw(st.booleans()):
        entry["drop_path"] = draw(per_repeat(rates, repeat))
    return entry


@st.composite
def attention_options(draw: Any) -> dict[str, Any]:
    """Options that all attention has."""
    return {
        "num_heads": draw(st.integers(1, 4)),
        "key_dim": draw(st.integers(1, 9)),
        "attn_ratio": draw(st.sampled_from([1, 1.5, 2, 4])),
    }


@st.composite
def blocks(draw: Any, space: tuple[int, int]) -> dict[str, Any]:
    """An entry of `blocks` that can be on a map."""
    kind = draw(st.sampled_from(["mb4d", "mb3d", "ffn", "attn_ffn"]))
    entry = draw(residual_options())
    if kind in ("mb3d", "attn_ffn"):
        entry |= draw(attention_options())
        options: dict[str, Any] = {}
        queries = keys = space[0] * space[1]
        if kind == "attn_ffn":
            for flag in ("talking_heads", "local_v", "mid_conv"):
                if draw(st.booleans()):
                    options[flag] = draw(st.booleans())
            if space != (1, 1):
                options |= draw(st.sampled_from([{}, {"stride": 2}, {"kv_stride": 2}]))
                small = halved(space)[0] * halved(space)[1]
                queries = small if "stride" in options else queries
                keys = small if "stride" in options or "kv_stride" in options else keys
        if entry["num_heads"] * queries * keys <= MAX_ATTENTION:
            return {"type": kind, **entry, **options}
        kind = "ffn"
        for option in ("num_heads", "key_dim", "attn_ratio"):
            del entry[option]
    if kind == "mb4d" and draw(st.booleans()):
        entry["mixer"] = draw(st.sampled_from(["pool", "dwconv"]))
        entry["pool_size"] = draw(st.sampled_from([1, 3, 5]))
    return {"type": kind, **entry}


@st.composite
def heads(draw: Any, stages: int) -> dict[str, Any]:
    """A head."""
    kind = draw(st.sampled_from(["linear", "distilled", "features"]))
    if kind == "features":
        wanted = draw(st.sets(st.integers(0, stages - 1), min_size=1))
        norm = draw(st.sampled_from(["none", "batch", "layer"]))
        return {"type": kind, "stages": sorted(wanted), "norm": norm}
    norm = draw(st.sampled_from(["auto", "batch", "layer"]))
    return {"type": kind, "classes": draw(st.integers(1, 12)), "norm": norm}


@st.composite
def networks(draw: Any, max_size: int = 512) -> dict[str, Any]:
    """A spec: all block types, heads and options, odd and non-square sizes."""
    sizes = st.integers(32, max_size)
    height = draw(sizes)
    image = (height, draw(sizes) if draw(st.booleans()) else height)
    widths = st.integers(2, 20)
    width = draw(widths)
    if draw(st.booleans()):
        stem: dict[str, Any] = {"type": "conv_stem", "width": width}
        stride = 4
    else:
        stride = draw(st.sampled_from([4, 7, 8, 16]))
        kernel = draw(st.sampled_from([stride, stride + 1, 7, 3]))
        kernel += kernel < stride and kernel % 2 == 0
        stem = {"type": "patch_stem", "width": width, "kernel": kernel, "stride": stride}
    space = (-(-image[0] // stride), -(-image[1] // stride))
    stages: list[dict[str, Any]] = []
    for i in range(draw(st.integers(1, 4))):
        stage: dict[str, Any] = {}
        if i and draw(st.booleans()):
            width = draw(widths)
            options = {"num_heads": draw(st.integers(1, 4)), "key_dim": draw(st.integers(1, 9))}
            elements = options["num_heads"] * space[0] * space[1] * halved(space)[0]
            fits = space != (1, 1) and elements * halved(space)[1] <= MAX_ATTENTION
            attention = fits and draw(st.booleans())
            stage["downsample"] = (
                {"type": "attention", **options} if attention else {"type": "conv"}
            )
            space = halved(space)
        entries = [draw(blocks(space)) for _ in range(draw(st.integers(1, 3)))]
        stages.append({"width": width, **stage, "blocks": entries})
    defaults = draw(
        st.fixed_dictionaries(
            {},
            optional={
                "act": st.sampled_from(ACTIVATIONS),
                "layer_scale": st.sampled_from([None, 1e-5, 0.1]),
                "drop_path": st.sampled_from([0.0, 0.1, {"linear": 0.2}]),
            },
        )
    )
    return {
        "efspec": 1,
        "name": "random",
        "input": {"size": list(image), "channels": draw(st.sampled_from([1, 3]))},
        "defaults": defaults,
        "stem": stem,
        "stages": stages,
        "head": draw(heads(len(stages))),
    }
