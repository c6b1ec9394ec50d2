"""The tree of a network: every charged layer has one place, and every branch adds up what is below it."""

from __future__ import annotations

import pytest

from costmodel import api
from costmodel.graph.domain import FLOAT
from costmodel.ledger.ledger import Charge, Layer, Ledger
from costmodel.views.counts import charged
from costmodel.views.tree import Branch
from costmodel.views.tree import grow as grow_from


def grow(book: Ledger) -> Branch:
    return grow_from(book, charged(book))


def ledger(*modules: tuple[str, int, str]) -> Ledger:
    layers = [Layer(i, m, call, op, (), (1,), (1,), FLOAT, FLOAT) for i, (m, call, op) in enumerate(modules)]
    charges = [Charge(layer.index, layer.module, layer.call, layer.op, "add", "other", 1, 32, 32) for layer in layers]
    return Ledger("net", "deployed", tuple(layers), tuple(charges), ())


def names(tree: Branch) -> list[str]:
    return [".".join(branch.path) for branch in tree.walk()][1:]


@pytest.mark.parametrize(
    ("modules", "expected"),
    [
        ([("a", 0, "conv"), ("b", 0, "add")], ["a", "b"]),
        ([("a", 0, "conv"), ("a", 0, "affine")], ["a", "a.(conv)", "a.(affine)"]),
        ([("a", 0, "conv"), ("a", 1, "conv")], ["a", "a#2"]),
        ([("a.b.c", 0, "conv"), ("d", 0, "conv")], ["a.b.c", "d"]),
        ([("a.b", 0, "conv"), ("a", 0, "add"), ("a.c", 0, "conv")], ["a", "a.b", "a.(add)", "a.c"]),
        ([("", 0, "add"), ("", 0, "add"), ("a", 0, "conv")], ["(add)", "(add) 2", "a"]),
        ([("a.0", 0, "conv"), ("a.0", 0, "affine"), ("b", 0, "x")], ["a.0", "a.0.(conv)", "a.0.(affine)", "b"]),
    ],
)
def test_places(modules: list[tuple[str, int, str]], expected: list[str]) -> None:
    assert names(grow(ledger(*modules))) == expected


@pytest.mark.parametrize("name", ["abbnn-digits", "bn-bireal18-cifar10", "tfc", "quicknet-small"])
@pytest.mark.parametrize("level", ["deployed", "as_written"])
def test_every_charged_layer_has_one_place_and_branches_add_up(name: str, level: str) -> None:
    book = api.profile(name).ledger(level)  # type: ignore[arg-type]
    tree = grow(book)
    leaves = [branch.leaf.index for branch in tree.walk() if branch.leaf]
    assert sorted(leaves) == sorted({charge.layer for charge in book.charges})
    counts = {index: sum(row.values()) for index, row in book.by_layer().items()}
    for branch in tree.walk():
        if branch.children:
            assert branch.total(counts) == sum(child.total(counts) for child in branch.children.values())
    assert tree.total(counts) == book.total()
    paths = [branch.path for branch in tree.walk()]
    assert len(paths) == len(set(paths))


@pytest.mark.parametrize("depth", [1, 2, 3])
def test_a_tree_that_is_cut_shows_no_deeper_path(depth: int) -> None:
    tree = grow(api.profile("abbnn-digits").deployed)
    cut = list(tree.walk(depth))
    assert max(len(branch.path) for branch in cut) <= depth
    shown = [branch for branch in cut if not branch.is_subtotal(depth)]
    assert sorted(i for branch in shown for i in branch.layers) == sorted(tree.layers)
