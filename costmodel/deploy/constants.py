"""The numbers behind the constants of a graph, in double precision."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from costmodel.deploy.moves import listed, move
from costmodel.deploy.program import Array, Instruction
from costmodel.deploy.sums import correlate
from costmodel.errors import CostmodelError
from costmodel.graph.affine import Laid, Part, Step
from costmodel.graph.attrs import Product
from costmodel.graph.domain import Domain
from costmodel.graph.node import Graph, Node
from costmodel.graph.operands import Constant, Summed

#: Relative deviation that straight-through estimators leave on magnitudes that are equal; see trace/domains.py.
RESIDUE = 3e-6
#: The same for a product of a few constants in single precision, as for scales that are tied to a stream.
TIED_RESIDUE = 1e-5


#: What a constant that is the size of values in units (its ``sizes``) is.
Size = Callable[[Constant], float]


def _unit(constant: Constant) -> float:
    return 1.0


class Constants:
    """Looks constants up in the values that a graph was traced with.

    Every array has as many dimensions as the tensor it acts on, the first being the batch of one, and size one along
    each dimension on which it does not depend.
    """

    def __init__(self, graph: Graph) -> None:
        self._values = graph.values
        self._sums: dict[int, Node] = {}  # a sum that reads each weight
        self._grids: dict[int, Domain] = {}  # weights on a grid of several levels, or around no zero
        for node in graph.nodes:
            if "weight" in node.consts:
                weight = node.consts["weight"]
                self._sums[weight.id] = node
                if node.of(Product).weight.kind == "int" or node.of(Product).weight.asymmetric:
                    self._grids[weight.id] = node.of(Product).weight

    def tensor(self, constant: Constant) -> Array:
        """The tensor itself, in its own shape."""
        if constant.id not in self._values:
            if not self._values:
                raise CostmodelError("the graph has no values: trace the network with values=True")
            raise CostmodelError(f"the value of the constant {constant.path or constant.id} was not recorded")
        value: Any = self._values[constant.id]
        return np.asarray(value.detach().double().cpu().numpy(), dtype=np.float64)

    def oriented(self, node: Node) -> Array:
        """The weights of a sum with output channels first: ``[o, i / groups, *kernel]`` or ``[o, i]``."""
        weight = self.tensor(node.consts["weight"])
        if node.op != "conv":
            if node.of(Product).by_rows:
                return weight.reshape(-1, weight.shape[-1])
            return weight if node.of(Product).exchanged else np.ascontiguousarray(weight.swapaxes(0, -1))
        if node.window is None or not node.window.transposed:
            return weight
        inputs, outputs, *kernel = weight.shape
        groups = node.window.groups
        turned = weight.reshape(groups, inputs // groups, outputs, *kernel).swapaxes(1, 2)
        return np.ascontiguousarray(turned).reshape(groups * outputs, inputs // groups, *kernel)

    def array(self, constant: Constant, rank: int, channels: bool = False) -> Array:
        """For a tensor of ``rank`` dimensions; ``channels`` says that a vector lies along dimension 1."""
        if constant.literal is not None:
            return np.full((1,) * rank, constant.literal, dtype=np.float64)
        if constant.scale_of:
            return compress(self.chain(constant.scale_of, rank)[0])
        summed = constant.summed
        value = self.tensor(constant) if summed is None else self._sums_of_weights(constant, summed)
        value = value * constant.factor
        if value.shape != constant.shape and value.size == math.prod(constant.shape) > 1:
            value = value.reshape(constant.shape)  # as a rewrite laid it
        if channels and value.ndim == 1 and rank > 1:
            value = value.reshape((-1,) + (1,) * (rank - 2))
        if value.ndim > rank:
            value = value.reshape(value.shape[value.ndim - rank :])
        return compress(value.reshape((1,) * (rank - value.ndim) + value.shape))

    def _sums_of_weights(self, constant: Constant, summed: Summed) -> Array:
        """What the bias of a chain in front of a sum over these weights adds to each result."""
        weight = self.oriented(self._sums[constant.id])
        if summed.scaled:
            sizes = self.magnitudes(constant, len(summed.shape)).reshape(-1)
            weight = weight / sizes.reshape((-1,) + (1,) * (weight.ndim - 1))
        _, bias = self.chain(summed.steps, len(summed.shape))
        data, window = np.broadcast_to(bias, (1, *summed.shape[1:])).astype(np.float64), summed.window
        geometry: dict[str, Any] = {"conv": False}
        if window is not None:
            geometry = {"conv": True, "stride": list(window.stride), "padding": list(window.padding),
                        "dilation": list(window.dilation), "groups": window.groups}  # fmt: skip
        return compress(correlate(Instruction("real_sum", 0, (), (), params=geometry), data, weight))

    def magnitudes(self, constant: Constant, rank: int) -> Array:
        """The common magnitude of each output channel of a weight tensor, whatever a sample of it looked like.

        Of weights on a grid of several levels: its step; of two or three levels around no zero: half their distance.
        """
        node = self._sums.get(constant.id)
        weight = self.oriented(node) if node is not None else self.tensor(constant)
        grid = self._grids.get(constant.id)
        if grid is None:
            sizes = _typical(np.abs(weight).reshape(len(weight), -1))
            sizes[sizes == 0] = 1.0  # a filter of zeros has no size of its own
        else:
            rows = weight.reshape(len(weight) if grid.per_channel else 1, -1)
            sizes = np.array([_step(row, 1 << grid.bits) for row in rows]) * (0.5 if grid.kind != "int" else 1.0)
            if not grid.per_channel:
                return np.full((1,) * rank, sizes[0])
        where = 1 if weight.ndim > 2 else rank - 1
        return compress(sizes.reshape(tuple(-1 if i == where else 1 for i in range(rank))))

    def chain(self, steps: Sequence[Step], rank: int, size: Size = _unit, turned: int = 0) -> tuple[Array, Array]:
        """The one scale and one bias of a chain. ``size`` gives that of values in units.

        The scale of the first ``turned`` steps is given by its magnitude; biases behind it stay as they are.
        """
        if turned:
            first, offset = self.chain(steps[:turned], rank, size)
            scale, bias = self.chain(steps[turned:], rank, size)
            return compress(scale * np.abs(first)), compress(scale * offset + bias)
        scale, bias = np.ones((1,) * rank), np.zeros((1,) * rank)
        for step in steps:
            if step.fn == "batch_norm":
                weight, offset, mean, var = (
                    None if c is None else self.array(c, rank, channels=True) for c in step.constants
                )
                assert mean is not None and var is not None
                factor = 1.0 / np.sqrt(var + step.eps) * (1.0 if weight is None else weight)
                scale, bias = scale * factor, (bias - mean) * factor + (0.0 if offset is None else offset)
                continue
            if step.parts:
                by, plus = self._derived(step, rank, size)
                scale, bias = scale * by, bias * by + plus
                continue
            constant = step.constants[0]
            assert constant is not None
            if constant.sizes:
                value = np.full((1,) * rank, size(constant))
            elif step.tag == "weight_scale":
                value = self.magnitudes(constant, rank)
            else:
                value = self.array(constant, rank)
            match step.fn:
                case "mul":
                    scale, bias = scale * value, bias * value
                case "div":
                    scale, bias = scale / value, bias / value
                case "add":
                    bias = bias + value
                case "sub":
                    bias = bias - value
                case "rsub":
                    scale, bias = -scale, value - bias
        return compress(scale), compress(bias)

    def _derived(self, step: Step, rank: int, size: Size) -> tuple[Array, Array]:
        """Scale and bias of a step that is made of chains."""
        if step.laid is None:
            (part,) = step.parts
            scale, bias = self.chain(part.steps, rank, size)
            return (scale, np.zeros_like(scale)) if step.fn == "scale_of" else (np.ones_like(bias), bias)
        scales, biases = zip(*(self._spread(part, size) for part in step.parts), strict=True)
        return _in_rank(self._moved(step.laid, scales), rank), _in_rank(self._moved(step.laid, biases), rank)

    def _spread(self, part: Part, size: Size) -> tuple[Array, Array]:
        scale, bias = self.chain(part.steps, len(part.shape), size)
        return np.broadcast_to(scale, part.shape), np.broadcast_to(bias, part.shape)

    def _moved(self, laid: Laid, arrays: Sequence[Array]) -> Array:
        params = {"fn": laid.fn, "arguments": listed(laid.arguments), "output": laid.output, "traced": laid.shape}
        places = {} if laid.places is None else {"places": self.tensor(laid.places).astype(np.int64)}
        return compress(move(Instruction("move", 0, (), laid.shape, params=params, arrays=places), list(arrays), None))


def _in_rank(array: Array, rank: int) -> Array:
    """One number for each channel on a tensor of another rank, along whose dimension 1 the channels lie as well."""
    if array.ndim == rank:
        return array
    assert array.size == math.prod(array.shape[:2]), "what is laid on another rank differs by channel alone"
    return array.reshape((*array.shape[:2], *(1 for _ in range(rank - 2)))) if array.ndim > 1 else array


def one_magnitude(weight: Array) -> bool:
    """Whether all weights of an output channel (dimension 0) have one magnitude, or are zero."""
    rows = np.abs(weight.reshape(len(weight), -1))
    sizes = _typical(rows).reshape(-1, 1)
    near = np.abs(rows - sizes) <= 10 * RESIDUE * sizes
    return bool((near | (rows <= 10 * RESIDUE * sizes)).all())


def _typical(rows: Array) -> Array:
    """Magnitude of each row without its zeros; a power of two that carries residue is that power."""
    count = (rows > 0.5 * rows.max(1, keepdims=True)).sum(1)
    total = np.where(rows > 0.5 * rows.max(1, keepdims=True), rows, 0.0).sum(1)
    sizes = total / np.maximum(count, 1)
    with np.errstate(divide="ignore", invalid="ignore"):
        power = np.exp2(np.round(np.log2(sizes)))
        return np.where(np.abs(sizes - power) <= RESIDUE * power, power, sizes)


def _step(values: Array, most: int = 1 << 8) -> float:
    """The distance of neighbouring levels of a uniform grid of so many; of values that are all the same, one."""
    low, span = float(values.min()), float(np.ptp(values))
    if span <= RESIDUE * max(abs(low), abs(low + span)):
        return 1.0
    numbers = np.arange(1.0, most)[:, None]
    places = (np.unique(values) - low) / span * numbers
    fits = (np.abs(places - np.rint(places)) <= 2e-3).all(1)
    step = span / (float(numbers[fits.argmax(), 0]) if fits.any() else 1.0)
    power = 2.0 ** round(float(np.log2(step)))
    return power if abs(step - power) <= RESIDUE * power else step


def compress(array: Array) -> Array:
    """Size one along every dimension on which the values do not depend."""
    for axis in range(array.ndim):
        if array.shape[axis] > 1 and bool((array == array.take([0], axis)).all()):
            array = array.take([0], axis)
    return array


def powers_of_two(array: Array, what: str, residue: float = RESIDUE) -> tuple[Array, Array]:
    """Sign and exponent of numbers that are known to be ±2^k. Raises :class:`CostmodelError` if they are not."""
    with np.errstate(divide="ignore"):
        exponent = np.round(np.log2(np.abs(array)))
    exact = np.isfinite(exponent) & (np.abs(np.abs(array) - np.exp2(exponent)) <= residue * np.abs(array))
    if not bool(exact.all()):
        raise CostmodelError(
            f"{what}: the graph says that these are powers of two, and {array[~exact].ravel()[0]:.9g} is not. Trace "
            "the network with the values that it is deployed with."
        )
    return np.where(array < 0, -1, 1).astype(np.int64), exponent.astype(np.int64)
