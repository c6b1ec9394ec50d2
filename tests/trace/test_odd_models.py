"""Models that are built, called or answered in unusual ways: each is counted like the plain one next to it."""

from __future__ import annotations

import collections
import dataclasses
import threading
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from costmodel.deploy.profile import profile
from tests.trace.hand import Net

torch.set_num_threads(1)

PLAIN = {"mul": 32, "add": 32}  # a linear layer of 8 to 4 on one row


def linear() -> nn.Linear:
    return nn.Linear(8, 4)


def counts(model: nn.Module, *shape: int) -> dict[str, int]:
    result = profile(model, torch.randn(shape or (1, 8)))
    assert not [c for c in result.caveats if c.kind == "unknown_op"]
    return result.deployed.by_kind()


# -- how the result comes back ----------------------------------------------------------------------------------------


class Answer(collections.OrderedDict[str, Any]):
    """A mapping that is no plain dictionary, as model libraries return."""


@dataclasses.dataclass
class Fields:
    logits: Tensor
    hidden: tuple[Tensor, ...] = ()


class Plain:
    def __init__(self, y: Tensor) -> None:
        self.y = y


ANSWERS = {
    "mapping": lambda y: Answer(logits=y),
    "dataclass": Fields,
    "object": Plain,
    "named tuple": collections.namedtuple("Two", "a b", defaults=(None,)),
    "list subclass": lambda y: type("Items", (list,), {})([y]),
    "nested": lambda y: {"out": [Fields(y), {"more": Plain(y)}]},
    "a number": lambda y: y.sum().item(),
}


@pytest.mark.parametrize("name", ANSWERS)
def test_results_in_any_container_are_counted(name: str) -> None:
    found = counts(Net(lambda m, x: ANSWERS[name](m.part(x)), part=linear()))
    assert found == (PLAIN if name != "a number" else {"mul": 32, "add": 32 + 3})


def test_a_model_that_returns_nothing_is_counted_to_its_ends_and_says_so() -> None:
    def run(m: Any, x: Tensor) -> None:
        m.result = m.part(x)

    result = profile(Net(run, part=linear()), torch.randn(1, 8))
    assert result.deployed.by_kind() == PLAIN
    assert [c.kind for c in result.caveats] == ["note"]


def test_what_a_branch_is_decided_by_is_counted() -> None:
    def run(m: Any, x: Tensor) -> Tensor:
        return m.a(x) if m.gate(x) > -100 else m.b(x)

    result = profile(Net(run, a=linear(), b=linear(), gate=nn.Linear(8, 1)), torch.randn(1, 8))
    assert result.deployed.by_kind() == {"mul": 32 + 8, "add": 32 + 8, "compare": 1}
    assert {c.kind for c in result.caveats} == {"branch", "uncalled"}


def test_a_selection_whose_size_depends_on_the_input_is_reported() -> None:
    result = profile(Net(lambda m, x: x[x > 0]), torch.randn(1, 8))
    assert result.deployed.by_kind() == {"compare": 8}
    assert [c.kind for c in result.caveats] == ["branch"]


# -- how the model is built -------------------------------------------------------------------------------------------


def with_lock() -> nn.Module:
    model = linear()
    model.lock, model.source = threading.Lock(), (i for i in range(3))
    return model


def on_meta() -> nn.Module:
    with torch.device("meta"):
        return linear()


def with_computed_weight() -> nn.Module:
    part = linear()
    model = Net(lambda m, x: F.linear(x, m.table[0], part.bias))
    model.table = [part.weight * 2]
    return model


def in_a_list() -> nn.Module:
    model = Net(lambda m, x: m.parts[0](x))
    model.parts = [linear()]
    return model


BUILT = {
    "lazy": lambda: nn.LazyLinear(4),
    "with a lock and a generator": with_lock,
    "on the meta device": on_meta,
    "a weight that autograd computed": with_computed_weight,
    "scripted": lambda: torch.jit.script(linear()),
    "scripted part": lambda: nn.Sequential(torch.jit.script(linear())),
    "traced part": lambda: nn.Sequential(torch.jit.trace(linear(), torch.randn(1, 8))),
    "symbolically traced": lambda: torch.fx.symbolic_trace(linear()),
    "data parallel": lambda: nn.DataParallel(linear()),
    "called past its hooks": lambda: Net(lambda m, x: m.part.forward(x), part=linear()),
    "weights of a functional call": lambda: Net(
        lambda m, x: torch.func.functional_call(m.part, dict(m.part.named_parameters()), (x,)), part=linear()
    ),
    "mapped over the batch": lambda: Net(lambda m, x: torch.vmap(m.part)(x), part=linear()),
    "checkpointed": lambda: Net(
        lambda m, x: torch.utils.checkpoint.checkpoint(m.part, x, use_reentrant=False), part=linear()
    ),
    "in inference mode": lambda: Net(torch.inference_mode()(lambda m, x: m.part(x)), part=linear()),
    "layers in a plain list": in_a_list,
}


@pytest.mark.parametrize("name", BUILT)
def test_however_a_model_is_built_it_costs_the_same(name: str) -> None:
    assert counts(BUILT[name]()) == PLAIN


def test_a_profile_inside_inference_mode_takes_operations_apart() -> None:
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(64, 2)).eval()
    expected = counts(model, 1, 3, 6, 6)
    with torch.inference_mode():
        assert counts(model, 1, 3, 6, 6) == expected
    assert expected == {"mul": 4 * 27 * 16 + 128, "add": 4 * 27 * 16 + 128, "compare": 64}


def test_hooks_that_change_inputs_and_outputs_are_part_of_the_network() -> None:
    model = linear()
    model.register_forward_pre_hook(lambda m, args: (torch.sign(args[0]),))
    model.register_forward_hook(lambda m, args, out: out * 2.5)
    found = profile(nn.Sequential(model), torch.randn(1, 8)).as_written.by_kind()
    assert found == {"compare": 8, "signflip": 32, "add": 4, "mul": 4}


def test_a_model_that_refuses_to_be_copied_is_copied_part_by_part() -> None:
    class Refuses(nn.Linear):
        def __deepcopy__(self, memo: Any) -> Any:
            raise RuntimeError("one of a kind")

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            self.calls = getattr(self, "calls", 0) + 1
            return super().forward(x)

    for model in (Refuses(8, 4), nn.Sequential(Refuses(8, 4))):
        before = {name: value.clone() for name, value in model.state_dict().items()}
        assert counts(model, 1, 8) == counts(nn.Linear(8, 4), 1, 8)
        assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())
        assert not any(hasattr(module, "calls") for module in model.modules())


# -- widths -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("dtype", "bits"), [(torch.float16, 16), (torch.bfloat16, 16), (torch.float64, 64)])
def test_real_numbers_have_the_width_of_their_type(dtype: torch.dtype, bits: int) -> None:
    model = nn.Sequential(nn.Conv2d(3, 4, 3, bias=False), nn.BatchNorm2d(4), nn.ReLU(), nn.Conv2d(4, 2, 1, bias=False))
    result = profile(model.to(dtype), torch.randn(1, 3, 6, 6, dtype=dtype))
    ledger = result.deployed
    assert {t.bits for t in ledger.traffic} == {bits}
    assert {(c.bits_a, c.bits_b) for c in ledger.charges if c.kind == "mul"} == {(bits, bits)}
    assert ledger.weight_bits() == bits * (4 * 27 + 4 + 8)
    assert {c.bits_a for c in ledger.charges if c.kind == "compare"} == {bits}


def test_mixed_precision_has_both_widths() -> None:
    def run(m: Any, x: Tensor) -> Tensor:
        with torch.autocast("cpu", dtype=torch.bfloat16):
            y = m.a(x)
        return m.b(y.float())

    result = profile(Net(run, a=nn.Linear(8, 8), b=nn.Linear(8, 4)), torch.randn(1, 8))
    assert {(c.module, c.bits_a) for c in result.deployed.charges if c.kind == "mul"} == {("a", 16), ("b", 32)}


# -- evidence ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("channel", [0, 1, 37, 511])
def test_one_odd_filter_among_half_a_thousand_is_seen(channel: int) -> None:
    weight = torch.sign(torch.randn(512, 256, 3, 3))
    one_value, own_scale = weight.clone(), weight.clone()
    one_value[channel, 100, 1, 2] = 0.3
    own_scale[channel] *= 0.3
    inputs = torch.randn(1, 256, 3, 3)
    model = Net(lambda m, x: F.conv2d(torch.sign(x), m.weight), weight=nn.Parameter(one_value))
    assert profile(model, inputs, trained=True).deployed.by_kind()["signflip"] == 512 * 256 * 9
    model.weight.data = own_scale
    assert profile(model, inputs, trained=True).deployed.by_kind_and_tag()["mul", "weight_scale"] == 512


def test_a_zero_among_many_signs_is_a_tie() -> None:
    weight = torch.sign(torch.randn(512, 256, 3, 3))
    weight[7, 7, 1, 1] = 0
    model = Net(lambda m, x: F.conv2d(torch.sign(x), m.weight), weight=nn.Parameter(weight))
    assert "xnor" in profile(model, torch.randn(1, 256, 3, 3), trained=True).deployed.by_kind()


@pytest.mark.parametrize("count", [16, 48, 200])
@pytest.mark.parametrize("step", [1.0, 1 / 255, 0.0173])
def test_eight_bit_activations_are_seen_on_few_values(count: int, step: float) -> None:
    model = Net(lambda m, x: m.part((x * 40).round().clamp(-128, 127) * step), part=nn.Linear(count, 4, bias=False))
    layer = next(l for l in profile(model, torch.randn(1, count)).as_written.layers if l.op == "linear")  # noqa: E741
    assert layer.a.kind == "int"
    assert 7 <= layer.a.bits <= 8


@pytest.mark.parametrize("count", [16, 48, 200, 1000])
def test_few_real_numbers_are_no_grid(count: int) -> None:
    model = Net(lambda m, x: m.part(torch.tanh(x)), part=nn.Linear(count, 4, bias=False))
    for seed in range(5):
        torch.manual_seed(seed)
        layer = next(l for l in profile(model, torch.randn(1, count)).as_written.layers if l.op == "linear")  # noqa: E741
        assert layer.a.is_float


def test_accumulators_of_unsigned_operands_need_no_sign() -> None:
    def layer(activation: Any) -> Any:
        model = Net(lambda m, x: F.linear(activation(x), torch.sign(m.w) * 1.0), w=nn.Parameter(torch.randn(4, 1000)))
        return next(n for n in profile(model, torch.randn(1, 1000)).as_written.layers if n.op == "linear")

    # 1000 products of up to 15: 15 000 < 2 ** 14, of either sign; of up to 8: 8 000 < 2 ** 13
    assert layer(lambda x: (x * 8).round().clamp(0, 15)).out.bits == 15
    assert layer(lambda x: (x * 8).round().clamp(-8, 7)).out.bits == 14


@pytest.mark.parametrize("init", [nn.init.eye_, nn.init.dirac_])
def test_an_identity_that_training_starts_from_is_not_a_ternary_matrix(init: Any) -> None:
    model = nn.Linear(8, 8, bias=False) if init is nn.init.eye_ else nn.Conv2d(8, 8, 3, bias=False)
    init(model.weight)
    found = counts(model, *((1, 8) if init is nn.init.eye_ else (1, 8, 5, 5)))
    assert set(found) == {"mul", "add"}


def test_a_constant_buffer_means_what_it_holds() -> None:
    class Scaled(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.part = linear()
            self.register_buffer("quarter", torch.tensor(0.25))
            self.register_buffer("chosen", (torch.arange(4) % 2).float())

        def forward(self, x: Tensor) -> Tensor:
            return self.part(x) * self.quarter * self.chosen

    assert profile(Scaled(), torch.randn(1, 8)).as_written.by_kind() == {**PLAIN, "shift_const": 4}


# -- what stays unknown -----------------------------------------------------------------------------------------------


def test_operations_without_a_rule_are_named_with_their_module() -> None:
    model = nn.Sequential(collections.OrderedDict(first=linear(), odd=Net(lambda m, x: torch.i0(x))))
    result = profile(model, torch.randn(1, 8))
    assert result.deployed.total("unknown") > 0
    assert any(c.kind == "unknown_op" and c.module == "odd" and "i0" in c.message for c in result.caveats)
    assert result.deployed.total("mul") == 32


def test_complex_products_are_not_counted_as_real_ones() -> None:
    model = Net(lambda m, x: torch.view_as_complex(x.view(1, 4, 2)) * m.w, w=nn.Parameter(torch.randn(4) * 1j))
    result = profile(model, torch.randn(1, 8))
    assert result.deployed.by_kind() == {"mul": 16, "add": 8}


def test_sparse_weights_are_reported_and_not_run_into() -> None:
    model = Net(lambda m, x: torch.sparse.mm(m.sparse, x.t()).t())
    model.sparse = torch.randn(4, 8).relu().to_sparse()
    assert profile(model, torch.randn(1, 8)).deployed.by_kind() == {"unknown": 4}


def test_random_numbers_at_inference_are_reported() -> None:
    result = profile(Net(lambda m, x: (x > torch.rand(1, 8)).float() @ m.w, w=nn.Parameter(torch.randn(8, 4))),
                     torch.randn(1, 8))  # fmt: skip
    assert "nondeterministic" in {c.kind for c in result.caveats}


def test_constants_that_are_written_into_later_keep_their_value() -> None:
    def run(m: Any, x: Tensor) -> Tensor:
        base = torch.zeros(8)
        y = x + base
        base += 5.0
        return y * base

    from costmodel.trace import trace

    graph = trace(Net(run), torch.randn(1, 8), values=True)
    kept = sorted(float(np.asarray(v).max()) for v in graph.values.values())
    assert kept == [0.0, 5.0]
