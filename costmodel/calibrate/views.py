"""The tables of ``costmodel calibrate``."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import astuple
from typing import TYPE_CHECKING

from costmodel.calibrate.laws import Charged, Law
from costmodel.calibrate.synthesis import METRICS, ordered
from costmodel.calibrate.synthesis import Row as Unit
from costmodel.views.table import Column, Row, Table

if TYPE_CHECKING:
    from costmodel.calibrate.asic_units import Measured
    from costmodel.calibrate.board import Refined
    from costmodel.calibrate.designs import Row as Made
    from costmodel.calibrate.here import Here, HereLayer
    from costmodel.calibrate.mca import Row as Loop
    from costmodel.calibrate.place import Row as Placed
    from costmodel.calibrate.timing import Whole
    from costmodel.calibrate.timing_fit import Constant
    from costmodel.targets.quantity import Quantity

NAMES = {"lut6": "LUT6 (Xilinx 7 series)", "ecp5": "LUT4 (ECP5)", "ice40": "LUT4 (iCE40)"}


def units(rows: Sequence[Unit]) -> Table:
    """Every unit as it was synthesised; as CSV this is the shipped table."""
    found = [Row(list(astuple(row))) for row in ordered(rows)]
    columns = [
        Column("unit", "unit", "left"), Column("size", "size", "left"), Column("family", "family", "left"),
        Column("flow", "flow", "left", spare=1), Column("lut", "LUT"), Column("ff", "FF"), Column("carry", "carry"),
        Column("dsp", "DSP"), Column("bram18", "BRAM"), Column("tool", "yosys", "left", spare=2),
        Column("text", "text", "left", spare=3),
    ]  # fmt: skip
    return Table("units", "Units as synthesised", columns, found)


def laws(found: Sequence[Law]) -> Table:
    """The laws, and how far they are from sizes that were held out."""
    rows = [
        Row([law.unit, law.family, law.metric, law.text, len(law.errors), law.median, law.worst],
            "warn" if law.worst > 0.15 else "plain")
        for law in found
    ]  # fmt: skip
    columns = [
        Column("unit", "unit", "left"), Column("family", "family", "left"), Column("metric", "of", "left", str.upper),
        Column("law", "law", "left"), Column("held", "held out"), Column("median", "median error", show=percent),
        Column("worst", "worst", show=percent),
    ]  # fmt: skip
    errors = [e for law in found for e in law.errors]
    notes = []
    if errors:
        notes = [f"{len(errors)} amounts were held out: median error {percent(statistics.median(errors))}, "
                 f"worst {percent(max(errors))}."]  # fmt: skip
    return Table("laws", "Laws, and their errors at sizes that were held out", columns, rows, notes=notes)


def model(found: Sequence[Charged]) -> Table:
    """What the model charges for each unit over what synthesis took, of all its sizes."""
    groups: dict[tuple[str, str], list[Charged]] = {}
    for each in found:
        groups.setdefault((each.row.family, each.row.unit), []).append(each)
    rows = []
    for (family, unit), members in groups.items():
        ratios = [m.ratio for m in members]
        outside = sum(m.outside for m in members)
        rows.append(Row([unit, family, len(members), min(ratios), statistics.median(ratios), max(ratios), outside],
                        "warn" if outside else "plain"))  # fmt: skip
    columns = [
        Column("unit", "unit", "left"), Column("family", "family", "left"), Column("sizes", "sizes"),
        Column("least", "least", show=_ratio), Column("middle", "median", show=_ratio),
        Column("most", "most", show=_ratio), Column("outside", "outside of interval"),
    ]  # fmt: skip
    return Table("model", "LUTs that the model charges, over those that synthesis took", columns, rows)


def differences(rows: Sequence[Unit], shipped: Sequence[Unit]) -> Table:
    """Rows of today's tool that are not those of the shipped table."""
    known = {row.key: row for row in shipped}
    found, same = [], 0
    for row in rows:
        old = known.get(row.key)
        if old is None or any(row.amount(m) != old.amount(m) for m in METRICS):
            found.append(Row([row.unit, row.size, row.family, *(_both(old, row, m) for m in METRICS)], "warn"))
        else:
            same += 1
    columns = [
        Column("unit", "unit", "left"), Column("size", "size", "left"), Column("family", "family", "left"),
        Column("lut", "LUT"), Column("ff", "FF"), Column("carry", "carry"), Column("dsp", "DSP"),
        Column("bram18", "BRAM"),
    ]  # fmt: skip
    tools = sorted({(row.tool, row.text) for row in shipped})
    now = sorted({(row.tool, row.text) for row in rows})
    notes = [f"{same} of {len(rows)} units are as in the shipped table.",
             f"shipped: yosys {_tools(tools)}; now: yosys {_tools(now)}."]  # fmt: skip
    return Table("differences", "Units that differ from the shipped table", columns, found, notes=notes)


def _tools(found: Sequence[tuple[str, str]]) -> str:
    return ", ".join(f"{tool} on text {text}" for tool, text in found)


def _both(old: Unit | None, new: Unit, metric: str) -> str:
    before = "none" if old is None else str(old.amount(metric))
    now = str(new.amount(metric))
    return now if before == now else f"{before} -> {now}"


# -- whole designs ----------------------------------------------------------------------------------------------------


def designs(rows: Sequence[Made]) -> Table:
    """Every design as it was made; as CSV this is the shipped table."""
    columns = [
        Column("design", "design", "left"), Column("split", "split", "left"), Column("lut", "LUT"), Column("ff", "FF"),
        Column("carry", "carry"), Column("dsp", "DSP"), Column("bram18", "BRAM"), Column("cycles", "cycles"),
        Column("tool", "yosys", "left", spare=2), Column("text", "text", "left", spare=3),
    ]  # fmt: skip
    return Table(
        "designs", "Designs as synthesised, cycles as simulated", columns, [Row(list(astuple(r))) for r in rows]
    )


def clocks(rows: Sequence[Placed]) -> Table:
    """Designs as they were placed and routed; as CSV this is the shipped table."""
    columns = [
        Column("design", "design", "left"), Column("lut4", "LUT4"), Column("ff", "FF"), Column("dsp", "DSP"),
        Column("bram18", "BRAM"), Column("mhz", "MHz"), Column("tool", "yosys", "left", spare=2),
        Column("placer", "nextpnr", "left", spare=2), Column("text", "text", "left", spare=3),
    ]  # fmt: skip
    return Table("clocks", "Designs placed and routed on an ECP5-25F", columns, [Row(list(astuple(r))) for r in rows])


def scores(rows: Sequence[Made]) -> Table:
    """What the model says of the designs, and what the formulas of FINN-R say of their LUTs."""
    from costmodel.calibrate.designs import judged

    found = [
        Row([split, what, estimator, len(ratios), statistics.median(ratios), statistics.median(map(abs, _off(ratios))),
             max(map(abs, _off(ratios)))])
        for split, what, estimator, ratios in judged(rows)
    ]  # fmt: skip
    columns = [
        Column("split", "designs", "left"), Column("metric", "of", "left", str.upper),
        Column("estimator", "estimator", "left"), Column("n", "n"), Column("ratio", "median ratio", show=_ratio),
        Column("median", "median error", show=percent), Column("worst", "worst", show=percent),
    ]  # fmt: skip
    return Table("scores", "Estimates over what synthesis took and simulation showed", columns, found)


def _off(ratios: Sequence[float]) -> list[float]:
    return [ratio - 1 for ratio in ratios]


def percent(value: float) -> str:
    return f"{100 * value:.1f} %"


def _ratio(value: float) -> str:
    return f"{value:.2f}"


# -- loops on Arm cores ------------------------------------------------------------------------------------------------


def loops(rows: Sequence[Loop]) -> Table:
    """Cycles of loops; as CSV this is the shipped table."""
    columns = [
        Column("core", "core", "left"), Column("loop", "loop", "left"), Column("instructions", "instructions"),
        Column("cycles", "cycles", show=_short), Column("bound", "bound", show=_short),
        Column("tool", "llvm-mca", "left", spare=2),
    ]  # fmt: skip
    notes = ["bound: what the execution units take; cycles: one after the other, with what instructions wait for."]
    return Table("loops", "Inner loops by llvm-mca", columns, [Row(list(astuple(r))) for r in rows], notes=notes)


def loop_constants(rows: Sequence[Loop]) -> Table:
    """The constants of the cores next to what the loops say."""
    found = [
        Row([r.core, r.loop, r.constant, *r.ends, r.shipped.value, r.shipped.low, r.shipped.high],
            "plain" if r.agrees else "warn")
        for r in rows
    ]  # fmt: skip
    columns = [
        Column("core", "core", "left"), Column("loop", "loop", "left"), Column("constant", "constant", "left"),
        Column("by_bound", "by bound", show=_short), Column("by_cycles", "by cycles", show=_short),
        Column("value", "shipped", show=_short), Column("low", "low", show=_short), Column("high", "high", show=_short),
    ]  # fmt: skip
    notes = [f"{sum(r.agrees for r in rows)} of {len(rows)} have values in common with the interval of the constant."]
    return Table("constants", "What the loops say, and the constants of the cores", columns, found, notes=notes)


# -- units of ASICs ---------------------------------------------------------------------------------------------------


def cells(rows: Sequence[Measured], shipped: Mapping[str, Mapping[str, Quantity]]) -> Table:
    """Units mapped now, and what the shipped column says over that; energy between its two bounds."""
    found = []
    for row in rows:
        old = shipped.get(f"{row.unit}{row.width}")
        area, energy = (old["area"].value * 1e6, old["energy"].value * 1e15) if old else (None, None)
        middle = (row.quiet * row.rippling) ** 0.5
        ratios = [None if a is None or not b else a / b for a, b in ((area, row.area), (energy, middle))]
        far = any(r is not None and abs(r - 1) > FAR for r in ratios)
        found.append(Row([row.unit, row.width, row.area, row.quiet, row.rippling, row.delay, row.leakage, *ratios],
                         "warn" if far else "plain"))  # fmt: skip
    columns = [
        Column("unit", "unit", "left"), Column("width", "bits"), Column("area", "um2", show=_short),
        Column("quiet", "fJ, no glitches", show=_short), Column("rippling", "fJ, unit delays", show=_short),
        Column("delay", "ns", show=_short), Column("leakage", "nW", show=_short),
        Column("area_ratio", "area, shipped", show=_over), Column("energy_ratio", "energy, shipped", show=_over),
    ]  # fmt: skip
    notes = ["shipped: the value of the shipped column over the one made now; of energies the geometric means. "
             f"{sum(r.style == 'warn' for r in found)} of {len(found)} units differ by more than "
             f"{percent(FAR)}."]  # fmt: skip
    return Table("cells", "Units mapped to the library", columns, found, notes=notes)


#: Relative difference of two characterisations that is marked.
FAR = 0.12


def _over(ratio: float | None) -> str:
    return "" if ratio is None else f"{ratio:.2f}"


# -- times of this machine --------------------------------------------------------------------------------------------


def networks(wholes: Sequence[Whole], ratios: Mapping[str, float]) -> Table:
    """Networks that were fitted: measured, and predicted by constants fitted to the others."""
    rows = [
        Row([w.network, w.seconds, w.seconds / ratios[w.network], 1 / ratios[w.network] - 1, w.run]) for w in wholes
    ]
    columns = [
        Column("network", "network", "left"), Column("seconds", "sum of least times", show=_time),
        Column("predicted", "predicted", show=_time), Column("error", "error", show=_signed),
        Column("run", "least whole run", show=_time),
    ]  # fmt: skip
    errors = [abs(1 / ratio - 1) for ratio in ratios.values()]
    notes = ["predicted: by constants that were fitted to the other networks. "
             f"Mean error {percent(sum(errors) / len(errors))}, worst {percent(max(errors))}."]  # fmt: skip
    return Table("networks", "Each network left out of the fit", columns, rows, notes=notes)


def constants(found: Mapping[str, Constant]) -> Table:
    """What was fitted, in nanoseconds."""
    rows = [
        Row([name, c.value * 1e9, c.low * 1e9, c.high * 1e9, f"not measured: as {c.alike}" if c.alike else ""],
            "warn" if c.alike else "plain")
        for name, c in found.items()
    ]  # fmt: skip
    columns = [
        Column("constant", "constant", "left"), Column("value", "ns", show=_short), Column("low", "low", show=_short),
        Column("high", "high", show=_short), Column("note", "", "left"),
    ]  # fmt: skip
    return Table("constants", "Constants", columns, rows)


def here(rows: Sequence[Here]) -> Table:
    """Networks that no constant was fitted to: predicted, and measured now."""
    found = [
        Row([r.network, r.predicted, r.low, r.high, r.measured, r.predicted / r.measured - 1, r.inside],
            "plain" if r.inside else "warn")
        for r in rows
    ]  # fmt: skip
    columns = [
        Column("network", "network", "left"), Column("predicted", "predicted", show=_time),
        Column("low", "low", show=_time), Column("high", "high", show=_time),
        Column("measured", "measured", show=_time), Column("error", "error", show=_signed),
        Column("inside", "in interval", show=lambda inside: "yes" if inside else "no"),
    ]  # fmt: skip
    errors = [abs(r.predicted / r.measured - 1) for r in rows]
    notes = [f"{len(rows)} networks that were not fitted: mean error {percent(sum(errors) / len(errors))}, worst "
             f"{percent(max(errors))}; {sum(r.inside for r in rows)} of {len(rows)} in their interval.",
             "measured: the sum of the layers' least times, as it is predicted."]  # fmt: skip
    return Table("here", "Predicted and measured on this machine", columns, found, notes=notes)


def layers(rows: Sequence[HereLayer]) -> Table:
    """Layers of the networks, those that take longest first."""
    found = [Row([r.network, r.layer, r.kind, r.predicted, r.measured, r.predicted / r.measured - 1]) for r in rows]
    columns = [
        Column("network", "network", "left"), Column("layer", "layer", "left"), Column("kind", "kind", "left"),
        Column("predicted", "predicted", show=_time), Column("measured", "measured", show=_time),
        Column("error", "error", show=_signed),
    ]  # fmt: skip
    return Table("layers", "Layers", columns, found)


# -- measurements of a board ------------------------------------------------------------------------------------------


def measurements(found: Refined) -> Table:
    """Every row with the estimate before, after, and by constants that its network did not refine."""
    rows = [
        Row([r.row.id, r.row.network, r.row.metric, r.row.value, r.before / r.row.value - 1, r.after / r.row.value - 1,
             r.left_out / r.row.value - 1])
        for r in found.rows
    ]  # fmt: skip
    columns = [
        Column("id", "row", "left"), Column("network", "network", "left"), Column("metric", "metric", "left"),
        Column("measured", "measured", show=_short), Column("before", "before", show=_signed),
        Column("after", "after", show=_signed), Column("left_out", "left out", show=_signed),
    ]  # fmt: skip
    means = [percent(found.error(which)) for which in ("before", "after", "left_out")]
    notes = ["left out: by constants that were refined without the rows of this network. "
             f"Mean error {means[0]} before, {means[1]} after, {means[2]} left out."]  # fmt: skip
    return Table("measurements", "Measurements, and the estimates' errors", columns, rows, notes=notes)


def refined(found: Refined) -> Table:
    """The constants that changed."""
    rows = [
        Row([name, old.value, new.value, new.low, new.high, new.unit],
            "plain" if old.low <= new.value <= old.high else "warn")
        for name, (old, new) in found.constants.items()
    ]  # fmt: skip
    left = [name for name, (old, new) in found.constants.items() if not old.low <= new.value <= old.high]
    notes = [f"outside of what was known before: {', '.join(left)}. Look at the measurements again."] if left else []
    columns = [
        Column("constant", "constant", "left"), Column("old", "was", show=_short), Column("new", "is", show=_short),
        Column("low", "low", show=_short), Column("high", "high", show=_short), Column("unit", "unit", "left"),
    ]  # fmt: skip
    return Table("constants", "Constants that changed", columns, rows, alerts=notes)


def _time(seconds: float) -> str:
    for unit, size in (("s", 1.0), ("ms", 1e-3)):
        if seconds >= size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds * 1e6:.3g} µs"


def _signed(value: float) -> str:
    return f"{100 * value:+.1f} %"


def _short(value: float) -> str:
    return f"{value:.3g}"
