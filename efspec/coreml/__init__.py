"""Core ML: programs written straight from a plan and its weights."""
