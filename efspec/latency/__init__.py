"""Latencies of devices: tables, where they come from, and what they say of networks."""
