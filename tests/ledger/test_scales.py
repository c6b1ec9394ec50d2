"""What an option costs by the ledger alone is what the graph costs on which the option was carried out."""

import itertools
from dataclasses import replace

import pytest

import costmodel
from costmodel.deploy import deploy
from costmodel.deploy.multipliers import replace_multipliers
from costmodel.errors import CostmodelError
from costmodel.ledger.rules import charge
from costmodel.ledger.scales import SCALE_OPTIONS, with_scale
from costmodel.trace import trace

NETWORKS = ("abbnn-reactnet6-digits", "bn-reactnet6-digits", "cnv-w1a1", "abbnn-reactneta-cifar10")


@pytest.fixture(scope="module", params=NETWORKS)
def graph(request):
    import torch

    from costmodel.zoo import registry

    torch.manual_seed(0)
    model = costmodel.build_model(request.param)
    return deploy(trace(model, (torch.randn(registry.entry(request.param).input_shape),), name=request.param))


@pytest.mark.parametrize("option", [o for o in SCALE_OPTIONS if o != "tied"])
def test_charges_are_those_of_the_rewritten_graph(graph, option):
    made = with_scale(charge(graph, "deployed"), option)
    carried_out = charge(replace_multipliers(graph, option), "deployed")
    assert made.charges == carried_out.charges
    assert made.traffic == carried_out.traffic


def test_tied_costs_one_shift_where_a_multiplication_was(graph):
    ledger = charge(graph, "deployed")
    assert with_scale(ledger, "tied").charges == with_scale(ledger, "pow2").charges


def test_only_multiplications_by_constants_are_replaced():
    ledger = costmodel.profile("abbnn").deployed
    replaced = with_scale(ledger, "pow2")
    assert ledger.total("mul") - replaced.total("mul") == 1_680_896
    assert replaced.total("shift_channel") - ledger.total("shift_channel") == 1_680_896
    assert with_scale(ledger, "lut").total("mul") - replaced.total("mul") == 175_616


def test_tables_are_stored_whole():
    ledger = costmodel.profile("abbnn-reactnet6-digits").deployed
    tables = [row for row in with_scale(ledger, "lut").traffic if row.tensor == "table"]
    sums = {layer.index: layer for layer in ledger.layers}
    assert tables and all(place.stored for place in ledger.scales)
    for row in tables:
        (source,) = sums[row.layer].inputs
        assert row.count == sums[row.layer].shape_out[1] * (2 * sums[source].n_terms + 1) and row.bits == 32
    scales = sum(sums[row.layer].shape_out[1] * 32 for row in tables)
    assert with_scale(ledger, "lut").weight_bits() - ledger.weight_bits() == sum(t.total_bits for t in tables) - scales


@pytest.mark.parametrize(("target", "metric"), [("asic-45nm-nangate", "energy_J"), ("zcu102", "bram18")])
def test_the_price_of_tables_has_their_memory_in_it(target, metric):
    ledger = with_scale(costmodel.profile("abbnn-reactnet6-digits").deployed, "lut")
    bare = replace(ledger, traffic=tuple(row for row in ledger.traffic if row.tensor != "table"))
    assert costmodel.estimate(ledger, target).total(metric).value > costmodel.estimate(bare, target).total(metric).value


def test_the_level_as_written_and_unknown_options_are_refused():
    profile = costmodel.profile("abbnn-reactnet6-digits")
    with pytest.raises(CostmodelError, match="as written"):
        profile.estimate("asic", level="as_written", scale="pow2")
    with pytest.raises(CostmodelError, match="csd2"):
        profile.estimate("asic", scale="csd9")


def test_an_estimate_takes_the_option():
    profile = costmodel.profile("abbnn-reactnet6-digits")
    energy = {o: profile.estimate("asic-45nm-nangate", scale=o).total("energy_J").value for o in SCALE_OPTIONS}
    assert energy["pow2"] < energy["csd2"] < energy["csd3"]
    assert energy["pow2"] < energy["exact"]
    assert energy["exact"] == profile.estimate("asic-45nm-nangate").total("energy_J").value


def test_each_layer_has_its_own_option():
    ledger = costmodel.profile("abbnn-digits").deployed
    names = [ledger.layers[place.layer].name for place in ledger.scales]
    wanted = dict(zip(names, itertools.cycle(["csd2", "lut", "pow2", "exact"]), strict=False))
    mixed = with_scale(ledger, ",".join(f"{name}={option}" for name, option in wanted.items()))
    alone = {option: with_scale(ledger, option) for option in SCALE_OPTIONS}
    for layer in ledger.layers:
        for rows in ("charges", "traffic"):
            mine, theirs = (
                [row for row in getattr(made, rows) if row.layer == layer.index]
                for made in (mixed, alone[wanted.get(layer.name, "exact")])
            )
            assert mine == theirs, layer.name


def test_of_several_names_the_last_that_matches_counts():
    ledger = costmodel.profile("abbnn-digits").deployed
    first = ledger.layers[ledger.scales[0].layer].name
    assert with_scale(ledger, "*=csd2") == with_scale(ledger, "csd2")
    assert with_scale(ledger, f"{first}=lut,*=csd2") == with_scale(ledger, "csd2")
    assert with_scale(ledger, f"*=csd2,{first}=exact") != with_scale(ledger, "csd2")
    assert with_scale(ledger, f"*=csd2,{first}=exact,*=exact") == ledger


@pytest.mark.parametrize(
    ("text", "words"),
    [("stages.9=csd2", "unknown layer"), ("*=csd", "csd2"), ("=csd2", "expected LAYER=OPTION"),
     ("nothing", "unknown way")],
)  # fmt: skip
def test_options_of_layers_that_are_none_are_said(text, words):
    with pytest.raises(CostmodelError, match=words):
        with_scale(costmodel.profile("abbnn-digits").deployed, text)
