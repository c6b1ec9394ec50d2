"""One question for the numbers of every target, answered in the words of each."""

from __future__ import annotations

import pytest

from costmodel.errors import CostmodelError
from costmodel.targets import estimate, totals
from costmodel.targets.bits import expand, parse
from tests.targets.hand import small_net


def test_the_answer_is_read_in_any_order_and_in_parts() -> None:
    assert parse("input=8, real=16") == {"input": 8, "real": 16}
    assert expand({"bits": "real=16,weight=8,input=8"}, "fpga") == {"real_bits": 16, "weight_bits": 8, "input_bits": 8}
    assert expand({"bits": "real=16,weight=4"}, "asic") == {"real_format": "int16", "weight_bits": 4}
    assert expand({"bits": "real=8"}, "arm") == {"precision": "int8"}
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
