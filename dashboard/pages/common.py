"""Pieces that several pages share."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import dash_ag_grid as dag
import dash_mantine_components as dmc
from dash import dcc, html

from costmodel.dashboard.figures import CONFIG
from costmodel.metrics import metric

#: Columns whose text takes as many lines as it needs.
WRAPPED = {"wrapText": True, "autoHeight": True}
#: A row is opened by Enter on any of its cells, as by a click.
OPENS = {"cellKeyDown": ["openRow(params, setGridProps)"]}
#: Cells of so many characters are not broken.
SHORT = 12


def aria(label: str) -> dict[str, Any]:
    """The name of a thing for those who do not see it."""
    return {"aria-label": label}


def options(names: Iterable[str], title: Any = str) -> list[dict[str, str]]:
    return [{"value": n, "label": title(n)} for n in names]


def metric_options(names: Iterable[str]) -> list[dict[str, str]]:
    return options(names, lambda n: metric(n).title)


def select(id: Any, label: str, data: Sequence[Any], value: Any, **more: Any) -> Any:
    return dmc.Select(
        id=id,
        label=label,
        data=list(data),
        value=value,
        allowDeselect=False,
        checkIconPosition="right",
        size="sm",
        searchable=len(data) > 12 or any("group" in d for d in data if isinstance(d, dict)),
        nothingFoundMessage="nothing of that name",
        **more,
    )


def several(id: str, label: str, data: Sequence[Any], value: list[str], placeholder: str = "all", **more: Any) -> Any:
    return dmc.MultiSelect(
        id=id,
        label=label,
        data=list(data),
        value=value,
        clearable=True,
        searchable=True,
        size="sm",
        placeholder="" if value else placeholder,
        hidePickedOptions=False,
        maxDropdownHeight=260,
        clearButtonProps={"aria-label": f"clear {label.lower()}"},
        **more,
    )


def switch_of(id: str, label: str, data: Sequence[tuple[str, str]], value: str) -> Any:
    """A choice of a few words, side by side."""
    return html.Div(
        [
            html.Span(label, className="label", id=f"{id}-label"),
            dmc.SegmentedControl(
                id=id,
                data=[{"value": v, "label": t} for v, t in data],
                value=value,
                size="xs",
                fullWidth=True,
                **{"aria-labelledby": f"{id}-label"},
            ),
        ],
        className="switch",
    )


def constraints(id: str, value: Any, description: str = "") -> Any:
    """A box for constraints, and below it what is read in it, or what is not understood."""
    box = dmc.TextInput(
        id=id,
        label="Constraints",
        description=description,
        value=str(value)[:300],
        size="sm",
        debounce=400,
        placeholder="LUT <= 53200 and FPS >= 30",
        inputProps={"spellCheck": "false"},
    )
    return html.Div([box, html.P("", id=f"{id}-said", className="hint", role="status")])


def graph(id: str, label: str, height: str = "tall") -> Any:
    """A figure, described in words for those who cannot see it."""
    config: Any = CONFIG
    return html.Div(
        dcc.Graph(id=id, config=config, className="figure", responsive=True),
        className=f"figure-box {height}",
        role="group",
        **aria(label),
    )


def number(field: str, title: str, width: int = 190) -> dict[str, Any]:
    """A column of numbers, sorted as such: each is written as the row's text of it, ``FIELD_text``."""
    return {
        "field": field,
        "headerName": title,
        "width": width,
        "type": "rightAligned",
        "valueFormatter": {"function": f"params.data.{field}_text"},
    }


def table(id: str, columns: Sequence[dict[str, Any]], height: str = "320px", opens: bool = False, **more: Any) -> Any:
    if opens:
        more["eventListeners"] = OPENS
    return dag.AgGrid(
        id=id,
        columnDefs=list(columns),
        rowData=[],
        className="ag-theme-quartz grid",
        defaultColDef={
            "sortable": True,
            "resizable": True,
            "minWidth": 90,
            "filter": False,
            "wrapHeaderText": True,
            "autoHeaderHeight": True,
        },
        dashGridOptions={
            "animateRows": False,
            "enableCellTextSelection": True,
            "ensureDomOrder": True,
            # Tab leaves a grid of thousands of cells; arrows go through it.
            "tabToNextCell": {"function": "leaveGrid()"},
            "tabToNextHeader": {"function": "leaveGrid()"},
        },
        style={"height": height},
        **more,
    )


def plain_table(head: Sequence[str], rows: Sequence[Sequence[Any]], caption: str = "", kind: str = "") -> Any:
    """A small table in HTML proper, which every reader reads."""
    if not rows:
        return html.P("Nothing here.", className="muted")
    return html.Div(
        html.Table(
            [
                html.Caption(caption) if caption else None,
                html.Thead(html.Tr([html.Th(h, scope="col") for h in head])),
                html.Tbody([html.Tr([_cell(cell) for cell in row]) for row in rows]),
            ]
        ),
        className=f"table-box {kind}".strip(),
        tabIndex=0,
        role="region",
        **aria(caption or ", ".join(head)),
    )


def _cell(content: Any) -> Any:
    """A number with its unit stays on one line."""
    short = isinstance(content, str) and len(content) <= SHORT
    return html.Td(content, className="short") if short else html.Td(content)


def to_choices(of: str, words: str) -> Any:
    """On a narrow window, where what is chosen comes after what is shown: the way there."""
    return html.A(f"{words} ↓", href=f"#{of}", className="to-choices")


def card(title: str, *children: Any) -> Any:
    return html.Section([html.H2(title), *children], className="card")
