"""From a ledger to the stages of a streaming design: which unit each layer becomes, and what flows between them.

A convolution, dense layer or matrix product becomes a matrix unit with its sliding window; a sign behind it becomes its
threshold; every other layer becomes as many operators of each kind as keep up with the slowest unit.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from math import ceil, log2, prod
from typing import Any

from costmodel.graph.domain import FLOAT_BITS, Domain, accumulator_bits
from costmodel.graph.ops import OPS
from costmodel.ledger.ledger import Charge, Layer, Ledger
from costmodel.targets.arith import round_up
from costmodel.targets.bits import narrowed
from costmodel.targets.fpga.streams import WindowShape
from costmodel.targets.fpga.units import MatrixShape
from costmodel.targets.kept import kept


@dataclass(frozen=True, slots=True)
class Widths:
    """Fixed-point widths that stand for real numbers on an FPGA: values, weights of real layers, network inputs, and,
    as (layer, bits), weights of single layers and values that single layers take in."""

    real: int
    weight: int
    input: int
    layers: tuple[tuple[int, int], ...] = ()
    values: tuple[tuple[int, int], ...] = ()

    def entering(self, layer: Layer, from_input: bool) -> int:
        """Bits of a value that a layer takes in."""
        wide = self.of(layer.a, from_input)
        if not self.values or not layer.a.is_float:
            return wide
        return next((bits for index, bits in self.values if index == layer.index), wide)

    def weight_of(self, layer: int) -> int:
        return next((bits for index, bits in self.layers if index == layer), self.weight)

    def of(self, domain: Domain, from_input: bool = False) -> int:
        if domain.is_float:
            return self.input if from_input else self.real
        return domain.bits

    def of_bits(self, bits: int) -> int:
        """Width of an operand of a charge, where real operands are written as 32 bits."""
        return self.real if bits >= FLOAT_BITS else bits


@dataclass(frozen=True, slots=True)
class Work:
    """``count`` operations per image of one kind, with operands of ``bits_a`` and ``bits_b`` bits."""

    kind: str
    tag: str
    count: int
    bits_a: int
    bits_b: int


@dataclass(frozen=True, slots=True)
class Stage:
    """One unit of the pipeline. ``layers`` are the ledger's layers that it computes, ``inputs`` the stages it reads.

    ``elements`` results per image of ``bits_out`` bits leave it in ``rows`` rows, ``bits_entered`` bits per image enter
    it through its first input; ``parameters`` are the constants of
    its element-wise work as (count, bits).
    """

    index: int
    layers: tuple[int, ...]
    op: str
    inputs: tuple[int, ...]
    elements: int
    channels: int
    rows: int
    bits_out: int
    bits_entered: int = 0
    matrix: MatrixShape | None = None
    window: WindowShape | None = None
    rows_in: int = 1
    work: tuple[Work, ...] = ()
    parameters: tuple[tuple[int, int], ...] = ()
    weight_bits: int = 0
    macs: int = 0

    @property
    def pool(self) -> bool:
        return self.op == "max_pool"


@kept
def stages(
    ledger: Ledger, widths: Widths, byte_accumulators: bool, host_scales_input: bool = False
) -> tuple[Stage, ...]:
    """The pipeline of a network, in execution order. ``byte_accumulators``: sums have whole bytes, at least two.

    ``host_scales_input``: what only scales, rounds or clamps the network's input is left to the host.
    """
    charges: dict[int, list[Charge]] = {}
    for charge in ledger.charges:
        charges.setdefault(charge.layer, []).append(charge)
    parameters: dict[int, list[tuple[int, int]]] = {}
    for t in ledger.traffic:
        if t.role == "parameter":
            parameters.setdefault(t.layer, []).append((t.count, widths.of_bits(t.bits)))
    readers = Counter(i for layer in ledger.layers for i in layer.inputs)
    merged = _thresholds_behind_matrices(ledger, readers)

    narrow = narrowed(_readers(ledger), widths.values) if widths.values else {}
    result: list[Stage] = []
    home: dict[int, int] = {-1: -1}  # layer -> stage that produces its result
    unprocessed = {-1}  # stages that only scale or round the network's input
    thresholds = set(merged.values())
    for layer in ledger.layers:
        index = layer.index
        if index in thresholds:
            continue
        inputs = tuple(dict.fromkeys(home[i] for i in layer.inputs))
        if host_scales_input and OPS[layer.op].prepares and inputs == (-1,):
            home[index] = -1
            continue
        raw = all(i in unprocessed for i in inputs)
        behind = ledger.layers[merged[index]] if index in merged else None
        levels = 0 if behind is None else _levels(behind, charges.get(behind.index, []))
        stage = _stage(len(result), layer, inputs, widths, raw, charges.get(index, []), parameters.get(index, []),
                       byte_accumulators, behind, levels)  # fmt: skip
        if layer.out.is_float and behind is None and index in narrow:
            stage = replace(stage, bits_out=narrow[index])
        if layer.a.is_float and layer.inputs and layer.inputs[0] in narrow:
            stage = replace(stage, bits_entered=prod(layer.shape_in) * narrow[layer.inputs[0]])
        if raw and OPS[layer.op].prepares:
            unprocessed.add(stage.index)
        for each in stage.layers:
            home[each] = stage.index
        result.append(stage)
    return tuple(result)


def _readers(ledger: Ledger) -> dict[int, list[int]]:
    found: dict[int, list[int]] = {}
    for layer in ledger.layers:
        for source in layer.inputs:
            found.setdefault(source, []).append(layer.index)
    return found


def _thresholds_behind_matrices(ledger: Ledger, readers: Mapping[int, int]) -> dict[int, int]:
    """Matrix layer -> threshold layer that is the only one to read it."""
    by_index = {layer.index: layer for layer in ledger.layers}
    found: dict[int, int] = {}
    for layer in ledger.layers:
        if layer.op in ("threshold", "sign") and len(layer.inputs) == 1:
            source = by_index.get(layer.inputs[0])
            if source is not None and OPS[source.op].product and readers[source.index] == 1:
                found[source.index] = layer.index
    return found


def _stage(
    index: int, layer: Layer, inputs: tuple[int, ...], widths: Widths, raw: bool, charges: list[Charge],
    parameters: list[tuple[int, int]], byte_accumulators: bool, threshold: Layer | None, levels: int,
) -> Stage:  # fmt: skip
    """The stage of a layer, and of the threshold behind it where there is one, of ``levels`` comparisons a result."""
    layers: tuple[int, ...] = (layer.index,)
    bits_out = widths.of(layer.out, raw and OPS[layer.op].prepares)
    matrix, weight_bits = None, 0
    if OPS[layer.op].product and layer.b is not None and layer.n_terms:
        if threshold is not None:
            layers, bits_out = (layer.index, threshold.index), threshold.out.bits
        matrix = _matrix(layer, widths, raw, byte_accumulators, levels)
        window = _window(layer, matrix.bits_a)
        weights = prod(layer.shape_b) if layer.shape_b else matrix.mw * matrix.mh
        weight_bits = weights * matrix.bits_w
        charges = [c for c in charges if c.tag in ("bias", "bn_bias") or "bias" in c.tag.split("+")]
    else:
        assert threshold is None, layer
        window = _window(layer, widths.of(layer.a)) if layer.op in ("max_pool", "avg_pool") else None
    return Stage(
        index, layers, layer.op, inputs, prod(layer.shape_out), _channels(layer.shape_out), _rows(layer.shape_out),
        bits_out, prod(layer.shape_in) * widths.of(layer.a, raw), matrix, window, _rows(layer.shape_in),
        tuple([_work(c, widths) for c in charges]), tuple(parameters), weight_bits, layer.macs,
    )  # fmt: skip


# Equal parts of stages are one object, by which stages that are alike are found.
_make_matrix = lru_cache(maxsize=4096)(MatrixShape)
_make_window = lru_cache(maxsize=4096)(WindowShape)
_make_work = lru_cache(maxsize=8192)(Work)


def _matrix(layer: Layer, widths: Widths, from_input: bool, byte_accumulators: bool, levels: int) -> MatrixShape:
    assert layer.b is not None
    bits_a = widths.entering(layer, from_input)
    bits_w = widths.weight_of(layer.index) if layer.b.is_float else layer.b.bits
    groups = layer.window.groups if layer.window else 1
    mh = layer.shape_out[1] if layer.op == "conv" else layer.shape_out[-1]
    vectors = max(layer.macs // (layer.n_terms * mh), 1)
    acc = accumulator_bits(layer.n_terms, bits_a, bits_w)
    if layer.a.is_float or layer.b.is_float:
        acc = bits_a + bits_w + ceil(log2(max(layer.n_terms, 2)))
    if byte_accumulators:
        acc = max(16, round_up(acc, 8))
    return _make_matrix(layer.n_terms, mh, vectors, bits_a, bits_w, acc, levels, groups > 1, layer.b.kind == "pow2")


def _window(layer: Layer, bits: int) -> WindowShape | None:
    """The sliding window of a spatial layer; a 1 x 1 kernel of stride 1 needs none."""
    w = layer.window
    if w is None or len(layer.shape_in) < 3 or (max(w.kernel) == 1 and max(w.stride) == 1):
        return None
    row = prod(layer.shape_in[3:])
    return _make_window(row, layer.shape_in[1], bits, w.kernel[0], w.stride[0], w.padding[0])


def _levels(threshold: Layer, charges: list[Charge]) -> int:
    """Comparisons that a threshold makes a result: one for a sign, more for a quantiser."""
    return max(1, sum(c.count for c in charges if c.kind == "compare") // max(prod(threshold.shape_out), 1))


def _work(charge: Charge, widths: Widths) -> Work:
    bits_a, bits_b = widths.of_bits(charge.bits_a), widths.of_bits(charge.bits_b)
    return _make_work(charge.kind, charge.tag, charge.count, bits_a, bits_b)


def _channels(shape: tuple[int, ...]) -> int:
    return shape[1] if len(shape) > 2 else shape[-1] if shape else 1


def _rows(shape: tuple[int, ...]) -> int:
    """Rows in which a tensor streams: of an image its height, of anything else one."""
    return shape[2] if len(shape) > 3 else 1


def describe(stage: Stage) -> dict[str, Any]:
    """Geometry of a stage, for messages."""
    m = stage.matrix
    return {"op": stage.op, "matrix": None if m is None else (m.mh, m.mw, m.vectors)}


def matrix_rows(design: Sequence[Stage]) -> int:
    """The most rows that any matrix has."""
    return max((stage.matrix.mh for stage in design if stage.matrix is not None), default=0)
