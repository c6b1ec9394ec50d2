"""Export to QONNX: bipolar weights and activations, thresholds as ``MultiThreshold``, for FINN-style flows.

A program in double precision becomes an ONNX graph in single precision: sums of signs are ``Conv`` and ``MatMul`` with
initializers annotated BIPOLAR, scales and biases ``Mul`` and ``Add``, thresholds one ``MultiThreshold`` each (domain
``qonnx.custom_op.general``). A falling threshold is a rising one of the negated value. With ``standard=True`` a
threshold is ``Less``, ``Not`` and ``Where`` instead, and any ONNX runtime executes the graph.

Sums of signs stay exact; where a real number differs from its threshold by less than single precision resolves, a sign
can differ from the program's.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from costmodel.deploy.program import Array, Instruction, Program
from costmodel.errors import CostmodelError, MissingExtraError
from costmodel.files import atomic_write

DOMAIN = "qonnx.custom_op.general"
_OPSET = 13
_FAR = float(np.finfo(np.float32).max)


def export(program: Program, path: str | os.PathLike[str], *, standard: bool = False) -> Path:
    """Write ``program`` as an ONNX graph with a batch of one.

    Raises :class:`CostmodelError` for an instruction without a counterpart, and when ``path`` cannot be written.
    """
    data: bytes = to_model(program, standard=standard).SerializeToString()
    return atomic_write(path, data)


def to_model(program: Program, *, standard: bool = False) -> Any:
    """The ``onnx.ModelProto`` of a program in double precision."""
    try:
        import onnx
    except ImportError as error:
        raise MissingExtraError("export to QONNX", "onnx", "export") from error
    if program.fraction_bits is not None:
        raise CostmodelError("QONNX holds real numbers: export the program without fraction bits")
    writer = _Writer(program, standard)
    for instruction in program.instructions:
        function = _WRITERS.get(instruction.op)
        if function is None:
            raise writer.refuse(instruction, instruction.op)
        function(writer, instruction)
    graph = onnx.helper.make_graph(
        writer.nodes, program.network or "network",
        [_info(f"v{number}", shape) for number, _, shape in program.inputs],
        [_info(f"v{number}", writer.shapes[number]) for number in program.outputs],
        initializer=writer.initializers,
        value_info=[_info(name, shape) for name, shape in writer.inner.items() if name not in writer.booleans],
    )  # fmt: skip
    for name, kind in writer.types.items():
        pair = onnx.StringStringEntryProto(key="finn_datatype", value=kind)
        graph.quantization_annotation.append(
            onnx.TensorAnnotation(tensor_name=name, quant_parameter_tensor_names=[pair])
        )
    opsets = [onnx.helper.make_opsetid("", _OPSET)] + ([] if standard else [onnx.helper.make_opsetid(DOMAIN, 1)])
    model = onnx.helper.make_model(graph, producer_name="costmodel", opset_imports=opsets, ir_version=8)
    onnx.checker.check_model(model)
    return model


def _info(name: str, shape: tuple[int, ...]) -> Any:
    import onnx

    return onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, list(shape))


class _Writer:
    def __init__(self, program: Program, standard: bool) -> None:
        self.program, self.standard = program, standard
        self.nodes: list[Any] = []
        self.initializers: list[Any] = []
        self.types: dict[str, str] = {}
        self.shapes: dict[int, tuple[int, ...]] = {number: shape for number, _, shape in program.inputs}
        self.inner: dict[str, tuple[int, ...]] = {}  # shapes of what is neither input nor output
        self.booleans: set[str] = set()
        self._names = 0

    def constant(self, array: Array, kind: str = "") -> str:
        import onnx

        self._names += 1
        name = f"c{self._names}"
        stored = np.asarray(array)
        stored = stored if stored.dtype in (np.int64, np.bool_) else stored.astype(np.float32)
        self.initializers.append(onnx.numpy_helper.from_array(np.ascontiguousarray(stored), name))
        if kind:
            self.types[name] = kind
        return name

    def node(self, op: str, inputs: list[str], shape: tuple[int, ...], **attributes: Any) -> str:
        """A node on the way to a value; returns the name of its result."""
        self._names += 1
        output = f"t{self._names}"
        self.inner[output] = shape
        return self._append(op, inputs, output, **attributes)

    def _append(self, op: str, inputs: list[str], output: str, domain: str = "", **attributes: Any) -> str:
        import onnx

        self.nodes.append(onnx.helper.make_node(op, inputs, [output], domain=domain, **attributes))
        return output

    def finish(self, i: Instruction, op: str, inputs: list[str], **attributes: Any) -> None:
        """The last node of an instruction, which makes its value."""
        self.shapes[i.out] = i.shape or self.shapes[i.inputs[0]]
        if i.out not in self.program.outputs:
            self.inner[f"v{i.out}"] = self.shapes[i.out]
        self._append(op, inputs, f"v{i.out}", **attributes)

    def refuse(self, i: Instruction, what: str) -> CostmodelError:
        return CostmodelError(
            f"{i.module or 'the network'}: {what} has no counterpart in QONNX; the packed file has one"
        )


def _value(i: Instruction, position: int = 0) -> str:
    return f"v{i.inputs[position]}"


def _sum(writer: _Writer, i: Instruction) -> None:
    binary = "signs" in i.arrays
    weight = i.arrays["signs" if binary else "weight"]
    kind = "BIPOLAR" if binary else ""
    result = _value(i)
    bias = i.arrays.get("bias")
    if i.params.get("transposed"):
        raise writer.refuse(i, "a transposed convolution")
    if i.params["conv"]:
        pads = [int(p) for p in i.params["padding"]]
        attributes = {"kernel_shape": list(weight.shape[2:]), "strides": i.params["stride"], "pads": pads + pads,
                      "dilations": i.params["dilation"], "group": i.params["groups"]}  # fmt: skip
        inputs, op = [result, writer.constant(weight, kind)], "Conv"
        bias = None if bias is None else bias.reshape(1, -1, *(1 for _ in weight.shape[2:]))
    else:
        inputs, op, attributes = [result, writer.constant(weight.T, kind)], "MatMul", {}
    if bias is None:
        writer.finish(i, op, inputs, **attributes)
    else:
        writer.finish(i, "Add", [writer.node(op, inputs, i.shape, **attributes), writer.constant(bias)])


def _affine(writer: _Writer, i: Instruction) -> None:
    scale, bias = i.arrays["scale"], i.arrays["bias"]
    steps = [("Mul", scale)] * bool((scale != 1).any()) + [("Add", bias)] * bool((bias != 0).any())
    if not steps:
        writer.finish(i, "Identity", [_value(i)])
        return
    value = _value(i)
    for op, constant in steps[:-1]:
        value = writer.node(op, [value, writer.constant(constant)], i.shape)
    op, constant = steps[-1]
    writer.finish(i, op, [value, writer.constant(constant)])


def _prelu(writer: _Writer, i: Instruction) -> None:
    slope = i.arrays["slope"]
    writer.finish(i, "PRelu", [_value(i), writer.constant(slope.reshape(slope.shape[1:]))])


def _threshold(writer: _Writer, i: Instruction) -> None:
    narrow, source = _cuts(writer, i)
    zero = bool(i.params["zero"])
    writer.types[f"v{i.out}"] = "BINARY" if zero else "BIPOLAR"
    if writer.standard:
        below = writer.node("Less", [source, writer.constant(narrow)], i.shape)
        high = writer.node("Not", [below], i.shape)
        writer.booleans |= {below, high}
        low = writer.constant(np.array(0.0 if zero else -1.0))
        writer.finish(i, "Where", [high, writer.constant(np.array(1.0)), low])
        return
    _multi_threshold(writer, i, source, narrow[None], "BINARY" if zero else "BIPOLAR", *((1, 0) if zero else (2, -1)))


def _cuts(writer: _Writer, i: Instruction) -> tuple[Array, str]:
    """Thresholds of single precision, all rising, and what is compared with them: a falling one is of its negative.

    The first number of single precision on the upper side keeps the decision of every such number.
    """
    limits, falling = i.arrays["limits"], i.arrays["rising"] == 0
    cut = np.where(falling, -limits, limits)
    narrow = np.clip(cut, -_FAR, _FAR).astype(np.float32)
    narrow = np.where(narrow.astype(np.float64) < cut, np.nextafter(narrow, np.float32(np.inf)), narrow)
    source = _value(i)
    down = falling.any(0) if i.op == "levels" else falling  # all levels of a channel, or none
    if bool(down.any()):
        source = writer.node("Mul", [source, writer.constant(np.where(down, -1.0, 1.0))], i.shape)
    return np.clip(narrow, -_FAR, _FAR).astype(np.float32), source


def _multi_threshold(
    writer: _Writer, i: Instruction, source: str, cuts: Array, kind: str, stride: int, first: int
) -> None:
    """``cuts`` are the thresholds ``[levels - 1, ...]`` against the operand."""
    channels = cuts.shape[2] if cuts.ndim > 2 else 1
    if cuts[0].size not in (1, channels):
        raise writer.refuse(i, "a threshold that differs within a channel")
    if len(i.shape) not in (2, 4):
        raise writer.refuse(i, f"a threshold on {len(i.shape)} dimensions")
    writer.finish(
        i, "MultiThreshold", [source, writer.constant(cuts.reshape(len(cuts), -1).T)], domain=DOMAIN,
        out_dtype=kind, out_scale=float(stride), out_bias=float(first),
        data_layout="NCHW" if len(i.shape) == 4 else "NC",
    )  # fmt: skip


def _levels(writer: _Writer, i: Instruction) -> None:
    """Several thresholds of one value, and how many of them it reaches."""
    cuts, source = _cuts(writer, i)
    first, stride = i.params["first"], i.params["stride"]
    last = first + stride * len(cuts)
    kind = f"{'INT' if first < 0 else 'UINT'}{max(-first - 1, last).bit_length() + (first < 0)}"
    writer.types[f"v{i.out}"] = kind
    if not writer.standard:
        _multi_threshold(writer, i, source, cuts, kind, stride, first)
        return
    total = writer.constant(np.full((1,) * len(i.shape), float(first)))
    for k, cut in enumerate(cuts):
        below = writer.node("Less", [source, writer.constant(cut)], i.shape)
        writer.booleans.add(below)
        step = [below, writer.constant(np.array(0.0)), writer.constant(np.array(float(stride)))]
        sums = [total, writer.node("Where", step, i.shape)]
        total = writer.node("Add", sums, i.shape) if k + 1 < len(cuts) else ""
    writer.finish(i, "Add", sums)


def _add(writer: _Writer, i: Instruction) -> None:
    writer.finish(i, "Sub" if i.params["subtract"] else "Add", [_value(i), _value(i, 1)])


def _pool(writer: _Writer, i: Instruction) -> None:
    pads = [int(p) for p in i.params["padding"]]
    attributes = {"kernel_shape": i.params["kernel"], "strides": i.params["stride"], "pads": pads + pads}
    if set(i.params.get("dilation", [1])) != {1} or _reaches_beyond(writer, i):
        raise writer.refuse(i, "pooling with windows that are dilated or reach beyond the padding")
    if i.op == "max_pool":
        writer.finish(i, "MaxPool", [_value(i)], **attributes)
        return
    whole = (*writer.shapes[i.inputs[0]][:2], 1, 1)
    if tuple(i.params["kernel"]) == tuple(writer.shapes[i.inputs[0]][2:]) and not any(pads):
        mean = writer.node("GlobalAveragePool", [_value(i)], whole)
    else:
        mean = writer.node("AveragePool", [_value(i)], i.shape, count_include_pad=1, **attributes)
    count = writer.constant(np.array(float(np.prod(i.params["kernel"]))))
    total = writer.node("Mul", [mean, count], writer.inner[mean])
    writer.finish(i, "Reshape", [total, writer.constant(np.array(i.shape, np.int64))])


def _reaches_beyond(writer: _Writer, i: Instruction) -> bool:
    """Whether the last window of a dimension goes past the padding, as ``ceil_mode`` has it."""
    sizes, out = writer.shapes[i.inputs[0]][2:], i.shape[2:]
    if len(out) != len(sizes):
        return False
    ends = ((o - 1) * s + k for o, s, k in zip(out, i.params["stride"], i.params["kernel"], strict=True))
    return any(end > n + 2 * p for end, n, p in zip(ends, sizes, i.params["padding"], strict=True))


def _clip(writer: _Writer, i: Instruction) -> None:
    bounds = [writer.constant(np.array(float(i.params[k]))) if k in i.params else "" for k in ("min", "max")]
    writer.finish(i, "Clip", [_value(i), *bounds])


def _round(writer: _Writer, i: Instruction) -> None:
    op = {"round": "Round", "floor": "Floor", "ceil": "Ceil"}.get(i.params["fn"])
    if op is None:
        raise writer.refuse(i, i.params["fn"])
    writer.finish(i, op, [_value(i)])


def _simple(op: str) -> Callable[[_Writer, Instruction], None]:
    return lambda writer, i: writer.finish(i, op, [_value(i)])


def _move(writer: _Writer, i: Instruction) -> None:
    from costmodel.deploy.moves import RESHAPES, SAME

    name, arguments = i.params["fn"], i.params["arguments"]
    if "parts" in i.params:
        raise writer.refuse(i, "a concatenation with constants")
    if name in RESHAPES:
        writer.finish(i, "Reshape", [_value(i), writer.constant(np.array(i.shape, np.int64))])
    elif name in SAME:
        writer.finish(i, "Identity", [_value(i)])
    elif name == "permute":
        writer.finish(i, "Transpose", [_value(i)], perm=arguments[1])
    elif name in ("cat", "concat"):
        inputs = [_value(i, k) for k in range(len(i.inputs))]
        writer.finish(i, "Concat", inputs, axis=arguments[1] if len(arguments) > 1 else 0)
    elif name == "constant_pad_nd" and len(arguments[1]) == 4:
        left, right, top, bottom = arguments[1]
        pads = np.array([0, 0, top, left, 0, 0, bottom, right], np.int64)
        fill = i.params["fill"]
        writer.finish(i, "Pad", [_value(i), writer.constant(pads), writer.constant(np.array(float(fill)))])
    else:
        raise writer.refuse(i, name)


_WRITERS: dict[str, Callable[[_Writer, Instruction], None]] = {
    "xnor_sum": _sum, "signed_sum": _sum, "real_sum": _sum, "affine_real": _affine, "prelu_real": _prelu,
    "threshold": _threshold, "levels": _levels, "add": _add, "max_pool": _pool, "pooled_sum": _pool, "clamp": _clip,
    "move": _move,
    "relu": _simple("Relu"), "to_real": _simple("Identity"), "to_int": _simple("Identity"),
    "move_point": _simple("Identity"), "round_real": _round, "abs_real": _simple("Abs"),
}  # fmt: skip
