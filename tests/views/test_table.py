"""Tables: five spellings of the same values, and columns that line up."""

from __future__ import annotations

import csv
import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from costmodel.views import FORMATS, numbers
from costmodel.views.latex import escape_latex, to_latex
from costmodel.views.output import render
from costmodel.views.table import Column, Row, Table, tree_labels
from costmodel.views.text import to_text, width
from tests.near import near

TABLE = Table(
    "t", "A title", [Column("name", "Name", "left"), Column("n", "n", show=numbers.count)],
    [Row(["a", 1234], subtotal=True), Row(["b|&_%", 1234], label="└─ b|&_%")],
    [Row(["total", 1234], "bold")], ["a note"],
)  # fmt: skip


def test_text_lines_up() -> None:
    lines = to_text(TABLE).splitlines()
    assert lines[0] == "A title"
    assert len({len(line) for line in lines[1:7]} - {len("Name          n")}) <= 1
    assert lines[4].endswith("1.234k")
    assert lines[-1] == "a note"


def test_csv_and_records_leave_out_what_other_rows_add_up_to() -> None:
    rows = list(csv.DictReader(io.StringIO(render([TABLE], "csv"))))
    assert rows == [{"name": "b|&_%", "n": "1234"}]
    assert json.loads(render([TABLE], "json")) == {"t": [{"name": "b|&_%", "n": 1234}]}


def test_markdown_escapes_pipes_and_latex_its_specials() -> None:
    assert "b\\|&_%" in render([TABLE], "markdown")
    assert r"\quad b\textbar{}\&\_\%" in render([TABLE], "latex")


def test_json_is_the_document_where_there_is_one() -> None:
    assert json.loads(render([TABLE], "json", lambda: {"x": [1]})) == {"x": [1]}


@pytest.mark.parametrize("format", FORMATS)
def test_a_table_without_rows_is_rendered(format: str) -> None:
    assert render([Table("t", "", [Column("a", "a"), Column("b", "b", "left")], [])], format)


def test_color_only_where_asked_for() -> None:
    assert "\x1b[" not in to_text(TABLE)
    assert "\x1b[1m" in to_text(TABLE, color=True)


def test_long_prose_goes_on_below_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    long = Table("t", "", [Column("a", "a"), Column("b", "b", "left", prose=True)], [Row(["x", "word " * 30])])
    lines = to_text(long).splitlines()
    assert " ".join(" ".join(lines[2:]).split()) == "x " + " ".join(["word"] * 30)
    assert max(map(len, lines)) <= 60


def test_tree_labels() -> None:
    paths = [("a",), ("a", "x"), ("a", "y"), ("b",), ("b", "z")]
    assert tree_labels(paths) == ["├─ a", "│  ├─ x", "│  └─ y", "└─ b", "   └─ z"]


@given(st.floats(min_value=1e-17, max_value=9e17), st.integers(min_value=2, max_value=6))
def test_engineering_keeps_the_value_to_its_digits(value: float, digits: int) -> None:
    text = numbers.engineering(value, "J", digits)
    number, unit = text.split(" ")
    powers = {v: k for k, v in numbers._PREFIX.items()}
    back = float(number) * 10.0 ** powers[unit.removesuffix("J")]
    assert back == near(value, rel=0.51 * 10.0 ** (1 - digits))
    assert 1 <= float(number) < 1000 or value > 9e17 or value < 1e-17


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, ""), (999, "999"), (1000, "1.000k"), (118_013_952, "118.0M"), (999_999, "1.000M"), (1_676_279_808, "1.676G")],
)
def test_counts(value: int, text: str) -> None:
    assert numbers.count(value) == text


def test_other_spellings() -> None:
    assert numbers.exact(118_013_952) == "118,013,952"
    assert numbers.shape((1, 64, 112, 112)) == "64×112×112"
    assert numbers.shape((1,)) == "1"
    assert numbers.share(1, 10_000) == "<0.1%"
    assert numbers.bits(8 * 1024**2) == "1.00 MiB"
    assert numbers.metric_value("latency_s", 283e-6) == "283 µs"
    assert numbers.metric_value("lut", 21135) == "21.1k"
    assert numbers.metric_value("area_mm2", 0.8018) == "0.802 mm²"


@given(st.text(max_size=20))
def test_latex_has_no_bare_special(text: str) -> None:
    escaped = escape_latex(text)
    for special in "&%#_":
        assert escaped.count(special) == escaped.count("\\" + special)


def test_width_counts_columns() -> None:
    assert [width(text) for text in ("abc", "├─×µ", "漢字", "e\u0301")] == [3, 4, 4, 1]


def test_a_narrow_terminal_loses_spare_columns_and_says_which(monkeypatch: pytest.MonkeyPatch) -> None:
    columns = [Column("a", "name", "left"), Column("b", "kept"), Column("c", "second", spare=2),
               Column("d", "first", spare=1)]  # fmt: skip
    table = Table("t", "", columns, [Row(["x" * 20, "1" * 10, "2" * 10, "3" * 10])])
    monkeypatch.setenv("COLUMNS", "46")
    text = to_text(table)
    assert "first" not in text.splitlines()[0]
    assert "second" in text.splitlines()[0]
    assert text.splitlines()[-1] == "No room for the columns first."
    assert all(len(line) <= 46 for line in text.splitlines())
    monkeypatch.setenv("COLUMNS", "60")
    assert "No room" not in to_text(table)


def test_a_pipe_has_room_for_all_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)
    monkeypatch.setattr("os.get_terminal_size", _no_terminal)
    table = Table("t", "", [Column("a", "a"), Column("b", "b", spare=1)], [Row(["x" * 200, "y" * 200])])
    assert "No room" not in to_text(table)


def _no_terminal(*_: object) -> None:
    raise OSError


def test_long_prose_has_a_width_in_latex() -> None:
    columns = [Column("a", "a", "left"), Column("b", "why", "left", prose=True)]
    table = Table("t", "", columns, [Row(["x", "word " * 20])])
    assert r"\begin{tabular}{lp{0.70\linewidth}}" in to_latex(table)
