"""A network as the tree of its modules: what each layer and each module above it adds up to."""

from __future__ import annotations

import re
from collections.abc import Callable, Hashable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from costmodel.ledger.ledger import Layer, Ledger

ROOT = "(network)"


@dataclass
class Branch:
    """A module or a layer. ``layers`` are the indices of all layers at or below it; ``leaf`` the layer itself.

    ``times``: so many siblings in a row that are alike stand in this one place, which adds them up (:func:`folded`).
    """

    path: tuple[str, ...]
    layers: list[int] = field(default_factory=list)
    leaf: Layer | None = None
    children: dict[str, Branch] = field(default_factory=dict)
    times: int = 1

    def walk(self, depth: int | None = None) -> Iterator[Branch]:
        """This branch and those below it in order of execution, down to ``depth`` levels."""
        yield self
        if depth is None or len(self.path) < depth:
            for child in self.children.values():
                yield from child.walk(depth)

    def depth(self) -> int:
        """Levels below this branch."""
        return max((1 + child.depth() for child in self.children.values()), default=0)

    def is_subtotal(self, depth: int | None = None) -> bool:
        """Whether :meth:`walk` to that depth also yields the parts that this branch adds up."""
        return bool(self.children) and (depth is None or len(self.path) < depth)

    def total(self, values: Mapping[int, float]) -> float:
        return sum(values.get(index, 0) for index in self.layers)


def grow(ledger: Ledger, keep: set[int]) -> Branch:
    """The tree of all layers in ``keep``.

    A layer stands at the path of its module. Where one module runs several layers, each gets a place of its own below
    it, named by its operation; a module that is called again gets one place per call (``conv#2``).
    """
    layers = [layer for layer in ledger.layers if layer.index in keep]
    several: dict[tuple[str, int], int] = {}
    for layer in layers:
        several[layer.module, layer.call] = several.get((layer.module, layer.call), 0) + 1
    inner = {".".join(layer.module.split(".")[:n]) for layer in layers for n in range(layer.module.count(".") + 1)}
    root = Branch(())
    for layer in layers:
        path = place(layer)
        if several[layer.module, layer.call] > 1 or layer.module in inner or not path:
            path = (*path, f"({layer.op})")
        _insert(root, path, layer)
    return _joined(root)


def _joined(branch: Branch, above: tuple[str, ...] = ()) -> Branch:
    """The same tree with every module that holds nothing but one other joined to it: ``convs.0``."""
    while branch.path and branch.leaf is None and len(branch.children) == 1:
        (only,) = branch.children.values()
        branch = replace(only, path=(*branch.path[:-1], f"{branch.path[-1]}.{only.path[-1]}"))
    path = (*above, branch.path[-1]) if branch.path else ()
    children = [_joined(child, path) for child in branch.children.values()]
    return replace(branch, path=path, children={child.path[-1]: child for child in children})


def folded(
    branch: Branch, key: Callable[[Layer], Hashable], above: tuple[str, ...] = (), *, apart: bool = False
) -> Branch:
    """The same tree with siblings in a row that are alike in one place: ``1-3``; with others between them: ``1,3,5``,
    if ``apart``.

    Alike are those whose names differ in a number alone, and whose layers have the same ``key`` in the same places.
    """
    path = (*above, branch.path[-1]) if branch.path else ()
    groups: list[tuple[Hashable, list[Branch]]] = []
    for child in branch.children.values():
        signature = _signature(child, key)
        found = [group for known, group in (groups if apart else groups[-1:]) if known == signature]
        if found:
            found[0].append(child)
        else:
            groups.append((signature, [child]))
    children = [folded(_merged(group), key, path, apart=apart) for _, group in groups]
    return replace(branch, path=path, children={child.path[-1]: child for child in children})


def _signature(branch: Branch, key: Callable[[Layer], Hashable]) -> Hashable:
    """What must be equal of two branches that are alike; below them the names count as they are."""
    inside = tuple((name, _signature(child, key)) for name, child in branch.children.items())
    return re.sub(r"\d+", "#", branch.path[-1]), key(branch.leaf) if branch.leaf else None, inside


def _merged(group: list[Branch]) -> Branch:
    first, last = group[0], group[-1]
    if first is last:
        return first
    children = {name: _merged([each.children[name] for each in group]) for name in first.children}
    for name, child in children.items():
        children[name] = replace(child, path=(*child.path[:-1], name), times=1)
    layers = [index for each in group for index in each.layers]
    pieces = zip(*(re.split(r"(\d+)", each.path[-1]) for each in group), strict=True)
    name = "".join(map(_range, pieces))
    return replace(first, path=(*first.path[:-1], name), layers=layers, children=children, times=len(group))


def _range(parts: tuple[str, ...]) -> str:
    """The same piece of several names as one: ``1-3``, or ``1,3,5``."""
    if len(set(parts)) == 1:
        return parts[0]
    row = [int(part) for part in parts]
    return f"{row[0]}-{row[-1]}" if row == list(range(row[0], row[-1] + 1)) else ",".join(parts)


def place(layer: Layer) -> tuple[str, ...]:
    """Where the layer's module stands in the tree."""
    return tuple(layer.name.split(".")) if layer.name else ()


def _insert(root: Branch, path: tuple[str, ...], layer: Layer) -> None:
    branch = root
    branch.layers.append(layer.index)
    for depth, part in enumerate(path, start=1):
        if depth == len(path):
            while part in branch.children and (branch.children[part].leaf or branch.children[part].children):
                part = _next(part)
        branch = branch.children.setdefault(part, Branch((*branch.path, part)))
        branch.layers.append(layer.index)
    branch.leaf = layer


def _next(part: str) -> str:
    """``(add)``, ``(add) 2``, ``(add) 3``, ..."""
    name, _, number = part.partition(" ")
    return f"{name} {int(number) + 1 if number else 2}"
