"""The spec of a network, format 1."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, Any, Literal, Union

from pydantic import Field, PrivateAttr, field_validator, model_validator
from pydantic import Strict as StrictMode
from pydantic_core import PydanticCustomError

from efspec.blocks import BLOCKS, DOWNSAMPLES, HEADS, STEMS
from efspec.blocks.options import (
    Act,
    BlockSpec,
    Expected,
    Items,
    LayerScale,
    Part,
    Rate,
    Width,
)
from efspec.spec.source_map import SourceMap

FORMAT = 1
MAX_SIZE = 8192
MIN_SIZE = 32
MAX_STAGES = 64
MAX_ENTRIES = 1024

if TYPE_CHECKING:  # the registries are the definition; a type checker needs a name for them
    from efspec.blocks.attention_downsample import AttentionDownsampleSpec
    from efspec.blocks.conv_downsample import ConvDownsampleSpec
    from efspec.blocks.conv_stem import ConvStemSpec
    from efspec.blocks.distilled_head import DistilledHeadSpec
    from efspec.blocks.features_head import FeaturesHeadSpec
    from efspec.blocks.linear_head import LinearHeadSpec
    from efspec.blocks.patch_stem import PatchStemSpec

    AnyBlock = BlockSpec
    AnyStem = ConvStemSpec | PatchStemSpec
    AnyDownsample = ConvDownsampleSpec | AttentionDownsampleSpec
    AnyHead = LinearHeadSpec | DistilledHeadSpec | FeaturesHeadSpec
else:
    AnyBlock = Annotated[Union[BLOCKS], Field(discriminator="type")]  # noqa: UP007
    AnyStem = Annotated[Union[STEMS], Field(discriminator="type")]  # noqa: UP007
    AnyDownsample = Annotated[Union[DOWNSAMPLES], Field(discriminator="type")]  # noqa: UP007
    AnyHead = Annotated[Union[HEADS], Field(discriminator="type")]  # noqa: UP007
