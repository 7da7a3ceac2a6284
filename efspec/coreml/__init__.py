"""Core ML: packages written from a plan, without tracing, the same to the byte each time."""
