"""Model cards: what a network is, costs and comes with, on one page."""

from efspec.card.card import Artefact, Card, Interface, html, markdown

__all__ = ["Artefact", "Card", "Interface", "html", "markdown"]
