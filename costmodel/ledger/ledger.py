"""The ledger: what a network costs in operations and in bits moved, as exact integers and nothing else.

A :class:`Profile` is the answer to "what does this network do": two ledgers of the same network, ``as_written`` (what
the Python does at inference, with work that does not depend on the input removed) and ``deployed`` (after the exact
rewrites), the rewrites that lead from one to the other, and what the tracer could not see.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from importlib import import_module
from typing import Any, Literal, get_args

from costmodel.errors import name_of
from costmodel.graph.domain import Domain
from costmodel.graph.operands import Window
from costmodel.graph.vocabulary import HEADS, KINDS, TAGS, Called, Caveat, Kind, Rewrite
from costmodel.noun import Noun

Level = Literal["as_written", "deployed"]
Role = Literal["input", "weight", "parameter", "output"]
#: The levels, as they are printed.
LEVELS: Mapping[Level, str] = {"as_written": "as written", "deployed": "deployed"}
ROLES: tuple[Role, ...] = get_args(Role)
#: The parameters that are tables: all of their entries are stored, and one is read for every result.
TABLE = "table"


@dataclass(frozen=True, slots=True)
class Layer:
    """One operation of the network in execution order: the unit that hardware models price.

    ``inputs`` are the indices of the layers whose results it reads; -1 stands for the network's input.
    ``shape_in`` is the shape of its first online operand, ``shape_out`` that of its result, both with the batch first.
    ``a`` is the domain of the first online operand, ``b`` that of the weight or of the second operand, ``out`` that of
    the result. ``shape_b`` is the weight's shape, empty where there is none.
    ``n_terms`` is the length of the sum behind one output element (C_in/groups * k_h * k_w), 0 where there is no sum.
    """

    index: int
    module: str
    call: int
    op: str
    inputs: tuple[int, ...]
    shape_in: tuple[int, ...]
    shape_out: tuple[int, ...]
    a: Domain
    out: Domain
    b: Domain | None = None
    shape_b: tuple[int, ...] = ()
    window: Window | None = None
    n_terms: int = 0
    macs: int = 0
    called: Called | None = None

    @property
    def name(self) -> str:
        return self.module if self.call == 0 else f"{self.module}#{self.call + 1}"


@dataclass(frozen=True, slots=True)
class Charge:
    """``count`` operations of one kind: ``bits_a`` by ``bits_b`` operands, accumulated in ``bits_acc`` (0: not)."""

    layer: int
    module: str
    call: int
    op: str
    kind: Kind
    tag: str
    count: int
    bits_a: int
    bits_b: int
    bits_acc: int = 0


@dataclass(frozen=True, slots=True)
class Traffic:
    """``count`` elements of ``bits`` bits, read (``input``, ``weight``, ``parameter``) or written (``output``).

    Rows of weights and parameters with the same ``stored`` read the same tensor in memory, all of it or the ``part``
    that has a number of its own; -1 is a tensor that nothing else reads.
    """

    layer: int
    module: str
    tensor: str
    role: Role
    count: int
    bits: int
    stored: int = -1
    part: int = -1

    @property
    def total_bits(self) -> int:
        return self.count * self.bits


@dataclass(frozen=True, slots=True)
class Scale:
    """A layer that multiplies by a real constant after all exact rewrites; :mod:`costmodel.ledger.scales` replaces it.

    ``table_bits`` is the width of the integer that it multiplies, where that is a sum of signs of which a table can
    list every value, and 0 elsewhere; ``table_entries`` are those of its tables, one per channel where the scale
    differs by channel. ``stored`` is the tensor of the ledger's traffic that holds the scale, "" for a number in the
    program.
    """

    layer: int
    per_channel: bool
    table_bits: int
    table_entries: int = 0
    stored: str = ""


@dataclass(frozen=True, repr=False)
class Ledger(Noun):
    """All charges and traffic of one network at one level. Queries return plain dictionaries of exact integers.

    Queries take names of kinds, or the heads of their columns as they are printed (``cmp`` for ``compare``), tags and
    roles; they raise :class:`UnknownNameError` with the nearest for what is none.

    Tables (``by``): ``layer`` (geometry, parameters and operations of each), ``module``, ``kind``, ``tag``, ``charge``,
    ``traffic``.
    """

    _VIEW = "costmodel.views.nouns:ledger"

    network: str
    level: Level
    layers: tuple[Layer, ...]
    charges: tuple[Charge, ...]
    traffic: tuple[Traffic, ...]
    #: Of the deployed level: where constants are multiplied by.
    scales: tuple[Scale, ...] = ()
    #: What some convention counts although it is no operation of inference: products with a first state of zeros, and
    #: neighbours that are repeated.
    skipped: tuple[Layer, ...] = ()

    def __repr__(self) -> str:
        counts = ", ".join(f"{count:,} {kind}" for kind, count in self.by_kind().items() if count)
        return f"<Ledger of {self.network}, {self.level}: {len(self.layers)} layers; {counts or 'no operations'}>"

    def total(self, *kinds: str) -> int:
        """Number of operations of the given kinds, or of all kinds."""
        wanted = _kinds(kinds)
        return sum(c.count for c in self.charges if not wanted or c.kind in wanted)

    def by_kind(self) -> dict[str, int]:
        return self._count(lambda c: c.kind)

    def by_tag(self) -> dict[str, int]:
        return self._count(lambda c: c.tag)

    def by_module(self) -> dict[str, int]:
        return self._count(lambda c: c.module)

    def by_kind_and_tag(self) -> dict[tuple[str, str], int]:
        return self._count(lambda c: (c.kind, c.tag))

    def by_module_and_kind(self) -> dict[tuple[str, str], int]:
        return self._count(lambda c: (c.module, c.kind))

    def by_layer(self) -> dict[int, dict[str, int]]:
        """Operations by kind of each layer index, in execution order."""
        table: dict[int, dict[str, int]] = {layer.index: {} for layer in self.layers}
        for c in self.charges:
            row = table.setdefault(c.layer, {})
            row[c.kind] = row.get(c.kind, 0) + c.count
        return table

    def unknown(self) -> tuple[Charge, ...]:
        """Work for which there is no rule. Its count is the number of elements produced."""
        return tuple(c for c in self.charges if c.kind == "unknown")

    def bits_moved(self, *roles: str) -> int:
        """Bits read and written in the given roles (``input``, ``weight``, ``parameter``, ``output``), or in all."""
        wanted = {name_of("role of a tensor", role, ROLES) for role in roles}
        return sum(t.total_bits for t in self.traffic if not wanted or t.role in wanted)

    def weight_bits(self) -> int:
        """Bits of all weights and parameters in memory: each tensor once, however often it is read, at its width."""
        return stored_bits(self.traffic)

    def filter(
        self, keep: Callable[[Charge], bool] | None = None, *, kinds: Iterable[str] = (), tags: Iterable[str] = ()
    ) -> Ledger:
        """The same network with only the charges of the given kinds and tags for which ``keep`` holds.

        A charge of a merged chain has several tags, and is kept for any of them.
        """
        kept: Iterable[Charge] = self.charges
        if wanted := _kinds([kinds] if isinstance(kinds, str) else kinds):
            kept = [c for c in kept if c.kind in wanted]
        if tags:
            known = dict.fromkeys((*TAGS, *(tag for c in self.charges for tag in c.tag.split("+"))))
            any_of = {name_of("tag", tag, known) for tag in ([tags] if isinstance(tags, str) else tags)}
            kept = [c for c in kept if any_of.intersection(c.tag.split("+"))]
        return replace(self, charges=tuple(c for c in kept if keep is None or keep(c)))

    def _count(self, key: Callable[[Charge], Any]) -> dict[Any, int]:
        counts: Counter[Any] = Counter()
        for c in self.charges:
            counts[key(c)] += c.count
        return dict(counts)


def _kinds(given: Iterable[str]) -> set[str]:
    return {name_of("kind of operation", kind, KINDS, HEADS) for kind in given}


def level_of(given: str) -> Level:
    """The level of that name, ``as written`` and ``as-written`` for ``as_written``; raises UnknownNameError."""
    return name_of("level", str(given).replace(" ", "_").replace("-", "_"), LEVELS)  # type: ignore[return-value]


@dataclass(frozen=True, repr=False)
class Profile(Noun):
    """What a network does at inference; made by :func:`costmodel.profile`, and what the cache stores.

    Tables (``by``): those of the deployed :class:`Ledger`, ``level`` (both side by side), ``rewrite``.
    """

    _VIEW = "costmodel.views.nouns:profile"

    network: str
    input_shapes: tuple[tuple[int, ...], ...]
    parameters: int
    as_written: Ledger
    deployed: Ledger
    rewrites: tuple[Rewrite, ...] = ()
    caveats: tuple[Caveat, ...] = ()
    #: Free-form facts about the run: versions, seed, options. Strings only.
    provenance: dict[str, str] = field(default_factory=dict)

    def __repr__(self) -> str:
        inputs = ", ".join("x".join(map(str, shape)) for shape in self.input_shapes)
        written, deployed = self.as_written.total("mul"), self.deployed.total("mul")
        return (
            f"<Profile of {self.network} on {inputs}: {self.parameters:,} parameters; {written:,} multiplications as "
            f"written, {deployed:,} deployed; {len(self.rewrites)} rewrites, {len(self.caveats)} caveats>"
        )

    def ledger(self, level: str = "deployed") -> Ledger:
        """The ledger of a level, ``as_written`` or ``deployed``; raises :class:`UnknownNameError` for any other."""
        return self.as_written if level_of(level) == "as_written" else self.deployed

    def rewrites_by_name(self) -> dict[str, dict[str, int]]:
        """Operations that each kind of rewrite removed, by op kind."""
        table: dict[str, dict[str, int]] = {}
        for rewrite in self.rewrites:
            row = table.setdefault(rewrite.name, {})
            for kind, count in rewrite.removed:
                row[kind] = row.get(kind, 0) + count
        return table

    def estimate(self, target: Any, **options: Any) -> Any:
        """Price this network on a target, by name or as a loaded ``Target``; see :mod:`costmodel.targets`."""
        # By name, as below: nouns depend neither on what prices them nor on what shows them.
        return import_module("costmodel.targets").estimate(self, target, **options)


def stored_bits(rows: Iterable[Traffic], width: Callable[[int], int] = int) -> int:
    """Bits of the distinct tensors that rows of weights and parameters read; ``width`` is what an element takes.

    A tensor is as large as what is read of it: all of it, or the parts that are read if nobody reads all.
    """
    alone = 0
    tensors: dict[int, dict[int, int]] = {}
    for row in rows:
        if row.role not in ("weight", "parameter"):
            continue
        bits = row.count * width(row.bits)
        if row.stored < 0:
            alone += bits
            continue
        parts = tensors.setdefault(row.stored, {})
        parts[row.part] = max(parts.get(row.part, 0), bits)
    return alone + sum(max(parts.pop(-1, 0), sum(parts.values())) for parts in tensors.values())
