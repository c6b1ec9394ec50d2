"""The first screen as plain HTML: the answer and its figure, read while the browser still loads what makes them live.

It is made of the same plot data as the live page (:mod:`costmodel.views.plots.marks` says which series there are), and
taken away once that is drawn.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from html import escape

from costmodel.dashboard.answer import KINDS, answer, sentence, with_bounds
from costmodel.dashboard.catalogue import Catalogue
from costmodel.dashboard.pages.filters import COLOURS
from costmodel.dashboard.selection import CONTROLS, build
from costmodel.dashboard.state import FIELDS, State
from costmodel.errors import CostmodelError
from costmodel.views.numbers import show
from costmodel.views.plots.marks import Group, groups, short
from costmodel.views.plots.palette import THEMES, Theme
from costmodel.views.plots.scatter import ScatterInfo

#: Width and height of the figure on a wide window and on a narrow one; the style sheet chooses.
SIZES = {"wide": (1000, 430), "narrow": (366, 380)}
#: Room for the axes: left, top, right, bottom.
MARGINS = (56, 30, 12, 44)
#: Corners of symbols, for a mark of radius one.
_CORNERS: dict[str, list[tuple[float, float]]] = {
    "square": [(-0.85, -0.85), (0.85, -0.85), (0.85, 0.85), (-0.85, 0.85)],
    "triangle-up": [(-1, 0.75), (0, -1), (1, 0.75)],
    "triangle-down": [(-1, -0.75), (0, 1), (1, -0.75)],
    "diamond": [(0, -1.2), (1.2, 0), (0, 1.2), (-1.2, 0)],
    "right": [(-1, -0.8), (1, 0), (-1, 0.8)],
    "left": [(1, -0.8), (-1, 0), (1, 0.8)],
    "up": [(-0.8, 1), (0, -1), (0.8, 1)],
    "down": [(-0.8, -1), (0, 1), (0.8, -1)],
}
Scale = Callable[[float], float]


def page(catalogue: Catalogue, link: State) -> str:
    """The answer for a link of the explorer; empty for other pages, and where there is nothing to draw."""
    at = {component: link.values[key] for key, (component, *_) in FIELDS.items()}
    if at["tabs"] != "explorer" or at["colour"] not in COLOURS:
        return ""
    theme = THEMES.get(str(at["theme"]), THEMES["light"])
    c = {name: at[name] for name in CONTROLS}
    try:
        info, items = build(catalogue, c)
    except CostmodelError:
        return ""
    if not info.points:
        return ""
    found = answer(info, items)
    rows = "".join(
        f"<tr><td>{escape(KINDS.get(r.kind, r.kind))}</td><td>{escape(', '.join(r.roles))}</td>"
        f"<td>{escape(r.point.label)}</td><td>{with_bounds(r.point, info.y, 'y')}</td>"
        f"<td>{with_bounds(r.point, info.x, 'x')}</td></tr>"
        for r in found
    )
    head = "".join(f"<th>{escape(t)}</th>" for t in
                   ("hardware", "design", "network and target", info.y.title, info.x.title))  # fmt: skip
    logs = c["x-scale"] == "log", c["y-scale"] == "log"
    series = catalogue.values(c["colour"])
    drawn = "".join(
        f'<div class="{name}">{figure(info, groups(info, "none", series), theme, size, *logs)}</div>'
        for name, size in SIZES.items()
    )
    return (
        f'<div id="first" class="shell" data-theme="{theme.name}"><header><h1>costmodel</h1></header>'
        '<div class="page split"><div class="controls wide" aria-hidden="true"></div><div class="main">'
        f'<p class="summary answer">{escape(sentence(info, found, str(c["dataset"])))}</p>'
        f'<div class="table-box compact"><table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>'
        f'{drawn}<p class="hint" role="status" elementtiming="first">The page is being made ready …</p>'
        "</div></div></div>"
    )


def figure(
    info: ScatterInfo, shown: Sequence[Group], theme: Theme, size: tuple[int, int], x_log: bool, y_log: bool
) -> str:
    """A trade-off as SVG: axes, marks, the front and the names of its members."""
    width, height = size
    left, top, right, bottom = MARGINS
    x, x_ticks = _scale([p.x.value for p in info.points], x_log, left + 8, width - right - 8)
    y, y_ticks = _scale([p.y.value for p in info.points], y_log, height - bottom - 8, top + 8)
    parts = [
        f'<svg viewBox="0 0 {width} {height}" role="img" aria-label="{escape(info.title)}" fill="{theme.ink}" '
        'font-size="11">'
    ]
    parts += [
        f'<path d="M{x(v):.1f} {top}V{height - bottom}" stroke="{theme.line}"/>'
        f'<text x="{x(v):.1f}" y="{height - bottom + 16}" text-anchor="middle">{show(v, info.x.unit)}</text>'
        for v in x_ticks
    ]
    parts += [
        f'<path d="M{left} {y(v):.1f}H{width - right}" stroke="{theme.line}"/>'
        f'<text x="{left - 6}" y="{y(v) + 4:.1f}" text-anchor="end">{show(v, info.y.unit)}</text>'
        for v in y_ticks
    ]
    for group in shown:
        places = [(x(p.x.value), y(p.y.value)) for p in group.points if _drawable(p.x.value, p.y.value, x_log, y_log)]
        colour = group.colour or theme.faded
        line = theme.ink if group.outlined and not group.hollow else colour
        fill = "none" if group.hollow or group.symbol == "cross" else colour
        data = "".join(_mark(group.symbol, a, b, group.size / 2) for a, b in places)
        parts.append(f'<path class="mark" d="{data}" fill="{fill}" stroke="{line}" stroke-width="1.4"/>')
    steps = [(a, b) for a, b in zip(*info.steps(), strict=True) if _drawable(a, b, x_log, y_log)]
    if len(steps) > 1:
        corners = "L".join(f"{x(a):.1f} {y(b):.1f}" for a, b in steps)
        parts.append(f'<path d="M{corners}" fill="none" stroke="{theme.ink}" stroke-dasharray="2 3"/>')
    ends = [p for p in (info.best(), info.knee()) if p is not None and _drawable(p.x.value, p.y.value, x_log, y_log)]
    for p in {p.key: p for p in ends}.values():
        anchor = "start" if x(p.x.value) < width / 2 else "end"
        parts.append(
            f'<text x="{x(p.x.value):.1f}" y="{y(p.y.value) - 10:.1f}" text-anchor="{anchor}">'
            f"{escape(short(p.label))}</text>"
        )
    parts.append(
        f'<text x="{(left + width) / 2:.0f}" y="{height - 6}" text-anchor="middle">{escape(info.x.title)}</text>'
        f'<text x="{left}" y="14">{escape(info.y.title)}</text></svg>'
    )
    return "".join(parts)


def _drawable(x: float, y: float, x_log: bool, y_log: bool) -> bool:
    return math.isfinite(x) and math.isfinite(y) and (x > 0 or not x_log) and (y > 0 or not y_log)


def _scale(values: Sequence[float], log: bool, begin: float, end: float) -> tuple[Scale, list[float]]:
    """From values to pixels, and the values that are written along the axis."""
    known = [v for v in values if math.isfinite(v) and (v > 0 or not log)] or [1.0]

    def along(v: float) -> float:
        return math.log10(v) if log else v

    low, high = along(min(known)), along(max(known))
    if low == high:
        low, high = low - 0.5, high + 0.5
    if log:
        ticks = [10.0**k for k in range(math.ceil(low), math.floor(high) + 1)]
    else:
        step = 10.0 ** math.floor(math.log10(high - low))
        step *= 0.5 if (high - low) / step < 4 else 1.0
        ticks = [k * step for k in range(math.ceil(low / step), math.floor(high / step) + 1)]
    return (lambda v: begin + (end - begin) * (along(v) - low) / (high - low)), ticks[:: -(-len(ticks) // 9)]


def _mark(symbol: str, x: float, y: float, r: float) -> str:
    if symbol == "cross":
        return f"M{x - r:.1f} {y - r:.1f}l{2 * r:.1f} {2 * r:.1f}m0 {-2 * r:.1f}l{-2 * r:.1f} {2 * r:.1f}"
    if symbol not in _CORNERS:
        return f"M{x - r:.1f} {y:.1f}a{r:.1f} {r:.1f} 0 1 0 {2 * r:.1f} 0a{r:.1f} {r:.1f} 0 1 0 {-2 * r:.1f} 0"
    return "M" + "L".join(f"{x + r * a:.1f} {y + r * b:.1f}" for a, b in _CORNERS[symbol]) + "Z"
