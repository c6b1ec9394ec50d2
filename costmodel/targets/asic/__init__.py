"""ASIC: arrays, memories and technologies."""
