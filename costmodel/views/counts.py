"""The tables of ``costmodel profile`` about operations: by layer, module, kind or tag, and what rewrites removed."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from typing import Any

from costmodel.graph.vocabulary import HEADS, KINDS
from costmodel.ledger.ledger import Layer, Ledger, Profile
from costmodel.views import numbers
from costmodel.views.table import Column, Row, Table, tree_labels
from costmodel.views.tree import ROOT, Branch, folded, grow

#: Kinds that a narrow terminal can do without, before it loses a multiplication.
SPARE = {"signflip": 13, "popcount": 8, "lut": 9, "special": 10, "shift_const": 11, "compare": 12}

Show = Callable[[Any], str]


def kinds_of(ledger: Ledger) -> list[str]:
    """Kinds that this network is charged for, in the order of the ledger's vocabulary."""
    present = {c.kind for c in ledger.charges if c.count}
    return [kind for kind in KINDS if kind in present]


def charged(ledger: Ledger) -> set[int]:
    """Indices of the layers that execute anything."""
    return {charge.layer for charge in ledger.charges}


def by_layer(
    ledger: Ledger, show: Show, depth: int | None = None, also: Iterable[int] = (), fold: bool = False
) -> Table:
    """The tree of modules with the operations of each, subtotals on inner modules, and its share of all multiplies.

    ``also`` are layers to show though they execute nothing. ``fold`` puts blocks in a row that are alike in one place.
    """
    kinds = kinds_of(ledger)
    counts = ledger.by_layer()
    per_kind = {kind: {i: row.get(kind, 0) for i, row in counts.items()} for kind in kinds}
    tree = grow(ledger, charged(ledger).union(also))
    if fold:
        tree = folded(tree, lambda layer: (*_shape(layer), tuple(counts[layer.index].items())))
    branches = list(tree.walk(depth))[1:]
    labels = tree_labels([branch.path for branch in branches])
    multiplies = ledger.total("mul")
    stored = parameters(ledger)
    rows = []
    for branch, label in zip(branches, labels, strict=True):
        values = [int(branch.total(per_kind[kind])) for kind in kinds]
        layer = branch.leaf
        shape = numbers.shape(layer.shape_out) if layer else ""
        head = [".".join(branch.path), layer.op if layer else "", *window(layer), shape, operands(layer),
                int(branch.total(stored))]  # fmt: skip
        part = branch.total(per_kind["mul"]) if "mul" in per_kind else 0
        rows.append(
            Row(
                [*head, *values, part / multiplies if multiplies else 0.0],
                "bold" if branch.children else "plain",
                times(label, branch),
                branch.is_subtotal(depth),
            )
        )
    totals = [ledger.total(kind) for kind in kinds]
    columns = [
        Column("layer", "layer", "left"), Column("op", "operation", "left", spare=3),
        Column("kernel", "kernel", spare=6), Column("stride", "stride", spare=2), Column("output", "output", spare=7),
        Column("operands", "operands", "left", spare=1), Column("parameters", "parameters", show=show, spare=5),
        *(Column(k, HEADS.get(k, k), show=show, spare=SPARE.get(k, 0)) for k in kinds),
        Column("share_of_mul", "of mul", show=lambda v: numbers.share(v, 1.0), spare=4),
    ]  # fmt: skip
    footer = Row([ROOT, "", "", "", "", "", sum(stored.values()), *totals, 1.0 if multiplies else 0.0], "bold", "total")
    return Table("layers", "", columns, rows, [footer], deeper(tree, depth))


def deeper(tree: Branch, depth: int | None) -> list[str]:
    """How to see what lies below the levels shown, and what ×4 means; nothing where all is shown."""
    every, notes = tree.depth(), []
    if any(branch.times > 1 for branch in tree.walk(depth)):
        notes.append("×4: four in a row that are alike, added up.")
    if depth is not None and depth < every:
        notes.append(f"{depth} of {every} levels are shown: --depth {every} shows every layer.")
    return notes


def times(label: str, branch: Branch) -> str:
    """The label of a place, with how many are in it."""
    return f"{label} ×{branch.times}" if branch.times > 1 else label


def parameters(ledger: Ledger) -> dict[int, int]:
    """Numbers that each layer index reads as weights, scales, biases and thresholds."""
    found: dict[int, int] = {}
    for tensor in ledger.traffic:
        if tensor.role in ("weight", "parameter"):
            found[tensor.layer] = found.get(tensor.layer, 0) + tensor.count
    return found


def window(layer: Layer | None) -> tuple[str, str]:
    """Kernel and stride of a sliding window: 3×3 and 2; nothing for a kernel of one."""
    if layer is None or layer.window is None or not layer.window.kernel:
        return "", ""
    kernel, stride = layer.window.kernel, layer.window.stride
    if len(kernel) < 2 and set(kernel) == {1}:
        return "", ""
    alike = len(set(stride)) == 1
    return "×".join(map(str, kernel)), str(stride[0]) if alike else "×".join(map(str, stride))


def _shape(layer: Layer) -> tuple[Hashable, ...]:
    """What two layers that are alike have in common besides their counts."""
    return layer.op, layer.shape_out, operands(layer), window(layer)


def by_module(ledger: Ledger, show: Show) -> Table:
    """Each module's own operations, without those of the modules inside it."""
    kinds = kinds_of(ledger)
    counts = ledger.by_module_and_kind()
    modules = list(dict.fromkeys(c.module for c in ledger.charges))
    rows = [Row([module or ROOT, *(counts.get((module, kind), 0) for kind in kinds)]) for module in modules]
    columns = [Column("module", "module", "left"), *(Column(k, HEADS.get(k, k), show=show) for k in kinds)]
    totals = [ledger.total(kind) for kind in kinds]
    return Table("modules", "", columns, rows, [Row(["total", *totals], "bold")])


def by_tag(ledger: Ledger, show: Show) -> Table:
    """Why the operations are there, the largest first."""
    kinds = kinds_of(ledger)
    table: dict[str, dict[str, int]] = {}
    for (kind, tag), number in ledger.by_kind_and_tag().items():
        table.setdefault(tag, {})[kind] = number
    ordered = sorted(table.items(), key=lambda item: -sum(item[1].values()))
    rows = [Row([tag, *(row.get(kind, 0) for kind in kinds)]) for tag, row in ordered]
    columns = [Column("tag", "tag", "left"), *(Column(k, HEADS.get(k, k), show=show) for k in kinds)]
    totals = [ledger.total(kind) for kind in kinds]
    return Table("tags", "", columns, rows, [Row(["total", *totals], "bold")])


def by_kind(ledger: Ledger, show: Show) -> Table:
    """Each kind of operation: how many, at which operand widths, and for which purpose (tag)."""
    rows = []
    everything = ledger.total()
    for kind in kinds_of(ledger):
        charges = [c for c in ledger.charges if c.kind == kind]
        number = sum(c.count for c in charges)
        widths = sorted({(c.bits_a, c.bits_b) for c in charges})
        tags: dict[str, int] = {}
        for c in charges:
            tags[c.tag] = tags.get(c.tag, 0) + c.count
        why = ", ".join(f"{tag} {show(n)}" for tag, n in sorted(tags.items(), key=lambda item: -item[1]))
        rows.append(Row([kind, number, number / everything, _widths(widths), why]))
    columns = [
        Column("kind", "operation", "left"), Column("count", "count", show=show),
        Column("share", "share", show=lambda v: numbers.share(v, 1.0)), Column("bits", "bits", "left"),
        Column("tags", "tag", "left", prose=True),
    ]  # fmt: skip
    return Table("kinds", "", columns, rows, [Row(["total", everything, 1.0, "", ""], "bold")])


def levels(profile: Profile, show: Show) -> Table:
    """Both levels side by side, and what the rewrites took away."""
    written, deployed = profile.as_written.by_kind(), profile.deployed.by_kind()
    kinds = [kind for kind in KINDS if written.get(kind) or deployed.get(kind)]
    rows = [
        Row([kind, written.get(kind, 0), deployed.get(kind, 0), written.get(kind, 0) - deployed.get(kind, 0)])
        for kind in kinds
    ]
    columns = [
        Column("kind", "operation", "left"), Column("as_written", "as written", show=show),
        Column("deployed", "deployed", show=show), Column("removed", "removed", show=show),
    ]  # fmt: skip
    return Table("levels", "As written and as deployed", columns, rows)


def rewrites(profile: Profile, show: Show) -> Table:
    """Each kind of exact rewrite: at how many places, what it removed, and why that is exact."""
    rows = []
    for name, removed in profile.rewrites_by_name().items():
        places = [r for r in profile.rewrites if r.name == name]
        what = [f"{show(n)} {kind}" for kind, n in removed.items() if n > 0]
        added = [f"{show(-n)} {kind}" for kind, n in removed.items() if n < 0]
        text = ", ".join(what) + (f"; adds {', '.join(added)}" if added else "")
        rows.append(Row([name, len(places), text or "nothing", places[0].why]))
    columns = [
        Column("rewrite", "rewrite", "left", prose=True), Column("places", "places"),
        Column("removed", "removes", "left", prose=True),
        Column("why", "exact because", "left", prose=True),
    ]  # fmt: skip
    return Table("rewrites", "Rewrites between them, each exact", columns, rows)


def traffic(ledger: Ledger) -> Table:
    """Bits that are read and written at their true widths, each tensor once per use."""
    titles = {
        "weight": "weights, packed", "parameter": "scales, thresholds, biases", "input": "activations read",
        "output": "activations written",
    }  # fmt: skip
    rows = [Row([text, ledger.bits_moved(role)]) for role, text in titles.items()]
    columns = [Column("role", "bits moved", "left"), Column("bits", "size", show=numbers.bits)]
    return Table("traffic", "Memory traffic of one inference", columns, rows)


def kinds(ledger: Ledger) -> Table:
    """Why the operands of every sum of products are binary, ternary, integers or real: the rule, or what was seen."""
    rows = [
        Row([layer.name or "(network)", operands(layer), layer.a.why or layer.a.evidence,
             layer.b.why or layer.b.evidence if layer.b is not None else ""])
        for layer in ledger.layers if layer.macs
    ]  # fmt: skip
    columns = [
        Column("layer", "layer", "left"), Column("operands", "operands", "left"),
        Column("activations", "activations, because", "left", prose=True),
        Column("weights", "weights, because", "left", prose=True),
    ]  # fmt: skip
    return Table("kinds", "Kinds of operands, and how they are known", columns, rows)


def operands(layer: Layer | None) -> str:
    """Kinds of the two operands: binary×binary, float32×float32."""
    if layer is None or not layer.macs or layer.b is None:
        return ""
    return f"{_short(layer.a)}×{_short(layer.b)}"


def _short(domain: Any) -> str:
    width = str(domain.bits) if domain.kind in ("int", "float") else ""
    return f"{domain.kind}{width}"


def _widths(pairs: list[tuple[int, int]]) -> str:
    texts = [f"{a}×{b}" if b else str(a) for a, b in pairs]
    return ", ".join(texts[:4]) + (", ..." if len(texts) > 4 else "")
