"""PyTorch: modules built from generated source, an interpreter, and checkpoints."""
