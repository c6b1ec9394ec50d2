"""Many configurations at once are the single ones, to the last bit, whatever is varied together."""

from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from costmodel.errors import CostmodelError
from costmodel.targets import estimate, list_targets, load_target, totals
from costmodel.targets.arm import price as arm
from costmodel.targets.asic import price as asic
from costmodel.targets.spec import Parameter, Target
from costmodel.validate.asic_networks import binareye
from tests.targets.hand import small_net

MODELS = {"asic": asic, "arm": arm}
LEDGERS = {"residual": small_net(), "binareye": binareye(64, 10)}
TARGETS = [name for kind in MODELS for name in list_targets(kind)]
#: Values of choices whose range is wider than what makes sense together.
SENSIBLE: dict[str, list[Any]] = {
    "outputs": [1, 8, 30, 64], "terms": [32, 100, 128, 576], "pixels": [1, 3, 16], "window": [0, 9],
    "mac_lanes": [1, 48, 128], "vector_lanes": [1, 7, 64], "activation_sram": [64, 2048, 65536, 2**20],
    "weight_sram": [256, 4096, 2**20], "sram_banks": [1, 3, 16], "accumulator_bits": [0, 12, 16],
    "dram_bandwidth": [1e6, 1e8, 4e9],
}  # fmt: skip


def values(target: Target, name: str, parameter: Parameter) -> list[Any]:
    """A few values that a choice may have."""
    home = target.value("node") if target.kind == "asic" else 0.0
    if name == "node":
        return [0.0, home] + ([22.0, 32.0, 60.0] if home == 45 else [])
    if name == "voltage":
        return [0.0, target.value("vdd"), 1.05 * target.value("vdd")]
    if name == "threads":
        return list(range(1, int(target.structure.get("cores", 1)) + 1))
    if parameter.choices is not None:
        return list(parameter.choices)
    if isinstance(parameter.default, bool):
        return [True, False]
    if name in SENSIBLE:
        return [v for v in SENSIBLE[name] if parameter.min is None or v >= parameter.min]
    if isinstance(parameter.default, (int, float)) and parameter.min is not None and parameter.max is not None:
        return [parameter.default, parameter.min, parameter.max, (parameter.min + parameter.max) / 2]
    return [parameter.default]


@given(target=st.sampled_from(TARGETS), ledger=st.sampled_from(sorted(LEDGERS)), seed=st.integers(0, 2**32))
@settings(max_examples=80, deadline=None)
def test_arrays_of_configurations_agree_with_single_ones_to_the_last_bit(target: str, ledger: str, seed: int) -> None:
    spec, draw, count = load_target(target), random.Random(seed), 12
    known = {**MODELS[spec.kind].OPTIONS, **spec.parameters}
    options: dict[str, list[Any]] = {}
    for name, parameter in known.items():
        choices = values(spec, name, parameter)
        # what is built is mostly the same, so that the groups are larger than one configuration
        varied = draw.random() < (0.7 if name in MODELS[spec.kind].ARRAYS else 0.15)
        options[name] = [draw.choice(choices) for _ in range(count)] if varied else [draw.choice(choices)] * count
    single = [{name: given[i] for name, given in options.items()} for i in range(count)]
    try:
        bills = [estimate(LEDGERS[ledger], spec, **one) for one in single]
    except CostmodelError:
        with pytest.raises(CostmodelError):
            totals(LEDGERS[ledger], spec, **options)
        return
    together = totals(LEDGERS[ledger], spec, **options)
    for i, bill in enumerate(bills):
        for metric, array in together.items():
            assert array[i] == (bill.total(metric).value if metric in bill.metrics() else 0.0), (metric, single[i])
        assert set(bill.metrics()) <= together.keys()


@pytest.mark.parametrize(("target", "name"), [("asic-45nm-nangate", "clock"), ("raspberry-pi-4b", "clock")])
def test_a_thousand_clocks_are_one_evaluation(target: str, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    spec = load_target(target)
    model, calls = MODELS[spec.kind], []
    run = model.totals
    monkeypatch.setattr(model, "totals", lambda *given: calls.append(1) or run(*given))
    low, high = spec.parameters[name].min, spec.parameters[name].max
    assert low is not None
    assert high is not None
    clocks = [low + (high - low) * i / 999 for i in range(1000)]
    found = totals(LEDGERS["residual"], spec, **{name: clocks})
    assert len(calls) == 1
    assert (found["latency_s"][1:] < found["latency_s"][:-1]).all()


def test_sequences_of_different_lengths_are_refused() -> None:
    with pytest.raises(CostmodelError, match="different lengths: outputs 2, terms 3"):
        totals(LEDGERS["residual"], "asic", outputs=[8, 16], terms=[32, 64, 128])


def test_a_value_that_may_not_be_chosen_is_refused_as_for_one() -> None:
    with pytest.raises(CostmodelError, match="outputs=0: expected a whole number, at least 1"):
        totals(LEDGERS["residual"], "asic", outputs=[8, 0])
    with pytest.raises(CostmodelError, match="threads=5"):
        totals(LEDGERS["residual"], "raspberry-pi-4b", threads=[1, 5])


def test_foldings_are_not_settings() -> None:
    with pytest.raises(CostmodelError, match="foldings"):
        totals(LEDGERS["residual"], "pynq-z2", clock=[1e8, 2e8])
