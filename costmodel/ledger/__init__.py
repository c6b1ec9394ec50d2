"""Exact counts of operations and of bits moved."""
