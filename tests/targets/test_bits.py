"""One question for the numbers of every target, answered in the words of each."""

from __future__ import annotations

import pytest

from costmodel.errors import CostmodelError
from costmodel.ledger.ledger import Ledger
from costmodel.targets import estimate, totals
from costmodel.targets.bits import LayerWidths, as_asked, expand, layer_widths, parse
from costmodel.targets.fpga.design import Widths, stages
from tests.targets.hand import Net, small_net


def test_the_answer_is_read_in_any_order_and_in_parts() -> None:
    assert parse("input=8, real=16") == {"input": 8, "real": 16}
    assert expand({"bits": "real=16,weight=8,input=8"}, "fpga") == {"real_bits": 16, "weight_bits": 8, "input_bits": 8}
    assert expand({"bits": "real=16,weight=4"}, "asic") == {"real_format": "int16", "weight_bits": 4}
    assert expand({"bits": "real=8"}, "arm") == {"precision": "int8"}
    assert expand({"bits": "weight=8,conv.weight=4,last.weight=6"}, "fpga") == {
        "weight_bits": 8, "kind_bits": "conv=4,last=6"}  # fmt: skip
    assert expand({"bits": "conv.weight=4,conv.real=8"}, "asic") == {"kind_bits": "conv=4,conv.real=8"}
    assert as_asked("conv=4,conv.real=8") == ["conv.weight=4", "conv.real=8"]
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
        ("asic", {"bits": "conv.input=4"}, "takes in may be chosen: conv.weight=8,conv.real=8"),
        ("arm", {"bits": "conv.real=8"}, "conv.real is as wide as real; give real=8"),
        ("cpu", {"bits": "conv.real=8"}, "was timed with the widths that it has"),
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
    found = layer_widths(mixed(), "conv=4,depthwise=5,last=6", 16)
    assert found.weights == ((0, 4), (1, 5), (2, 6))
    assert layer_widths(mixed(), "linear=3,first=7", 16).weights == ((0, 7), (2, 3))
    assert not found.values
    assert not found.idle
    assert layer_widths(mixed(), "conv.real=12,last.real=6", 16).values == ((1, 12), (2, 6))  # the first takes inputs
    assert layer_widths(mixed(), "", 16) == LayerWidths()


@pytest.mark.parametrize(("text", "said"), [
    ("conv.real=17", "real values have 16 bits, conv layers take no more"), ("conv.real=4,conv.real=5", "once at most"),
    ("conv.reel=4", "expected conv=8 or conv.real=8"),
])  # fmt: skip
def test_values_wider_than_the_stream_are_refused(text: str, said: str) -> None:
    with pytest.raises(CostmodelError, match=said):
        layer_widths(mixed(), text, 16)


def test_a_value_that_only_narrow_layers_read_is_made_narrow() -> None:
    """Maps of 16 x 8 x 8 values between the layers; the first layer takes the network's input of 8 bits."""

    def design(bits: str) -> list[tuple[int, int, int]]:
        own = layer_widths(mixed(), bits, 16)
        found = stages(mixed(), Widths(16, 8, 8, own.weights, own.values), True)
        return [(s.matrix.bits_a, s.bits_entered // 1024, s.bits_out) for s in found if s.matrix is not None]

    assert design("") == [(8, 4, 16), (16, 16, 16), (16, 16, 16)]
    assert design("conv.real=12,last.real=6") == [(8, 4, 12), (12, 12, 6), (6, 6, 16)]
    assert design("depthwise.real=10") == [(8, 4, 10), (10, 10, 16), (16, 16, 16)]


def test_a_value_that_a_wide_layer_reads_as_well_stays_wide() -> None:
    net = Net(1, 8, 8, 8)
    first = net.conv(-1, 16)
    second = net.conv(first, 16)
    net.elementwise("add", first, second)
    ledger = net.ledger()
    own = layer_widths(ledger, "conv.real=9", 16)
    assert own.values == ((1, 9),)
    found = stages(ledger, Widths(16, 8, 8, (), own.values), True)
    assert found[0].bits_out == 16  # the sum reads it too
    assert found[1].matrix is not None
    assert found[1].matrix.bits_a == 9


def test_narrower_values_by_kind_never_cost_more() -> None:
    """Energy of a chip; on an FPGA the time of an image, for which narrower numbers leave room."""
    asked = [f"conv.real={bits},linear.real={bits}" for bits in (4, 6, 8, 12, 16)]
    chip = [estimate(mixed(), "asic", bits=bits).total("energy_J").value for bits in asked]
    assert chip == sorted(chip)
    assert chip[0] < chip[-1] == estimate(mixed(), "asic").total("energy_J").value
    for mode in ("dataflow", "engine"):
        rates = [
            estimate(mixed(), "pynq-z2", mode=mode, bits=bits).total("steady_images_per_second").value for bits in asked
        ]
        assert rates == sorted(rates, reverse=True)


def test_a_kind_that_no_layer_is_of_changes_nothing_and_is_said() -> None:
    net = Net(1, 8, 8, 8)
    net.conv(-1, 16)
    ledger = net.ledger()
    assert layer_widths(ledger, "linear=4", 16) == LayerWidths(
        idle=("kind_bits: no layer of real weights is of kind linear",)
    )
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
        design = stages(mixed(), Widths(16, 8, 8, layer_widths(mixed(), kinds, 16).weights), True)
        assert sum(stage.weight_bits for stage in design) == stored


def test_what_the_numbers_change_is_said_against_the_numbers_of_the_target() -> None:
    usual = estimate(mixed(), "asic")
    asked = estimate(mixed(), "asic", bits="linear.weight=2")
    part = asked.total("energy_J").value / usual.total("energy_J").value - 1
    assert f"energy per image {part:+.1%}" in asked.notes[0]
    assert part < 0
    assert not any(note.startswith("numbers ") for note in usual.notes)


def test_floating_point_has_no_width_by_kind() -> None:
    with pytest.raises(CostmodelError, match="with real_format=fp16 numbers are floating point"):
        estimate(mixed(), "asic", real_format="fp16", kind_bits="conv=4")
