"""ONNX and QONNX files as networks that PyTorch runs, so that the same tracer, kinds and rewrites apply to them.

A file is a list of nodes; each operator is one function (:mod:`~costmodel.load.onnx.table` holds them by name) that
calls PyTorch. Nothing in an ONNX file is code, and none of it is run as such.
"""

from __future__ import annotations
