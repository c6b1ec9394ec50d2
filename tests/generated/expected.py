r"""What a graph of abstract operations costs once it is deployed, by the rules of exact rewriting.

1. A quantiser of :math:`L` levels is :math:`L - 1` comparisons, whatever affine or monotone pieces lie between it and
   the value that it reads: scales, biases, batch norms, clamps, max pooling, moves.
2. Scales and biases collect on their way. They go into real weights behind them (biases only where nothing is padded)
   or in front of them, pass moves, means and sums over few-level operands (a scale per tensor), and merge: what is
   left over costs one multiplication or shift and one addition at the place where they meet something else.
3. What several readers need is made once; what no reader needs is not made.

``features`` names the rules that a graph depends on, so that networks which need a certain one can be left out.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.generated.sketch import Node

NARROW = ("binary", "binary01", "ternary")
#: What a scale or a bias passes on its way to a threshold.
PASSING = ("affine", "move", "max_pool", "cut", "prelu", "mean", "concat")
ORDER = ("one", "pow2", "real")


def product_rows(a: tuple[str, int], b: tuple[str, int], macs: int, results: int) -> Counter[str]:
    """``macs`` products of two operands (kind, bits), summed into ``results``."""
    rows: Counter[str] = Counter()
    kinds = {a[0], b[0]}
    if kinds <= {"binary", "binary01"}:
        rows["and" if "binary01" in kinds else "xnor"] = rows["popcount"] = macs
    elif kinds <= set(NARROW):
        rows["xnor"] = rows["and"] = rows["popcount"] = macs
    elif kinds <= {*NARROW, "int"} and max(a[1], b[1]) <= 4:
        rows["and"] = rows["popcount"] = macs * a[1] * b[1]
    elif kinds & set(NARROW):
        rows["signflip"] = macs
    else:
        rows["shift_var" if "pow2" in kinds else "mul"] = macs
        rows["add"] = macs - results
    return rows


@dataclass(frozen=True)
class Chain:
    """Scales and biases that wait, behind ``core``. ``through`` names what they came through or come from."""

    core: int
    scale: str = "one"
    per_channel: bool = False
    bias: bool = False
    positive: bool = True
    through: frozenset[str] = frozenset()
    steps: int = 0

    def then(self, node: Node) -> Chain:
        attrs = node.attrs
        own = attrs.get("scale", "one")
        return replace(
            self, scale=max(self.scale, own, key=ORDER.index), bias=self.bias or attrs.get("bias", False),
            per_channel=self.per_channel or (attrs.get("per_channel", False) and own != "one"),
            positive=self.positive and attrs.get("positive", True),
            steps=self.steps + (own != "one" or attrs.get("bias", False)),
        )  # fmt: skip

    def over(self, what: str) -> Chain:
        return replace(self, through=self.through | {what})

    @property
    def empty(self) -> bool:
        return self.scale == "one" and not self.bias


class Deployed:
    """``rows`` by kind and ``features`` of a graph with these outputs."""

    def __init__(self, nodes: Sequence[Node], outputs: Sequence[int]) -> None:
        self.nodes = nodes
        self.rows: Counter[str] = Counter()
        self.features: set[str] = set()
        self.users: dict[int, list[Node]] = {n.id: [] for n in nodes}
        live = set(outputs)
        for node in reversed(nodes):
            if node.id in live:
                live.update(node.inputs)
                for source in dict.fromkeys(node.inputs):
                    self.users[source].append(node)
        self.outputs = set(outputs)
        #: Whether all readers of a value are thresholds, with monotone pieces or moves between.
        self.decided: dict[int, bool] = {}
        #: The same without a mean between: what is cut off before elements are added up is needed.
        self.monotone: dict[int, bool] = {}
        #: Whether a reader needs the elements themselves, with all scales and biases carried out.
        self.wanted: dict[int, bool] = {}
        for node in reversed(nodes):
            self.decided[node.id] = node.id not in self.outputs and all(
                u.op == "quantise" or (_passes(u) and self.decided[u.id]) for u in self.users[node.id]
            )
            self.monotone[node.id] = node.id not in self.outputs and all(
                u.op == "quantise" or (_passes(u) and u.op != "mean" and self.monotone[u.id])
                for u in self.users[node.id]
            )
            self.wanted[node.id] = node.id in self.outputs or any(self._wants(u, node) for u in self.users[node.id])
        self.chains: dict[int, Chain] = {}
        #: real sums -> whether a bias is added to their results
        self.biased: dict[int, bool] = {}
        for node in nodes:
            if node.id in live:
                self._visit(node)
        self.rows["add"] += sum(nodes[i].numel for i, biased in self.biased.items() if biased)
        self.rows = +self.rows
        if min(nodes[i].numel for i in outputs) < 10:
            self.features.add("few outputs")

    def _wants(self, user: Node, node: Node) -> bool:
        match user.op:
            case "quantise":
                return False
            case "affine" | "move" | "mean":
                return self.wanted[user.id]
            case "max_pool" if self._on_the_way(node)[0] != "channel" or self._positive(node):
                return self.wanted[user.id] and not self.monotone[user.id]
            case "cut" | "max_pool" | "prelu":  # a maximum is that of scaled values for a positive scale
                return not self.monotone[user.id]
            case "concat":
                return not self.decided[user.id]
            case "sum":
                scales, biases = self._on_the_way(node)
                if user.attrs["weights"][0] == "real":
                    return biases and user.attrs["padding"] > 0
                return biases or scales == "channel"
            case _:
                return True

    def _real(self, node: Node) -> bool:
        """Whether the values are real numbers, not few levels with a scale."""
        while node.op in ("affine", "move", "max_pool", "concat"):
            node = self.nodes[node.inputs[0]]
        return node.op != "quantise"

    def _on_the_way(self, node: Node) -> tuple[str, bool]:
        """The widest scale (one, tensor, channel) and whether there is a bias, back to where the values are made."""
        scale, bias = "one", False
        while node.op in ("affine", "move", "max_pool", "mean", "concat"):
            if node.attrs.get("scale", "one") != "one":
                scale = "channel" if node.attrs.get("per_channel") or scale == "channel" else "tensor"
            bias |= node.attrs.get("bias", False)
            node = self.nodes[node.inputs[0]]
        return scale, bias

    def _positive(self, node: Node) -> bool:
        """Whether all scales back to where the values are made are known to be positive."""
        while node.op in ("affine", "move", "max_pool", "mean", "concat"):
            if not node.attrs.get("positive", True):
                return False
            node = self.nodes[node.inputs[0]]
        return True

    # -- one operation -----------------------------------------------------------------------------------------------

    def _visit(self, node: Node) -> None:
        chain = self.chains[node.inputs[0]] if node.inputs else Chain(node.id)
        source = self.nodes[node.inputs[0]] if node.inputs else node
        match node.op:
            case "affine":
                chain = chain.over("levels") if source.op == "quantise" else chain
                self.chains[node.id] = self._settle(node, chain.then(node))
            case "mean":
                self.rows["add"] += node.attrs["adds"]
                if chain.bias and chain.scale == "one" and not self.decided[node.id]:
                    chain = self._carry_out(source, chain)  # a bias alone stays in front of a mean
                near = self._real_core(chain) and "mean" not in chain.through
                if near and self._alone(self.nodes[chain.core], source):
                    chain = self._carry_out(source, chain)
                self.chains[node.id] = self._settle(node, chain.over("mean").then(node))
            case "move":
                if len(self.users[node.id]) > 1 and self._cut_before(source):
                    self.features.add("a rectifier in front of a move that several read")
                self.chains[node.id] = self._settle(
                    node, chain.over("move") if chain.through or not chain.empty else chain
                )
            case "max_pool":
                self.rows["compare"] += node.attrs["compares"]
                self.chains[node.id] = chain.over("max pool")
                if not self.monotone[node.id] and chain.per_channel and not chain.positive:
                    self._carry_out(source, chain)
                    self.chains[node.id] = Chain(node.id)
            case "concat":
                chains = [self.chains[i] for i in node.inputs]
                if not self.decided[node.id]:
                    for i, c in zip(node.inputs, chains, strict=True):
                        self._carry_out(self.nodes[i], c)
                through = frozenset() if all(c.empty for c in chains) else frozenset({"concatenation"})
                self.chains[node.id] = Chain(node.id, through=through)
            case "quantise":
                self._threshold(node, chain)
            case "sum":
                self._sum(node, chain)
            case "cut" | "prelu" if self.monotone[node.id] and _passes(node):
                self.chains[node.id] = chain.over(node.op)
            case _:
                if node.op == "prelu" and self.monotone[node.id]:
                    self.features.add("threshold behind a slope of unknown sign")
                for i in node.inputs:
                    self._carry_out(self.nodes[i], self.chains[i])
                self._plain(node)
                self.chains[node.id] = Chain(node.id)
        if node.id in self.outputs:
            self._carry_out(node, self.chains[node.id])

    def _cut_before(self, node: Node) -> bool:
        """Whether a rectifier or a bound that only thresholds need stands before some moves."""
        while node.op == "move":
            node = self.nodes[node.inputs[0]]
        return node.op in ("cut", "prelu") and self.monotone[node.id]

    def _real_core(self, chain: Chain) -> bool:
        core = self.nodes[chain.core]
        return core.op == "sum" and core.attrs["weights"][0] == "real"

    def _plain(self, node: Node) -> None:
        match node.op:
            case "cut":
                self.rows["compare"] += node.attrs["sides"] * node.numel
            case "add":
                self.rows["add"] += node.numel
            case "prelu":
                slope = node.attrs["scale"], node.attrs["per_channel"]
                self.rows[_step(*slope)] += node.numel
            case "product":
                a, b = (self.nodes[i] for i in node.inputs)
                self.rows += product_rows((a.kind, a.bits), (b.kind, b.bits), node.attrs["macs"], node.numel)

    def _threshold(self, node: Node, chain: Chain) -> None:
        self.rows["compare"] += node.numel * (node.attrs["levels"] - 1)
        self.chains[node.id] = Chain(node.id)
        if node.attrs["levels"] > 2:
            self.features.add("several levels")
        self.features.update(f"threshold behind {what}" for what in chain.through)

    def _sum(self, node: Node, chain: Chain) -> None:
        source = self.nodes[node.inputs[0]]
        a, b = (source.kind, source.bits), node.attrs["weights"]
        if self._real(source):
            a = ("real", 32)
        else:
            core = source
            while core.op != "quantise":
                core = self.nodes[core.inputs[0]]
            a = core.kind, core.bits
        self.rows += product_rows(a, b, node.attrs["macs"], node.numel)
        own = node.attrs["bias"]
        if len(node.shape) == 3:
            self.features.add("matrix of tokens")
        if b[0] == "real":
            near = self._real_core(chain) and "mean" not in chain.through
            behind = near and self._alone(self.nodes[chain.core], source)
            more = node.numel > source.numel and not own  # a bias alone stays where it takes fewer additions
            if behind or (chain.bias and (node.attrs["padding"] or (more and chain.scale == "one"))):
                chain = self._carry_out(source, chain)
            if not chain.empty:
                self.features.add(f"{'bias' if chain.bias else 'scale'} into the next real weights")
                self.features.update(f"real weights behind {what}" for what in chain.through)
            self.biased[node.id] = own or chain.bias
            self.chains[node.id] = Chain(node.id)
            return
        if self._real(source) and (chain.bias or chain.per_channel):
            self._carry_out(source, chain)
            chain = Chain(source.id)
        elif self._real(source) and not chain.empty:
            self.features.add("a scale through a sum of signed numbers")
        self.chains[node.id] = self._settle(node, replace(chain, core=node.id, bias=own))

    # -- carrying out ------------------------------------------------------------------------------------------------

    def _settle(self, node: Node, chain: Chain) -> Chain:
        """Where several read a value and one of them needs it as it is, it is made here."""
        if len(self.users[node.id]) > 1 and self.wanted[node.id]:
            return self._carry_out(node, chain)
        if len(self.users[node.id]) > 1 and not self.decided[node.id] and not chain.empty:
            around = any(u.op in ("mean", "move", "concat") for u in self.users[node.id])
            self.features.add("several readers, one behind a window or a move" if around
                              else "several readers that each take it")  # fmt: skip
        return chain

    def _carry_out(self, node: Node, chain: Chain) -> Chain:
        if chain.empty:
            return chain
        core = self.nodes[chain.core]
        if chain.steps > 1:
            self.features.update(f"merged over {what}" for what in chain.through)
        if self._real_core(chain) and self._alone(core, node):
            if "mean" in chain.through:  # the scale goes into the weights, the bias is added to the means
                self.features.add("real weights in front of a mean")
                self.rows["add"] += node.numel * (chain.bias and not self.biased[core.id])
            else:
                self.biased[core.id] |= chain.bias
        else:
            self.rows[_step(chain.scale, chain.per_channel)] += node.numel
            self.rows["add"] += node.numel * chain.bias
        self.chains[node.id] = Chain(node.id)
        return self.chains[node.id]

    def _alone(self, core: Node, node: Node) -> bool:
        """Whether nothing else reads what lies between ``core`` and ``node``."""
        while node.id != core.id:
            node = self.nodes[node.inputs[0]]
            if len(self.users[node.id]) != 1 or node.id in self.outputs:
                return False
        return True


def _passes(node: Node) -> bool:
    """Whether the operation is monotone by its structure: a slope of unknown sign is not."""
    return node.op in PASSING and (node.op != "prelu" or node.attrs["scale"] == "pow2")


def _step(scale: str, per_channel: bool) -> str:
    return {"one": "none", "real": "mul", "pow2": "shift_channel" if per_channel else "shift_const"}[scale]


def deployed(nodes: Sequence[Node], outputs: Sequence[int]) -> tuple[Counter[str], set[str]]:
    """Operations by kind after all exact rewrites, and the rules that this depends on."""
    made = Deployed(nodes, outputs)
    rows = made.rows
    rows.pop("none", None)
    return rows, made.features
