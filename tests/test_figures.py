"""Figures are objects of matplotlib and plotly that show the numbers of their noun."""

from __future__ import annotations

import io
from dataclasses import replace
from typing import Any

import pytest

import costmodel
from costmodel import figures
from costmodel.errors import CostmodelError
from costmodel.views.plots.roofline import roofline

from .test_verbs import SPACE

pytest.importorskip("matplotlib")
pytest.importorskip("plotly")


def made() -> Any:
    return costmodel.compare("abbnn-digits", "bn-digits", targets=["raspberry-pi-4b", "asic"])


FIGURES = {
    "by_layer of costs": lambda engine: figures.by_layer(made().estimates[0][0], "latency", engine=engine),
    "by_layer of operations": lambda engine: figures.by_layer(made().profiles[0], engine=engine),
    "by_layer of bits": lambda engine: figures.by_layer(made().profiles[0].deployed, "bits", engine=engine),
    "by_component": lambda engine: figures.by_component(made().estimates[1][0], engine=engine),
    "side_by_side": lambda engine: figures.side_by_side(made(), "latency_s", engine=engine),
    "trade_off of a comparison": lambda engine: figures.trade_off(made(), engine=engine),
    "trade_off of a front": lambda engine: figures.trade_off(
        costmodel.explore(SPACE, engine="serial")[0], engine=engine
    ),
    "roofline": lambda engine: figures.roofline(made().estimates[0][0], engine=engine),
}


@pytest.mark.parametrize("name", FIGURES)
def test_a_figure_of_matplotlib_is_saved_in_every_format(name: str) -> None:
    from matplotlib.figure import Figure

    figure = FIGURES[name]("matplotlib")
    assert isinstance(figure, Figure)
    for form in ("pdf", "svg", "png"):
        out = io.BytesIO()
        figure.savefig(out, format=form)
        assert len(out.getvalue()) > 1000


@pytest.mark.parametrize("name", FIGURES)
def test_a_figure_of_plotly_is_valid_and_has_points(name: str) -> None:
    import plotly.graph_objects as go

    figure = FIGURES[name]("plotly")
    assert isinstance(figure, go.Figure)
    assert sum(len(trace.x) for trace in figure.data) > 1


def test_bars_add_up_to_the_total() -> None:
    estimate = made().estimates[0][0]
    figure = figures.by_layer(estimate, "latency_s", engine="plotly")
    shown = sum(sum(trace.y) for trace in figure.data)
    assert shown == pytest.approx(sum(v.value for v in estimate.by_layer("latency_s").values()))


def test_no_layer_is_above_its_roof_and_each_roof_is_reached_or_hidden_by_memory() -> None:
    info = roofline(made().estimates[0][0])
    macs = {layer.name for layer in made().profiles[0].deployed.layers if layer.macs}
    assert {p.layer for p in info.points} == macs
    assert {p.series for p in info.points} == {"binary", "of several bits"}
    for point in info.points:
        limit = min(info.compute[point.series], (info.bandwidth or float("inf")) * point.intensity)
        assert 0 < point.rate <= limit * (1 + 1e-9)


def test_the_units_of_a_pipeline_compute_at_the_rate_of_their_folding() -> None:
    estimate = costmodel.profile("abbnn-digits").estimate("pynq-z2", mode="dataflow")
    info = roofline(estimate)
    macs = {layer.name: layer.macs for layer in costmodel.profile("abbnn-digits").deployed.layers if layer.macs}
    assert info.bandwidth is None and {p.layer for p in info.points} == set(macs)
    for point in info.points:
        pe, simd = estimate.facts["folding"][point.layer]
        assert 0 < point.rate <= 2 * pe * simd * estimate.facts["clock_Hz"] * (1 + 1e-9)


def test_what_has_no_figure_is_said() -> None:
    with pytest.raises(CostmodelError, match="needs the ledger"):
        figures.roofline(replace(made().estimates[0][0], ledger=None))
    with pytest.raises(CostmodelError, match="unknown engine 'bokeh'"):
        figures.by_component(made().estimates[0][0], engine="bokeh")
    with pytest.raises(CostmodelError, match="no design has both"):
        figures.trade_off(made(), "lut", "energy_J")


def test_a_notebook_shows_a_figure_and_a_design_is_named_by_its_options() -> None:
    (front,) = costmodel.explore(
        {"networks": ["abbnn-digits"], "targets": [{"target": "asic-7nm", "outputs": [16, 64]}],
         "objectives": ["seconds_per_image", "area_mm2"]},
        engine="serial",
    )  # fmt: skip
    figure = figures.trade_off(front)
    assert figure._repr_svg_().lstrip().startswith("<?xml")
    assert {text.get_text() for text in figure.axes[0].texts} <= {"outputs 16", "outputs 64"}
    assert figure.axes[0].texts
