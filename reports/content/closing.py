"""How the report is made again: command, versions, configuration, and the names in its expressions."""

from __future__ import annotations

import platform
from collections.abc import Mapping
from importlib import metadata
from typing import Any

from costmodel.reports.content import cells
from costmodel.reports.content.blocks import Bibliography, Block, Heading, Paragraph, Table, literal, section
from costmodel.reports.content.subject import Subject

from costmodel.cli.table import Row
from costmodel.cli.table import Table as Grid

PACKAGES = ("costmodel", "torch", "numpy", "msgspec", "matplotlib", "typst")


def reproduction(subject: Subject) -> list[Block]:
    """Everything that one needs to make the same bytes again."""
    versions = [("Python", platform.python_version()), *((name, _version(name)) for name in PACKAGES)]
    rows = [Row([cells.text(name), cells.text(version)]) for name, version in versions]
    made = Table("tab-versions", "Versions that made this report.",
                 Grid("versions", "", [cells.column("Package", "left"), cells.column("Version", "left", prose=True)], rows),
                 ("costmodel",))  # fmt: skip
    return [
        *section("Reproduction", Paragraph("This report is made again, byte for byte, by:"), Paragraph(literal(subject.command), "code"),
                 made, _configuration(subject), Heading("Names in the expressions", 2),
                 Paragraph("Below every table and figure stands the expression that gives its numbers. The names in it are:"),
                 *(Paragraph(literal(line), "code") for line in ["\n".join(subject.listing())])),
        Heading("References"), Bibliography(),
    ]  # fmt: skip


def _configuration(subject: Subject) -> list[Block]:
    rows = []
    for i, network in enumerate(subject.networks):
        shapes = ", ".join("x".join(map(str, s)) for s in network.profile.input_shapes)
        facts = {"input": shapes, "parameters": f"{network.profile.parameters:,}", **network.profile.provenance}
        rows += [Row([cells.text(network.name), cells.text(k), cells.text(v)]) for k, v in facts.items()]
        for hardware in subject.hardware:
            found = hardware.estimates[i].facts
            rows += [Row([cells.text(f"{network.name} on {hardware.given}"), cells.text(k), cells.text(_fact(v))])
                     for k, v in found.items() if _plain(v)]  # fmt: skip
    if not rows:
        return []
    heads = [
        cells.column("Of", "left", prose=True),
        cells.column("Fact", "left"),
        cells.column("Value", "left", prose=True),
    ]
    api = [f"{subject.network_name(i)}.provenance" for i, _ in enumerate(subject.networks)]
    api += [
        f"{subject.estimate_name(i, j)}.facts"
        for i, _ in enumerate(subject.networks)
        for j, _ in enumerate(subject.hardware)
    ]
    return [Table("tab-configuration", "Configuration: what was chosen, by the user or by the model.",
                  Grid("configuration", "", heads, rows), tuple(api))]  # fmt: skip


def own_sources(subject: Subject) -> Mapping[str, str]:
    """References that the targets' own files bring along."""
    return {key: text for h in subject.hardware for key, text in h.target.sources.items()}


def _plain(value: Any) -> bool:
    return isinstance(value, (int, float, bool)) or (isinstance(value, str) and 0 < len(value) <= 160)


def _fact(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return "not installed"
