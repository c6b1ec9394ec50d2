"""What each operation costs: one rule per operation, from its shapes and operand kinds to rows of charges.

The same rules make both ledgers. Nothing here looks at a model, a value or a target. A rule that many operations share
is one function; :func:`charges` registers it for each.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping

from costmodel.graph.affine import (
    Step,
    bias_tags,
    chain_class,
    chain_per_channel,
    constant_class,
    scale_tags,
    stored_constants,
)
from costmodel.graph.attrs import (
    Affine,
    Choose,
    Clamp,
    Gate,
    Norm,
    Pool,
    Product,
    Reduce,
    Registered,
    Softmax,
    Stated,
    Threshold,
    Variance,
)
from costmodel.graph.domain import BINARY01, FLOAT_BITS, Domain, accumulator
from costmodel.graph.multipliers import replacement
from costmodel.graph.node import GraphInput, Node
from costmodel.graph.ops import OPS
from costmodel.graph.vocabulary import Kind, Row

Rule = Callable[[Node], Iterable[Row]]
#: A table of more entries than this per channel is not a table any more.
MAX_LEVELS = 1 << 16

#: Operation -> its rule. What only moves elements has none and costs nothing.
RULES: dict[str, Rule] = {}


def charges(*names: str) -> Callable[[Rule], Rule]:
    """Register the decorated function as what these operations of the table cost."""

    def register(rule: Rule) -> Rule:
        for name in names:
            assert name in OPS and name not in RULES, name
            RULES[name] = rule
        return rule

    return register


def rows(node: Node) -> Iterable[Row]:
    """The operations that a node costs; none for what only moves elements."""
    return () if node.row.moves else RULES[node.op](node)


# -- sums of products -------------------------------------------------------------------------------------------------


def product_rows(a: Domain, b: Domain, macs: int, outputs: int, n_terms: int, tag: str) -> Iterable[Row]:
    """``macs`` products of an ``a`` by a ``b``, summed ``n_terms`` at a time into ``outputs`` results.

    One bit by one bit is XNOR (or AND, where zero is a value) and popcount; a one-bit or ternary operand with a wide
    one adds or subtracts it; a power of two shifts it; narrow integers are bit-serial; the rest multiplies.
    """
    acc = accumulator(n_terms, a, b).bits if not (a.is_float or b.is_float) else FLOAT_BITS
    narrow = {"binary", "binary01", "ternary"}
    if a.is_one_bit and b.codes.is_one_bit:
        yield Row("xnor" if a.kind == b.kind == "binary" else "and", tag, macs, 1, 1)
        yield Row("popcount", tag, macs, 1, 1, acc)
    elif a.is_one_bit and b.kind == "ternary" and b.asymmetric:  # one mask for each of the two sizes
        yield Row("and", tag, 2 * macs, 1, 1)
        yield Row("popcount", tag, 2 * macs, 1, 1, acc)
    elif a.kind in narrow and b.kind in narrow:  # a ternary digit carries a mask next to its sign
        yield Row("xnor", tag, macs, 1, 1)
        yield Row("and", tag, macs, 1, 1)
        yield Row("popcount", tag, macs, 1, 1, acc)
    elif a.kind in (*narrow, "int") and b.kind in (*narrow, "int") and max(a.bits, b.bits) <= 4:
        planes = a.bits * b.bits
        yield Row("and", tag, macs * planes, 1, 1)
        yield Row("popcount", tag, macs * planes, 1, 1, acc)
    elif a.kind in narrow or b.kind in narrow:
        wide = b if a.kind in narrow else a
        yield Row("signflip", tag, macs, wide.bits, 1, acc)
    elif a.kind == "pow2" or b.kind == "pow2":  # each weight shifts by its own amount
        wide = b if a.kind == "pow2" else a
        yield Row("shift_var", tag, macs, wide.bits, a.bits if a.kind == "pow2" else b.bits)
        yield Row("add", tag, macs - outputs, acc, acc, acc)
    else:
        yield Row("mul", tag, macs, a.bits, b.bits)
        yield Row("add", tag, macs - outputs, acc, acc, acc)


@charges("conv", "linear", "matmul")
def sum_of_products(node: Node) -> Iterable[Row]:
    attrs = node.of(Product)
    results = node.numel if attrs.results is None else attrs.results
    yield from product_rows(attrs.a, attrs.b, attrs.macs, results, attrs.n_terms, product_tag(node, attrs))
    if attrs.weight.asymmetric:
        yield from second_size_rows(node, attrs, results)
    post = attrs.post
    # A scale that is folded into the weights takes the bias before it along: one addition for all of them.
    biases = ["bias"] * ("bias" in node.consts)
    biases += [bias_tags(chain) for chain in (attrs.pre, post) if any(step.has_bias for step in chain)]
    if biases:
        width = _width(node)
        yield Row("add", "+".join(dict.fromkeys(biases)), node.numel, width, width, width)


def second_size_rows(node: Node, attrs: Product, results: int) -> Iterable[Row]:
    r"""What levels around no zero take besides: one more product and addition a result.

    :math:`\sum (s k + b) x = s (\sum k x + (b / s) \sum x)`: the sum of a window is made once for all outputs that
    read it. The two sizes of asymmetric ternary weights have sums of their own, which together are those of the signs.
    """
    width = _width(node)
    if attrs.weight.kind != "ternary":
        terms, windows = attrs.macs // attrs.shared, results // attrs.shared
        acc = accumulator(attrs.n_terms, attrs.a, BINARY01).bits if not attrs.a.is_float else FLOAT_BITS
        yield Row("add", "weight_scale", terms - windows, acc, attrs.a.bits, acc)
    yield Row("mul", "weight_scale", results, width, width)
    yield Row("add", "weight_scale", results, width, width, width)


def product_tag(node: Node, attrs: Product) -> str:
    a, b = attrs.a, attrs.b
    few = ("binary", "binary01", "ternary")
    if node.op == "matmul":
        return "matmul"
    if a.kind in few and b.kind in few:
        return "binary_conv" if node.op == "conv" else "binary_linear"
    if node.op == "linear":
        return "fp_linear"
    return "stem_conv" if attrs.stem else "fp_conv"


# -- element by element -----------------------------------------------------------------------------------------------


@charges("affine")
def affine(node: Node) -> Iterable[Row]:
    attrs = node.of(Affine)
    steps = attrs.steps
    if attrs.multiplier:
        yield from replaced_multiplication(node, attrs)
    else:
        yield from scale_rows(node, chain_class(steps), chain_per_channel(steps), scale_tags(steps), steps)
    if any(step.has_bias for step in steps):
        width = _width(node)
        yield Row("add", bias_tags(steps), node.numel, width, width, width)


def scale_rows(node: Node, scale: str, per_channel: bool, tag: str, steps: tuple[Step, ...] = ()) -> Iterable[Row]:
    """One multiplication by a constant: free, a sign, a shift, or a real one."""
    count, width = node.numel, _width(node)
    if scale == "real":
        yield Row("mul", tag, count, width, width)
    elif scale == "pow2":
        yield Row("shift_channel" if per_channel else "shift_const", tag, count, width, 0)
    elif scale == "sign" and not any(step.has_bias for step in steps):
        if sign_by_sign(node, steps):
            yield Row("xnor", tag, count, 1, 1)
        else:
            yield Row("signflip", tag, count, width, 1)


def sign_by_sign(node: Node, steps: tuple[Step, ...]) -> bool:
    """Whether a multiplication by signs that differ by element makes signs."""
    signs = node.domain.kind == "binary" and node.domain.scale == "one" and not node.domain.asymmetric
    return signs and any(c is not None and c.literal is None for step in steps for c in step.constants)


def replaced_multiplication(node: Node, attrs: Affine) -> Iterable[Row]:
    """What stands in the place of a multiplication by a constant; see :mod:`costmodel.deploy.multipliers`."""
    steps = attrs.steps
    return replacement(attrs.multiplier, chain_per_channel(steps), scale_tags(steps), node.numel, attrs.bits_in)


def table_bits(node: Node, table: Mapping[int, Node | GraphInput]) -> int:
    """Width of the sum of signs that a scale multiplies, where a table can list its values; else 0."""
    source = table[node.inputs[0]]
    if not isinstance(source, Node) or not source.row.weighted:
        return 0
    attrs = source.of(Product)
    signs = attrs.a.is_one_bit and attrs.weight.kind == "binary" and not attrs.weight.asymmetric
    signs = signs and attrs.n_terms <= MAX_LEVELS
    return source.domain.bits if signs else 0


def table_entries(node: Node, table: Mapping[int, Node | GraphInput]) -> int:
    """Entries of the tables that stand for a scale: every sum of signs from -n to n, by channel if the scale is."""
    source = table[node.inputs[0]]
    assert isinstance(source, Node)
    scales = [c.numel for name, c in stored_constants(node.of(Affine).steps) if name == "scale"]
    return max(scales, default=1) * (2 * source.of(Product).n_terms + 1)


@charges("prelu")
def prelu(node: Node) -> Iterable[Row]:
    # The sign bit of x selects; only the negative branch computes.
    slope = node.consts["slope"]
    if slope.literal == 0:
        yield Row("compare", "relu", node.numel, _width(node), 0)
        return
    yield from scale_rows(node, constant_class(slope), slope.numel > 1, "prelu")


@charges("threshold")
def threshold(node: Node) -> Iterable[Row]:
    """A result of L levels is as many comparisons as lie between them: L - 1."""
    attrs = node.of(Threshold)
    tag = "binarize" if attrs.levels == 2 else "quantize"
    yield Row("compare", tag, node.numel * (attrs.levels - 1), attrs.bits_in, attrs.bits_in)


def _width(node: Node) -> int:
    """Bits of a real number in the arithmetic of this node."""
    return node.domain.bits if node.domain.is_float else FLOAT_BITS


def _each(node: Node, kind: Kind, bits_b: int | None = None) -> Iterable[Row]:
    """One operation a result."""
    width = _width(node)
    yield Row(kind, (node.tags or ("other",))[0], node.numel, width, width if bits_b is None else bits_b)


@charges("relu", "sign")
def compare_with_zero(node: Node) -> Iterable[Row]:
    return _each(node, "compare", 0)


@charges("minimum", "maximum", "compare")
def compare(node: Node) -> Iterable[Row]:
    return _each(node, "compare")


@charges("abs")
def absolute(node: Node) -> Iterable[Row]:
    return _each(node, "signflip", 1)


@charges("round")
def rounding(node: Node) -> Iterable[Row]:
    return _each(node, "add")


@charges("square")
def square(node: Node) -> Iterable[Row]:
    return _each(node, "mul")


@charges("embedding")
def look_up(node: Node) -> Iterable[Row]:
    return _each(node, "lut", 0)


@charges("clamp")
def clamp(node: Node) -> Iterable[Row]:
    width = _width(node)
    yield Row("compare", "clamp", node.numel * node.of(Clamp).sides, width, width)


@charges("add")
def residual(node: Node) -> Iterable[Row]:
    width = _width(node)
    yield Row("add", (node.tags or ("residual",))[0], node.numel, width, width, width)


@charges("mul")
def gate(node: Node) -> Iterable[Row]:
    """A product of two activations, element by element: what it takes is what their kinds say."""
    attrs = node.of(Gate)
    a, b = attrs.a or node.domain, attrs.b or node.domain
    tag = (node.tags or ("gate",))[0]
    width = max((d.bits for d in (a, b) if not d.is_one_bit and d.kind != "ternary"), default=1)
    yield Row(gate_kind(a, b), tag, node.numel, width, min(a.bits, b.bits))


def gate_kind(a: Domain, b: Domain) -> Kind:
    """What multiplying an ``a`` by a ``b`` takes: zero or one selects, a sign flips, a power of two shifts."""
    kinds = {a.kind, b.kind}
    if "binary01" in kinds:
        return "and"
    if kinds == {"binary"}:
        return "xnor"
    if kinds & {"binary", "ternary"}:
        return "signflip"
    return "shift_var" if "pow2" in kinds else "mul"


@charges("where")
def where(node: Node) -> Iterable[Row]:
    if not node.of(Choose).static:
        yield Row("lut", (node.tags or ("other",))[0], node.numel, _width(node), 1)


@charges("logical")
def logical(node: Node) -> Iterable[Row]:
    yield Row("and", "binarize", node.numel, 1, 1)


@charges("special")
def special(node: Node) -> Iterable[Row]:
    yield Row("special", "activation", node.numel, _width(node), 0)


# -- windows and reductions -------------------------------------------------------------------------------------------


@charges("max_pool")
def max_pool(node: Node) -> Iterable[Row]:
    assert node.window is not None
    width = node.domain.bits
    yield Row("compare", "maxpool", node.numel * (math.prod(node.window.kernel) - 1), width, width)


@charges("avg_pool", "gap", "mean")
def pooled_sum(node: Node) -> Iterable[Row]:
    attrs, tag, width = node.of(Pool), (node.tags or ("other",))[0], _width(node)
    additions = node.numel * (attrs.count - 1) if attrs.additions is None else attrs.additions
    yield Row("add", tag, additions, width, width, width)


@charges("reduce")
def reduce(node: Node) -> Iterable[Row]:
    attrs = node.of(Reduce)
    kind, width = attrs.kind, 1 if attrs.kind == "and" else _width(node)
    yield Row(kind, "other", node.numel * (attrs.count - 1), width, width, width if kind == "add" else 0)


@charges("variance")
def variance(node: Node) -> Iterable[Row]:
    # sum of squared distances from the mean: two sums, one square, one scale; a root for the standard deviation
    attrs, width = node.of(Variance), _width(node)
    count = attrs.count
    yield Row("add", "normalize", node.numel * (3 * count - 2), width, width, width)
    yield Row("mul", "normalize", node.numel * (count + 2), width, width)
    if attrs.root:
        yield Row("special", "normalize", node.numel, width, 0)


@charges("norm")
def norm(node: Node) -> Iterable[Row]:
    """Of n elements in g groups: sum and scale (mean), subtract, square, sum, scale, eps, root, scale, gain, shift."""
    attrs, n, width = node.of(Norm), node.numel, _width(node)
    g = attrs.groups
    yield Row("mul", "normalize", 2 * n + (2 if attrs.centred else 1) * g + n * attrs.gain, width, width)
    yield Row("add", "normalize", (3 * n - g if attrs.centred else n) + n * attrs.shift, width, width, width)
    yield Row("special", "normalize", g, width, 0)


@charges("softmax")
def softmax(node: Node) -> Iterable[Row]:
    """Of n elements in g groups: maximum, subtract, exponentiate, sum, reciprocal, scale; or subtract the logarithm."""
    attrs, n, width = node.of(Softmax), node.numel, _width(node)
    g = n // max(1, node.shape[attrs.axis]) if node.shape else 1
    yield Row("compare", "activation", n - g, width, width)
    yield Row("special", "activation", n + g, width, 0)
    yield Row("add", "activation", 3 * n - g if attrs.log else 2 * n - g, width, width, width)
    if not attrs.log:
        yield Row("mul", "activation", n, width, width)


@charges("stated", "resample")
def stated(node: Node) -> Iterable[Row]:
    """What the tracer counted, at the width of the result."""
    width = _width(node)
    for kind, tag, count, *bits in node.of(Stated).rows:
        a, b, acc = (width if size == FLOAT_BITS else size for size in bits)
        yield Row(kind, tag, count, a, b, acc)


@charges("registered")
def registered(node: Node) -> Iterable[Row]:
    """What the user said, as it stands."""
    return node.of(Registered).rows


@charges("unknown")
def unknown(node: Node) -> Iterable[Row]:
    yield Row("unknown", "other", max(1, node.numel), _width(node), _width(node))
