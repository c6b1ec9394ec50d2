"""The smallest networks that each depend on one rule, built of the same operations as the random ones."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from tests.generated.networks import Network, finish
from tests.generated.sketch import Node, Sketch

Build = Callable[[Sketch], Node]
REAL = {"scale": "real", "per_channel": True}


def stem(s: Sketch) -> Node:
    return s.sum(s.nodes[0], 8, "real", kernel=3, padding=1)


def signs(s: Sketch, x: Node) -> Node:
    return s.quantise(s.batch_norm(x), "binary")


def binary(s: Sketch, x: Node, out: int = 8, **options: object) -> Node:
    return s.sum(x, out, "binary", **{"kernel": 3, "padding": 1, **options} if len(x.shape) == 4 else options)


def read(s: Sketch, x: Node) -> Node:
    """A threshold and a binary sum behind it: 8 results per image place, with nothing left over."""
    return binary(s, s.quantise(x, "binary"))


def levels(s: Sketch, kind: str, bits: int = 1, number: float = 0.0) -> Node:
    x = s.quantise(s.batch_norm(stem(s)), kind, bits)
    return s.affine(x, "real", number=number) if number else x


def two_readers(s: Sketch) -> Node:
    x = stem(s)
    u = signs(s, x)
    return s.plus(s.batch_norm(binary(s, u, **REAL)), s.batch_norm(binary(s, u)))


def projections(s: Sketch) -> Node:
    u = s.quantise(s.affine(s.nodes[0], bias=True), "binary")
    q, k = (s.quantise(s.affine(binary(s, u, 16), bias=True), "binary") for _ in range(2))
    return s.product(q, k)


def joined(s: Sketch) -> Node:
    u = signs(s, stem(s))
    return read(s, s.concat((s.batch_norm(binary(s, u)), s.batch_norm(binary(s, u)))))


def slope(s: Sketch, scale: str) -> Node:
    u = signs(s, stem(s))
    y = s.plus(s.batch_norm(binary(s, u)), s.batch_norm(binary(s, u)))
    return read(s, s.affine(s.prelu(y, scale), bias=True))


def several(s: Sketch) -> Node:
    """A norm that a threshold takes, and real weights as well: nothing of it is left over."""
    y = s.batch_norm(binary(s, signs(s, stem(s)), **REAL))
    return s.plus(s.sum(y, 8, "real", bias=True), read(s, y))


def halved(s: Sketch) -> Node:
    """A norm that a threshold takes, and real weights behind a mean."""
    y = s.batch_norm(binary(s, signs(s, stem(s)), **REAL))
    x = s.quantise(y, "binary")
    return s.plus(s.sum(s.avg_pool(y), 8, "real", bias=True), binary(s, x, stride=2))


def turned(s: Sketch) -> Node:
    """A rectifier whose results two thresholds read in another order."""
    u = signs(s, stem(s))
    y = s.cut(s.plus(s.batch_norm(binary(s, u)), s.batch_norm(binary(s, u))), 1)
    y = s.move(y, "{x}.flip(1)")
    return s.plus(read(s, s.affine(y, bias=True)), read(s, s.affine(y, bias=True)))


def shared_scale(s: Sketch) -> Node:
    """One chain that is read twice is carried out once."""
    y = s.batch_norm(binary(s, signs(s, stem(s)), **REAL))
    return s.plus(y, s.batch_norm(read(s, y)))


#: rule -> the networks that depend on it; each is built in several spellings.
RULES: dict[str, tuple[Build, ...]] = {
    "a norm goes into real weights": (lambda s: s.batch_norm(stem(s)), lambda s: s.cut(s.batch_norm(stem(s)), 1)),
    "a norm in front of a sign is a threshold": (
        lambda s: read(s, s.batch_norm(stem(s))),
        lambda s: read(s, s.batch_norm(binary(s, signs(s, stem(s)), **REAL))),
        lambda s: read(s, s.affine(s.batch_norm(binary(s, signs(s, stem(s)))), bias=True)),
        lambda s: read(s, s.batch_norm(s.affine(binary(s, signs(s, stem(s)), scale="pow2"), "pow2", True))),
    ),
    "signs of sums that are zero": (
        lambda s: read(s, binary(s, signs(s, stem(s)))),
        lambda s: read(s, s.affine(binary(s, signs(s, stem(s)), scale="pow2"), "pow2", True)),
    ),
    "scales and biases merge": (
        lambda s: s.batch_norm(binary(s, signs(s, stem(s)), **REAL)),
        lambda s: s.affine(s.affine(binary(s, signs(s, stem(s)), **REAL), "pow2", True), bias=True),
    ),
    "a chain that is read twice is made once": (shared_scale, two_readers),
    "cut in front of a threshold": (
        lambda s: read(s, s.cut(s.batch_norm(stem(s)), 2)),
        lambda s: read(s, s.cut(s.batch_norm(binary(s, signs(s, stem(s)))), 2)),
        lambda s: read(s, s.affine(s.cut(s.batch_norm(stem(s)), 1), bias=True)),
    ),
    "a scale into the next real weights": (
        lambda s: s.sum(s.affine(s.nodes[0], "real", True), 8, "real", kernel=3),
        lambda s: s.sum(s.affine(binary(s, signs(s, stem(s))), "real", True), 8, "real"),
    ),
    "several levels": (
        *((lambda s, b=bits: binary(s, levels(s, "int", b))) for bits in (2, 3, 4)),
        lambda s: binary(s, levels(s, "int", 2, 1 / 3), **REAL),
        lambda s: s.sum(levels(s, "int", 2, 1 / 3), 8, "int4", scale="real"),
        lambda s: binary(s, s.quantise(s.batch_norm(binary(s, signs(s, stem(s)))), "int", 2)),
        lambda s: binary(s, levels(s, "ternary")),
    ),
    "ternary from two comparisons": (lambda s: binary(s, levels(s, "ternary")),),
    "threshold behind levels": tuple(
        (lambda s, k=kind, n=number, w=weights: read(s, s.batch_norm(binary(s, levels(s, k, number=n), **w))))
        for kind in ("binary", "binary01") for number, weights in ((0.7, {}), (0.7, REAL), (0.3, {"scale": "pow2"}))
    ),
    "threshold behind mean": (
        lambda s: s.sum(s.quantise(s.batch_norm(s.global_mean(stem(s))), "binary"), 10, "binary"),
        lambda s: read(s, s.batch_norm(s.avg_pool(binary(s, signs(s, stem(s)), **REAL)))),
    ),
    "threshold behind max pool": (
        lambda s: read(s, s.max_pool(s.affine(binary(s, signs(s, stem(s))), "real", True, True))),
        lambda s: read(s, s.batch_norm(s.max_pool(binary(s, signs(s, stem(s)), **REAL)))),
        lambda s: read(s, s.max_pool(s.batch_norm(binary(s, signs(s, stem(s)))))),
    ),
    "threshold behind move": (
        lambda s: binary(s, s.quantise(s.affine(_flat(s, s.batch_norm(stem(s))), bias=True), "binary")),
        lambda s: binary(s, s.quantise(s.batch_norm(_flat(s, binary(s, signs(s, stem(s)), **REAL))), "binary")),
        lambda s: read(s, s.affine(s.move(s.batch_norm(stem(s)), "{x}.flip(1)"), bias=True)),
    ),
    "threshold behind concatenation": (joined,),
    "threshold behind prelu": (lambda s: slope(s, "pow2"),),
    "threshold behind a slope of unknown sign": (lambda s: slope(s, "real"),),
    "matrix of tokens": (projections,),
    "merged over levels": tuple(
        (lambda s, n=number, w=weights: s.batch_norm(binary(s, levels(s, "binary", number=n), **w)))
        for number, weights in ((0.7, {}), (0.7, REAL), (0.3, {"scale": "pow2"}))
    ),
    "merged over mean": (
        lambda s: s.affine(s.avg_pool(binary(s, signs(s, stem(s)), **REAL)), bias=True),
        lambda s: s.batch_norm(s.avg_pool(s.cut(s.batch_norm(stem(s)), 1))),
        lambda s: s.cut(s.batch_norm(s.global_mean(binary(s, signs(s, stem(s))))), 1),
    ),
    "real weights behind levels": (
        lambda s: s.sum(levels(s, "binary", number=0.7), 8, "real", kernel=3),
        lambda s: s.sum(s.affine(levels(s, "binary"), "pow2"), 8, "real"),
        lambda s: s.sum(levels(s, "int", 2, 1 / 3), 8, "real"),
    ),
    "sizes per channel into real weights": (
        lambda s: s.sum(s.affine(levels(s, "binary"), "real", True), 8, "real", kernel=3),
    ),
    "real weights in front of a mean": (
        lambda s: s.cut(s.batch_norm(s.global_mean(stem(s))), 1),
        lambda s: s.cut(s.affine(s.avg_pool(stem(s)), "real", True), 1),
    ),
    "means that are flattened": (
        lambda s: s.sum(s.global_mean(binary(s, signs(s, stem(s)), **REAL)), 10, "real", bias=True),
        lambda s: s.sum(s.quantise(s.batch_norm(s.global_mean(binary(s, signs(s, stem(s))))), "binary"), 10, "binary"),
    ),
    "several readers that each take it": (several,),
    "several readers, one behind a window or a move": (halved,),
    "a rectifier in front of a move that several read": (turned,),
    "a scale through a sum of signed numbers": (
        lambda s: binary(s, s.avg_pool(s.cut(stem(s), 1)), **REAL),
        lambda s: s.batch_norm(binary(s, s.affine(s.cut(stem(s), 1), "real"))),
    ),
    "real weights behind mean": (
        lambda s: s.sum(s.global_mean(s.cut(stem(s), 1)), 10, "real", bias=True),
        lambda s: s.sum(s.global_mean(binary(s, signs(s, stem(s)), **REAL)), 10, "real", bias=True),
        lambda s: s.sum(s.batch_norm(s.global_mean(s.cut(stem(s), 1))), 10, "real", bias=True),
        lambda s: s.sum(s.global_mean(s.batch_norm(binary(s, signs(s, stem(s))))), 10, "real", bias=True),
    ),
    "real weights behind concatenation": (
        lambda s: s.sum(s.global_mean(s.concat((s.cut(stem(s), 1), stem(s)))), 10, "real", bias=True),
    ),
    "bias into the next real weights": (
        lambda s: s.sum(s.affine(s.cut(stem(s), 1), bias=True), 10, "real", bias=True),
        lambda s: s.sum(s.batch_norm(binary(s, signs(s, stem(s)))), 10, "real", bias=True),
    ),
    "few outputs": tuple(
        (lambda s, n=number: s.affine(binary(s, signs(s, _flat(s, s.sum(s.nodes[0], 8, "real", kernel=8))), n), "pow2"))
        for number in (2, 3)
    ),
    "prelu as a maximum": (lambda s: s.prelu(s.plus(s.cut(stem(s), 1), stem(s)), "pow2", False),),
}  # fmt: skip


#: Rules about a spelling: other networks are not written so, and those of the rule are.
SPELLED = frozenset({"means that are flattened", "ternary from two comparisons", "prelu as a maximum"})


def _flat(s: Sketch, x: Node) -> Node:
    return s.move(x, "{x}.flatten(1)", (1, x.numel))


def networks(rule: str) -> list[Network]:
    """The networks of a rule, each in eight spellings."""
    made: dict[str, Network] = {}
    for number, build in enumerate(RULES[rule]):
        for spelling in range(8):
            shape = (1, 5, 16) if build is projections else (1, 3, 8, 8)
            s = Sketch(shape, Random(0), Random(f"{rule} {number} {spelling}"))
            net = finish(s, build(s), seed=100 * number + spelling)
            if not (net.features ^ {rule}) & SPELLED:
                made[net.source] = net
    return list(made.values())
