"""ONNX: files written straight from a plan and its weights, and running them."""
