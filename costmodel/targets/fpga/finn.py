"""Folding files of the FINN compiler: the nodes that they name, what of them is priced, and how they are written.

A file maps the name of a node, its type and a number, to its attributes; ``Defaults`` maps an attribute to a value and
the types that it is for. Types and attributes are those of Xilinx/finn 0.10 (``src/finn/custom_op/fpgadataflow``) and
of earlier versions back to 2020. What is not known is refused; what is known and not priced is said.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from costmodel.errors import CostmodelError, UnknownNameError
from costmodel.targets.arith import ceil_div
from costmodel.targets.fpga.design import Stage
from costmodel.targets.fpga.folding import Fold, Folding, divisors, matrix_stages, stage_cycles
from costmodel.targets.fpga.pipeline import window_simd

_STYLE = r"(auto|block|distributed|ultra)"
_UNIT = rf"\d{{1,6}}x\d{{1,6}}(:{_STYLE}(:{_STYLE})?)?"
#: A folding in one line: PExSIMD of each matrix unit in order of execution, such as ``16x3,32x32,1x64``; with the
#: memory of its weights and that of the window in front of it, where they are chosen: ``16x3:block:distributed``.
_LINE = re.compile(rf"{_UNIT}(,{_UNIT})*")
_KEY = re.compile(r"(?P<type>[A-Za-z_]\w*?)_(?P<number>\d+)")


@dataclass(frozen=True)
class Kind:
    """One kind of node: its types through the versions, the last of them the one that is written; its attributes with
    what may be chosen (None: whole numbers), of which ``priced`` make a difference here."""

    types: tuple[str, ...]
    attributes: Mapping[str, tuple[Any, ...] | None]
    priced: frozenset[str] = frozenset()


_RAM = ("auto", "block", "distributed", "ultra")
_WEIGHTS: Mapping[str, tuple[Any, ...] | None] = {
    "PE": None, "SIMD": None, "ram_style": _RAM, "resType": ("auto", "lut", "dsp"),
    "mem_mode": ("internal_decoupled", "internal_embedded", "external", "decoupled", "const"),
    "ram_style_thresholds": ("auto", "block", "distributed"), "runtime_writeable_weights": (0, 1),
    "pumpedMemory": (0, 1), "pumpedCompute": (0, 1),
}  # fmt: skip
_PRICED = frozenset({"PE", "SIMD", "ram_style", "resType", "inFIFODepths"})
KINDS: Mapping[str, Kind] = {
    "matrix": Kind(
        ("StreamingFCLayer_Batch", "MatrixVectorActivation", "MVAU", "MVAU_rtl", "MVAU_hls"), _WEIGHTS, _PRICED
    ),
    "depthwise": Kind(
        ("Vector_Vector_Activate_Batch", "VectorVectorActivation", "VVAU", "VVAU_rtl", "VVAU_hls"), _WEIGHTS, _PRICED
    ),
    "window": Kind(
        ("ConvolutionInputGenerator1D", "ConvolutionInputGenerator", "ConvolutionInputGenerator_hls",
         "ConvolutionInputGenerator_rtl"),
        {"SIMD": None, "ram_style": _RAM, "parallel_window": (0, 1), "M": None},
        frozenset({"ram_style", "inFIFODepths"}),
    ),
    "padding": Kind(
        ("FMPadding_Batch", "FMPadding", "FMPadding_hls", "FMPadding_Pixel", "FMPadding_Pixel_hls", "FMPadding_rtl"),
        {"SIMD": None},
    ),
    "threshold": Kind(
        ("Thresholding_Batch", "Thresholding", "Thresholding_Binary_Search", "Thresholding_hls", "Thresholding_rtl"),
        {"PE": None, "ram_style": _RAM, "mem_mode": _WEIGHTS["mem_mode"], "runtime_writeable_weights": (0, 1),
         "depth_trigger_uram": None, "depth_trigger_bram": None, "uniform_thres": (0, 1), "deep_pipeline": (0, 1)},
    ),
    "pool": Kind(
        ("StreamingMaxPool_Batch", "Pool_Batch", "Pool", "Pool_hls", "StreamingMaxPool", "StreamingMaxPool_hls"),
        {"PE": None},
    ),
    "mean": Kind(("GlobalAccPool_Batch", "GlobalAccPool", "GlobalAccPool_hls"), {"PE": None}),
    "add": Kind(
        ("AddStreams_Batch", "StreamingEltwise", "StreamingEltwise_hls", "AddStreams", "AddStreams_hls"),
        {"PE": None},
    ),
    "channelwise": Kind(
        ("ChannelwiseOp_Batch", "ChannelwiseOp", "ChannelwiseOp_hls"), {"PE": None, "ram_style": _RAM}
    ),
    "fork": Kind(("DuplicateStreams_Batch", "DuplicateStreams", "DuplicateStreams_hls"), {"PE": None}),
    "label": Kind(("LabelSelect_Batch", "LabelSelect", "LabelSelect_hls"), {"PE": None}),
    "scale": Kind(
        ("UpsampleNearestNeighbour_Batch", "UpsampleNearestNeighbour", "UpsampleNearestNeighbour_hls", "DownSampler",
         "DownSampler_hls"), {"SIMD": None},
    ),
    "lookup": Kind(("Lookup", "Lookup_hls"), {"mem_mode": _WEIGHTS["mem_mode"]}),
    "concat": Kind(("StreamingConcat", "StreamingConcat_hls"), {"SIMD": None}),
    "dma": Kind(("IODMA", "IODMA_hls"), {"intfWidth": None, "streamWidth": None}),
    "converter": Kind(
        ("StreamingDataWidthConverter_Batch", "StreamingDataWidthConverter", "StreamingDataWidthConverter_hls",
         "StreamingDataWidthConverter_rtl"), {"impl_style": ("hls", "rtl", "vivado")},
    ),
    "fifo": Kind(
        ("StreamingFIFO", "StreamingFIFO_hls", "StreamingFIFO_rtl"),
        {"depth": None, "impl_style": ("rtl", "vivado"), "ram_style": _RAM, "depth_monitor": (0, 1)},
    ),
}  # fmt: skip
_TYPES = {name: kind for kind, known in KINDS.items() for name in known.types}
#: Attributes that any node has and that say where it is put, how it was built or what was measured of it.
_COMMON = (
    "preferred_impl_style", "backend", "exec_mode", "slr", "mem_port", "partition_id", "device_id", "inFIFODepths",
    "outFIFODepths", "inFIFODepth", "outFIFODepth", "cycles_estimate", "cycles_rtlsim", "res_estimate", "res_synth",
    "output_hook", "rtlsim_trace",
)  # fmt: skip
#: The operation of a stage that a kind of node carries out.
_OPS = {"threshold": ("threshold", "sign"), "pool": ("max_pool",), "mean": ("gap", "avg_pool"), "add": ("add",)}


@dataclass(frozen=True)
class FoldingFile:
    """What a file says of a network: the fold of each matrix unit by its stage, and in ``notes`` what is not priced."""

    folds: dict[int, Fold]
    notes: tuple[str, ...] = ()


def is_line(text: str) -> bool:
    """Whether a folding is given by itself, as ``PExSIMD,PExSIMD,...``, and not as a file."""
    return _LINE.fullmatch(text) is not None


# -- reading ----------------------------------------------------------------------------------------------------------


def read_folding(
    source: str | os.PathLike[str] | Mapping[str, Any], design: Sequence[Stage], padded: bool = False
) -> FoldingFile:
    """A folding from a FINN JSON file, its content, or one line, matched to the matrix units in order of execution.

    ``padded``: matrices are filled up to multiples of PE and SIMD, as the overlays of BNN-PYNQ do.

    Raises :class:`CostmodelError` when the file cannot be read, names a node or an attribute that FINN does not have,
    does not name as many matrix units as the network has, or asks for a PE or SIMD that does not divide the matrix.
    """
    units = matrix_stages(design)
    data = _load(source, units)
    given = isinstance(source, Mapping) or (isinstance(source, str) and is_line(source))
    where = "the given folding" if given else str(source)
    nodes = _nodes(where, data)
    matrices = _matrices(where, nodes, units)
    windows = iter(nodes.get("window", []))
    folds, said = {}, []
    for position, (stage, (name, attributes)) in enumerate(zip(units, matrices, strict=True)):
        place = f"{where}: {name}" if not given or isinstance(source, Mapping) else f"{where}: matrix unit {position}"
        assert stage.matrix is not None
        depth = _depth(place, attributes)
        window: Mapping[str, Any] = {}
        if stage.window is not None:
            of, window = next(windows, ("", {}))
            _divides(f"{where}: {of}", "SIMD", window.get("SIMD", 1), stage.window.channels, "channels")
            depth = _depth(f"{where}: {of}", window) or depth
        fold = folds[stage.index] = Fold(
            _divides(place, "PE", attributes.get("PE", 1), stage.matrix.mh, "rows", padded),
            _divides(place, "SIMD", attributes.get("SIMD", 1), stage.matrix.mw, "columns", padded),
            attributes.get("ram_style", "auto"), window.get("ram_style", "auto"), depth,
            attributes.get("resType", "auto"),
        )  # fmt: skip
        if (
            stage.window is not None
            and window
            and not padded
            and not (given and isinstance(source, str))
            and window.get("SIMD", 1) != min(window_simd(stage, fold), stage.window.channels)
        ):
            said.append(f"{of}: a window is priced as wide as the matrix unit behind it asks for")
    return FoldingFile(folds, (*said, *_unpriced(nodes)))


def _load(source: str | os.PathLike[str] | Mapping[str, Any], units: Sequence[Stage]) -> Mapping[str, Any]:
    if isinstance(source, Mapping):
        return source
    if isinstance(source, str) and is_line(source):
        return _of_line(source, units)
    try:
        data = json.loads(Path(source).read_text(encoding="utf-8"))
    except OSError as error:
        raise CostmodelError(
            f"cannot read the folding {source}: {error.strerror or error}. Give 'auto', "
            "PExSIMD of each unit (16x3,32x32), or a FINN folding JSON file."
        ) from error
    except (ValueError, RecursionError) as error:
        raise CostmodelError(
            f"{source}: not a JSON file ({error}). Give 'auto' or a FINN folding JSON file."
        ) from error
    if not isinstance(data, dict):
        raise CostmodelError(f"{source}: expected an object with one entry for each unit, got {type(data).__name__}")
    return data


def _of_line(text: str, units: Sequence[Stage]) -> dict[str, Any]:
    """The content of the file that a folding in one line stands for."""
    data: dict[str, Any] = {}
    windows = 0
    for position, unit in enumerate(text.split(",")):
        size, *styles = unit.split(":")
        pe, simd = map(int, size.split("x"))
        data[f"MVAU_hls_{position}"] = {"PE": pe, "SIMD": simd} | ({"ram_style": styles[0]} if styles else {})
        if position < len(units) and units[position].window is not None:
            data[f"ConvolutionInputGenerator_rtl_{windows}"] = {"ram_style": styles[1]} if len(styles) > 1 else {}
            windows += 1
        elif len(styles) > 1 and styles[1] != "auto":
            raise CostmodelError(f"the given folding: matrix unit {position} ({unit}) has no window in front of it")
    return data


Node = tuple[str, Mapping[str, Any]]  # its name and its attributes


def _nodes(where: str, data: Mapping[str, Any]) -> dict[str, list[Node]]:
    """The nodes of a file by kind, in the order in which they stand, with the defaults of their types."""
    defaults = data.get("Defaults", {})
    if not isinstance(defaults, Mapping):
        raise CostmodelError(f"{where}: Defaults: expected an object, got {defaults!r}")
    for attribute, value in defaults.items():
        if not isinstance(value, (list, tuple)) or len(value) != 2 or not isinstance(value[1], (list, tuple)):
            raise CostmodelError(f"{where}: Defaults: {attribute}: expected [value, [types]], got {value!r}")
    found: dict[str, list[Node]] = {}
    for key, given in data.items():
        if key == "Defaults":
            continue
        match = _KEY.fullmatch(key)
        if match is None or match["type"] not in _TYPES:
            raise UnknownNameError(f"node of a folding file ({where})", match["type"] if match else key, list(_TYPES))
        if not isinstance(given, Mapping):
            raise CostmodelError(f"{where}: {key}: expected an object of attributes, got {given!r}")
        kind = _TYPES[match["type"]]
        known = KINDS[kind].attributes
        attributes = {
            name: value[0] for name, value in defaults.items()
            if name in known and ("all" in value[1] or match["type"] in value[1])
        } | dict(given)  # fmt: skip
        for name, value in attributes.items():
            _check(f"{where}: {key}", name, value, known)
        found.setdefault(kind, []).append((key, attributes))
    return found


def _check(place: str, name: str, value: Any, known: Mapping[str, tuple[Any, ...] | None]) -> None:
    if name in _COMMON:
        return
    if name not in known:
        raise UnknownNameError(f"attribute of {place}", name, [*known, *_COMMON])
    choices = known[name]
    if choices is None:
        if not isinstance(value, int) or isinstance(value, bool) or value < (1 if name in ("PE", "SIMD") else 0):
            raise CostmodelError(f"{place}: {name}={value!r}: expected a whole number of at least 1")
    elif value not in choices:
        raise CostmodelError(f"{place}: {name}={value!r}: expected {' or '.join(map(str, choices))}")


def _matrices(where: str, nodes: Mapping[str, list[Node]], units: Sequence[Stage]) -> list[Node]:
    """The node of each matrix unit. Units of depthwise convolutions are numbered by themselves; a file that has one
    kind of node alone lists all units in order."""
    full, depthwise = nodes.get("matrix", []), nodes.get("depthwise", [])
    if len(full) + len(depthwise) != len(units):
        raise CostmodelError(
            f"{where}: names {len(full) + len(depthwise)} matrix units (MVAU_hls_0, VVAU_hls_0, ...), the network has "
            f"{len(units)}. Give one entry with PE and SIMD for each convolution and dense layer, in order."
        )
    if not depthwise or not full:
        return full or depthwise
    wanted = sum(stage.matrix is not None and stage.matrix.depthwise for stage in units)
    if len(depthwise) != wanted:
        raise CostmodelError(f"{where}: names {len(depthwise)} VVAU, the network has {wanted} depthwise convolutions")
    of_full, of_depthwise = iter(full), iter(depthwise)
    return [next(of_depthwise if stage.matrix is not None and stage.matrix.depthwise else of_full) for stage in units]


def _divides(place: str, name: str, value: int, size: int, what: str, padded: bool = False) -> int:
    """A PE or SIMD, which must divide what it folds: FINN builds nothing else."""
    if value > size:
        raise CostmodelError(f"{place}: {name}={value}, but its matrix has only {size} {what}")
    if size % value and not padded:
        near = sorted(divisors(size), key=lambda d: abs(d - value))[:2]
        raise CostmodelError(
            f"{place}: {name}={value} does not divide the {size} {what}; the nearest that do are "
            f"{' and '.join(map(str, sorted(near)))}"
        )
    return value


def _depth(place: str, attributes: Mapping[str, Any]) -> int | None:
    """Words buffered in front of a node."""
    depths = attributes.get("inFIFODepths", attributes.get("inFIFODepth"))
    if depths is None:
        return None
    first = depths[0] if isinstance(depths, (list, tuple)) and depths else depths
    if not isinstance(first, int) or isinstance(first, bool) or first < 0:
        raise CostmodelError(f"{place}: inFIFODepths={depths!r}: expected a list of whole numbers")
    return max(first, 1)


def _unpriced(nodes: Mapping[str, list[Node]]) -> list[str]:
    """What the file says that makes no difference to the numbers. Units without a matrix are as wide as the interval
    of the pipeline asks for, whatever PE or SIMD they are given."""
    said: dict[str, list[Node]] = {}
    for kind, listed in nodes.items():
        for node in listed:
            for name in node[1]:
                if name in KINDS[kind].attributes and name not in KINDS[kind].priced and kind != "window":
                    said.setdefault(name, []).append(node)
    return [f"{name} of {_listed(listed)} is not priced" for name, listed in said.items()]


def _listed(nodes: Sequence[Node]) -> str:
    return nodes[0][0] if len(nodes) == 1 else f"{nodes[0][0]} and {len(nodes) - 1} more"


# -- writing ----------------------------------------------------------------------------------------------------------


def write_folding(folding: Folding, design: Sequence[Stage], interval: int | None = None) -> str:
    """The folding as JSON that the FINN compiler and :func:`read_folding` read."""
    return json.dumps(folding_data(folding, design, interval), indent=2) + "\n"


def folding_data(folding: Folding, design: Sequence[Stage], interval: int | None = None) -> dict[str, Any]:
    """The content of that file: matrix units with their windows, and every other unit as wide as ``interval`` asks for
    (default: that of the slowest matrix unit)."""
    if interval is None:
        interval = max(stage_cycles(design[i], fold) for i, fold in folding.items())
    data: dict[str, Any] = {"Defaults": {}}
    numbers: dict[str, int] = {}

    def add(kind: str, attributes: dict[str, Any]) -> None:
        number = numbers[kind] = numbers.get(kind, -1) + 1
        data[f"{KINDS[kind].types[-1]}_{number}"] = attributes

    for stage in design:
        if stage.matrix is None:
            for kind in _kinds(stage):
                add(kind, {"PE": _lanes(stage.channels, ceil_div(stage.elements, interval))})
            continue
        fold = folding[stage.index]
        fifo = {} if fold.fifo is None else {"inFIFODepths": [fold.fifo]}
        if stage.window is not None:
            w, wide_simd = stage.window, window_simd(stage, fold)
            simd = min(wide_simd, w.channels)
            if w.padding:
                size = stage.rows_in + 2 * w.padding
                add("padding", {"SIMD": _lanes(w.channels, ceil_div(size * size * w.channels, interval))})
            wide = {"parallel_window": 1} if wide_simd > simd else {}
            add("window", {"SIMD": simd, "ram_style": fold.window} | wide | fifo)
        attributes = {"PE": fold.pe, "SIMD": fold.simd, "ram_style": fold.weights, "resType": fold.products}
        add("depthwise" if stage.matrix.depthwise else "matrix", attributes | ({} if stage.window else fifo))
    return data


def _kinds(stage: Stage) -> Iterable[str]:
    return [kind for kind, ops in _OPS.items() if stage.op in ops]


def _lanes(channels: int, needed: int) -> int:
    """The least divisor of the channels that is enough, or all of them."""
    return next((d for d in divisors(channels) if d >= needed), channels)
