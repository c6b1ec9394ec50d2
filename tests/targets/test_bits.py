"""One question for the numbers of every target, answered in the words of each."""

from __future__ import annotations

import pytest

from costmodel.errors import CostmodelError
from costmodel.ledger.ledger import Ledger
from costmodel.targets import estimate, totals
from costmodel.targets.bits import expand, layer_widths, parse
from costmodel.targets.fpga.design import Widths, stages
from tests.targets.hand import Net, small_net


def test_the_answer_is_read_in_any_order_and_in_parts() -> None:
    assert parse("input=8, real=16") == {"input": 8, "real": 16}
    assert expand({"bits": "real=16,weight=8,input=8"}, "fpga") == {"real_bits": 16, "weight_bits": 8, "input_bits": 8}
    assert expand({"bits": "real=16,weight=4"}, "asic") == {"real_format": "int16", "weight_bits": 4}
    assert expand({"bits": "real=8"}, "arm") == {"precision": "int8"}
    assert expand({"bits": "weight=8,conv.weight=4,last.weight=6"}, "fpga") == {
        "weight_bits": 8, "kind_bits": "conv=4,last=6"}  # fmt: skip
    assert expand({"bits": "real=8,conv.weight=8"}, "arm") == {"precision": "int8"}
    assert expand({"clock": 1e9}, "arm") == {"clock": 1e9}


@pytest.mark.parametrize(
    ("kind", "options", "said"),
    [
        ("asic", {"bits": "reel=16"}, "Did you mean real"),
        ("asic", {"bits": "real"}, "once at most, 1 to 64 bits"),
        ("asic", {"bits": "real=8,real=16"}, "once at most"),
        ("asic", {"bits": "real=17"}, "this target has 8, 12, 16"),
        ("asic", {"bits": "weight=4", "weight_bits": 8}, "say the same"),
        ("arm", {"bits": "weight=8"}, "as wide as real"),
        ("fpga", {"bits": "real=0"}, "1 to 64"),
        ("fpga", {"bits": "convs.weight=4"}, "Did you mean conv"),
        ("asic", {"bits": "conv.real=4"}, "the width of its weights may be chosen: conv.weight=8"),
        ("asic", {"bits": "conv.weight=4,conv.weight=5"}, "once at most"),
        ("asic", {"bits": "conv.weight=4", "kind_bits": "conv=4"}, "say the same"),
        ("arm", {"bits": "conv.weight=8"}, "conv.weight is as wide as real; give real=8"),
        ("arm", {"bits": 16}, "expected text"),
    ],
)
def test_a_width_that_a_target_does_not_have_is_refused(kind: str, options: dict[str, object], said: str) -> None:
    with pytest.raises(CostmodelError, match=said):
        expand(options, kind)  # type: ignore[arg-type]


@pytest.mark.parametrize(("name", "wide", "narrow"), [
    ("asic", "real=32,weight=32", "real=16,weight=8"), ("pynq-z2", "real=24", "real=16"), ("arm", "real=32", "real=8"),
])  # fmt: skip
def test_the_same_words_reach_every_target_and_fewer_bits_cost_no_more(name: str, wide: str, narrow: str) -> None:
    metric = "lut" if name == "pynq-z2" else "energy_J"
    costs = [estimate(small_net(), name, bits=bits).total(metric).value for bits in (narrow, wide)]
    assert costs == sorted(costs)


def test_many_settings_take_the_same_words() -> None:
    found = totals(small_net(), "asic", bits="real=16,weight=8", clock=[1e8, 2e8])
    one = estimate(small_net(), "asic", bits="real=16,weight=8", clock=2e8)
    assert found["energy_J"][1] == one.total("energy_J").value


def mixed() -> Ledger:
    """Real layers of three kinds: a convolution, a depthwise one, a dense one."""
    net = Net(1, 8, 8, 8)
    net.linear(net.conv(net.conv(-1, 16), 16, groups=16), 10)
    return net.ledger()


def test_the_most_special_kind_of_a_layer_decides() -> None:
    widths, idle = layer_widths(mixed(), "conv=4,depthwise=5,last=6")
    assert widths == ((0, 4), (1, 5), (2, 6))
    assert layer_widths(mixed(), "linear=3,first=7") == (((0, 7), (2, 3)), ())
    assert not idle
    assert layer_widths(mixed(), "") == ((), ())


def test_a_kind_that_no_layer_is_of_changes_nothing_and_is_said() -> None:
    net = Net(1, 8, 8, 8)
    net.conv(-1, 16)
    ledger = net.ledger()
    assert layer_widths(ledger, "linear=4") == ((), ("kind_bits: no layer of real weights is of kind linear",))
    for name in ("pynq-z2", "asic"):
        asked, usual = estimate(ledger, name, bits="linear.weight=4"), estimate(ledger, name)
        assert asked.totals() == usual.totals()
        assert any("no layer of real weights is of kind linear" in note for note in asked.notes)
        assert any(note.endswith("nothing of what is priced") for note in asked.notes)


def test_weights_of_one_kind_take_as_many_bits_as_asked_for() -> None:
    """8 x 9 x 16, 9 x 16 and 1024 x 10 weights: stored, and in the buffers of each layer."""
    for bits, stored in (
        ("weight=8", 8 * (1152 + 144 + 10240)),
        ("weight=8,linear.weight=4", 8 * (1152 + 144) + 4 * 10240),
        ("weight=8,conv.weight=4,depthwise.weight=16", 4 * 1152 + 16 * 144 + 8 * 10240),
    ):
        assert estimate(mixed(), "asic", bits=bits).facts["weight_bits"] == stored
        kinds = expand({"bits": bits}, "fpga").get("kind_bits", "")
        design = stages(mixed(), Widths(16, 8, 8, layer_widths(mixed(), kinds)[0]), True)
        assert sum(stage.weight_bits for stage in design) == stored


def test_what_the_numbers_change_is_said_against_the_numbers_of_the_target() -> None:
    usual = estimate(mixed(), "asic")
    asked = estimate(mixed(), "asic", bits="linear.weight=2")
    part = asked.total("energy_J").value / usual.total("energy_J").value - 1
    assert f"energy per image {part:+.1%}" in asked.notes[0]
    assert part < 0
    assert not any(note.startswith("numbers ") for note in usual.notes)


def test_floating_point_has_no_width_by_kind() -> None:
    with pytest.raises(CostmodelError, match="with real_format=fp16 weights are floating point"):
        estimate(mixed(), "asic", real_format="fp16", kind_bits="conv=4")
