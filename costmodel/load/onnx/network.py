"""An ONNX graph as a module: a tree of scopes with the weights in their places, and nodes that run in order."""

from __future__ import annotations

import ast
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from costmodel.errors import CostmodelError
from costmodel.load.notes import note
from costmodel.load.onnx import arithmetic, moves, quantised, read, recurrent, windows  # noqa: F401  (they register)
from costmodel.load.onnx.table import CUSTOM, KEPT, STANDARD, Call, Function

#: Domains of ONNX itself; every other one is custom, whatever it is called.
_OWN = ("", "ai.onnx")
_WIDER = {"uint16": np.int32, "uint32": np.int64, "uint64": np.int64}  # types that PyTorch hardly computes with
_STATISTICS = {3: "running_mean", 4: "running_var"}  # inputs of a batch norm
_QUANTISERS = ("Quant", "IntQuant", "BipolarQuant", "Trunc", "QuantizeLinear", "DequantizeLinear", "QLinearConv",
               "QLinearMatMul", "MultiThreshold")  # fmt: skip
_RECURRENT = ("LSTM", "GRU", "RNN")
#: Inputs that are weights even where they hold a single number.
_WEIGHTS = {"Conv": (1, 2), "ConvTranspose": (1, 2), "Gemm": (1, 2), "MatMul": (0, 1), "PRelu": (1,),
            "BatchNormalization": (1, 2), "Quant": (0,), "IntQuant": (0,), "BipolarQuant": (0,),
            "InstanceNormalization": (1, 2), "LayerNormalization": (1, 2), "GroupNormalization": (1, 2)}  # fmt: skip


class Scope(nn.Module):
    """A place in the tree of modules, in which nodes run."""

    def forward(self, run: Callable[[], None]) -> None:
        run()


@dataclass(frozen=True)
class Node:
    """A node: its function, where it runs, and the names of its operands and results, "" for those left out."""

    call: Call
    function: Function
    path: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]


class Network(Scope):
    """The graph of a file. ``forward`` takes the inputs in their order, or by name, and returns the outputs."""

    def __init__(self, model: Any, path: Path) -> None:
        super().__init__()
        self.file = path.name
        graph = model.graph
        stored = dict(read.arrays(model, path))
        self.opsets = {entry.domain: entry.version for entry in model.opset_import}
        self.inputs = [value.name for value in graph.input if value.name not in stored]
        self.results = [value.name for value in graph.output]
        self.shapes = read.shapes(model)
        self.path = path
        self.scopes: dict[str, Scope] = {"": self}
        self.numbers: dict[str, Any] = {}  # names -> numbers of the program
        self.places: dict[str, tuple[nn.Module, str]] = {}  # names -> where a stored tensor is
        self._uses = _uses(graph)
        for name, values in stored.items():
            self._store(name, values)
        self.nodes = self._nodes(graph.node)

    # -- building ----------------------------------------------------------------------------------------------------

    def _store(self, name: str, values: np.ndarray, constant: bool = False) -> None:
        """A single number is one of the program, unless it is a weight; other real numbers are parameters, unless they
        are a ``constant`` of the program, a grid, statistics or a first state."""
        uses = self._uses.get(name, [])
        weight = any(place in _WEIGHTS.get(op, ()) for op, place in uses)
        tensor_only = any(place in KEPT.get(op, ()) for op, place in uses)
        if values.size == 1 and not weight and not tensor_only and values.dtype.kind in "f" and len(uses) > 0:
            self.numbers[name] = float(values.reshape(-1)[0])
            return
        values = values.astype(_WIDER.get(values.dtype.name, values.dtype))
        tensor = torch.from_numpy(np.ascontiguousarray(values).copy()).reshape(values.shape)
        owner, own = self._place(name)
        statistic = next((_STATISTICS[p] for op, p in uses if op == "BatchNormalization" and p in _STATISTICS), "")
        grid = any(op in _QUANTISERS and place not in _WEIGHTS.get(op, ()) for op, place in uses)
        if statistic:
            own = own if own.endswith(statistic) else f"{own}_{statistic}"
        state = any((op in _RECURRENT and place > 4) or op == "Expand" for op, place in uses)
        if tensor.is_floating_point() and not statistic and (weight or not (grid or state or constant)):
            owner.register_parameter(own, nn.Parameter(tensor, requires_grad=False))
        else:
            owner.register_buffer(own, tensor)
        self.places[name] = (owner, own)

    def _place(self, name: str) -> tuple[nn.Module, str]:
        """The scope and the name in it of a stored tensor: ``layer1.0.conv1`` and ``weight``."""
        head, _, tail = name.rpartition(".")
        if not re.fullmatch(r"\w+(\.\w+)*", name):
            head, tail = "", re.sub(r"\W+", "_", name)
        owner = self._scope(head)
        while hasattr(owner, tail) or not tail:
            tail += "_"
        return owner, tail

    def _scope(self, path: str) -> Scope:
        found = self.scopes.get(path)
        if found is None:
            head, _, tail = path.rpartition(".")
            owner = self._scope(head)
            while hasattr(owner, tail) or not tail:
                tail += "_"
            found = self.scopes[path] = Scope()
            owner.add_module(tail, found)
        return found

    def _nodes(self, protos: Any) -> list[Node]:
        return [node for index, proto in enumerate(protos) if (node := self._node(proto, index)) is not None]

    def _node(self, proto: Any, index: int) -> Node | None:
        import onnx

        attributes: dict[str, Any] = {}
        for attribute in proto.attribute:
            value = onnx.helper.get_attribute_value(attribute)
            if isinstance(value, onnx.TensorProto):
                value = torch.from_numpy(np.array(read.array(value, self.path)))
            elif isinstance(value, onnx.GraphProto):
                value = _Graph(self, value)
            attributes[attribute.name] = value
        path = _path(proto, index)
        custom = proto.domain not in _OWN
        function = (CUSTOM if custom else STANDARD).get(proto.op_type)
        if proto.op_type == "Constant" and not custom:
            self._constant(proto.output[0], attributes)
            return None
        opset = self.opsets.get("" if not custom else proto.domain, self.opsets.get("ai.onnx", 1))
        call = Call(
            proto.name or f"{proto.op_type}_{index}", proto.op_type, opset, attributes,
            len([name for name in proto.output if name]), self._scope(path), _subgraph,
        )  # fmt: skip
        if function is None:
            function = _unknown(call, proto.domain, [self.shapes.get(name) for name in proto.output if name])
        inputs = tuple(proto.input)
        if proto.op_type in _RECURRENT and not custom:
            if not all(name in self.places for name in inputs[1:3]):
                call.refuse("weights that are computed are not covered")
            recurrent.prepare(call, *(self._taken(name) for name in (*inputs, "")[1:4]))
            inputs = (inputs[0], "", "", "", *inputs[4:])
        return Node(call, function, path, inputs, tuple(proto.output))

    def _taken(self, name: str) -> Any:
        """A stored tensor that a layer of its own takes over."""
        place = self.places.pop(name, None)
        if place is None:
            return None
        tensor = getattr(*place).detach()
        delattr(*place)
        return tensor

    def _constant(self, name: str, attributes: Mapping[str, Any]) -> None:
        for key, value in attributes.items():
            if key in ("value_float", "value_int"):
                self.numbers[name] = value
            elif key in ("value_floats", "value_ints"):
                kind = np.float32 if key == "value_floats" else np.int64
                self._store(name, np.array(list(value), kind), constant=True)
            elif key == "value":
                self._store(name, value.numpy(), constant=True)
            else:
                raise CostmodelError(f"{self.path}: the constant {name!r} is given as {key}, which is not read")

    # -- running -----------------------------------------------------------------------------------------------------

    def forward(self, *inputs: Any, **named: Any) -> Any:
        given = dict(zip(self.inputs, inputs, strict=False))
        unknown = [name for name in named if name not in self.inputs]
        if len(inputs) > len(self.inputs) or unknown or len({**given, **named}) < len(self.inputs):
            raise CostmodelError(
                f"{self.file} has the inputs {', '.join(self.inputs)}; given were {len(inputs)} by position"
                f"{' and ' + ', '.join(named) if named else ''}"
            )
        values = run(self, self.nodes, self.results, {**given, **named})
        return values[0] if len(values) == 1 else values

    def value(self, name: str) -> Any:
        """A number or a tensor of the file."""
        if name in self.numbers:
            return self.numbers[name]
        return getattr(*self.places[name])


@dataclass
class _Graph:
    """A subgraph of control flow; it sees the names around it."""

    network: Network
    proto: Any

    def __post_init__(self) -> None:
        for tensor in self.proto.initializer:
            self.network._uses.setdefault(tensor.name, _uses(self.proto).get(tensor.name, []))
            self.network._store(tensor.name, read.array(tensor, self.network.path))
        self.nodes = self.network._nodes(self.proto.node)
        self.inputs = [value.name for value in self.proto.input]
        self.results = [value.name for value in self.proto.output]
        self.around: dict[str, Any] = {}
        self.proto = None  # no message of protobuf is copied


def _subgraph(graph: _Graph, *inputs: Any) -> tuple[Any, ...]:
    given = dict(zip(graph.inputs, inputs, strict=False))
    return run(graph.network, graph.nodes, graph.results, {**graph.around, **given})


def run(network: Network, nodes: list[Node], results: list[str], values: dict[str, Any]) -> tuple[Any, ...]:
    """Run nodes in their order, those of one scope that follow each other in one call of it."""

    def get(name: str) -> Any:
        if not name:
            return None
        if name in values:
            return values[name]
        if name in network.numbers or name in network.places:
            return network.value(name)
        raise CostmodelError(f"{network.file}: nothing makes {name!r}, which is used: the file is damaged")

    def step(node: Node) -> None:
        for attribute in node.call.attributes.values():
            if isinstance(attribute, _Graph):
                attribute.around = values
        made = node.function(node.call, *(get(name) for name in node.inputs))
        outputs = made if isinstance(made, tuple) else (made,)
        values.update((name, value) for name, value in zip(node.outputs, outputs, strict=False) if name)

    place = 0
    while place < len(nodes):
        end = place + 1
        while end < len(nodes) and nodes[end].path == nodes[place].path:
            end += 1
        part = nodes[place:end]

        def together(part: list[Node] = part) -> None:
            for node in part:
                _named(node, step)

        scope = part[0].call.scope
        together() if scope is network else scope(together)
        place = end
    return tuple(v if isinstance(v := get(name), Tensor) else torch.tensor(v) for name in results)


def _named(node: Node, step: Callable[[Node], None]) -> None:
    try:
        step(node)
    except CostmodelError:
        raise
    except (RuntimeError, TypeError, ValueError, IndexError, KeyError, AttributeError) as error:
        said = " ".join(str(error).split())[:200]
        raise CostmodelError(f"node {node.call.name!r} ({node.call.op}) does not run: {said}") from error


def _uses(graph: Any) -> dict[str, list[tuple[str, int]]]:
    """Name -> the operators that take it, and as which input."""
    found: dict[str, list[tuple[str, int]]] = {}
    for node in graph.node:
        for place, name in enumerate(node.input):
            found.setdefault(name, []).append((node.op_type, place))
    return found


def _path(proto: Any, index: int) -> str:
    """Where a node runs: what the exporter says of its module, else what its name says, else the name itself."""
    said = {entry.key: entry.value for entry in proto.metadata_props} if hasattr(proto, "metadata_props") else {}
    scopes = said.get("pkg.torch.onnx.name_scopes")
    if scopes:
        try:
            names = [str(name) for name in ast.literal_eval(scopes)]
        except (ValueError, SyntaxError):
            names = []
        if len(names) > 1:
            return re.sub(r"[^\w.]", "_", names[-2])
    parts = [part for part in proto.name.split("/") if part]
    if len(parts) < 2:
        return re.sub(r"\W+", "_", proto.name) or f"{proto.op_type}_{index}"
    path: list[str] = []
    for part in parts[:-1]:  # the second name of /layer1/layer1.0/conv1 repeats the first
        if path and part.startswith(f"{path[-1]}."):
            path[-1] = part
        else:
            path.append(part)
    return re.sub(r"[^\w.]", "_", ".".join(path))


_library: torch.library.Library | None = None


def _unknown(call: Call, domain: str, shapes: list[tuple[int, ...] | None]) -> Function:
    """An operator that has no function: results of the shapes that the file states, and an unknown node by its name."""
    global _library
    if any(shape is None for shape in shapes):
        call.refuse(
            f"this operator {f'of {domain} ' if domain else ''}is not known, and no shape of its result is stated"
        )
    name = re.sub(r"\W", "_", call.op)
    if _library is None:
        _library = torch.library.Library("onnx_file", "DEF")  # type: ignore[no-untyped-call]
    if not hasattr(torch.ops.onnx_file, name):
        _library.define(f"{name}(Tensor[] inputs, int[] sizes, int[] counts) -> Tensor[]")  # type: ignore[no-untyped-call]
        _library.impl(name, _made_up, "CompositeExplicitAutograd")  # type: ignore[no-untyped-call]
    sizes = [size for shape in shapes for size in shape or ()]
    counts = [len(shape or ()) for shape in shapes]
    operator = getattr(torch.ops.onnx_file, name)
    note(f"the operator {call.op}{f' of {domain}' if domain else ''} is not known: its results are unknown work")

    def unknown(_: Call, *inputs: Any) -> tuple[Any, ...]:
        return tuple(operator([x for x in inputs if isinstance(x, Tensor)], sizes, counts))

    return unknown


def _made_up(inputs: list[Tensor], sizes: list[int], counts: list[int]) -> list[Tensor]:
    made, place = [], 0
    for count in counts:
        shape = sizes[place : place + count]
        place += count
        made.append(torch.randn(shape, generator=torch.Generator().manual_seed(math.prod(shape))))
    return made


def load(path: Path) -> Network:
    """The network of an ONNX file. Raises :class:`CostmodelError` for one that cannot be read."""
    return Network(read.read(path), path).eval()
