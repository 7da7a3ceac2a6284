"""Networks as pictures: SVG and Mermaid diagrams of one, a plot of many."""

from efspec.diagram.figure import Figure, figure
from efspec.diagram.mermaid import mermaid
from efspec.diagram.svg import svg

__all__ = ["Figure", "figure", "mermaid", "svg"]
