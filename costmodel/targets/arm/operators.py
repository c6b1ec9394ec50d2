"""From the layers of a ledger to the operators that a CPU runtime executes: what is fused, packed, and left over.

The rules are those of the Larq Compute Engine converter and of TensorFlow Lite below it (``larq_guide``,
``larq_compute_engine``, ``tflite_optimize``). A scale and bias after a convolution are part of it. So is a ReLU, after
a real convolution always, after a binary one only before the scale and without zero padding; an addition, a pooling and
a scale that stand alone take one as well. The signs of a value are one packing operator; a binary convolution without
zero padding whose result is only binarised writes packed bits. The rest is glue that reads and writes whole tensors.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from costmodel.graph.ops import OPS
from costmodel.ledger.ledger import Layer, Ledger

OperatorKind = Literal[
    "binary_conv", "real_conv", "depthwise", "binary_linear", "real_linear", "matmul", "pack", "pass", "binary", "pool",
    "concat", "other",
]  # fmt: skip

SCALES = ("mul", "shift_const", "shift_channel", "shift_var", "signflip")


@dataclass(frozen=True, slots=True)
class Operator:
    """One operator of the runtime.

    ``layer`` is the layer it stands for, ``fused`` the others that it does on the way. ``elements_in`` has one entry an
    operand. ``passes`` counts the whole-tensor steps of glue. ``channelwise`` says that a step runs once per pixel.
    ``packs_output`` is a binary convolution that writes bits instead of numbers.
    """

    layer: Layer
    kind: OperatorKind
    elements_in: tuple[int, ...]
    elements_out: int
    passes: int = 1
    channelwise: bool = False
    zero_padded: bool = False
    packs_output: bool = False
    fused: tuple[int, ...] = ()

    @property
    def pixels(self) -> int:
        """Positions of the result, channels apart."""
        shape = self.layer.shape_out
        return math.prod(shape) // shape[1] if len(shape) > 2 else (shape[0] if shape else 1)


def operators(ledger: Ledger) -> list[Operator]:
    """The operators of a network in execution order."""
    return _Fusion(ledger).run()


class _Fusion:
    def __init__(self, ledger: Ledger) -> None:
        self.layers = {layer.index: layer for layer in ledger.layers}
        self.order = ledger.layers
        self.users: dict[int, list[Layer]] = {}
        for layer in ledger.layers:
            for source in dict.fromkeys(layer.inputs):
                self.users.setdefault(source, []).append(layer)
        self.kinds: dict[int, set[str]] = {}
        for charge in ledger.charges:
            self.kinds.setdefault(charge.layer, set()).add(charge.kind)
        self.parameters: dict[int, int] = {}
        for traffic in ledger.traffic:
            if traffic.role == "parameter":
                self.parameters[traffic.layer] = max(self.parameters.get(traffic.layer, 0), traffic.count)
        self.done: set[int] = set()

    def run(self) -> list[Operator]:
        found = []
        for layer in self.order:
            if layer.index not in self.done:
                operator = self.operator(layer)
                if operator is not None:
                    found.append(operator)
        return found

    def operator(self, layer: Layer) -> Operator | None:
        if OPS[layer.op].product:
            return self.product(layer)
        if OPS[layer.op].joins:
            return self.glue(layer, "concat")
        if OPS[layer.op].pool:
            return self.pool(layer)
        if layer.out.is_one_bit:
            return None if self.reads_bits(layer) else self.pack(layer)
        if layer.op in ("add", "mul") and len(layer.inputs) > 1:
            return self.glue(layer, "binary", channelwise=len({math.prod(s) for s in self.input_shapes(layer)}) > 1)
        if layer.op == "affine":
            passes = bool(self.kinds.get(layer.index, set()) & set(SCALES)) + ("add" in self.kinds.get(layer.index, ()))
            channelwise = self.parameters.get(layer.index, 0) > 1
            return self.glue(layer, "pass", passes, channelwise) if passes else None
        if OPS[layer.op].one_pass:
            channelwise = layer.op == "prelu" and self.parameters.get(layer.index, 0) > 1
            return self.glue(layer, "pass", 1, channelwise)
        return self.glue(layer, "other")

    # -- products ----------------------------------------------------------------------------------------------------

    def product(self, layer: Layer) -> Operator:
        b = layer.b
        binary = layer.a.is_one_bit and b is not None and b.is_one_bit
        window = layer.window
        zero_padded = bool(binary and window and any(window.padding))
        kind: OperatorKind
        if layer.op == "matmul":
            kind = "matmul"
        elif layer.op == "linear":
            kind = "binary_linear" if binary else "real_linear"
        elif binary:
            kind = "binary_conv"
        else:
            depthwise = window is not None and window.groups > 1 and layer.n_terms == math.prod(window.kernel)
            kind = "depthwise" if depthwise else "real_conv"
        fused, packs = self.tail(layer, kind, zero_padded)
        self.done.update(fused)
        last = self.layers[fused[-1]] if fused else layer
        return Operator(
            layer, kind, self.elements_in(layer), math.prod(last.shape_out), 1, False, zero_padded, packs, fused
        )

    def tail(self, layer: Layer, kind: OperatorKind, zero_padded: bool) -> tuple[tuple[int, ...], bool]:
        """The layers that the operator does on its way out, and whether it then writes bits."""
        fused: list[int] = []
        scaled = activated = False
        current = layer
        while True:
            following = self.only_user(current)
            if following is None:
                return tuple(fused), False
            binary = kind == "binary_conv"
            if following.op == "affine" and (binary or not activated):
                scaled = True
            elif OPS[following.op].fuses and not activated and not (binary and (scaled or zero_padded)):
                activated = True
            elif binary and not zero_padded and _turns_bits(following):
                chain = self.bit_chain(following)
                return (*fused, *chain), True
            else:
                return tuple(fused), False
            fused.append(following.index)
            current = following

    def only_user(self, layer: Layer) -> Layer | None:
        users = self.users.get(layer.index, [])
        return users[0] if len(users) == 1 and users[0].inputs == (layer.index,) else None

    # -- the rest ----------------------------------------------------------------------------------------------------

    def bit_chain(self, layer: Layer) -> tuple[int, ...]:
        """A sign may be spelled in several steps; those that turn bits into bits cost nothing of their own."""
        chain = [layer.index]
        current = layer
        while True:
            following = self.only_user(current)
            if following is None or not _turns_bits(following):
                return tuple(chain)
            chain.append(following.index)
            current = following

    def reads_bits(self, layer: Layer) -> bool:
        return bool(layer.inputs) and all(i >= 0 and self.layers[i].out.is_one_bit for i in layer.inputs)

    def pack(self, layer: Layer) -> Operator:
        """A sign. A threshold that differs by channel is a subtraction before it: the runtime packs sign bits only."""
        chain = self.bit_chain(layer)
        self.done.update(chain)
        by_channel = layer.op == "threshold" and self.parameters.get(layer.index, 0) > 1
        return Operator(
            layer, "pack", self.elements_in(layer), math.prod(layer.shape_out), 1 + by_channel, by_channel,
            fused=chain[1:],
        )  # fmt: skip

    def pool(self, layer: Layer) -> Operator:
        fused: tuple[int, ...] = ()
        following = self.only_user(layer)
        if layer.op != "max_pool" and following is not None and following.op == "affine":
            fused = (following.index,)  # the division by the window's size
        return self.glue(layer, "pool", fused=fused)

    def glue(
        self, layer: Layer, kind: OperatorKind, passes: int = 1, channelwise: bool = False,
        fused: Sequence[int] = (),
    ) -> Operator:  # fmt: skip
        last = self.layers[fused[-1]] if fused else layer
        following = self.only_user(last)
        if OPS[layer.op].takes_fused and following is not None and OPS[following.op].fuses:
            fused = (*fused, following.index)
        self.done.update(fused)
        return Operator(
            layer, kind, self.elements_in(layer), math.prod(layer.shape_out), passes, channelwise, fused=tuple(fused)
        )

    def input_shapes(self, layer: Layer) -> list[tuple[int, ...]]:
        return [self.layers[i].shape_out if i >= 0 else layer.shape_in for i in layer.inputs]

    def elements_in(self, layer: Layer) -> tuple[int, ...]:
        if len(layer.inputs) < 2:
            return (math.prod(layer.shape_in),)
        return tuple(math.prod(shape) for shape in self.input_shapes(layer))


def _turns_bits(layer: Layer) -> bool:
    """Whether its result is one bit and is made element by element."""
    row = OPS[layer.op]
    return layer.out.is_one_bit and not (row.product or row.pool or row.joins)
