"""The block types: one file each, listed here. README.md says how to add one."""

from efspec.blocks.attention_downsample import AttentionDownsampleSpec
from efspec.blocks.attn_ffn import AttnFFNSpec
from efspec.blocks.conv_downsample import ConvDownsampleSpec
from efspec.blocks.conv_stem import ConvStemSpec
from efspec.blocks.distilled_head import DistilledHeadSpec
from efspec.blocks.features_head import FeaturesHeadSpec
from efspec.blocks.ffn import FFNSpec
from efspec.blocks.linear_head import LinearHeadSpec
from efspec.blocks.mb3d import MB3DSpec
from efspec.blocks.mb4d import MB4DSpec
from efspec.blocks.options import BlockSpec, DownsampleSpec, Part, StemSpec
from efspec.blocks.patch_stem import PatchStemSpec
from efspec.blocks.registry import Registry

BLOCKS = Registry[BlockSpec](MB4DSpec, MB3DSpec, FFNSpec, AttnFFNSpec)
STEMS = Registry[StemSpec](ConvStemSpec, PatchStemSpec)
DOWNSAMPLES = Registry[DownsampleSpec](ConvDownsampleSpec, AttentionDownsampleSpec)
HEADS = Registry[Part](LinearHeadSpec, DistilledHeadSpec, FeaturesHeadSpec)
