"""The table of operations: one row each, with the class of its attributes and every trait that some code asks for.

A new operation is a row here, a rule in :mod:`costmodel.graph.charge`, and whoever emits it. Code that treats some
operations alike asks for a trait and never for a list of names.
"""

from __future__ import annotations

from dataclasses import dataclass

from costmodel.errors import UnknownNameError
from costmodel.graph.attrs import (
    Add,
    Affine,
    Attrs,
    Call,
    Choose,
    Clamp,
    Compare,
    Gate,
    Move,
    Norm,
    Pool,
    Product,
    Reduce,
    Registered,
    Round,
    Softmax,
    Stated,
    Threshold,
    Unknown,
    Variance,
)


@dataclass(frozen=True, slots=True)
class Op:
    """One operation: ``attrs`` is the class of what a node of it carries, the rest are its traits."""

    name: str
    attrs: type[Attrs] = Attrs

    # What it computes.
    product: bool = False  # a sum of products
    weighted: bool = False  # a sum of products whose second factor may be weights
    moves: bool = False  # renames, reorders or copies elements: no arithmetic
    joins: bool = False  # its operands lie side by side in its result
    elementwise: bool = False  # each element of the result from the elements of the operands at its place
    pool: bool = False  # windows of a map, each channel by itself
    decides: bool = False  # two or three values by a comparison

    # What may be exchanged with it.
    monotone: bool = False  # in its one operand, for all constants
    linear: bool = False  # f(c x) = c f(x) for every number c
    homogeneous: bool = False  # f(c x) = c f(x) for positive c, in all operands together
    keeps_channels: bool = False  # element [n, c, ...] of the result depends on elements [n, c, ...] alone
    selects: bool = False  # every element of the result is an element of the operands
    sums: bool = False  # its results are sums, so that a zero among them is a tie and not a value that was meant

    # How it runs.
    on_grid: bool = False  # has a form on integers
    executable: bool = True  # has an instruction; without, a deployed network that needs it is refused
    exportable: bool = True  # that instruction has a counterpart in QONNX

    # How hardware takes it.
    streamed: bool = False  # takes one element at a time, behind the unit that makes it
    whole_image: bool = False  # needs a whole image before its first result
    prepares: bool = False  # may be done to the network's input without making it wider than it came
    fuses: bool = False  # a CPU runtime clips with it in the operator before
    takes_fused: bool = False  # a CPU runtime clips in this operator
    one_pass: bool = False  # a CPU runtime reads and writes the tensor once


_TABLE = (
    # sums of products
    Op("conv", Product, product=True, weighted=True, sums=True, on_grid=True),
    Op("linear", Product, product=True, weighted=True, sums=True, on_grid=True, whole_image=True),
    Op("matmul", Product, product=True, sums=True, on_grid=True, exportable=False, whole_image=True),
    # element by element
    Op("affine", Affine, elementwise=True, monotone=True, sums=True, on_grid=True, streamed=True, prepares=True,
       takes_fused=True),
    Op("add", Add, elementwise=True, homogeneous=True, sums=True, on_grid=True, streamed=True, takes_fused=True),
    Op("mul", Gate, elementwise=True, exportable=False, streamed=True, takes_fused=True),
    Op("square", Gate, elementwise=True, exportable=False, streamed=True, one_pass=True),
    Op("prelu", elementwise=True, homogeneous=True, sums=True, on_grid=True, streamed=True, one_pass=True),
    Op("relu", elementwise=True, monotone=True, homogeneous=True, on_grid=True, streamed=True, fuses=True,
       one_pass=True),
    Op("clamp", Clamp, elementwise=True, monotone=True, on_grid=True, streamed=True, prepares=True, fuses=True,
       one_pass=True),
    Op("minimum", elementwise=True, exportable=False, streamed=True),
    Op("maximum", elementwise=True, exportable=False, streamed=True),
    Op("abs", elementwise=True, streamed=True, one_pass=True),
    Op("round", Round, elementwise=True, monotone=True, streamed=True, prepares=True, one_pass=True),
    Op("sign", elementwise=True, decides=True, monotone=True, exportable=False, streamed=True),
    Op("compare", Compare, elementwise=True, decides=True, monotone=True, exportable=False, streamed=True),
    Op("threshold", Threshold, on_grid=True, streamed=True),
    Op("where", Choose, elementwise=True, exportable=False, streamed=True),
    Op("logical", Call, elementwise=True, exportable=False, streamed=True),
    Op("special", Call, elementwise=True, exportable=False, streamed=True, one_pass=True),
    # windows and reductions
    Op("max_pool", pool=True, homogeneous=True, selects=True, sums=True, on_grid=True, takes_fused=True),
    Op("avg_pool", Pool, pool=True, linear=True, homogeneous=True, keeps_channels=True, on_grid=True,
       takes_fused=True),
    Op("gap", Pool, pool=True, linear=True, homogeneous=True, keeps_channels=True, on_grid=True, streamed=True,
       whole_image=True, takes_fused=True),
    Op("mean", Pool, on_grid=True, exportable=False, streamed=True, whole_image=True),
    Op("reduce", Reduce, on_grid=True, exportable=False, whole_image=True),
    Op("variance", Variance, executable=False, exportable=False, whole_image=True),
    Op("norm", Norm, exportable=False, whole_image=True),
    Op("softmax", Softmax, exportable=False, whole_image=True),
    # moves
    Op("view", Move, moves=True, linear=True, homogeneous=True, selects=True, on_grid=True),
    Op("permute", Move, moves=True, linear=True, homogeneous=True, selects=True, on_grid=True),
    Op("slice", Move, moves=True, linear=True, homogeneous=True, selects=True, on_grid=True, exportable=False),
    Op("expand", Move, moves=True, linear=True, homogeneous=True, selects=True, on_grid=True, exportable=False),
    Op("pad", Move, moves=True, linear=True, keeps_channels=True, selects=True, on_grid=True),
    Op("concat", Move, moves=True, joins=True, homogeneous=True, selects=True, on_grid=True),
    Op("stack", Move, moves=True, homogeneous=True, selects=True, on_grid=True, exportable=False),
    Op("cast", Move, moves=True, elementwise=True, monotone=True, linear=True, homogeneous=True, keeps_channels=True,
       selects=True, on_grid=True),
    Op("recode", moves=True, selects=True, on_grid=True, exportable=False),  # two values under other names
    Op("gather", Call, moves=True, selects=True, on_grid=True, exportable=False),
    Op("alias_write", Move, moves=True, selects=True, on_grid=True, executable=False, exportable=False),
    # tables, and what is counted where it is seen
    Op("embedding", executable=False, exportable=False),
    Op("resample", Stated, executable=False, exportable=False),
    Op("stated", Stated, executable=False, exportable=False),
    Op("registered", Registered, exportable=False),  # by the user
    Op("unknown", Unknown, executable=False, exportable=False),
)  # fmt: skip

OPS: dict[str, Op] = {op.name: op for op in _TABLE}


def op(name: str) -> Op:
    """The row of an operation. Raises :class:`UnknownNameError` for a name that is not in the table."""
    try:
        return OPS[name]
    except KeyError:
        raise UnknownNameError("operation", name, tuple(OPS)) from None
