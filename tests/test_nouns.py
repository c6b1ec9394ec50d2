"""Every noun can be turned into a frame, CSV, JSON, Markdown, LaTeX and HTML, with units and intervals."""

from __future__ import annotations

import csv
import io
import json
from functools import cache
from typing import Any

import pytest

import costmodel
from costmodel.errors import UnknownNameError
from costmodel.noun import Noun
from tests.near import near

from .test_verbs import SPACE


@cache
def nouns() -> dict[str, Noun]:
    from costmodel.validate.report import Report
    from costmodel.validate.rows import load_rows

    profile = costmodel.profile("abbnn-digits")
    made: dict[str, Noun] = {
        "Profile": profile,
        "Ledger": profile.deployed,
        "Estimate": profile.estimate("fpga"),
        "Comparison": costmodel.compare(profile, "bn-digits", targets="arm"),
        "Folded": costmodel.fold("tfc-w1a1", "pynq-z2", fps=1e5),
        "Front": costmodel.explore(SPACE, engine="serial")[0],
        "Trial": costmodel.deploy("abbnn-digits"),
        "Report": costmodel.validate(["asic"]),
    }
    assert isinstance(made["Report"], Report) and load_rows()
    return made


NAMES = ("Profile", "Ledger", "Estimate", "Comparison", "Folded", "Front", "Trial", "Report")


@pytest.mark.parametrize("name", NAMES)
def test_each_of_its_tables_is_a_frame_csv_markdown_and_latex(name: str) -> None:
    pytest.importorskip("pandas")
    noun = nouns()[name]
    documented = type(noun).__doc__ or ""
    for by in ("", *noun._view().parts):
        frame = noun.to_frame(by)
        rows = list(csv.DictReader(io.StringIO(noun.to_csv(by))))
        assert len(frame) == len(rows) > 0
        assert list(frame.columns) == list(rows[0]) and frame.columns.is_unique
        assert noun.to_markdown(by).count("|") > 4 or not by
        assert not by or r"\begin{" in noun.to_latex(by)
        assert not by or f"``{by}``" in documented or "those of" in documented, by
    assert json.loads(noun.to_json())
    assert "<table" in noun._repr_html_() and len(repr(noun)) < 400
    with pytest.raises(UnknownNameError, match="unknown table 'lines of it'"):
        noun.to_frame("lines of it")


def estimate() -> Any:
    return nouns()["Estimate"]


def test_totals_have_unit_and_interval() -> None:
    frame = estimate().to_frame().set_index("metric")
    for metric, q in estimate().totals().items():
        assert tuple(frame.loc[metric, ["value", "low", "high"]]) == (q.value, q.low, q.high)
    assert frame.loc["energy_J", "unit"] == "J"


def test_layers_have_geometry_operations_and_costs_that_add_up() -> None:
    frame, made = estimate().to_frame("layer"), estimate()
    assert {"module", "output", "kernel", "stride", "parameters", "mul", "energy_J", "energy_J_low"} <= {*frame.columns}
    assert frame["mul"].sum() == made.ledger.total("mul")
    for metric in made.metrics():
        assert frame[metric].sum() == near(sum(v.value for v in made.by_layer(metric).values()))
    assert (frame["energy_J_low"] <= frame["energy_J"]).all() and (frame["energy_J"] <= frame["energy_J_high"]).all()


def test_the_ledger_that_was_priced_is_there_from_the_store_too_and_is_not_stored_twice() -> None:
    for _ in range(2):
        made = costmodel.compare("abbnn-digits", targets="arm", scale="pow2").estimates[0][0]
        assert made.ledger is not None and made.ledger.total("mul") < estimate().ledger.total("mul")


def test_sources_are_bibtex() -> None:
    text = estimate().bibtex()
    assert text.count("\n@") >= 3
    assert text == costmodel.profile("abbnn-digits").estimate("fpga").bibtex()
