"""FPGA: pipelines and time-shared engines."""
