"""What can be carried away: the selection as a table, the figure as a file."""

from __future__ import annotations

import base64
import csv
import io
from collections.abc import Sequence
from typing import Any

from costmodel.dashboard.catalogue import Item
from costmodel.views.plots import draw
from costmodel.views.plots.scatter import ScatterInfo

FORMATS = ("csv", "parquet", "pdf", "svg", "png")


def table(info: ScatterInfo, items: Sequence[Item], brushed: Sequence[str]) -> tuple[list[str], list[list[Any]]]:
    """Columns and rows of the brushed designs, or of all that are shown: every metric with its bounds."""
    chosen = set(brushed)
    states = {(p.id, p.evidence): p for p in info.points}
    kept = [i for i in items if (i.design.id, i.design.evidence) in states and (not chosen or i.design.id in chosen)]
    names = list(dict.fromkeys(name for i in kept for name in i.design.metrics))
    head = ["network", "target", "kind", "dataset", "accuracy_from", "conditions", "state", "why", "misfit"]
    head += [column for name in names for column in (name, f"{name}_low", f"{name}_high")]
    rows = []
    for i in kept:
        p = states[i.design.id, i.design.evidence]
        row: list[Any] = [
            i.network,
            i.target,
            i.kind,
            i.dataset,
            i.design.evidence,
            i.conditions,
            p.state,
            p.why,
            i.design.misfit,
        ]
        for name in names:
            v = i.design.metrics.get(name)
            row += [None, None, None] if v is None else [v.value, v.low, v.high]
        rows.append(row)
    return head, rows


def sent(data: bytes, name: str) -> dict[str, Any]:
    """A file as the browser takes it from a callback."""
    return {"content": base64.b64encode(data).decode(), "filename": name, "type": None, "base64": True}


def designs(info: ScatterInfo, items: Sequence[Item], brushed: Sequence[str], form: str) -> dict[str, Any]:
    head, rows = table(info, items, brushed)
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


def trade_off(info: ScatterInfo, form: str, x_log: bool, y_log: bool, bars: str) -> Any:
    return sent(draw.trade_off(info, form, x_log=x_log, y_log=y_log, bars=bars), f"trade-off.{form}")
