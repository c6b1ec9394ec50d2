"""Kernels on cores: what the clock, threads, padding and the library change, and what they do not."""

from __future__ import annotations

import subprocess
import sys

import pytest

from costmodel.errors import CostmodelError, UnknownNameError
from costmodel.ledger.ledger import Ledger
from costmodel.targets import estimate, list_targets, load_target
from costmodel.targets.estimate import Estimate
from tests.near import near
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
    assert bill.derived["images_per_second"].value == near(1 / latency.value)
    assert set(bill.sources()) == set(bill.constants)
    assert sum(i.value for i in bill.by_layer("latency_s").values()) == near(latency.value)


def test_the_clock_moves_instructions_and_not_memory() -> None:
    ledger = small_net()
    slow, fast = estimate(ledger, PI, clock=0.75e9), estimate(ledger, PI, clock=1.5e9)
    assert component(slow, "compute") == near(2 * component(fast, "compute"))
    assert component(slow, "calls") == near(2 * component(fast, "calls"))
    assert component(slow, "memory") == near(component(fast, "memory"))


def test_threads_share_the_products_and_nothing_else() -> None:
    ledger = small_net()
    one, four = estimate(ledger, PI), estimate(ledger, PI, threads=4)
    assert component(one, "compute") == near(4 * component(four, "compute"))
    assert component(one, "memory") == near(component(four, "memory"))


def test_channels_and_depth_are_paid_for_in_whole_tiles() -> None:
    assert xnor_seconds(binary_conv(33, 32)) == near(xnor_seconds(binary_conv(64, 32)))
    assert xnor_seconds(binary_conv(32, 33)) == near(xnor_seconds(binary_conv(32, 36)))
    # 9 * 32 = 288 bits are padded to 384; 9 * 128 = 1152 bits are whole vectors
    assert xnor_seconds(binary_conv(128, 32)) == near(3 * xnor_seconds(binary_conv(32, 32)))


def test_the_slowdown_of_older_libraries_is_the_measured_one() -> None:
    ledger = small_net()
    now, then = (estimate(ledger, PI, library=f"lce-2020-{m}").total("latency_s").value for m in ("10", "03"))
    assert then / now == near(1.452)


def test_dense_layers_of_bits_are_unpacked_on_larq_and_not_on_a_microcontroller() -> None:
    net = Net(1, 256, 1, 1)
    net.linear(net.elementwise("threshold", -1, out=BINARY), 256, weight=BINARY)
    bill = estimate(net.ledger(), PI)
    moved = bill.by_kind("latency_s")["weight"].value / bill.constants["seconds_per_byte"].value
    assert moved == near(2 * 4 * 256 * 256)
    assert "unpacked each run" in " ".join(bill.notes)
    assert "xnor" in estimate(net.ledger(), "cortex-m4").by_kind("latency_s")


def test_energy_is_the_power_of_the_board_times_the_latency() -> None:
    bill = estimate(small_net(), PI, threads=2)
    target = load_target(PI)
    power = target.value("power_idle") + 2 * target.value("power_core")
    assert bill.total("energy_J").value == near(power * bill.total("latency_s").value)
    assert "energy_J" not in estimate(small_net(), "pixel-1").metrics()


def test_unknown_and_impossible_options_are_refused() -> None:
    with pytest.raises(UnknownNameError, match="threads"):
        estimate(small_net(), PI, thread=2)
    with pytest.raises(CostmodelError, match="4 cores"):
        estimate(small_net(), PI, threads=5)
    with pytest.raises(CostmodelError, match="one of"):
        estimate(small_net(), PI, library="cmsis-nn")
    with pytest.raises(CostmodelError, match="multiplies fp32 and int8"):
        estimate(small_net(), PI, library="ncnn", precision="fp16")
    with pytest.raises(CostmodelError, match="has kernels for fp32 and int8"):
        estimate(small_net(), "cortex-a76", precision="fp16")
    with pytest.raises(CostmodelError, match="one of int8"):
        estimate(small_net(), "cortex-m4", precision="fp32")


def dense(batch: int, size: int = 256) -> Ledger:
    net = Net(batch, size)
    net.linear(-1, size)
    return net.ledger()


LIBRARIES = [
    (name, library) for name in list_targets("arm") for library in load_target(name).parameters["library"].choices or ()
]


@pytest.mark.parametrize(("name", "library"), LIBRARIES)
def test_a_dense_layer_computes_as_well_as_it_moves(name: str, library: str) -> None:
    """One image costs its products; two cost no less than one and at most twice as much; many cost more."""
    one, two, many = (estimate(dense(batch), name, library=library) for batch in (1, 2, 512))
    products = one.by_kind("latency_s")["mul"].value + one.by_kind("latency_s")["weight"].value
    cycles = next(q.value for key, q in one.constants.items() if key.startswith("cycles_") and key.endswith("_mac"))
    slowdown = next(q.value for key, q in one.constants.items() if key.endswith("real_slowdown"))
    assert products >= 0.999 * 256 * 256 * cycles * slowdown / load_target(name).parameters["clock"].default
    alone = one.total("latency_s").value
    assert alone <= two.total("latency_s").value <= 2 * alone
    assert many.total("latency_s").value > two.total("latency_s").value


@pytest.mark.parametrize("name", ["cortex-m4", "cortex-m7", "cortex-m33", "cortex-m55", "cortex-m85"])
def test_microcontrollers_are_bound_by_products(name: str) -> None:
    bill = estimate(dense(1, 512), name)
    assert component(bill, "compute") > component(bill, "memory")


@pytest.mark.parametrize(("name", "library"), LIBRARIES)
def test_more_threads_never_take_longer(name: str, library: str) -> None:
    cores = min(int(load_target(name).structure.get("cores", 1)), 4)
    seconds = [
        estimate(small_net(), name, library=library, threads=n).total("latency_s").value for n in range(1, cores + 1)
    ]
    assert seconds == sorted(seconds, reverse=True)


def test_slower_cores_add_their_own_speed() -> None:
    """Four threads of a Pixel 1 are its two fast cores and two at 74 % of their clock."""
    one, four = (estimate(small_net(), "pixel-1", threads=n) for n in (1, 4))
    assert component(one, "compute") / component(four, "compute") == near((2 * 2.15 + 2 * 1.59) / 2.15)


def test_a_library_without_kernels_for_bits_runs_them_as_numbers() -> None:
    bits, real = binary_conv(64, 64), estimate(binary_conv(64, 64), PI, library="ncnn")
    assert "xnor" not in real.by_kind("latency_s")
    assert "no kernels for bits" in " ".join(real.notes)
    assert real.total("latency_s").value > estimate(bits, PI).total("latency_s").value


def test_half_precision_is_faster_than_single() -> None:
    half, single = (estimate(dense(64), "cortex-a76", library="ncnn", precision=p) for p in ("fp16", "fp32"))
    assert half.total("latency_s").value < single.total("latency_s").value


def test_energy_of_a_microcontroller_is_that_of_its_cycles() -> None:
    slow, fast = (estimate(small_net(), "cortex-m4", clock=c).total("energy_J").value for c in (60e6, 120e6))
    fixed = estimate(small_net(), "cortex-m4").by_component("latency_s")["overhead"].value
    spare = fixed * load_target("cortex-m4").value("energy_per_cycle") * 60e6
    assert fast - slow == near(spare)  # dispatch alone is not in cycles


def test_pricing_imports_neither_torch_nor_numpy() -> None:
    code = (
        "import sys; sys.path.insert(0, '.');"
        "from tests.targets.hand import small_net; from costmodel.targets import estimate;"
        "estimate(small_net(), 'arm').totals();"
        "print({'torch', 'numpy', 'pandas', 'matplotlib'} & sys.modules.keys())"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
