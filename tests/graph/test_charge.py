"""What every operation costs, row by row as worked out by hand: each size and each width here is another number."""

from __future__ import annotations

import pytest

from costmodel.graph.affine import Step, literal_constant
from costmodel.graph.attrs import (
    NONE,
    Affine,
    Attrs,
    Choose,
    Clamp,
    Compare,
    Gate,
    Norm,
    Pool,
    Product,
    Reduce,
    Registered,
    Round,
    Softmax,
    Stated,
    Threshold,
    Unknown,
    Variance,
)
from costmodel.graph.charge import MAX_LEVELS, product_rows, product_tag, rows, table_bits, table_entries
from costmodel.graph.domain import BINARY, BINARY01, FLOAT, TERNARY, Domain, integer, real
from costmodel.graph.node import Node
from costmodel.graph.operands import Constant, Window
from costmodel.graph.ops import OPS
from costmodel.graph.vocabulary import Row

POW2 = Domain("pow2", 7)
#: A map [2, 3, 5] whose real numbers have 24 bits.
SHAPE, N, W = (2, 3, 5), 30, 24
REAL = real(W)
PER_CHANNEL = Constant(7, (3, 1), FLOAT)
SHIFTS = Constant(8, (3, 1), Domain("pow2", 7, evidence="observed"))
SIGNS = Constant(9, (3, 1), BINARY)
BN = Step("batch_norm", (PER_CHANNEL, PER_CHANNEL, PER_CHANNEL, PER_CHANNEL), "bn_scale", 1e-5)


def node(op: str, attrs: Attrs = NONE, *, domain: Domain = REAL, **more: object) -> Node:
    return Node(1, op, (0,), SHAPE, domain, attrs=attrs, **more)  # type: ignore[arg-type]


def scale(constant: Constant, tag: str = "residual_scale") -> Step:
    return Step("mul", (constant,), tag)


def window(*kernel: int) -> Window:
    ones, zeros = (1,) * len(kernel), (0,) * len(kernel)
    return Window(kernel, ones, zeros, ones)


# -- sums of products -------------------------------------------------------------------------------------------------

#: Factors -> the rows of 600 products, 20 at a time in 30 results. A sum of 20 signs lies in -20 .. 20: 6 bits.
PRODUCTS = {
    (BINARY, BINARY): [("xnor", 600, 1, 1, 0), ("popcount", 600, 1, 1, 6)],
    (BINARY01, BINARY): [("and", 600, 1, 1, 0), ("popcount", 600, 1, 1, 6)],
    (BINARY, BINARY01): [("and", 600, 1, 1, 0), ("popcount", 600, 1, 1, 6)],
    (BINARY01, BINARY01): [("and", 600, 1, 1, 0), ("popcount", 600, 1, 1, 5)],
    (TERNARY, BINARY): [("xnor", 600, 1, 1, 0), ("and", 600, 1, 1, 0), ("popcount", 600, 1, 1, 6)],
    (BINARY, TERNARY): [("xnor", 600, 1, 1, 0), ("and", 600, 1, 1, 0), ("popcount", 600, 1, 1, 6)],
    (TERNARY, TERNARY): [("xnor", 600, 1, 1, 0), ("and", 600, 1, 1, 0), ("popcount", 600, 1, 1, 6)],
    # 4-bit unsigned up to 15 by signs: 300 in magnitude, 9 bits and the sign
    (integer(4, signed=False), BINARY): [("and", 2400, 1, 1, 0), ("popcount", 2400, 1, 1, 10)],
    (integer(4, signed=False), integer(2)): [("and", 4800, 1, 1, 0), ("popcount", 4800, 1, 1, 11)],
    # beyond four bits nothing is bit-serial
    (integer(5, signed=False), BINARY): [("signflip", 600, 5, 1, 11)],
    (BINARY, integer(5, signed=False)): [("signflip", 600, 5, 1, 11)],
    (integer(5, signed=False), integer(3)): [("mul", 600, 5, 3, 0), ("add", 570, 13, 13, 13)],
    (integer(8), TERNARY): [("signflip", 600, 8, 1, 13)],
    (real(20), BINARY): [("signflip", 600, 20, 1, 32)],
    (BINARY01, real(20)): [("signflip", 600, 20, 1, 32)],
    (real(20), POW2): [("shift_var", 600, 20, 7, 0), ("add", 570, 32, 32, 32)],
    (POW2, real(20)): [("shift_var", 600, 20, 7, 0), ("add", 570, 32, 32, 32)],
    (real(20), real(16)): [("mul", 600, 20, 16, 0), ("add", 570, 32, 32, 32)],
    (real(20), integer(8)): [("mul", 600, 20, 8, 0), ("add", 570, 32, 32, 32)],
}


@pytest.mark.parametrize(("a", "b"), PRODUCTS, ids=lambda domain: str(domain))
def test_a_product_takes_what_the_kinds_of_its_factors_allow(a: Domain, b: Domain) -> None:
    expected = [Row(kind, "fp_conv", *rest) for kind, *rest in PRODUCTS[a, b]]  # type: ignore[arg-type]
    assert list(product_rows(a, b, 600, 30, 20, "fp_conv")) == expected


def product(op: str = "conv", a: Domain = FLOAT, weight: Domain = FLOAT, **more: object) -> Node:
    consts = more.pop("consts", {})
    return node(op, Product(a, weight, 20, 600, **more), consts=consts)  # type: ignore[arg-type]


def test_a_scale_of_the_weights_is_no_part_of_their_products() -> None:
    assert next(iter(rows(product(a=BINARY, weight=Domain("binary", 1, "real", True))))).kind == "xnor"


def test_results_without_a_term_take_no_addition_away() -> None:
    assert [row.number for row in rows(product())] == [600, 570]
    assert [row.number for row in rows(product(results=12))] == [600, 588]


@pytest.mark.parametrize(
    ("op", "a", "weight", "stem", "tag"),
    [
        ("matmul", BINARY, BINARY, False, "matmul"),
        ("matmul", FLOAT, FLOAT, True, "matmul"),
        ("conv", BINARY, BINARY, True, "binary_conv"),
        ("conv", TERNARY, BINARY01, False, "binary_conv"),
        ("linear", BINARY01, TERNARY, False, "binary_linear"),
        ("linear", FLOAT, BINARY, True, "fp_linear"),
        ("conv", BINARY, FLOAT, False, "fp_conv"),
        ("conv", FLOAT, BINARY, False, "fp_conv"),
        ("conv", FLOAT, FLOAT, True, "stem_conv"),
    ],
)
def test_a_product_is_named_by_what_it_multiplies(op: str, a: Domain, weight: Domain, stem: bool, tag: str) -> None:
    made = product(op, a, weight, stem=stem)
    assert product_tag(made, made.of(Product)) == tag


def test_all_biases_of_a_sum_are_one_addition() -> None:
    before, behind = Step("add", (PER_CHANNEL,), "learned_bias"), Step("sub", (PER_CHANNEL,), "residual_bias")
    assert [r.kind for r in rows(product(post=(scale(PER_CHANNEL),)))] == ["mul", "add"]
    for parts, tag in (
        ({"consts": {"bias": PER_CHANNEL}}, "bias"),
        ({"pre": (before,)}, "learned_bias"),
        (
            {"consts": {"bias": PER_CHANNEL}, "pre": (before,), "post": (behind, BN)},
            "bias+learned_bias+residual_bias+bn_bias",
        ),
        ({"post": (BN, BN)}, "bn_bias"),
    ):
        assert list(rows(product(**parts)))[2:] == [Row("add", tag, N, W, W, W)]  # type: ignore[arg-type]


# -- element by element -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("steps", "expected"),
    [
        ((scale(PER_CHANNEL),), [("mul", "residual_scale", N, W, W)]),
        ((scale(literal_constant(0.3)),), [("mul", "residual_scale", N, W, W)]),
        ((scale(SHIFTS),), [("shift_channel", "residual_scale", N, W, 0)]),
        ((scale(literal_constant(0.25)),), [("shift_const", "residual_scale", N, W, 0)]),
        ((scale(SIGNS),), [("signflip", "residual_scale", N, W, 1)]),
        ((scale(literal_constant(-1.0)),), [("signflip", "residual_scale", N, W, 1)]),
        ((scale(literal_constant(1.0)),), []),
        # a sign in front of a bias makes an addition a subtraction
        ((Step("rsub", (PER_CHANNEL,), "bias"),), [("add", "bias", N, W, W, W)]),
        ((Step("add", (PER_CHANNEL,), "bias"),), [("add", "bias", N, W, W, W)]),
        ((BN,), [("mul", "bn_scale", N, W, W), ("add", "bn_bias", N, W, W, W)]),
        (
            (scale(SHIFTS), Step("add", (literal_constant(1.0),), "bias"), scale(literal_constant(0.5), "const_mul")),
            [("shift_channel", "residual_scale+const_mul", N, W, 0), ("add", "bias", N, W, W, W)],
        ),
    ],
)
def test_a_chain_is_one_multiplication_and_one_addition_at_most(steps: tuple[Step, ...], expected: list[tuple]) -> None:
    assert list(rows(node("affine", Affine(steps)))) == [Row(*row) for row in expected]


def test_a_number_that_is_not_real_is_scaled_in_the_width_of_a_real_one() -> None:
    made = node("affine", Affine((scale(PER_CHANNEL),)), domain=integer(6))
    assert list(rows(made)) == [Row("mul", "residual_scale", N, 32, 32)]


@pytest.mark.parametrize(
    ("slope", "expected"),
    [
        (literal_constant(0.0), ("compare", "relu", N, W, 0)),
        (literal_constant(0.3), ("mul", "prelu", N, W, W)),
        (literal_constant(0.125), ("shift_const", "prelu", N, W, 0)),
        (PER_CHANNEL, ("mul", "prelu", N, W, W)),
        (SHIFTS, ("shift_channel", "prelu", N, W, 0)),
        (Constant(9, (1,), Domain("pow2", 7, evidence="observed")), ("shift_const", "prelu", N, W, 0)),
        (literal_constant(-1.0), ("signflip", "prelu", N, W, 1)),
    ],
)
def test_the_negative_branch_of_a_prelu_costs_its_slope(slope: Constant, expected: tuple) -> None:
    assert list(rows(node("prelu", consts={"slope": slope}))) == [Row(*expected)]


GATE = Gate(integer(6), real(20))
ONE = [
    ("threshold", Threshold(11, 3, BINARY), {}, [("compare", "binarize", N, 11, 11)]),
    ("relu", NONE, {"tags": ("relu",)}, [("compare", "relu", N, W, 0)]),
    ("relu", NONE, {}, [("compare", "other", N, W, 0)]),
    ("sign", NONE, {"tags": ("binarize",)}, [("compare", "binarize", N, W, 0)]),
    ("minimum", NONE, {}, [("compare", "other", N, W, W)]),
    ("maximum", NONE, {}, [("compare", "other", N, W, W)]),
    ("compare", Compare(), {"tags": ("binarize",)}, [("compare", "binarize", N, W, W)]),
    ("abs", NONE, {}, [("signflip", "other", N, W, 1)]),
    ("round", Round("floor"), {}, [("add", "other", N, W, W)]),
    ("square", Gate(), {}, [("mul", "other", N, W, W)]),
    ("embedding", NONE, {}, [("lut", "other", N, W, 0)]),
    ("clamp", Clamp(-1.0, 2.0), {}, [("compare", "clamp", 2 * N, W, W)]),
    ("clamp", Clamp(None, 2.0), {}, [("compare", "clamp", N, W, W)]),
    ("clamp", Clamp(0.0, None), {}, [("compare", "clamp", N, W, W)]),
    ("mul", GATE, {}, [("mul", "gate", N, 20, 6)]),
    ("mul", GATE, {"tags": ("attention",)}, [("mul", "attention", N, 20, 6)]),
    ("mul", Gate(TERNARY, BINARY), {}, [("signflip", "gate", N, 1, 1)]),
    ("mul", Gate(TERNARY, integer(9)), {}, [("signflip", "gate", N, 9, 2)]),
    ("mul", Gate(), {}, [("mul", "gate", N, W, W)]),
    ("where", Choose(), {}, [("lut", "other", N, W, 1)]),
    ("where", Choose(), {"tags": ("binarize",)}, [("lut", "binarize", N, W, 1)]),
    ("where", Choose(static=True), {}, []),
    ("special", None, {}, [("special", "activation", N, W, 0)]),
    ("max_pool", NONE, {"window": window(3, 4)}, [("compare", "maxpool", 11 * N, W, W)]),
    ("max_pool", NONE, {"window": window(2), "domain": BINARY}, [("compare", "maxpool", N, 1, 1)]),
    ("avg_pool", Pool(6), {"tags": ("avgpool",)}, [("add", "avgpool", 5 * N, W, W, W)]),
    ("mean", Pool(6, 101), {}, [("add", "other", 101, W, W, W)]),
    ("gap", Pool(6, 0), {}, [("add", "other", 0, W, W, W)]),
    ("reduce", Reduce("compare", 6, "amax"), {}, [("compare", "other", 5 * N, W, W, 0)]),
    ("reduce", Reduce("add", 6, "sum"), {}, [("add", "other", 5 * N, W, W, W)]),
    ("reduce", Reduce("and", 6, "all"), {}, [("and", "other", 5 * N, 1, 1, 0)]),
    # of 7 elements: 6 + 7 + 6 additions, 7 squares, two scales
    ("variance", Variance(7), {}, [("add", "normalize", 19 * N, W, W, W), ("mul", "normalize", 9 * N, W, W)]),
    ("variance", Variance(7, True), {}, [
        ("add", "normalize", 19 * N, W, W, W), ("mul", "normalize", 9 * N, W, W), ("special", "normalize", N, W, 0),
    ]),
    # 6 groups of 5: mean (24 + 6 scales), 30 differences, 30 squares, 24 additions, 6 scales, 6 eps, 6 roots, 30 scales
    ("norm", Norm("native_layer_norm", 6, 1e-5, False, False), {}, [
        ("mul", "normalize", 72, W, W), ("add", "normalize", 84, W, W, W), ("special", "normalize", 6, W, 0),
    ]),
    ("norm", Norm("native_layer_norm", 6, 1e-5, True, True), {}, [
        ("mul", "normalize", 102, W, W), ("add", "normalize", 114, W, W, W), ("special", "normalize", 6, W, 0),
    ]),
    ("norm", Norm("_fused_rms_norm", 6, 1e-5, True, False), {}, [
        ("mul", "normalize", 96, W, W), ("add", "normalize", 30, W, W, W), ("special", "normalize", 6, W, 0),
    ]),
    ("softmax", Softmax(1), {}, [
        ("compare", "activation", 20, W, W), ("special", "activation", 40, W, 0),
        ("add", "activation", 50, W, W, W), ("mul", "activation", 30, W, W),
    ]),
    ("softmax", Softmax(0, True), {}, [
        ("compare", "activation", 15, W, W), ("special", "activation", 45, W, 0), ("add", "activation", 75, W, W, W),
    ]),
    ("resample", Stated("f", (Row("mul", "other", 9, 32, 5, 8), Row("add", "other", 4, 6, 32, 32))), {}, [
        ("mul", "other", 9, W, 5, 8), ("add", "other", 4, 6, W, W),
    ]),
    ("registered", Registered(rows=(Row("lut", "other", 9, 32, 5, 8),)), {}, [("lut", "other", 9, 32, 5, 8)]),
    ("unknown", Unknown("f"), {}, [("unknown", "other", N, W, W)]),
    ("add", None, {}, [("add", "residual", N, W, W, W)]),
    ("add", None, {"tags": ("bias",)}, [("add", "bias", N, W, W, W)]),
    ("logical", None, {}, [("and", "binarize", N, 1, 1)]),
    ("view", None, {}, []),
]  # fmt: skip


@pytest.mark.parametrize(("op", "attrs", "more", "expected"), ONE, ids=[f"{i}-{row[0]}" for i, row in enumerate(ONE)])
def test_an_operation_costs_the_rows_worked_out_by_hand(
    op: str, attrs: Attrs | None, more: dict[str, object], expected: list[tuple]
) -> None:
    form = OPS[op].attrs
    made = node(op, form() if attrs is None else attrs, **more)  # type: ignore[arg-type]
    assert list(rows(made)) == [Row(*row) for row in expected]


def test_a_result_without_elements_is_still_unknown() -> None:
    made = Node(1, "unknown", (0,), (0, 3), FLOAT, attrs=Unknown("f"))
    assert list(rows(made)) == [Row("unknown", "other", 1, 32, 32)]


def test_a_softmax_of_one_number_has_one_group() -> None:
    made = Node(1, "softmax", (0,), (), FLOAT, attrs=Softmax())
    assert [(row.kind, row.number) for row in rows(made)] == [("compare", 0), ("special", 2), ("add", 1), ("mul", 1)]


# -- tables in place of a scale ---------------------------------------------------------------------------------------


def summed(a: Domain, weight: Domain, n_terms: int, op: str = "conv") -> Node:
    return Node(5, op, (0,), SHAPE, integer(9), attrs=Product(a, weight, n_terms, 600))


@pytest.mark.parametrize(
    ("a", "weight", "n_terms", "bits"),
    [
        (BINARY, BINARY, 20, 9),
        (BINARY01, BINARY, 20, 9),
        (BINARY, TERNARY, 20, 0),
        (FLOAT, BINARY, 20, 0),
        (BINARY, BINARY, MAX_LEVELS, 9),
        (BINARY, BINARY, MAX_LEVELS + 1, 0),
    ],
)
def test_a_table_can_list_the_sums_of_signs_up_to_its_limit(a: Domain, weight: Domain, n_terms: int, bits: int) -> None:
    scaled = Node(6, "affine", (5,), SHAPE, FLOAT, attrs=Affine((scale(PER_CHANNEL),)))
    assert table_bits(scaled, {5: summed(a, weight, n_terms)}) == bits
    other = Node(5, "abs", (0,), SHAPE, integer(9))
    assert table_bits(scaled, {5: other}) == 0


@pytest.mark.parametrize(("constant", "entries"), [(PER_CHANNEL, 3 * 41), (literal_constant(0.3), 41)])
def test_a_table_has_one_entry_per_sum_and_channel(constant: Constant, entries: int) -> None:
    scaled = Node(6, "affine", (5,), SHAPE, FLOAT, attrs=Affine((scale(constant),)))
    assert table_entries(scaled, {5: summed(BINARY, BINARY, 20)}) == entries
