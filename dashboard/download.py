"""What can be carried away: the designs that are listed as a table, the figure as a file."""

from __future__ import annotations

import base64
import csv
import io
from collections.abc import Sequence
from typing import Any

from costmodel.dashboard.figures.trade_off import Window
from costmodel.dashboard.items import Item
from costmodel.views.plots import draw
from costmodel.views.plots.marks import state_of
from costmodel.views.plots.scatter import ScatterInfo

FORMATS = ("csv", "parquet", "pdf", "svg", "png")
HEAD = ("network", "target", "choices", "kind", "dataset", "accuracy_from", "conditions", "training", "state", "why",
        "misfit", "scope", "left_out", "notes", "own")  # fmt: skip


def table(info: ScatterInfo, items: Sequence[Item], keys: Sequence[str]) -> tuple[list[str], list[list[Any]]]:
    """Columns and rows of the points of these keys, or of all that are shown: every metric with its bounds."""
    chosen = set(keys)
    of = {i.design.key: i for i in items}
    kept = [(p, of[p.key]) for p in info.points if not chosen or p.key in chosen or p.id in chosen]
    names = list(dict.fromkeys(name for _, i in kept for name in i.design.metrics))
    head = [*HEAD, *(column for name in names for column in (name, f"{name}_low", f"{name}_high"))]
    rows = []
    for p, i in kept:
        d = i.design
        lacking = "; ".join(f"{name}: {', '.join(why)}" for name, why in d.left_out.items())
        row: list[Any] = [
            i.network, i.target, " ".join(i.choices), i.kind, i.dataset, d.evidence, i.conditions, d.effort,
            state_of(p), p.why, d.misfit, d.scope, lacking, "; ".join(d.notes), "yes" if d.own else "",
        ]  # fmt: skip
        for name in names:
            v = d.metrics.get(name)
            row += [None, None, None] if v is None else [v.value, v.low, v.high]
        rows.append(row)
    return head, rows


def sent(data: bytes, name: str) -> dict[str, Any]:
    """A file as the browser takes it from a callback."""
    return {"content": base64.b64encode(data).decode(), "filename": name, "type": None, "base64": True}


def designs(info: ScatterInfo, items: Sequence[Item], keys: Sequence[str], form: str) -> dict[str, Any]:
    head, rows = table(info, items, keys)
    if form == "csv":
        return sent(as_csv(head, rows).encode(), "designs.csv")
    return sent(as_parquet(head, rows), "designs.parquet")


def as_csv(head: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(head)
    writer.writerows([["" if v is None else v for v in row] for row in rows])
    return text.getvalue()


def as_parquet(head: Sequence[str], rows: Sequence[Sequence[Any]]) -> bytes:
    import pyarrow as pa
    import pyarrow.parquet as pq

    sink = pa.BufferOutputStream()
    pq.write_table(pa.table({name: [row[i] for row in rows] for i, name in enumerate(head)}), sink, compression="zstd")
    return bytes(sink.getvalue().to_pybytes())


def trade_off(
    info: ScatterInfo, form: str, x_log: bool, y_log: bool, bars: str, series: Sequence[str], window: Window | None
) -> Any:
    """The figure as it is on the screen: the same series in the same colours, the same window."""
    figure = draw.trade_off_figure(info, x_log=x_log, y_log=y_log, bars=bars, series=series, window=window)
    return sent(draw.as_file(figure, form), f"trade-off.{form}")
