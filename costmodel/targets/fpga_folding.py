"""The former place of :mod:`costmodel.targets.fpga.folding`, for scripts that still name it."""

from costmodel.targets.fpga.folding import Fold, matrix_stages

__all__ = ["Fold", "matrix_stages"]
