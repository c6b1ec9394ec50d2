"""What each operation needs besides its operands: frozen classes, which the rows of the table of operations name.

No attribute is optional by absence: a field that does not apply has a default that says so.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from costmodel.graph.affine import Step
from costmodel.graph.domain import Domain
from costmodel.graph.operands import In
from costmodel.graph.vocabulary import Kind, Row


@dataclass(frozen=True, slots=True)
class Attrs:
    """Of an operation that needs nothing besides its operands."""


NONE = Attrs()


@dataclass(frozen=True, slots=True)
class Product(Attrs):
    """A sum of products ``y[o] = sum of n_terms a * w``.

    ``a`` and ``weight`` are the domains of the two factors, ``macs`` the number of products, ``weight_shape`` the shape
    of the second factor with its outputs first. ``results`` is the number of outputs that have a term, where some have
    none. ``stem``: reads the network's input. ``exchanged``: the constant is the first factor. ``by_rows``: weights
    ``[o, i]`` of a product that was written element by element. ``turned``: the second factor is transposed.
    ``masked``: scores under a mask. ``pre`` and ``post`` are the scales and biases that were folded into real weights
    from before and behind. ``shared`` results read each window. The operand is stored divided by ``unit_in``, the
    result by ``unit``. ``turn`` is a chain by the signs of whose scale the weights are multiplied, channel by channel.
    """

    a: Domain
    weight: Domain
    n_terms: int
    macs: int
    weight_shape: tuple[int, ...] = ()
    results: int | None = None
    shared: int = 1
    stem: bool = False
    exchanged: bool = False
    by_rows: bool = False
    turned: bool = False
    masked: bool = False
    pre: tuple[Step, ...] = ()
    post: tuple[Step, ...] = ()
    turn: tuple[Step, ...] = ()
    unit_in: float = 1.0
    unit: float = 1.0

    @property
    def b(self) -> Domain:
        """The second factor without its scale, which is applied behind the sum."""
        return self.weight.with_scale("one")


@dataclass(frozen=True, slots=True)
class Affine(Attrs):
    """A chain of scales and biases.

    ``multiplier`` names what stands in the place of its multiplication (see :mod:`costmodel.ledger.scales`), and
    ``bits_in`` and ``table_entries`` size the table where that is one. The operand is multiplied by ``rescale`` first,
    the result is stored divided by ``unit``. The scale of the first ``turned`` steps is taken by its magnitude: its
    signs are in the weights of the sum before.
    """

    steps: tuple[Step, ...]
    turned: int = 0
    multiplier: str = ""
    bits_in: int = 0
    table_entries: int = 0
    rescale: float = 1.0
    unit: float = 1.0


@dataclass(frozen=True, slots=True)
class Add(Attrs):
    """Two activations; ``subtract``: the second one from the first."""

    subtract: bool = False


@dataclass(frozen=True, slots=True)
class Gate(Attrs):
    """Two activations multiplied; ``a`` and ``b`` are their domains, None where they are that of the result."""

    a: Domain | None = None
    b: Domain | None = None


@dataclass(frozen=True, slots=True)
class Clamp(Attrs):
    """Bounds: a number, None for no bound, a constant, or a place among the inputs."""

    low: Any = None
    high: Any = None

    @property
    def sides(self) -> int:
        return (self.low is not None) + (self.high is not None)


@dataclass(frozen=True, slots=True)
class Round(Attrs):
    """``fn`` is ``round`` (to even), ``floor``, ``ceil``, ``trunc`` or ``frac``."""

    fn: str


@dataclass(frozen=True, slots=True)
class Call(Attrs):
    """A function by its ATen name.

    ``operands`` are its arguments in their order: :class:`~costmodel.graph.operands.In` for an input of the node, a
    :class:`~costmodel.graph.operands.Constant`, a plain value, or a tuple of such; None where the node has no
    executable form.
    """

    fn: str = ""
    operands: tuple[Any, ...] | None = None


@dataclass(frozen=True, slots=True)
class Compare(Call):
    """``bound`` is the number that is compared with, if it is one."""

    bound: float | None = None


@dataclass(frozen=True, slots=True)
class Choose(Call):
    """``static``: the choice is the same for every input."""

    static: bool = False

    @property
    def branches(self) -> tuple[int, Any, Any] | None:
        """The place of the condition among the inputs, what is taken where it holds, and what where it does not.

        None for a choice that is not by a condition of the node's inputs.
        """
        match self.fn, self.operands:
            case "where", (In() as place, above, below):
                return place.position, above, below
            case "masked_fill", (below, In() as place, above):
                return place.position, above, below
        return None


@dataclass(frozen=True, slots=True)
class Move(Attrs):
    """Elements renamed, reordered or copied by the ATen function ``fn``.

    ``arguments`` are its arguments in their order, tensors as None; ``output`` says which of several results this is.
    ``operands`` are the parts of a concatenation that has constants among them, else empty. ``fill`` is the number that
    is put next to the data, None where none is.
    """

    fn: str = ""
    arguments: tuple[Any, ...] = ()
    output: int = 0
    operands: tuple[Any, ...] = ()
    fill: float | None = None


@dataclass(frozen=True, slots=True)
class Threshold(Attrs):
    """``channels`` thresholds of ``domain``, against values of ``bits_in`` bits that are stored divided by ``unit``.

    ``levels`` is the number of results, one more than each value is compared with.
    """

    bits_in: int
    channels: int
    domain: Domain
    unit: float = 1.0
    levels: int = 2


@dataclass(frozen=True, slots=True)
class Pool(Attrs):
    """Sums of ``count`` elements; ``additions`` in all where windows differ in size.

    ``axes`` are the dimensions of a sum without a window, () for all.
    """

    count: int
    additions: int | None = None
    axes: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Reduce(Attrs):
    """``count`` elements made one by operations of ``kind``: the ATen function ``fn`` along ``axes``, () for all."""

    kind: Kind
    count: int
    fn: str
    axes: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Variance(Attrs):
    """Of ``count`` elements; ``root``: the standard deviation."""

    count: int
    root: bool = False


@dataclass(frozen=True, slots=True)
class Norm(Attrs):
    """By statistics of the input itself, ``groups`` of them: the ATen function ``fn``, then gain and shift or not."""

    fn: str
    groups: int
    eps: float
    gain: bool
    shift: bool

    @property
    def centred(self) -> bool:
        return self.fn != "_fused_rms_norm"


@dataclass(frozen=True, slots=True)
class Softmax(Attrs):
    """Along ``axis``; ``log``: its logarithm."""

    axis: int = -1
    log: bool = False


@dataclass(frozen=True, slots=True)
class Stated(Attrs):
    """What is charged is known: ``rows`` for the function ``fn``."""

    fn: str
    rows: tuple[Row, ...]


@dataclass(frozen=True, slots=True)
class Registered(Call):
    """A user's own operation: ``rows`` are what was registered for this call; ``output`` says which result this is."""

    rows: tuple[Row, ...] = ()
    output: int = 0


@dataclass(frozen=True, slots=True)
class Unknown(Attrs):
    reason: str
