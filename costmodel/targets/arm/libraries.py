"""Work of the kernel libraries that do not copy patches row by row: ncnn and XNNPACK, and those of microcontrollers.

``panels``: products are multiplied from panels that hold a tensor once; every tensor is copied a few times on its way
(``copies``), a 3x3 convolution of stride one takes a part of its products (``winograd``), a depthwise convolution takes
more time for each (``depthwise``). Nothing is called pixel by pixel, and threads lose a share (``thread_loss``).

``direct``: a product and a result cost cycles, wherever they lie; weights that are read for one result only, those of a
dense layer, cost their bytes as well.
"""

from __future__ import annotations

from costmodel.targets.arm.library import Library, Work, pointwise, weights
from costmodel.targets.arm.operators import Operator

#: Terms of a sum below which Winograd's transforms cost more than they save: a kernel of 3x3 on sixteen channels.
WINOGRAD_TERMS = 9 * 16
PRODUCTS = ("binary_conv", "real_conv", "matmul", "depthwise", "binary_linear", "real_linear")


def work(op: Operator, library: Library, real_bytes: int, real: str) -> list[Work]:
    """Work of one operator that multiplies or moves real numbers of ``real_bytes`` bytes."""
    if library.style == "panels":
        return panels(op, library, real_bytes, real)
    return direct(op, real_bytes, real)


def panels(op: Operator, library: Library, real_bytes: int, real: str) -> list[Work]:
    """Products, and the bytes of operands, results and weights."""
    moved = (sum(op.elements_in) + op.elements_out) * real_bytes
    lines = [Work("memory", op.layer.op, moved, ("copies", "seconds_per_byte"), False)]
    if op.kind in PRODUCTS:
        factors: tuple[str, ...] = (f"cycles_{real}_mac", "real_slowdown")
        if op.kind == "depthwise":
            factors += ("depthwise",)
        elif library.winograd and _is_winograd(op):
            factors += ("winograd",)
        lines.append(Work("compute", "mul", op.layer.macs, factors, True, True))
        lines.append(Work("memory", "weight", weights(op) * real_bytes, ("seconds_per_byte",), False))
    return lines


def direct(op: Operator, real_bytes: int, real: str) -> list[Work]:
    """Products and results in cycles; of other operators, and of the weights of dense layers, the bytes."""
    if op.kind not in PRODUCTS:
        moved = (sum(op.elements_in) + op.elements_out) * real_bytes * max(op.passes, 1)
        return [Work("memory", op.layer.op, moved, ("seconds_per_byte",), False)]
    factors = (f"cycles_{real}_mac", "real_slowdown") + (("depthwise",) if op.kind == "depthwise" else ())
    lines = [
        Work("compute", "mul", op.layer.macs, factors, True, True),
        Work("compute", "output", op.elements_out, (f"cycles_{real}_output", "real_slowdown"), True, True),
    ]
    if op.kind in ("real_linear", "binary_linear"):
        lines.append(Work("memory", "weight", weights(op) * real_bytes, ("seconds_per_byte",), False))
    return lines


def _is_winograd(op: Operator) -> bool:
    window = op.layer.window
    return (
        not pointwise(op)
        and window is not None
        and window.kernel == (3, 3)
        and window.stride == (1, 1)
        and window.dilation == (1, 1)
        and op.layer.n_terms >= WINOGRAD_TERMS
    )
