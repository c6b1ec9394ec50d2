"""The rows of a table of layers: blocks that are alike stand in one place, and so do networks that are alike."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, replace

from costmodel.graph.vocabulary import Kind
from costmodel.ledger.ledger import Layer, Ledger
from costmodel.views.tree import folded, grow

#: So many of all layers of two networks have to stand at the same place, for the networks to share a table.
ALIKE = 0.6
#: Networks that share a table.
TOGETHER = 2
#: The place of what belongs to no layer.
NETWORK = -1


@dataclass(frozen=True, slots=True)
class Place:
    """One row. ``numbers`` count the layers of all networks in execution order from 1; ``layers`` are the indices of
    those that stand here, by network: none where a network has no such layer."""

    name: str
    op: str
    shape: tuple[int, ...]
    numbers: tuple[int, ...]
    layers: tuple[tuple[int, ...], ...]


@dataclass(frozen=True, slots=True)
class Places:
    """``orders`` has for each network the layer at every number, ``None`` where it has none there; last, where
    something belongs to no layer, :data:`NETWORK`."""

    rows: tuple[Place, ...]
    orders: tuple[tuple[int | None, ...], ...]


def groups(ledgers: Sequence[Ledger]) -> list[tuple[int, ...]]:
    """The indices of networks that share a table: two in a row that are alike."""
    keys = [set(_keys(ledger.layers)) for ledger in ledgers]
    made: list[tuple[int, ...]] = []
    for index, own in enumerate(keys):
        first = keys[made[-1][0]] if made else set()
        if made and len(made[-1]) < TOGETHER and len(own & first) >= ALIKE * len(own | first) > 0:
            made[-1] = (*made[-1], index)
        else:
            made.append((index,))
    return made


def places(ledgers: Sequence[Ledger], busy: Sequence[set[int]]) -> Places:
    """The layers in ``busy`` of each ledger; layers of several ledgers that have one name and operation share a row."""
    found: list[dict[Hashable, Layer]] = []
    for ledger, wanted in zip(ledgers, busy, strict=True):
        keys = _keys(ledger.layers)
        found.append({key: layer for key, layer in zip(keys, ledger.layers, strict=True) if layer.index in wanted})
    order = _merged([list(layers) for layers in found])
    here = [next(layers[key] for layers in found if key in layers) for key in order]
    whole = Ledger("", "deployed", tuple(replace(layer, index=i) for i, layer in enumerate(here)), (), ())
    counts = [ledger.by_layer() for ledger in ledgers]

    def alike(layer: Layer) -> Hashable:
        return tuple(
            (own.op, own.shape_out, own.window, tuple(table.get(own.index, {}).items()))
            if (own := layers.get(order[layer.index]))
            else None
            for layers, table in zip(found, counts, strict=True)
        )

    rows = []
    for branch in folded(grow(whole, set(range(len(order)))), alike, apart=True).walk():
        if branch.leaf is not None:
            own = tuple(tuple(layers[order[i]].index for i in branch.layers if order[i] in layers) for layers in found)
            numbers = tuple(i + 1 for i in branch.layers)
            rows.append(Place(".".join(branch.path), branch.leaf.op, branch.leaf.shape_out, numbers, own))
    orders = [tuple(layers[key].index if key in layers else None for key in order) for layers in found]
    if any(NETWORK in wanted for wanted in busy):
        orders = [(*row, NETWORK) for row in orders]
        rows.append(Place("", "", (), (len(order) + 1,), tuple((NETWORK,) for _ in ledgers)))
    return Places(tuple(rows), tuple(orders))


def span(numbers: Sequence[int]) -> str:
    """Where the layers of a row stand: 4, or 4\N{EN DASH}25."""
    return f"{numbers[0]}" if len(numbers) == 1 else f"{numbers[0]}\N{EN DASH}{numbers[-1]}"


def total(layers: Sequence[int], counts: Mapping[int, Mapping[str, int]], kinds: Sequence[Kind]) -> tuple[int, ...]:
    """The numbers of operations of these kinds, of every layer that has one."""
    return tuple(counts[i][k] for i in layers if i in counts for k in kinds if counts[i].get(k))


def _keys(layers: Sequence[Layer]) -> list[Hashable]:
    """What a layer is called, with its operation; the second that is called so is another one."""
    seen: dict[tuple[str, str], int] = {}
    made: list[Hashable] = []
    for layer in layers:
        name = layer.name, layer.op
        seen[name] = seen.get(name, -1) + 1
        made.append((*name, seen[name]))
    return made


def _merged(lists: Sequence[Sequence[Hashable]]) -> list[Hashable]:
    """All of the lists in one, in the order of each as far as they agree."""
    made: list[Hashable] = []
    for keys in lists:
        at = 0
        for key in keys:
            if key in made:
                at = max(at, made.index(key) + 1)
            else:
                made.insert(at, key)
                at += 1
    return made
