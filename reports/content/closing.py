"""The appendix: how the report is made again, and where each of its numbers comes from."""

from __future__ import annotations

import platform
from collections.abc import Mapping, Sequence
from importlib import metadata
from typing import Any

from costmodel.reports.content import cells
from costmodel.reports.content.blocks import Block, Figure, Items, Paragraph, Table, literal, section
from costmodel.reports.content.subject import Subject
from costmodel.views.table import Row
from costmodel.views.table import Table as Grid

PACKAGES = ("costmodel", "torch", "numpy", "msgspec", "matplotlib", "typst")


def reproduction(subject: Subject) -> list[Block]:
    """Everything that one needs to make the same bytes again."""
    versions = [("Python", platform.python_version()), *((name, _version(name)) for name in PACKAGES)]
    rows = [Row([cells.text(name), cells.text(version)]) for name, version in versions]
    made = Table(
        "tab-versions",
        "Versions that made this report.",
        Grid("versions", "", [cells.column("Package", "left"), cells.column("Version", "left", prose=True)], rows),
        tuple(f"metadata.version({name!r})" for name in PACKAGES),
    )
    return [
        *section(
            "Reproduction",
            Paragraph("This report is made again, byte for byte, by:"),
            Paragraph(literal(subject.command), "code"),
            made,
            _configuration(subject),
        ),
    ]


def provenance(subject: Subject, blocks: Sequence[Block]) -> list[Block]:
    """The expressions behind every table and figure of ``blocks``, and the names in them."""
    said = [
        f"[[ref:{b.label}]]: " + "; ".join(f"`{expression}`" for expression in b.api)
        for b in blocks
        if isinstance(b, (Table, Figure)) and b.api
    ]
    return section(
        "Where the numbers come from",
        Paragraph("Each number of this report is found again in Python. The names in the expressions are:"),
        Paragraph(literal("\n".join(subject.listing())), "code"),
        Paragraph("The numbers of each table and figure are in:"),
        Items(tuple(said), "small"),
    )


def _configuration(subject: Subject) -> list[Block]:
    """One row per fact, one column per network."""
    nets = subject.networks
    if not nets:
        return []
    own = [
        {
            "input": ", ".join("x".join(map(str, s)) for s in n.profile.input_shapes),
            "parameters": f"{n.profile.parameters:,}",
            **n.profile.provenance,
        }
        for n in nets
    ]
    rows = _facts("", own)
    for hardware in subject.hardware:
        rows += _facts(hardware.given, [e.facts for e in hardware.estimates])
    heads = [cells.column("Target", "left"), cells.column("Fact", "left")]
    heads += [cells.column(literal(n.name), "left", prose=True) for n in nets]
    api = [f"{subject.network_name(i)}.provenance" for i, _ in enumerate(nets)]
    api += [f"{subject.estimate_name(i, j)}.facts" for i, _ in enumerate(nets) for j, _ in enumerate(subject.hardware)]
    caption = "Configuration: what was chosen, by the user or by the model."
    return [Table("tab-configuration", caption, Grid("configuration", "", heads, rows), tuple(api))]


def _facts(target: str, columns: Sequence[Mapping[str, Any]]) -> list[Row]:
    names = dict.fromkeys(k for facts in columns for k, v in facts.items() if _plain(v))
    return [
        Row(
            [
                cells.text(target),
                cells.text(k),
                *(cells.text(cells.plain(c[k]) if k in c and _plain(c[k]) else "") for c in columns),
            ]
        )
        for k in names
    ]


def own_sources(subject: Subject) -> Mapping[str, str]:
    """References that the targets' own files bring along."""
    return {key: text for h in subject.hardware for key, text in h.target.sources.items()}


def _plain(value: Any) -> bool:
    return isinstance(value, (int, float, bool)) or (isinstance(value, str) and 0 < len(value) <= 160)


def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return "not installed"
