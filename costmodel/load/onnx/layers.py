"""The nodes of an ONNX file that compute sums of products with stored weights, as layers that can have other bits."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from torch import Tensor

from costmodel.load.onnx.network import Network, Node
from costmodel.load.onnx.table import STANDARD, Call, Function, tensor
from costmodel.load.weighted import Read, Weighted


def weighted(network: Network) -> list[tuple[str, Weighted]]:
    """Convolutions and products whose weights the file holds as real numbers, in their order, with their names: those
    of the modules that they were exported from, which several nodes may share. Weights that are computed, as those that
    pass a quantiser, are the affair of the file."""
    makers = {name: node for node in network.nodes for name in node.outputs if name}
    found = []
    for index, node in enumerate(network.nodes):
        weights = _weights(network, node, makers)
        if weights is not None:
            name, channel, read = weights
            module, own = network.places[name]
            step = (node.call.scope, f"read_step_{index}")
            found.append((node.path, Weighted(module, _in_front(network, index, read), own, channel, step)))
    return found


def _weights(network: Network, node: Node, makers: Mapping[str, Node]) -> tuple[str, int, int] | None:
    """The stored tensor that a node multiplies by, along which of its dimensions the output channels are, and
    which of the inputs is multiplied; None for any other node."""
    if node.function is not STANDARD.get(node.call.op):
        return None
    places: list[tuple[int, int, int]] = []  # of weights, of their channels, of what is read
    match node.call.op:
        case "Conv":
            places = [(1, 0, 0)]
        case "ConvTranspose":
            places = [(1, 1, 0)]
        case "Gemm":
            places = [(1, 0 if node.call.get("transB", 0) else 1, 0)]
        case "MatMul":
            places = [(1, -1, 0), (0, -2, 1)]
    for place, channel, read in places:
        stored = _stored(network, node.inputs[place], channel, makers)
        if stored is not None:
            return (*stored, read)
    return None


def _stored(network: Network, name: str, channel: int, makers: Mapping[str, Node]) -> tuple[str, int] | None:
    """The stored tensor behind a name, through nodes that only turn it, and where its channels are."""
    maker = makers.get(name)
    while maker is not None and maker.call.op in ("Identity", "Transpose"):
        perm = maker.call.get("perm")
        if maker.call.op == "Transpose" and perm is None:
            return None
        name, channel = maker.inputs[0], perm[channel] if perm else channel
        maker = makers.get(name)
    if maker is not None or name not in network.places:
        return None
    value = getattr(*network.places[name])
    if not (isinstance(value, Tensor) and value.is_floating_point() and value.dim() > 1):
        return None
    return name, channel % value.dim()


def _in_front(network: Network, index: int, place: int) -> Callable[[Read], None]:
    def change(read: Read) -> None:
        node = network.nodes[index]
        network.nodes[index] = replace(node, function=_reading(node.function, place, read))

    return change


def _reading(function: Function, place: int, read: Read) -> Function:
    """``function`` with what it reads changed; the step is found where the node runs, which copies keep."""

    def reading(call: Call, *inputs: Any) -> Any:
        values = list(inputs)
        values[place] = read(call.scope, tensor(values[place]))
        return function(call, *values)

    return reading
