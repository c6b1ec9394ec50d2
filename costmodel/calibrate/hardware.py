"""Units and the streams between them, put together as SystemVerilog: a :class:`Network` that grows unit by unit."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from costmodel.calibrate import vehicle
from costmodel.deploy.program import Array, Instruction
from costmodel.errors import CostmodelError

#: Words of a queue behind a unit whose words come in bursts, as a power of two.
SHORT = 3


@dataclass(frozen=True)
class Format:
    """Of numbers: ``bits`` with a sign, ``fraction`` of them behind the point."""

    bits: int
    fraction: int

    def integers(self, values: Array) -> Array:
        """The nearest numbers of the format, as integers. Raises :class:`CostmodelError` where one does not fit."""
        found = np.rint(np.asarray(values) * 2.0**self.fraction).astype(np.int64)
        if bits_of(int(found.min()), int(found.max())) > self.bits:
            raise CostmodelError(
                f"values from {np.min(values):g} to {np.max(values):g} do not fit into {self.bits} bits with a sign, "
                f"{self.fraction} of them behind the point"
            )
        return found


@dataclass(frozen=True)
class Stage:
    """A unit of the design: its module, the numbers of its parameters, and the cycles that an image keeps it busy."""

    module: str
    numbers: Mapping[str, int]
    cycles: int


@dataclass(frozen=True)
class Stream:
    """``lanes`` values of ``bits`` bits in a word; an image has ``channels`` of ``rows`` x ``cols``.

    Values are between ``low`` and ``high``; of a stream of signs they are single bits. ``late``: a matrix unit made
    them, so that others wait for them.
    """

    name: str
    lanes: int
    channels: int
    rows: int
    cols: int
    low: int
    high: int
    fraction: int = 0
    signs: bool = False
    late: bool = False

    @property
    def bits(self) -> int:
        return 1 if self.signs else bits_of(self.low, self.high)

    @property
    def folds(self) -> int:
        return self.channels // self.lanes

    @property
    def width(self) -> int:
        return self.lanes * self.bits

    @property
    def words(self) -> int:
        return self.rows * self.cols * self.folds


def bits_of(low: int, high: int) -> int:
    """Bits of two's complement that holds both."""
    return max((-low - 1).bit_length() if low < 0 else 0, high.bit_length() if high > 0 else 0) + 1


@dataclass
class Network:
    """A network as text, its ``stages``, and how the first and the last stream are read."""

    inputs: Format
    lines: list[str] = field(default_factory=list)
    stages: list[Stage] = field(default_factory=list)
    first: Stream | None = None
    last: Stream | None = None

    @property
    def cycles(self) -> int:
        """Between two images, as the model says: those of the slowest unit."""
        return max(stage.cycles for stage in self.stages)

    @property
    def text(self) -> str:
        assert self.first is not None and self.last is not None
        head = [
            f"module network (input logic clk, rst, input logic [{self.first.width - 1}:0] in_data, "
            "input logic in_valid,",
            f"  output logic in_ready, output logic [{self.last.width - 1}:0] out_data, output logic out_valid,",
            "  input logic out_ready);",
        ]
        name = self.last.name
        tail = [f"  assign out_data = {name}_data;", f"  assign out_valid = {name}_valid;",
                f"  assign {name}_ready = out_ready;", "endmodule", ""]  # fmt: skip
        return "\n".join([*head, *self.lines, *tail])

    def unit(self, module: str, numbers: Mapping[str, int], cycles: int, given: Mapping[str, Stream],
             made: Mapping[str, Stream], **literals: str) -> None:  # fmt: skip
        """Put a unit between streams, by the prefixes of its ports."""
        place = f"u{len(self.stages)}"
        for stream in made.values():
            self.lines += vehicle.wires(stream.name, stream.width)
        parameters = ", ".join(f".{n}({v})" for n, v in {**numbers, **literals}.items())
        ports = ", ".join(vehicle.ports(prefix, s.name) for prefix, s in {**given, **made}.items())
        self.lines.append(f"  {module} #({parameters}) {place} (.clk, .rst, {ports});")
        self.stages.append(Stage(module, dict(numbers), cycles))

    def named(self, stream: Stream, **changes: int | bool) -> Stream:
        """A stream of a new name."""
        return replace(stream, name=f"s{len(self.stages)}", **changes)  # type: ignore[arg-type]

    def mapped(self, module: str, source: Stream, numbers: Mapping[str, int], literals: Mapping[str, str],
               **changes: int | bool) -> Stream:  # fmt: skip
        """A unit that makes a word of each word."""
        made = self.named(source, **changes)
        sizes = {"PE": source.lanes, "FOLDS": source.folds, **numbers}
        self.unit(module, sizes, source.words, {"in": source}, {"out": made}, **literals)
        return made

    def queue(self, source: Stream, words: int) -> Stream:
        """A queue of at least as many words."""
        made = self.named(source)
        numbers = {"W": source.width, "A": max(SHORT, math.ceil(math.log2(words)))}
        self.unit("fifo", numbers, source.words, {"in": source}, {"out": made})
        return made

    def regrouped(self, source: Stream, lanes: int) -> Stream:
        """Words of another number of lanes."""
        if lanes == source.lanes:
            return source
        small, large = sorted((lanes, source.lanes))
        if large % small:
            raise CostmodelError(f"words of {source.lanes} values do not make words of {lanes}")
        made = self.named(source, lanes=lanes)
        module = "widen" if lanes > source.lanes else "narrow"
        numbers = {"W": small * source.bits, "N": large // small}
        self.unit(module, numbers, max(source.words, made.words), {"in": source}, {"out": made})
        return made

    def forked(self, source: Stream, count: int) -> Iterator[Stream]:
        """As many streams of the same words."""
        while count > 1:
            a = self.named(source)
            b = replace(a, name=f"{a.name}b")
            self.unit("stream_fork", {"W": source.width}, source.words, {"in": source}, {"a": a, "b": b})
            yield a
            source, count = b, count - 1
        yield source

    def windows(self, source: Stream, i: Instruction, kernel: int) -> Stream:
        """The taps of every window, one after the other, each a word of all channels."""
        (stride, *_), (padding, *_) = i.params["stride"], i.params["padding"]
        out = i.shape[-1]
        if len(set(i.params["stride"])) > 1 or len(set(i.params["padding"])) > 1 or max(i.params["dilation"]) > 1:
            raise CostmodelError(f"{i.module}: windows are square, with one stride and no dilation")
        if (out - 1) * stride + kernel - padding < source.rows:
            raise CostmodelError(f"{i.module}: the last window does not reach the last row")
        source = self.regrouped(source, source.channels)
        if kernel == 1 and stride == 1:
            return source
        # So many rows that those of the last windows and those of the first windows of the next image are kept at once.
        kept = source.rows - (out - 1) * stride + kernel
        numbers = {"W": source.width, "ROWS": source.rows, "COLS": source.cols, "K": kernel, "S": stride, "P": padding,
                   "B": max(kernel + stride, kept)}  # fmt: skip
        made = self.named(source, rows=out, cols=out * kernel * kernel)
        self.unit("padded_window", numbers, max(source.words, made.words), {"in": source}, {"out": made})
        return self.queue(made, 1 << SHORT)


def literal(numbers: Sequence[int] | Array, bits: int) -> str:
    """Integers as bits, the first in the lowest."""
    array = np.asarray(numbers).reshape(-1, 1).astype(np.int64)
    return vehicle.literal(((array >> np.arange(bits)) & 1).reshape(-1))
