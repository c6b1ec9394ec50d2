"""The arrays of an engine: cycles by hand, arrangements, and intervals of its rates."""

from __future__ import annotations

import pytest

import costmodel
from costmodel.targets import estimate, list_targets, load_target
from costmodel.targets.fpga.design import Widths, stages
from costmodel.targets.fpga.engine_parts import RealArray, RealLayer, arrange, is_binary
from costmodel.validate import networks


def layers_of(name):
    """Real layers of a network as it is deployed, with values of 16 bits."""
    import torch

    torch.manual_seed(0)
    ledger = costmodel.profile(networks.BUILDERS[name]().eval(), torch.randn(1, *networks.INPUTS[name])).deployed
    design = stages(ledger, Widths(16, 8, 8), True, True)
    return design, [RealLayer.of(s) for s in design if s.matrix is not None and not is_binary(s.matrix)]


@pytest.mark.parametrize(
    ("array", "layer", "cycles"),
    [
        (RealArray(8, 16, 16), RealLayer(12544, 9, 3, 64), 1568 * 9 * 1 * 4),  # 13 of 16 channels idle
        (RealArray(8, 16, 16), RealLayer(49, 1, 512, 1000), 7 * 32 * 63),  # 7 of 56 pixels idle
        (RealArray(8, 16, 16), RealLayer(1, 1, 4096, 1000), 256 * 63),  # one pixel: 7 of 8 idle
        (RealArray(8, 16, 16), RealLayer(196, 9, 1, 512, True), 25 * 9 * 32),
        (RealArray(8, 16, 16, 4), RealLayer(196, 9, 1, 512, True), 49 * 9 * 32),
        (RealArray(1, 64, 32), RealLayer(2916, 25, 34, 90), 2916 * 25 * 1 * 3),
    ],
)
def test_cycles_of_an_array_are_those_of_its_three_directions(array, layer, cycles):
    assert array.cycles(layer) == cycles


def test_layers_are_seen_as_pixels_taps_and_channels():
    _, layers = layers_of("DS-CNN")
    assert layers[0] == RealLayer(125, 40, 1, 64)  # a kernel of 10 x 4 on one channel
    assert layers[1] == RealLayer(125, 9, 1, 64, True)
    assert layers[2] == RealLayer(125, 1, 64, 64)
    assert layers[-1] == RealLayer(1, 1, 64, 12)


@pytest.mark.parametrize("name", ["DS-CNN", "ResNet8", "FC autoencoder"])
def test_more_multiply_accumulators_are_never_slower_and_no_more_than_there_are(name):
    design, layers = layers_of(name)
    last = None
    for macs in (1, 2, 3, 5, 8, 20, 37, 64, 100, 255, 256, 700, 2048):
        array = arrange(design, macs)
        assert array.pixels * array.inputs * array.outputs <= macs
        cycles = sum(array.cycles(layer) for layer in layers)
        products = sum(
            layer.vectors * layer.taps * layer.inputs * layer.outputs for layer in layers if not layer.depthwise
        )
        assert cycles * macs >= products
        assert last is None or cycles <= last
        last = cycles


@pytest.mark.parametrize("target", list_targets("fpga"))
def test_the_rate_of_an_engine_has_an_interval_on_every_device(target):
    ledger = costmodel.profile("lfc-w1a1", announce=lambda _: None).deployed
    found = estimate(ledger, target, mode="engine")
    rate = found.total("steady_images_per_second")
    assert rate.low < rate.value < rate.high
    assert found.total("images_per_second").value <= rate.value


def test_passes_of_both_arrays_bear_their_own_error():
    """The rate is what the latency without software says, whose lines name the two constants."""
    ledger = costmodel.profile("bireal18", announce=lambda _: None).deployed
    found = estimate(ledger, "zcu102", mode="engine")
    factors = {f for line in found.lines if line.metric == "latency_s" for f in line.factors}
    assert {"engine_error", "array_error"} <= factors
    target = load_target("zcu102")
    by_error = {
        name: sum(line.coefficient for line in found.lines if line.metric == "latency_s" and name in line.factors)
        for name in ("engine_error", "array_error")
    }
    time = sum(seconds * target.value(name) for name, seconds in by_error.items())
    assert 1 / found.total("steady_images_per_second").value == pytest.approx(time, rel=1e-12)


def test_an_engine_has_the_registers_of_one_program_and_a_pipeline_those_of_its_compiler():
    ledger = costmodel.profile("tfc-w1a1").deployed
    for mode, has, has_not in (
        ("engine", "unit_hls_ff_base", "finn"),
        ("dataflow", "unit_finn_ff_base", "unit_hls_ff"),
    ):
        bill = estimate(ledger, "pynq-z2", mode=mode)
        used = {name for line in bill.lines if line.metric == "ff" for name in line.factors}
        assert has in used, mode
        assert not any(has_not in name for name in used), mode
        assert bill.facts["impl"] == "hls"
