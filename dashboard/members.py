"""What the page of sweeps shows of result folders: windows of clouds, fronts by network and target, their members."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from costmodel.dashboard.constraints import Bound
from costmodel.dashboard.figures.parallel import Spans
from costmodel.dashboard.figures.trade_off import window_of
from costmodel.dashboard.state import written
from costmodel.dashboard.sweeps import Box, Sweep
from costmodel.errors import CostmodelError
from costmodel.metrics import METRICS, metric
from costmodel.views.numbers import show
from costmodel.views.plots.density import DensityInfo, density

if TYPE_CHECKING:
    from costmodel.explore.front import Member

    #: A member with its ``folder:member`` and its folder.
    Row = tuple[str, Sweep, Member]

#: Rows of the table, and lines of the parallel coordinates.
ROWS = 400

Picked = Sequence[tuple[int, Sweep]]
#: Names of networks and of targets; an empty one stands for all.
Filter = tuple[Collection[str], Collection[str]]


def picked(sweeps: Sequence[Sweep], chosen: Any) -> list[tuple[int, Sweep]]:
    """The folders of these numbers, with their numbers."""
    numbers = [int(n) for n in chosen or [] if str(n).isdigit() and int(n) < len(sweeps)]
    return [(n, sweeps[n]) for n in numbers]


def objectives(sweeps: Sequence[Sweep]) -> list[str]:
    found: dict[str, None] = {}
    for sweep in sweeps:
        try:
            found |= dict.fromkeys(sweep.objectives)
        except CostmodelError:
            continue
    return list(found)


def names(sweeps: Sequence[Sweep]) -> Filter:
    """Networks and targets of all members."""
    networks: dict[str, None] = {}
    targets: dict[str, None] = {}
    for sweep in sweeps:
        try:
            for m in sweep.members:
                networks[m.network] = targets[m.target] = None
        except CostmodelError:
            continue
    return list(networks), list(targets)


def counted(sweep: Sweep, x: str, y: str, x_log: bool, y_log: bool, zoom: Any = None) -> DensityInfo | None:
    """How many designs lie in each cell of a window, as the axes count; of the whole where there is none."""
    whole = sweep.window(x, y, x_log, y_log)
    if whole is None:
        return None
    window = tuple(sorted(zoom[:2]) + sorted(zoom[2:])) if zoom is not None else whole
    return density(
        sweep.column(x, x_log, y), sweep.column(y, y_log, x), window=window, x_log=x_log, y_log=y_log
    )  # fmt: skip


def zoom_of(text: Any, axes: Sequence[str]) -> tuple[float, float, float, float] | None:
    """The window, or the box, of ``x|y|scale|scale|x0,x1,y0,y1`` where it is one of these axes."""
    head, _, window = str(text or "").rpartition("|")
    return window_of(window) if head == "|".join(map(str, axes)) else None


def fronts(found: Picked, x: str, y: str, only: Filter) -> list[tuple[str, list[float], list[float], list[str]]]:
    """The fronts to draw, one for each network and target: name, x, y, and for each point ``folder:member``."""
    drawn = []
    for number, sweep in found:
        for s in sweep.series(x, y):
            if passes(s.network, s.target, only):
                refs = [f"{number}:{i}" if i >= 0 else "" for i in s.members]
                name = s.name if len(found) == 1 else f"{s.name}, {sweep.name}"
                drawn.append((name, s.points[:, 0].tolist(), s.points[:, 1].tolist(), refs))
    return drawn


def passes(network: str, target: str, only: Filter) -> bool:
    return (not only[0] or network in only[0]) and (not only[1] or target in only[1])


def chosen(found: Picked, x: str, y: str, box: Box | None, only: Filter, bounds: Sequence[Bound] = ()) -> list[Row]:
    """Members that were written and meet the bounds, within a box of data where there is one. What a member does not
    know it does not meet."""
    kept = []
    for number, sweep in found:
        for i, m in enumerate(sweep.members):
            if x not in m.metrics or y not in m.metrics or not passes(m.network, m.target, only):
                continue
            if not all(b.metric in m.metrics and b.holds(m.metrics[b.metric]) for b in bounds):
                continue
            a, b = m.metrics[x], m.metrics[y]
            if box is None or (box[0] <= a <= box[1] and box[2] <= b <= box[3]):
                kept.append((f"{number}:{i}", sweep, m))
    return kept


def rows(members: Sequence[Row], x: str, y: str) -> list[dict[str, Any]]:
    """Rows of the table; ``x`` and ``y`` are numbers, next to each its text."""
    found = []
    for ref, sweep, m in members[:ROWS]:
        settings = [f"{k} {show(v, 'Hz') if k == 'clock' else written(v)}" for k, v in m.settings.items()]
        of = m.evidence
        epochs = f"{of['epochs']} epochs" if of.get("epochs") else ""
        found.append(
            {
                "ref": ref,
                "sweep": sweep.name,
                "network": m.network,
                "target": m.target,
                "x": m.metrics[x],
                "y": m.metrics[y],
                "x_text": show(m.metrics[x], metric(x).unit),
                "y_text": show(m.metrics[y], metric(y).unit),
                "settings": ", ".join([*settings, *([f"folding of {len(m.folding)} units"] if m.folding else [])]),
                "accuracy": ", ".join(filter(None, (of.get("accuracy_kind"), epochs, of.get("data")))),
                "command": m.command,
            }
        )
    return found


def spans_of(ranges: Any) -> dict[str, Spans]:
    """What was dragged along axes of parallel coordinates, of ``["metric|low,high|low,high", ...]`` in units of the
    data; what is no such text says nothing."""
    found: dict[str, Spans] = {}
    for text in ranges if isinstance(ranges, list) else ():
        name, *pieces = str(text)[:400].split("|")
        spans = [span for span in map(_span, pieces) if span is not None]
        if name in METRICS and spans:
            found[name] = spans
    return found


def _span(text: str) -> tuple[float, float] | None:
    try:
        low, high = map(float, text.split(","))
    except ValueError:
        return None
    return (low, high) if math.isfinite(low) and math.isfinite(high) and low <= high else None


def within(members: Sequence[Row], ranges: Mapping[str, Spans]) -> list[Row]:
    """The members within what was dragged along the axes; one that not all of them have is not drawn."""
    along = {name: spans for name, spans in ranges.items() if all(name in m.metrics for _, _, m in members)}
    return [
        row
        for row in members
        if all(any(low <= row[2].metrics[name] <= high for low, high in spans) for name, spans in along.items())
    ]


def member_of(sweeps: Sequence[Sweep], ref: Any) -> Member | None:
    """The member that ``folder:member`` names; None for anything else."""
    folder, _, number = str(ref).partition(":")
    if not (folder.isdigit() and number.isdigit() and int(folder) < len(sweeps)):
        return None
    members = sweeps[int(folder)].members
    return members[int(number)] if int(number) < len(members) else None


def settings_of(m: Member) -> list[str]:
    """The settings of a member as the page of designs takes them, its folding among them."""
    found = [f"{name}={written(value)}" for name, value in m.settings.items()]
    if m.folding:
        found += [] if "mode" in m.settings else ["mode=dataflow"]
        found.append("folding=" + ",".join(map(_unit, m.folding.values())))
    return found


def _unit(fold: Mapping[str, int | str]) -> str:
    """One unit of a folding in one line, its memories named where they are chosen."""
    memories = [str(fold.get(name, "auto")) for name in ("weights", "window")]
    named = "" if memories == ["auto", "auto"] else ":" + ":".join(memories)
    return f"{fold['PE']}x{fold['SIMD']}{named}"
