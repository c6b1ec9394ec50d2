"""Where tensors live: pipeline, buffer or DRAM, counted to the bit."""

from __future__ import annotations

import pytest

import costmodel
from costmodel.graph.domain import BINARY, FLOAT, Domain
from costmodel.ledger.ledger import Layer, Ledger, Traffic
from costmodel.targets.asic.work import Widths, work_of
from costmodel.validate.asic_networks import binareye, single


def widths(bits: int) -> Widths:
    return Widths(bits, bits, bits)


def chain(
    *ops: str, bits: int = 32, extra: tuple[Traffic, ...] = (), inputs: dict[int, tuple[int, ...]] | None = None
) -> Ledger:
    """Layers in a row, each with ten elements; ``extra`` are further operands."""
    layers, traffic = [], []
    for index, op in enumerate(ops):
        sources = (inputs or {}).get(index, (index - 1,))
        layers.append(Layer(index, f"m{index}", 0, op, sources, (1, 10), (1, 10), FLOAT, FLOAT))
        if op != "concat":
            if index not in (inputs or {}):
                traffic.append(Traffic(index, f"m{index}", f"v{index}", "input", 10, bits))
            traffic.append(Traffic(index, f"m{index}", f"v{index + 1}", "output", 10, bits))
    return Ledger("chain", "deployed", tuple(layers), (), (*traffic, *extra))


def test_a_result_that_the_next_operation_consumes_stays_in_the_pipeline() -> None:
    placed = work_of(chain("conv", "affine", "threshold", "conv"), widths(32)).tensors(10**6)
    assert [placed[f"v{i}"].where for i in range(5)] == ["dram", "pipeline", "pipeline", "sram", "dram"]


def test_what_a_later_layer_reads_again_is_kept_in_the_buffer() -> None:
    skip = Traffic(3, "m3", "v1", "input", 10, 32)
    placed = work_of(chain("conv", "affine", "conv", "add", extra=(skip,)), widths(32)).tensors(10**6)
    assert placed["v1"].where == "sram"
    assert placed["v1"].readers == (1, 3)
    assert placed["v3"].where == "pipeline"


def test_a_full_buffer_sends_tensors_to_dram_and_an_empty_one_sends_all() -> None:
    ledger = chain("conv", "conv", "conv", "conv", bits=8)
    work = work_of(ledger, widths(32))
    assert [work.tensors(160)[f"v{i}"].where for i in (1, 2, 3)] == ["sram", "sram", "sram"]
    assert "dram" in [work.tensors(159)[f"v{i}"].where for i in (1, 2, 3)]
    assert {t.where for t in work.tensors(0).values()} == {"dram"}


def test_real_numbers_are_stored_in_the_chosen_width_and_others_in_their_own() -> None:
    assert work_of(chain("conv", bits=32), widths(16)).tensors(10**6)["v1"].bits == 160
    assert work_of(chain("conv", bits=7), widths(16)).tensors(10**6)["v1"].bits == 70


def test_the_parts_of_a_concatenation_live_until_it_is_read_and_take_no_second_room() -> None:
    whole = Traffic(3, "m3", "joined", "input", 20, 32)
    extra = (Traffic(1, "m1", "v0", "input", 10, 32), whole)
    base = chain("conv", "conv", "concat", "conv", extra=extra, inputs={1: (-1,), 2: (0, 1), 3: (2,)})
    layers = tuple(
        Layer(2, "m2", 0, "concat", (0, 1), (1, 10), (1, 20), FLOAT, FLOAT) if layer.index == 2 else layer
        for layer in base.layers
    )
    work = work_of(Ledger("joined", "deployed", layers, (), base.traffic), widths(32))
    placed = work.tensors(640)
    assert [placed[name].where for name in ("v1", "v2", "joined")] == ["sram", "sram", "sram"]
    assert work.tensors(639)["joined"].where == "dram"


def test_weights_are_counted_at_their_own_width() -> None:
    ledger = single(64, 16, 3)
    thresholds = sum(t.total_bits for t in ledger.traffic if t.role == "parameter")
    assert work_of(ledger, widths(32)).weight_bits == 64 * 64 * 9 + thresholds


def test_the_networks_of_binareye_have_the_products_of_their_shapes() -> None:
    positions = sum(size**2 for size in (31, 30, 29, 28, 13, 12, 5, 4))
    assert sum(layer.macs for layer in binareye(256, 10).layers) == positions * 256 * 1024 + 10 * 16 * 256
    assert sum(layer.macs for layer in binareye(64, 2).layers) == positions * 64 * 256 + 2 * 16 * 64
    assert binareye(256, 10).layers[-1].shape_out == (1, 10, 1, 1)
    assert all(isinstance(layer.out, Domain) for layer in binareye(64, 2).layers)
    assert binareye(64, 2).layers[0].a == BINARY


@pytest.mark.parametrize("capacity", [0, 10**5, 10**9])
def test_places_are_the_same_however_often_they_are_asked_for(capacity: int) -> None:
    ledger = binareye(64, 2)
    assert work_of(ledger, widths(32)).tensors(capacity) == work_of(ledger, widths(32)).tensors(capacity)


def test_results_side_by_side_are_as_wide_as_real_values_and_images_as_the_input():
    """16 and 16 channels that one layer reads: no layer makes the whole, but it is no input of the network."""
    import torch
    from torch import nn

    class Joined(nn.Module):
        def __init__(self, first: bool) -> None:
            super().__init__()
            self.a, self.b = (nn.Conv2d(3, 16, 3, padding=1) if first else nn.Identity() for _ in range(2))
            self.c = nn.Conv2d(32 if first else 6, 8, 3)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.c(torch.cat([self.a(x), self.b(x)], 1))

    found = {}
    for first in (True, False):
        ledger = costmodel.profile(Joined(first).eval(), torch.randn(1, 3, 8, 8)).deployed
        items = work_of(ledger, Widths(16, 8, 8)).items
        found[first] = {(i.count, i.width) for read in items.values() for i in read if i.role == "input"}
    assert found == {True: {(192, 8), (2048, 16)}, False: {(384, 8)}}
