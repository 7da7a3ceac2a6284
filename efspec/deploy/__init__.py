"""Deployment: a plan and its weights as a leaner network that computes the same."""

from efspec.deploy.attention_bias import relative_offsets
from efspec.deploy.passes import PASSES, Deployed, Done, deploy
from efspec.deploy.weights import Array, Weights

__all__ = ["PASSES", "Array", "Deployed", "Done", "Weights", "deploy", "relative_offsets"]
