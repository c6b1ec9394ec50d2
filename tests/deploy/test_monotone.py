"""What changes once is told from its structure: the same answer for every draw of weights."""

import math
from dataclasses import replace

import pytest
import torch
from torch import nn

import costmodel
from costmodel.deploy.levels import ANY, TRUTH, Levels
from costmodel.deploy.monotone import Form, chain_sign, changes_once, form_of, levels_of, rises
from costmodel.deploy.study import prepare
from costmodel.graph.affine import Part, Step, literal_constant
from costmodel.graph.attrs import NONE, Add, Affine, Attrs, Call, Choose, Clamp, Compare, Gate, Move, Round
from costmodel.graph.domain import BINARY, BINARY01, FLOAT, POW2_BITS, Domain, integer
from costmodel.graph.node import Node
from costmodel.graph.operands import Constant, In


class Elementwise(nn.Module):
    def __init__(self, function):
        super().__init__()
        self.c, self.w = nn.Conv2d(3, 8, 3), nn.Parameter(torch.randn(8, 1, 1))
        self.function = function

    def forward(self, x):
        return self.function(self.c(x), self.w).to(x.dtype) * 1.0


ONCE = {
    "sign of an affine map": lambda x, w: (x * w + 0.1).sign(),
    "clamped and rounded": lambda x, w: torch.round(torch.clamp(x * w, 0, 1)),
    "a choice by one comparison": lambda x, w: torch.where(x * w > 0.2, 3.0, -3.0),
    "negated comparison": lambda x, w: torch.logical_not(x < w),
    "sum of two rising functions": lambda x, w: (torch.tanh(x) + torch.relu(x - 0.5) - 0.1).sign(),
    "sum of two falling functions": lambda x, w: (x * -2.0 + torch.tanh(-x)).sign(),
    "what is computed of one decision": lambda x, w: (torch.where(x * w > 0.2, 2.0, -1.0).square() - 2.0).sign(),
    "turned twice": lambda x, w: ((1.0 - x) * -2.0 + torch.tanh(x)).sign(),
    "not below a constant": lambda x, w: (torch.maximum(torch.full_like(x, -0.5), x) + torch.tanh(x)).sign(),
    "not above a constant": lambda x, w: (torch.minimum(x, torch.full_like(x, 0.5)) + torch.tanh(x)).sign(),
    "between two rising bounds": lambda x, w: torch.minimum(x, torch.tanh(x)) > 0.3,
}
OFTEN = {
    "magnitude": lambda x, w: ((x * w).abs() - 0.4).sign(),
    "square": lambda x, w: (x * x - 0.3).sign(),
    "window": lambda x, w: torch.logical_and(x > -0.3, x < 0.4),
    "sum of a rising and a falling function": lambda x, w: (torch.relu(x) - torch.tanh(x) - 0.1).sign(),
    "a rising function and one that is turned": lambda x, w: (torch.tanh(x) + x * -1.5).sign(),
    "a rising function and one of either direction": lambda x, w: (torch.tanh(x) + x * w).sign(),
    "sine": lambda x, w: torch.sin(x * w).sign(),
}


@pytest.mark.parametrize("name", [*ONCE, *OFTEN])
def test_the_same_account_for_every_draw(name):
    found = set()
    for seed in range(6):
        torch.manual_seed(seed)
        profile = costmodel.profile(Elementwise({**ONCE, **OFTEN}[name]).eval(), torch.randn(1, 3, 4, 4))
        found.add(tuple(sorted(profile.deployed.by_kind().items())))
    assert len(found) == 1


@pytest.mark.parametrize("name", ONCE)
def test_one_change_is_one_comparison(name):
    torch.manual_seed(0)
    made = prepare(Elementwise(ONCE[name]).eval(), torch.randn(1, 3, 4, 4))
    assert made.profile.deployed.total("compare") == 8 * 4
    assert made.profile.deployed.total("special", "lut") == 0


@pytest.mark.parametrize("name", OFTEN)
def test_more_than_one_change_is_not_one_comparison(name):
    torch.manual_seed(0)
    made = prepare(Elementwise(OFTEN[name]).eval(), torch.randn(1, 3, 4, 4))
    kept = [node.op for node in made.graph.nodes if node.op not in ("conv", "cast", "affine")]
    assert kept != ["threshold"]


#: Constants by what is known of their sign.
POSITIVE = (
    literal_constant(0.5), literal_constant(1e-9), Constant(1, (8,), Domain("float", 32, "real", signed=False)),
    Constant(2, (8,), FLOAT, nonnegative=True), Constant(3, (), integer(4, signed=False)),
    Constant(4, (), FLOAT, nonnegative=True, factor=0.25), Constant(5, (), Domain("pow2", POW2_BITS, signed=False)),
)  # fmt: skip
NEGATIVE = (literal_constant(-0.5), literal_constant(-1e-9))
UNKNOWN = (
    Constant(6, (8,), FLOAT), Constant(7, (), BINARY), Constant(8, (), BINARY01), literal_constant(0.0),
    Constant(9, (), FLOAT, nonnegative=True, factor=-0.25), Constant(10, (), integer(4)),
)  # fmt: skip
SIGNS = [*((c, 1) for c in POSITIVE), *((c, -1) for c in NEGATIVE), *((c, 0) for c in UNKNOWN)]


@pytest.mark.parametrize(("constant", "sign"), SIGNS)
@pytest.mark.parametrize("fn", ["mul", "div"])
def test_a_scale_has_the_sign_of_its_constant(constant, sign, fn):
    step = Step(fn, (constant,), "mask_scale")
    assert chain_sign([step]) == sign
    assert chain_sign([step, Step("add", (literal_constant(-3.0),), "bias"), step]) == sign * sign
    assert chain_sign([step, Step("rsub", (literal_constant(0.0),), "bias")]) == -sign
    assert rises(step) == (sign > 0)
    # The size of weights or of activations is a size, whatever is known of its values.
    for tag in ("weight_scale", "act_scale"):
        assert chain_sign([replace(step, tag=tag)]) == 1
        assert rises(replace(step, tag=tag))


def test_a_chain_has_the_product_of_the_signs_of_its_scales():
    up, down, either = (Step("mul", (c,), "mask_scale") for c in (POSITIVE[0], NEGATIVE[0], UNKNOWN[0]))
    turned = Step("rsub", (UNKNOWN[0],), "bias")
    assert chain_sign([]) == 1
    assert chain_sign([down, up, down]) == chain_sign([turned, down]) == chain_sign([turned, turned]) == 1
    assert chain_sign([down, down, down]) == chain_sign([up, turned]) == -1
    assert chain_sign([down, either]) == chain_sign([either, turned]) == 0
    for fn in ("add", "sub"):
        assert chain_sign([Step(fn, (NEGATIVE[0],), "bias")]) == 1
    norm = Step("batch_norm", (POSITIVE[0], None, None, None), "bn_scale")
    assert chain_sign([norm]) == chain_sign([up, norm, up]) == chain_sign([norm, down]) == 0
    assert chain_sign([Step("mul", (None,), "mask_scale")]) == 0
    assert not rises(Step("mul", (None,), "mask_scale"))
    assert not rises(Step("mul", (None,), "weight_scale"))


@pytest.mark.parametrize("fn", ["laid", "scale_of"])
def test_a_chain_of_parts_has_the_sign_that_all_of_them_have(fn):
    up, down, either = (Part((Step("mul", (c,), "mask_scale"),), (8,)) for c in (POSITIVE[0], NEGATIVE[0], UNKNOWN[0]))

    def sign(*parts):
        return chain_sign([Step(fn, (), "mask_scale", parts=parts)])

    assert sign(up) == sign(up, up) == 1
    assert sign(down) == sign(down, down, down) == -1
    assert sign(up, down) == sign(either) == sign(up, either) == sign(down, up, up) == 0
    assert sign() == 0  # of nothing, nothing is known
    assert chain_sign([Step(fn, (), "", parts=(down,)), Step(fn, (), "", parts=(down, down))]) == 1


X = 7


def node(id: int, op: str, *inputs: int, attrs: Attrs = NONE, domain: Domain = FLOAT, **fields: object) -> Node:
    return Node(id, op, inputs, (1, 8), domain, attrs=attrs, **fields)


def step(id: int, source: int, fn: str, number) -> Node:
    constant = literal_constant(number) if isinstance(number, float) else number
    return node(id, "affine", source, attrs=Affine((Step(fn, (constant,), "mask_scale"),)))


def form(*cone: Node) -> Form | None:
    found = form_of(cone, X)
    assert changes_once(cone, X) == (found is not None)
    assert levels_of(cone, X) == (None if found is None else found.levels)
    return found


def compare(id: int, source: int, fn: str = "gt", operands: tuple = (In(0), 0.5)) -> Node:
    return node(id, "compare", source, attrs=Compare(fn, operands, 0.5), domain=BINARY01)


def test_an_affine_map_moves_its_operand_and_keeps_what_it_is_turned_with():
    assert form(step(8, X, "mul", 2.0)) == Form(1, odd=X)
    assert form(step(8, X, "mul", -2.0)) == Form(-1, odd=X)
    assert form(step(8, X, "add", 2.0)) == Form(1, levels=Levels(origin=2.0), odd=8)
    assert form(step(8, X, "mul", UNKNOWN[0])) == Form(1, 8, odd=X)  # of either direction in each channel
    assert form(step(8, X, "mul", UNKNOWN[0]), step(9, 8, "mul", -1.0)) == Form(-1, 8, odd=X)
    assert form(step(8, X, "mul", UNKNOWN[0]), step(9, 8, "div", UNKNOWN[1])) == Form(1, 9, odd=X)


@pytest.mark.parametrize(
    ("op", "attrs", "odd"),
    [
        ("cast", Move("_to_copy"), True),
        ("clamp", Clamp(-1.0, 1.0), True),
        ("clamp", Clamp(-1, 1), True),
        ("clamp", Clamp(-1.0, 2.0), False),
        ("clamp", Clamp(None, 1.0), False),
        ("clamp", Clamp(-1.0, None), False),
        ("round", Round("round"), True),
        ("round", Round("trunc"), True),
        ("round", Round("floor"), False),
        ("round", Round("ceil"), False),
        ("special", Call("tanh", (In(0),)), True),
        ("special", Call("erf", (In(0),)), True),
        ("special", Call("exp", (In(0),)), False),
        ("special", Call("sigmoid", (In(0),)), False),
        ("relu", NONE, False),
    ],
)
def test_which_functions_are_turned_with_their_operand(op, attrs, odd):
    found = form(step(8, X, "mul", -2.0), node(9, op, 8, attrs=attrs))
    assert found is not None
    assert (found.direction, found.turn, found.odd, found.even) == (-1, -1, X if odd else 9, -1)


@pytest.mark.parametrize(
    ("domain", "levels", "decides"),
    [(BINARY, Levels(-1.0, 1.0, 2.0, 1.0), True), (BINARY01, TRUTH, True), (FLOAT, Levels(-1.0, 1.0, 1.0), False)],
)
def test_a_sign_is_a_decision_where_it_has_two_values(domain, levels, decides):
    found = form(node(8, "sign", X, domain=domain))
    assert found == Form(1, levels=levels, decision=8 if decides else -1, odd=X)


def test_a_comparison_is_a_decision_in_the_direction_of_its_name():
    for fn, direction in (("gt", 1), ("ge", 1), ("lt", -1), ("le", -1)):
        assert form(compare(8, X, fn)) == Form(direction, decision=8, levels=TRUTH, odd=8)
        assert form(compare(8, X, fn, (0.5, In(0)))) == Form(-direction, decision=8, levels=TRUTH, odd=8)
        assert form(step(8, X, "mul", -1.0), compare(9, 8, fn)) == Form(-direction, decision=9, levels=TRUTH, odd=9)
    for fn in ("eq", "ne", "isnan"):
        assert form(compare(8, X, fn)) is None
    assert form(step(8, X, "mul", 2.0), node(9, "compare", X, 8, attrs=Compare("gt", (In(0), In(1))))) is None


def test_what_is_computed_of_one_decision_changes_with_it():
    first = compare(8, X)
    assert form(first, step(9, 8, "mul", -4.0)) == Form(-1, decision=8, levels=Levels(-4.0, 0.0, 4.0, -0.0), odd=9)
    squared = form(first, step(9, 8, "add", -2.0), node(10, "square", 9, attrs=Gate()))
    assert squared == Form(1, 10, decision=8, levels=ANY, odd=10)  # of two numbers; which is larger is not known
    both = form(first, step(9, 8, "mul", 2.0), node(10, "mul", 8, 9, attrs=Gate()))
    assert both is not None and both.decision == 8
    other = compare(11, X, operands=(In(0), 1.5))
    assert form(first, other, node(12, "mul", 8, 11, attrs=Gate())) is None
    two = form(first, other, node(12, "add", 8, 11, attrs=Add()))
    assert two == Form(1, levels=Levels(0.0, 2.0, 1.0), odd=12)
    assert form(first, other, node(12, "add", 8, 11, attrs=Add(subtract=True))) is None


def test_two_levels_are_a_decision_however_they_came_to_be():
    near = form(node(8, "clamp", X, attrs=Clamp(0.0, 1.0)), node(9, "round", 8, attrs=Round("round")))
    assert near == Form(1, decision=9, levels=TRUTH, odd=8)  # turned with what is rounded
    more = form(node(8, "clamp", X, attrs=Clamp(0.0, 2.0)), node(9, "round", 8, attrs=Round("round")))
    assert more is not None and (more.decision, more.levels.count) == (-1, 3)


def test_a_sum_moves_where_its_operands_move_alike():
    up, down, either = step(8, X, "mul", 2.0), step(9, X, "mul", -2.0), step(10, X, "mul", UNKNOWN[0])

    def join(op, a, b, attrs):
        return form(up, down, either, node(12, op, a, b, attrs=attrs))

    for op, attrs in (("add", Add()), ("minimum", NONE), ("maximum", NONE)):
        assert join(op, 8, X, attrs) == Form(1, odd=12)
        assert join(op, 9, 9, attrs) == Form(-1, odd=12)
        assert join(op, 10, 10, attrs) == Form(1, 10, odd=12)
        for a, b in ((8, 9), (9, 8), (8, 10), (10, X), (9, 10)):
            assert join(op, a, b, attrs) is None
    assert join("add", 8, 9, Add(subtract=True)) == Form(1, odd=12)
    assert join("add", 9, 8, Add(subtract=True)) == Form(-1, odd=12)
    assert join("add", 8, X, Add(subtract=True)) is None


def test_what_does_not_depend_on_the_source_moves_nothing():
    fixed = node(8, "where", attrs=Choose("where", (None, 1.0, 2.0)))
    assert form(fixed) == Form(constant=True)
    assert form(fixed, step(9, 8, "mul", 2.0)) == Form(constant=True)
    for op, attrs in (("add", Add()), ("minimum", NONE)):
        for order in ((8, 9), (9, 8)):
            assert form(fixed, step(9, X, "mul", -2.0), node(10, op, *order, attrs=attrs)) == Form(-1, odd=10)


def test_a_magnitude_is_no_answer_by_itself_but_moves_with_the_distance():
    size = node(8, "abs", X)
    assert form(size) is None
    far = compare(9, 8)
    assert form(size, far) is None
    sign = node(10, "sign", X)
    times = node(11, "mul", 10, 9, attrs=Gate())
    assert form(size, far, sign, times) == Form(1, levels=Levels(-1.0, 1.0, 1.0), odd=X)
    assert form(size, far, sign, replace(times, inputs=(9, 10))) == Form(1, levels=Levels(-1.0, 1.0, 1.0), odd=X)
    assert form(size, compare(9, 8, "lt"), sign, times) is None  # one near zero
    moved = step(12, X, "add", 0.25)
    assert form(size, far, moved, replace(sign, inputs=(12,)), times) is None  # turned elsewhere
    assert form(size, step(9, 8, "mul", 2.0), sign, times) is None  # not zero or one
    assert form(size, node(9, "abs", 8), node(10, "sign", 9)) is None


@pytest.mark.parametrize("moved", [0, 1, 7])
def test_of_two_values_that_move_with_a_distance_none_is_the_sign_of_the_other(moved):
    """Whatever the numbers of the nodes are: a choice by a distance, and what is computed of it, times a decision."""
    source = 20
    size, far = node(31, "abs", moved), compare(32, 31)
    chosen = node(33, "where", 32, attrs=Choose("where", (In(0), 3.0, -3.0)))
    of_it = step(34, 33, "add", 1.0)
    for other in (32, 33, 34):
        for product in (node(35, "mul", other, 32, attrs=Gate()), node(35, "mul", 32, other, attrs=Gate())):
            cone = (step(moved, source, "add", 0.3), size, far, chosen, of_it, product)
            assert form_of(cone, source) is None


@pytest.mark.parametrize(
    ("above", "below", "wanted"),
    [
        (3.0, 1.0, Form(1, decision=8, levels=Levels(1.0, 3.0, 2.0, 1.0), odd=12)),
        (1.0, 3.0, Form(1, 12, decision=8, levels=ANY, odd=12)),  # of two values all the same
        (In(1), 0.0, Form(1, levels=Levels(0.0, math.inf), odd=12)),  # a number of at least zero
        (In(1), -1.0, Form(1, levels=Levels(-1.0, math.inf), odd=12)),
        (In(1), 0.5, None),
        (0.0, In(1), None),
    ],
)
def test_a_choice_moves_where_what_is_chosen_above_lies_above(above, below, wanted):
    cone = [compare(8, X), node(9, "relu", X)]
    inputs = (8, 9) if In(1) in (above, below) else (8,)
    choice = node(12, "where", *inputs, attrs=Choose("where", (In(0), above, below)))
    assert form(*cone, choice) == wanted
    # The other way round, by a decision that falls.
    turned = replace(choice, attrs=Choose("where", (In(0), below, above)))
    assert form(compare(8, X, "lt"), cone[1], turned) == wanted


@pytest.mark.parametrize(
    ("slope", "rising"),
    [
        (literal_constant(0.25), True),
        (literal_constant(0.0), True),
        (literal_constant(-0.25), False),
        (POSITIVE[2], True),
        (UNKNOWN[0], False),
    ],
)
def test_a_slope_below_zero_turns_one_side(slope, rising):
    found = form(node(8, "prelu", X, consts={"slope": slope}))
    assert found == (Form(1, odd=8) if rising else None)


@pytest.mark.parametrize(
    ("fn", "options", "rising"),
    [("elu", (1.0,), True), ("elu", (-1.0,), False), ("elu", (0, 1), True), ("elu", (-1,), False), ("sin", (), False),
     ("nonsense", (), False), ("softplus", (1.0, 20.0), True), ("log", (), True), ("hypot", (), False)],
)  # fmt: skip
def test_a_function_rises_where_its_table_says_so_and_no_option_turns_it(fn, options, rising):
    found = form(node(8, "special", X, attrs=Call(fn, (In(0), *options))))
    assert (found is not None) == rising
    assert form(step(9, X, "mul", 2.0), node(8, "special", X, 9, attrs=Call(fn, (In(0), In(1))))) is None


def test_truths_are_joined_where_they_move_alike():
    first, second, falls = compare(8, X), compare(9, X, operands=(In(0), 1.5)), compare(10, X, "lt")

    def logical(fn, *inputs):
        return form(first, second, falls, node(12, "logical", *inputs, attrs=Call(fn), domain=BINARY01))

    for fn in ("logical_and", "logical_or", "bitwise_and", "bitwise_or"):
        assert logical(fn, 8, 9) == Form(1, levels=TRUTH, decision=12, odd=12)
        assert logical(fn, 8, 10) is None
    for fn in ("logical_xor", "bitwise_xor"):
        assert logical(fn, 8, 9) is None
    assert logical("logical_not", 8) == Form(-1, decision=8, levels=TRUTH, odd=12)
    assert logical("logical_and", 8, 9, 8) is None


def test_bounds_that_are_numbers_keep_a_direction_and_those_that_move_do_not():
    up = step(8, X, "mul", 2.0)
    assert form(node(9, "clamp", X, attrs=Clamp(None, UNKNOWN[0]))) == Form(1, odd=9)
    assert form(up, node(9, "clamp", X, 8, attrs=Clamp(In(1), None))) is None
    assert form(up, node(9, "clamp", X, 8, attrs=Clamp(None, In(1)))) is None
    for op, low, high in (("minimum", -math.inf, 2.0), ("maximum", 2.0, math.inf)):
        found = form(node(9, op, X, consts={"bound": literal_constant(2.0)}))
        assert found == Form(1, levels=Levels(low, high), odd=9)


def test_an_operand_of_which_nothing_is_known_makes_nothing_known():
    assert form(node(8, "square", X, attrs=Gate()), step(9, 8, "mul", 2.0)) is None
    assert form(node(8, "square", X, attrs=Gate()), node(9, "add", X, 8, attrs=Add())) is None
