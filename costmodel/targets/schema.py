"""The schema of a file of ``arch_specs/``: what may be written, before units are converted and bases are merged."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec

from costmodel.targets.quantity import Confidence

Number = float | int
TargetKind = Literal["asic", "fpga", "arm", "cpu"]

SourceText = Annotated[
    str,
    msgspec.Meta(
        min_length=1,
        description="Citation keys of sources.bib with locators: 'key, where; key2, where'.",
    ),
]


class ConstantSpec(msgspec.Struct, forbid_unknown_fields=True):
    """One hardware constant as its source states it."""

    value: Number
    unit: Annotated[str, msgspec.Meta(description="Unit as published, for example pJ, um2, GB/s, MAC/cycle or 1.")]
    source: SourceText
    confidence: Confidence
    low: Number | None = None
    high: Number | None = None
    exact: Annotated[bool, msgspec.Meta(description="A count without uncertainty: low = high = value.")] = False
    note: str = ""
    fitted_to: Annotated[
        list[str], msgspec.Meta(description="Rows of the ground truth that set the value or a bound of the constant.")
    ] = []


class TableSpec(msgspec.Struct, forbid_unknown_fields=True):
    """Constants that share a source. Row ``r``, column ``c`` of table ``t`` becomes the constant ``t.r.c``."""

    units: Annotated[dict[str, str], msgspec.Meta(description="Columns and their units.")]
    rows: Annotated[
        dict[str, dict[str, Number | list[Number]]],
        msgspec.Meta(description="Cells: a number, or [value, low, high]."),
    ]
    source: SourceText
    confidence: Confidence
    bounds: Annotated[
        tuple[Number, Number] | None,
        msgspec.Meta(description="Factors [low, high] for cells given as a number; [1, 1] where exact."),
    ] = None
    note: str = ""
    fitted_to: list[str] = []


class ParameterSpec(msgspec.Struct, forbid_unknown_fields=True):
    """A choice that the user has: a clock, a number of threads, a version of the kernel library."""

    default: float | int | str | bool | None
    description: str
    unit: str = "1"
    min: Number | None = None
    max: Number | None = None
    choices: list[float | int | str] | None = None


class SpecFile(msgspec.Struct, forbid_unknown_fields=True):
    """A whole file. ``base`` names the specs that it inherits from, later ones winning."""

    kind: TargetKind
    title: str = ""
    description: str = ""
    base: str | list[str] = []
    constants: dict[str, ConstantSpec] = {}
    tables: dict[str, TableSpec] = {}
    parameters: dict[str, ParameterSpec] = {}
    structure: Annotated[dict[str, Any], msgspec.Meta(description="Data that only one kind of target has.")] = {}
    sources: Annotated[
        dict[str, str], msgspec.Meta(description="Own sources: citation key to the text of the reference.")
    ] = {}


def json_schema() -> dict[str, Any]:
    """JSON Schema of a target file, for editors."""
    schema = msgspec.json.schema(SpecFile)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "costmodel target",
        **schema,
    }
