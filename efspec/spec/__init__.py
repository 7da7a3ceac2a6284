"""The spec language: what a network is, in YAML, and how it is read, checked and resolved."""
