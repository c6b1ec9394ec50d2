"""A network as the tree of its modules: what each layer and each module above it adds up to."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from costmodel.ledger.ledger import Layer, Ledger

ROOT = "(network)"


@dataclass
class Branch:
    """A module or a layer. ``layers`` are the indices of all layers at or below it; ``leaf`` the layer itself."""

    path: tuple[str, ...]
    layers: list[int] = field(default_factory=list)
    leaf: Layer | None = None
    children: dict[str, Branch] = field(default_factory=dict)

    def walk(self, depth: int | None = None) -> Iterator[Branch]:
        """This branch and those below it in order of execution, down to ``depth`` levels."""
        yield self
        if depth is None or len(self.path) < depth:
            for child in self.children.values():
                yield from child.walk(depth)

    def is_subtotal(self, depth: int | None = None) -> bool:
        """Whether :meth:`walk` to that depth also yields the parts that this branch adds up."""
        return bool(self.children) and (depth is None or len(self.path) < depth)

    def total(self, values: Mapping[int, float]) -> float:
        return sum(values.get(index, 0) for index in self.layers)


def grow(ledger: Ledger, keep: set[int]) -> Branch:
    """The tree of all layers in ``keep``.

    A layer stands at the path of its module. Where one module runs several layers, each gets a place of its own below
    it, named by its operation; a module that is called again gets one place a call (``conv#2``).
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
