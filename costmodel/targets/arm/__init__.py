"""ARM: kernels and operators."""
