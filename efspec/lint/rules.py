"""All rules, in the order of a network."""

from efspec.lint.activations import HARDSWISH
from efspec.lint.attention import STRIDED_KEYS, WIDE_ATTENTION
from efspec.lint.layouts import CONVERSIONS, LAYER_NORMS, NORMED_MAPS
from efspec.lint.neural_engine import LARGE_WINDOWS, ROUNDED_UPSAMPLING
from efspec.lint.stages import CHANNEL_GRAIN, FIFTH_STAGE
from efspec.lint.stems import PATCH_EMBEDDING

RULES = (
    PATCH_EMBEDDING,
    HARDSWISH,
    CHANNEL_GRAIN,
    WIDE_ATTENTION,
    STRIDED_KEYS,
    CONVERSIONS,
    LAYER_NORMS,
    FIFTH_STAGE,
    NORMED_MAPS,
    LARGE_WINDOWS,
    ROUNDED_UPSAMPLING,
)
"""What `lint` looks for."""
