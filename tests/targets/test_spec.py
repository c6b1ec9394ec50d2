"""What a target file may hold, and what is said when it does not."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from costmodel.errors import CostmodelError, UnknownNameError
from costmodel.targets import list_targets, load_target
from costmodel.targets.folder import specs_folder
from costmodel.targets.load import KINDS, aliases, known_sources, read_yaml, references
from costmodel.targets.schema import json_schema
from costmodel.targets.spec import citation_keys
from costmodel.targets.units import canonical, to_base
from tests.near import near

HEAD = "kind: arm\n"
GOOD = "{value: 2, low: 1, high: 3, unit: pJ, source: horowitz2014, confidence: T}"


def one(old: str = "", new: str = "") -> str:
    """A file with the one constant ``GOOD``, changed at one place."""
    assert old in GOOD
    return HEAD + f"constants: {{a: {GOOD.replace(old, new) if old else GOOD}}}"


def write(folder: Path, text: str, name: str = "chip.yaml") -> Path:
    path = folder / name
    path.write_text(text)
    return path


@pytest.mark.parametrize("name", list_targets())
def test_every_constant_has_a_source_and_an_interval_that_holds_its_value(name: str) -> None:
    target = load_target(name)
    assert target.constants
    known = known_sources() | target.sources.keys()
    for key, quantity in target.constants.items():
        assert quantity.low <= quantity.value <= quantity.high, key
        assert citation_keys(quantity.source), key
        assert set(citation_keys(quantity.source)) <= known, key
        assert quantity.confidence in "PTACF", key
        assert quantity.fitted_to or quantity.confidence != "F", key
        assert canonical(quantity.unit) == (quantity.unit, 0), key


def test_every_part_is_used_by_a_target() -> None:
    bases = {
        base
        for path in specs_folder().glob("*/*.yaml")
        for base in [read_yaml(path).get("base", [])]
        for base in ([base] if isinstance(base, str) else base)
    }
    assert {path.stem for path in specs_folder().glob("*/_*.yaml")} <= bases


def test_aliases_name_targets_that_exist() -> None:
    assert {kind: list_targets()[aliases()[kind]] for kind in KINDS} == {kind: kind for kind in KINDS}
    for alias, name in aliases().items():
        assert load_target(alias) is load_target(name)


def test_numbers_are_converted_to_si_without_rounding_twice(tmp_path: Path) -> None:
    text = HEAD + "constants: {a: {value: 0.03, low: 0.02, high: 4e-2, unit: pJ, source: horowitz2014, confidence: T}}"
    quantity = load_target(write(tmp_path, text)).constants["a"]
    assert (quantity.value, quantity.low, quantity.high, quantity.unit) == (3e-14, 2e-14, 4e-14, "J")


@given(st.floats(1e-6, 1e6), st.sampled_from(["fJ", "pJ/bit", "GB/s", "um2", "MHz", "instr/cycle", "J/MB"]))
def test_unit_conversion_is_a_power_of_ten(value: float, unit: str) -> None:
    base, power = canonical(unit)
    assert canonical(base) == (base, 0)
    assert to_base(value, power) == near(value * 10.0**power, rel=1e-15)


REPLACED = (
    "kind: arm\nbase: raspberry-pi-4b\n"
    "constants: {{call_cycles: {{{}, source: larq_docs, confidence: P}}}}"
)  # fmt: skip


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("kind: arm\nkind: fpga", "'kind' is given twice"),
        ("kind: gpu", "kind"),
        ("- 1", "expected a mapping"),
        ("kind: [", "not valid YAML"),
        (HEAD + "colour: red", "colour"),
        (
            HEAD + "constants: {a: {value: x, low: 1, high: 2, unit: J, source: horowitz2014, confidence: T}}",
            "constants.a",
        ),
        (
            HEAD + "constants: {a: {value: 4, low: 1, high: 3, unit: J, source: horowitz2014, confidence: T}}",
            "interval",
        ),
        (one("low: 1, high: 3, "), "needs low and high"),
        (
            HEAD + "constants: {a: {value: 2, low: 1, high: 3, unit: parsec, source: horowitz2014, confidence: T}}",
            "parsec",
        ),
        (one("horowitz2014", "hearsay"), "hearsay"),
        (
            HEAD + "constants: {a: {value: 2, low: 1, high: 3, unit: J, source: horowitz2014, confidence: M}}",
            "constants.a",
        ),
        (
            HEAD + "constants: {a: {value: 2, low: 1, high: 3, unit: J, source: horowitz2014, confidence: F}}",
            "fitted_to",
        ),
        (HEAD + "base: nowhere", "nowhere"),
        ("kind: arm\nbase: raspbery-pi-4b", "Did you mean raspberry-pi-4b"),
        (one("horowitz2014", "' ; '"), "names no citation key"),
        (
            HEAD + "constants: {a: {value: .inf, low: 1, high: .inf, unit: J, source: horowitz2014, confidence: T}}",
            "finite",
        ),
        (REPLACED.format("value: 3, low: 1, high: 5, unit: J"), "unit J, but the constant of the base"),
        (REPLACED.format("value: 3, low: -1, high: 5, unit: cycle"), "is negative"),
        (HEAD + "parameters: {clock: {default: 3, max: 2, description: x}}", "parameters.clock"),
        (
            HEAD + "tables: {t: {source: own_cacti, confidence: C, units: {e: pJ}, rows: {8KB: {e: 1}}}}",
            "needs 'bounds'",
        ),
    ],
)
def test_a_malformed_file_is_refused_with_its_name_and_the_field(tmp_path: Path, text: str, said: str) -> None:
    path = write(tmp_path, text)
    with pytest.raises(CostmodelError) as caught:
        load_target(path)
    assert path.name in str(caught.value)
    assert said in str(caught.value)


def test_yaml_cannot_make_objects(tmp_path: Path) -> None:
    path = write(tmp_path, HEAD + "title: !!python/object/apply:os.getcwd []")
    with pytest.raises(CostmodelError, match="not valid YAML"):
        load_target(path)


def test_a_file_inherits_and_overrides(tmp_path: Path) -> None:
    write(tmp_path, HEAD + f"constants: {{a: {GOOD}, b: {GOOD}}}\nstructure: {{x: {{p: 1, q: 2}}}}", "_base.yaml")
    override = GOOD.replace("value: 2", "value: 3")
    path = write(tmp_path, HEAD + f"base: _base\nconstants: {{b: {override}}}\nstructure: {{x: {{q: 3}}}}")
    target = load_target(path)
    assert target.value("a") == 2e-12
    assert target.value("b") == 3e-12
    assert target.structure == {"x": {"p": 1, "q": 3}}


def test_a_file_that_inherits_from_itself_is_refused(tmp_path: Path) -> None:
    write(tmp_path, HEAD + "base: b", "a.yaml")
    write(tmp_path, HEAD + "base: a", "b.yaml")
    with pytest.raises(CostmodelError, match="inherits from itself"):
        load_target(tmp_path / "a.yaml")


def test_cells_of_a_table_are_constants(tmp_path: Path) -> None:
    text = """
tables:
  sram:
    source: own_cacti, run 3
    confidence: C
    bounds: [0.5, 2]
    units: {read: pJ, area: um2}
    rows:
      8KB: {read: 5, area: [100, 90, 120]}
"""
    target = load_target(write(tmp_path, HEAD + text))
    read, area = target.table("sram")["8KB"]["read"], target.constants["sram.8KB.area"]
    assert (read.value, read.low, read.high) == (5e-12, 2.5e-12, 1e-11)
    assert (area.value, area.low, area.high, area.unit) == (1e-4, 9e-5, 1.2e-4, "mm2")


def test_options_are_checked_against_the_parameters(tmp_path: Path) -> None:
    clock = "clock: {default: 1.5, unit: GHz, min: 0.1, max: 2, description: d}"
    text = f"parameters: {{{clock}, threads: {{default: 1, min: 1, description: d}}}}"
    target = load_target(write(tmp_path, HEAD + text))
    assert target.settings({}) == {"clock": 1.5e9, "threads": 1}
    assert target.settings({"clock": "1e9", "threads": "4"}) == {"clock": 1e9, "threads": 4}
    with pytest.raises(UnknownNameError, match="Did you mean clock"):
        target.settings({"clok": 1})
    for bad in ({"clock": 3e9}, {"clock": "fast"}, {"threads": 1.5}, {"threads": 0}):
        with pytest.raises(CostmodelError, match="expected"):
            target.settings(bad)


def test_unknown_target_is_answered_with_the_nearest() -> None:
    with pytest.raises(UnknownNameError, match="raspberry-pi-4b"):
        load_target("raspbery-pi-4b")
    with pytest.raises(CostmodelError, match="no target file"):
        load_target("./nothing.yaml")


def test_the_json_schema_names_every_section() -> None:
    schema = json_schema()
    properties = schema["$defs"]["SpecFile"]["properties"]
    assert {"kind", "base", "constants", "tables", "parameters", "structure", "sources"} <= set(properties)


def test_the_schema_for_editors_is_the_one_that_files_are_checked_against() -> None:
    written = json.loads((Path(__file__).parents[2] / "docs" / "target.schema.json").read_text())
    assert written == json_schema()


@pytest.mark.parametrize("key", sorted(known_sources()))
def test_every_source_can_be_looked_up(key: str) -> None:
    entry = references()[key]
    assert "title" in entry
    assert any(field in entry for field in ("doi", "url", "eprint")), "needs a place to find it"
