"""Folding: how many rows (PE) and columns (SIMD) of each layer's matrix are computed in one cycle.

A folding is read and written as the JSON file of the FINN compiler, with its names for the units and their attributes.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from math import gcd
from pathlib import Path
from typing import Any

from costmodel.errors import CostmodelError
from costmodel.targets.fpga.design import Stage
from costmodel.targets.fpga.units import RamStyle, cycles

#: Names of FINN's units, by what they are here; files of all versions since 2020 use one of them.
MATRIX_NAMES = (
    "StreamingFCLayer_Batch", "MatrixVectorActivation", "MVAU", "MVAU_hls", "MVAU_rtl", "Vector_Vector_Activate_Batch",
    "VectorVectorActivation", "VVAU", "VVAU_hls", "VVAU_rtl",
)  # fmt: skip
WINDOW_NAMES = ("ConvolutionInputGenerator", "ConvolutionInputGenerator_hls", "ConvolutionInputGenerator_rtl")
FIFO_NAMES = ("StreamingFIFO", "StreamingFIFO_rtl", "StreamingFIFO_hls")
#: A folding in one line: PExSIMD of each matrix unit in order of execution, such as ``16x3,32x32,1x64``.
_LINE = re.compile(r"\d{1,6}x\d{1,6}(,\d{1,6}x\d{1,6})*")
_KEY = re.compile(r"^(?P<name>\w+?)_(?P<number>\d+)$")


@dataclass(frozen=True, slots=True)
class Fold:
    """Parallelism of one matrix unit, where its memories are put, and the depth of the buffer in front of it."""

    pe: int
    simd: int
    weights: RamStyle = "auto"
    window: RamStyle = "auto"
    fifo: int | None = None

    @property
    def lanes(self) -> int:
        return self.pe * self.simd


Folding = Mapping[int, Fold]  # stage index -> fold


@lru_cache(maxsize=4096)
def divisors(n: int) -> tuple[int, ...]:
    small = [d for d in range(1, int(n**0.5) + 1) if n % d == 0]
    return tuple(sorted({*small, *(n // d for d in small)}))


def stage_cycles(stage: Stage, fold: Fold) -> int:
    """Cycles of one image in a matrix unit: ``ceil(mh/pe) * ceil(mw/simd) * vectors``."""
    assert stage.matrix is not None
    return cycles(stage.matrix, fold.pe, fold.simd)  # type: ignore[no-any-return]


def matrix_stages(design: Iterable[Stage]) -> list[Stage]:
    return [stage for stage in design if stage.matrix is not None]


# -- the JSON of FINN -------------------------------------------------------------------------------------------------


def read_folding(source: str | os.PathLike[str] | Mapping[str, Any], design: Sequence[Stage]) -> dict[int, Fold]:
    """A folding from a FINN JSON file, its content, or one line, matched to the matrix units in order of execution.

    Raises :class:`CostmodelError` when the file cannot be read, does not name as many matrix units as the network has,
    or asks for a PE or SIMD that is not between one and the size of the matrix.
    """
    data = _load(source)
    given = isinstance(source, Mapping) or (isinstance(source, str) and is_line(source))
    where = "the given folding" if given else str(source)
    units = matrix_stages(design)
    matrices = _numbered(data, MATRIX_NAMES)
    if len(matrices) != len(units):
        raise CostmodelError(
            f"{where}: names {len(matrices)} matrix units ({', '.join(MATRIX_NAMES[:2])}, ...), the network has "
            f"{len(units)}. Give one entry with PE and SIMD for each convolution and dense layer, in order."
        )
    windows = iter(_numbered(data, WINDOW_NAMES))
    fifos = dict(_numbered_keys(data, FIFO_NAMES))
    result = {}
    for position, (stage, attributes) in enumerate(zip(units, matrices, strict=True)):
        fold = Fold(_size(where, attributes, "PE"), _size(where, attributes, "SIMD"), _style(where, attributes))
        if stage.window is not None:
            fold = replace(fold, window=_style(where, next(windows, {})))
        if position in fifos:
            fold = replace(fold, fifo=_size(where, fifos[position], "depth"))
        assert stage.matrix is not None
        for name, value, limit in (("PE", fold.pe, stage.matrix.mh), ("SIMD", fold.simd, stage.matrix.mw)):
            if value > max(limit, 1):
                what = "columns" if name == "SIMD" else "rows"
                raise CostmodelError(
                    f"{where}: matrix unit {position}: {name}={value}, but its matrix has only {limit} {what}"
                )
        result[stage.index] = fold
    return result


def write_folding(folding: Folding, design: Sequence[Stage]) -> str:
    """The folding as JSON that the FINN compiler and :func:`read_folding` read."""
    return json.dumps(folding_data(folding, design), indent=2) + "\n"


def folding_data(folding: Folding, design: Sequence[Stage]) -> dict[str, Any]:
    """The content of that file."""
    data: dict[str, Any] = {"Defaults": {}}
    window = 0
    for position, stage in enumerate(matrix_stages(design)):
        fold = folding[stage.index]
        if stage.window is not None:
            simd = min(fold.simd, stage.window.channels)
            data[f"ConvolutionInputGenerator_{window}"] = {"SIMD": simd, "ram_style": fold.window}
            if fold.simd > simd:
                data[f"ConvolutionInputGenerator_{window}"]["parallel_window"] = 1
            window += 1
        data[f"MatrixVectorActivation_{position}"] = {"PE": fold.pe, "SIMD": fold.simd, "ram_style": fold.weights}
        if fold.fifo is not None:
            data[f"StreamingFIFO_{position}"] = {"depth": fold.fifo}
    return data


def is_line(text: str) -> bool:
    """Whether a folding is given by itself, as ``PExSIMD,PExSIMD,...``, and not as a file."""
    return _LINE.fullmatch(text) is not None


def _load(source: str | os.PathLike[str] | Mapping[str, Any]) -> Mapping[str, Any]:
    if isinstance(source, Mapping):
        return source
    if isinstance(source, str) and is_line(source):
        pairs = [map(int, pair.split("x")) for pair in source.split(",")]
        return {f"{MATRIX_NAMES[1]}_{i}": {"PE": pe, "SIMD": simd} for i, (pe, simd) in enumerate(pairs)}
    try:
        data = json.loads(Path(source).read_text(encoding="utf-8"))
    except OSError as error:
        raise CostmodelError(
            f"cannot read the folding {source}: {error.strerror or error}. Give 'auto', "
            "PExSIMD of each unit (16x3,32x32), or a FINN folding JSON file."
        ) from error
    except ValueError as error:
        raise CostmodelError(
            f"{source}: not a JSON file ({error}). Give 'auto' or a FINN folding JSON file."
        ) from error
    if not isinstance(data, dict):
        raise CostmodelError(f"{source}: expected an object with one entry a unit, got {type(data).__name__}")
    return data


def _numbered_keys(data: Mapping[str, Any], names: Sequence[str]) -> list[tuple[int, Mapping[str, Any]]]:
    found = []
    for key, attributes in data.items():
        match = _KEY.match(key)
        if match and match["name"] in names and isinstance(attributes, Mapping):
            found.append((int(match["number"]), attributes))
    return found


def _numbered(data: Mapping[str, Any], names: Sequence[str]) -> list[Mapping[str, Any]]:
    """Entries in the order in which they stand; FINN numbers each kind of unit from zero."""
    return [attributes for _, attributes in _numbered_keys(data, names)]


def _size(where: str, attributes: Mapping[str, Any], name: str) -> int:
    value = attributes.get(name, 1)
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise CostmodelError(f"{where}: {name}={value!r}: expected a whole number of at least 1")
    return value


def _style(where: str, attributes: Mapping[str, Any]) -> RamStyle:
    value = attributes.get("ram_style", "auto")
    if value not in ("auto", "block", "distributed", "ultra"):
        raise CostmodelError(f"{where}: ram_style={value!r}: expected auto, block, distributed or ultra")
    return value  # type: ignore[no-any-return]


# -- choosing ---------------------------------------------------------------------------------------------------------


@lru_cache(maxsize=4096)
def _simds(mw: int, pixel: int) -> tuple[int, ...]:
    return (*divisors(pixel), *(pixel * d for d in divisors(mw // pixel)[1:]))


def simd_choices(stage: Stage) -> tuple[int, ...]:
    """SIMD that divides the columns; behind a sliding window, a divisor of a pixel's channels or whole pixels."""
    assert stage.matrix is not None
    if stage.window is None or stage.matrix.depthwise:
        return divisors(stage.matrix.mw)
    pixel = gcd(stage.matrix.mw, stage.window.channels)
    return _simds(stage.matrix.mw, pixel)
