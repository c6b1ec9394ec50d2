"""Kernels on cores: what the clock, threads, padding and the library change, and what they do not."""

from __future__ import annotations

import subprocess
import sys
import time

import pytest

from costmodel.errors import CostmodelError, UnknownNameError
from costmodel.ledger.ledger import Ledger
from costmodel.targets import estimate, list_targets, load_target
from costmodel.targets.estimate import Estimate
from tests.targets.hand import BINARY, Net, small_net

PI = "raspberry-pi-4b"


def binary_conv(c_in: int, c_out: int, size: int = 16, kernel: int = 3) -> Ledger:
    net = Net(1, c_in, size, size)
    net.conv(net.elementwise("threshold", -1, out=BINARY), c_out, kernel, weight=BINARY)
    return net.ledger()


def xnor_seconds(ledger: Ledger) -> float:
    return estimate(ledger, PI).by_kind("latency_s")["xnor"].value


def component(bill: Estimate, name: str) -> float:
    return bill.by_component("latency_s")[name].value


@pytest.mark.parametrize("name", list_targets("arm"))
def test_every_target_gives_a_complete_answer(name: str) -> None:
    ledger = small_net()
    bill = estimate(ledger, name)
    latency = bill.total("latency_s")
    assert 0 < latency.low < latency.value < latency.high
    assert bill.derived["inferences_per_s"].value == pytest.approx(1 / latency.value)
    assert set(bill.sources()) == set(bill.constants)
    assert sum(i.value for i in bill.by_layer("latency_s").values()) == pytest.approx(latency.value)


def test_the_clock_moves_instructions_and_not_memory() -> None:
    ledger = small_net()
    slow, fast = estimate(ledger, PI, clock=0.75e9), estimate(ledger, PI, clock=1.5e9)
    assert component(slow, "compute") == pytest.approx(2 * component(fast, "compute"))
    assert component(slow, "calls") == pytest.approx(2 * component(fast, "calls"))
    assert component(slow, "memory") == pytest.approx(component(fast, "memory"))


def test_threads_share_the_products_and_nothing_else() -> None:
    ledger = small_net()
    one, four = estimate(ledger, PI), estimate(ledger, PI, threads=4)
    assert component(one, "compute") == pytest.approx(4 * component(four, "compute"))
    assert component(one, "memory") == pytest.approx(component(four, "memory"))


def test_channels_and_depth_are_paid_for_in_whole_tiles() -> None:
    assert xnor_seconds(binary_conv(33, 32)) == pytest.approx(xnor_seconds(binary_conv(64, 32)))
    assert xnor_seconds(binary_conv(32, 33)) == pytest.approx(xnor_seconds(binary_conv(32, 36)))
    # 9 * 32 = 288 bits are padded to 384; 9 * 128 = 1152 bits are whole vectors
    assert xnor_seconds(binary_conv(128, 32)) == pytest.approx(3 * xnor_seconds(binary_conv(32, 32)))


def test_the_slowdown_of_older_libraries_is_the_measured_one() -> None:
    ledger = small_net()
    now, then = (estimate(ledger, PI, library=f"lce-2020-{m}").total("latency_s").value for m in ("10", "03"))
    assert then / now == pytest.approx(1.452)


def test_dense_layers_of_bits_are_unpacked_on_larq_and_not_on_a_microcontroller() -> None:
    net = Net(1, 256, 1, 1)
    net.linear(net.elementwise("threshold", -1, out=BINARY), 256, weight=BINARY)
    bill = estimate(net.ledger(), PI)
    moved = bill.by_kind("latency_s")["weight"].value / bill.constants["seconds_per_byte"].value
    assert moved == pytest.approx(2 * 4 * 256 * 256)
    assert "unpacked each run" in " ".join(bill.notes)
    assert "xnor" in estimate(net.ledger(), "cortex-m4").by_kind("latency_s")


def test_energy_is_the_power_of_the_board_times_the_latency() -> None:
    bill = estimate(small_net(), PI, threads=2)
    target = load_target(PI)
    power = target.value("power_idle") + 2 * target.value("power_core")
    assert bill.total("energy_J").value == pytest.approx(power * bill.total("latency_s").value)
    assert "energy_J" not in estimate(small_net(), "pixel-1").metrics()


def test_unknown_and_impossible_options_are_refused() -> None:
    with pytest.raises(UnknownNameError, match="threads"):
        estimate(small_net(), PI, thread=2)
    with pytest.raises(CostmodelError, match="4 cores"):
        estimate(small_net(), PI, threads=5)
    with pytest.raises(CostmodelError, match="one of"):
        estimate(small_net(), PI, library="ncnn")
    with pytest.raises(CostmodelError, match="one of int8"):
        estimate(small_net(), "cortex-m4", precision="fp32")


def test_one_more_target_takes_under_five_milliseconds() -> None:
    ledger = small_net(blocks=32)
    target = load_target(PI)
    best = 1.0
    for _ in range(20):
        start = time.process_time()
        estimate(ledger, target)
        best = min(best, time.process_time() - start)
    assert best < 0.005


def test_pricing_imports_neither_torch_nor_numpy() -> None:
    code = (
        "import sys; sys.path.insert(0, '.');"
        "from tests.targets.hand import small_net; from costmodel.targets import estimate;"
        "estimate(small_net(), 'arm').totals();"
        "print({'torch', 'numpy', 'pandas', 'matplotlib'} & sys.modules.keys())"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
