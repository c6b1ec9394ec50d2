"""One home of a metric: whatever shows, compares or judges by a metric reads its row, so a new one is one row."""

from __future__ import annotations

import ast
from dataclasses import replace
from pathlib import Path

import pytest

from costmodel.errors import UnknownNameError
from costmodel.metrics import METRICS, RESOURCES, Metric, costs, headlines, leading, maximised, metric, objective_names
from costmodel.targets import estimate, list_targets
from costmodel.targets.estimate import Estimate, Line
from costmodel.targets.quantity import Interval, Quantity


def test_every_word_of_the_table_means_one_metric() -> None:
    for row in METRICS.values():
        for word in row.names:
            assert {metric(word), metric(word.upper()), metric(word.lower())} == {row}


def test_a_name_that_no_metric_has_is_an_error_with_the_nearest() -> None:
    with pytest.raises(UnknownNameError, match=r"Did you mean .*energy_J"):
        metric("energy_mJ")
    with pytest.raises(UnknownNameError, match=r"Did you mean .*latency"):
        maximised("LATENCI")


def test_titles_inside_of_sentences_keep_their_abbreviations() -> None:
    words = {name: metric(name).word for name in ("energy_J", "lut", "uram", "accuracy", "tops_per_watt", "dsp")}
    assert words == {
        "energy_J": "energy per image", "lut": "LUTs", "uram": "UltraRAM", "accuracy": "top-1 accuracy",
        "tops_per_watt": "TOPS/W", "dsp": "DSP slices",
    }  # fmt: skip


def test_rates_and_accuracy_are_to_be_high_and_costs_low() -> None:
    assert all(map(maximised, ("accuracy", "images_per_second", "steady_images_per_second", "tops_per_watt")))
    assert not any(map(maximised, costs()))
    assert {"energy_J", "latency_s", "area_mm2", *RESOURCES} <= set(costs())


def test_an_answer_is_about_energy_or_else_time() -> None:
    assert leading(("lut", "latency_s", "energy_J")) == "energy_J"
    assert leading(("lut", "cycles", "latency_s")) == "latency_s"
    assert leading(()) == ""


def test_what_a_target_states_is_in_the_table_under_its_kind(small_profiles) -> None:
    """And each row of the table is stated by a target of every kind that it names, or is judged by when exploring."""
    stated: dict[str, set[str]] = {}
    for target, kind in list_targets().items():
        for profile in small_profiles:
            stated.setdefault(kind, set()).update(estimate(profile, target).totals())
    for kind, names in stated.items():
        assert {name for name in names if kind not in METRICS[name].kinds} == set()
        rows = {name for name, row in METRICS.items() if kind in row.kinds}
        # A machine that was timed has no clock to choose.
        assert rows - names == {"seconds_per_image", "clock_Hz"} & rows


def test_every_kind_of_target_has_one_name_for_its_rate(small_profiles) -> None:
    for target, kind in list_targets().items():
        found = estimate(small_profiles[0], target)
        rates = {name for name in found.totals() if metric(name).head.endswith(("per second", "rate"))}
        assert rates == {"images_per_second"} | ({"steady_images_per_second"} if kind == "fpga" else set())
        assert found.total("images_per_second").value > 0


@pytest.fixture(scope="module")
def small_profiles():
    from costmodel import profile

    return [profile("tfc-w1a1"), profile("cnv-w1a1")]


def test_objectives_by_default_are_objectives() -> None:
    from costmodel.explore.space import DEFAULT_OBJECTIVES

    for kind, names in DEFAULT_OBJECTIVES.items():
        assert set(names) <= set(objective_names(kind))


@pytest.mark.parametrize("face", ["costmodel/views", "dashboard", "reports"])
def test_no_face_has_a_table_of_its_own(face) -> None:
    """No literal of a face names three metrics of targets or more."""
    root, of_targets = Path(__file__).parent.parent, {name for name, row in METRICS.items() if row.kinds}
    for path in (root / face).rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Tuple | ast.List | ast.Set | ast.Dict):
                words = {part.value for part in ast.walk(node) if isinstance(part, ast.Constant)}
                assert len(words & of_targets) < 3, f"{path}:{node.lineno}"


# -- a new metric ---------------------------------------------------------------------------------------------------


@pytest.fixture
def water(monkeypatch) -> Metric:
    """A metric that nothing of the package has heard of: one row."""
    row = Metric("water_L", "water", "Water per image", "L", kinds=("arm",), headline=True, objective=True)
    monkeypatch.setitem(METRICS, row.name, row)
    return row


def bill(network: str, amount: float) -> Estimate:
    """Whoever computes it."""
    constants = {"litres": Quantity(1e-6, "L", 0.9e-6, 1.1e-6, "nowhere", "F")}
    return Estimate(
        network, "pond", "deployed", (Line(0, "water_L", "pump", "add", amount, ("litres",)),), constants, ("a",)
    )


def test_a_new_metric_is_in_every_table_of_a_bill(water) -> None:
    from costmodel.views import answer
    from costmodel.views import bill as views
    from costmodel.views.comparison import costs as compared
    from costmodel.views.notebook import estimate_html
    from costmodel.views.text import to_text

    first, second = bill("one", 20.0), bill("two", 40.0)
    tables = (views.totals(first), views.components(first), views.constants(first), compared([first, second]))
    for table in (*tables, answer.costs(first), answer.targets([first, second])):
        assert "water" in to_text(table)
    assert "20.0 µL" in to_text(views.totals(first)) and "20.0 µL" in estimate_html(first)
    assert first.total("water") == first.total("Water per image") == first.total("water_L")


def test_a_new_metric_is_compared_and_drawn(water) -> None:
    from costmodel.views.odds import odds
    from costmodel.views.plots import breakdown
    from costmodel.views.plots.scatter import Design, scatter

    assert [(o.metric, o.cheaper) for o in odds([bill("one", 20.0), bill("two", 40.0)])] == [("water_L", "one")]
    stack = breakdown.costs(bill("one", 20.0), "water_L")
    assert (stack.title, stack.unit) == ("Water per image by layer", "L")
    designs = [
        Design(n, n, "s", {"water_L": Interval.exact(x), "accuracy": Interval.exact(90)})
        for n, x in (("a", 1), ("b", 2))
    ]
    assert [p.state for p in scatter(designs, "water_L", "accuracy").points] == ["front", "dominated"]
    assert scatter(designs, "water_L", "accuracy").x == water


def test_a_new_metric_is_an_objective_of_its_kind_of_target_alone(water) -> None:
    from costmodel.errors import CostmodelError
    from costmodel.explore.space import read_space

    def space(target: str):
        return read_space({"networks": ["tfc-w1a1"], "targets": [target], "objectives": ["water_L"]})

    assert "water_L" in objective_names("arm")
    assert space("cortex-a53").objectives == {"arm": ("water_L",)}
    with pytest.raises(CostmodelError, match="none of them applies"):
        space("asic-7nm-asap7")


def test_a_new_metric_is_explored_where_a_model_computes_it(water, monkeypatch) -> None:
    from costmodel import load_target, profile
    from costmodel.explore.evaluators import metrics_of
    from costmodel.explore.space import Entry
    from costmodel.targets.arm import price

    made = price.price

    def priced(*asked):
        found = made(*asked)
        return replace(found, derived={**found.derived, "water_L": Interval.exact(3.0)})

    monkeypatch.setattr(price, "price", priced)
    entry = Entry("cortex-a53", load_target("cortex-a53"), (), "grid")
    assert metrics_of(profile("tfc-w1a1").deployed, entry, {})["water_L"] == 3.0


def test_a_new_metric_is_on_the_pages_and_in_the_reports(water) -> None:
    pytest.importorskip("dash")
    from costmodel.dashboard.constraints import Bound, parse
    from costmodel.dashboard.pages.common import metric_options
    from costmodel.dashboard.pages.tables import totals
    from costmodel.reports.content.answer import title_of

    assert headlines()[-1] == costs()[-1] == "water_L"
    assert parse("water <= 3 mL") == (Bound("water_L", True, 0.003),)
    assert metric_options(["water_L"]) == [{"value": "water_L", "label": "Water per image"}]
    assert "20 µL" in str(totals(bill("one", 20.0)))
    assert title_of("water_L") == "Water"
