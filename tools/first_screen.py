"""The ten-second test of the dashboard: what its first screen says for each data set, from the shipped data."""

from __future__ import annotations

from pathlib import Path

FILE = Path(__file__).parent.parent / "docs" / "first_screen.md"
HEAD = """\
# What the first screen of the dashboard says

Ten seconds after it opens, a reader should know which network on which hardware is worth a look, at what accuracy and
time, and what the figure does not show. These are its words for each data set, made from the shipped results by
`make data`. The sentence stands above the figure; the table names, for each kind of hardware, the ends and the knee of
its front.
"""


def text() -> str:
    """The whole document."""
    from costmodel.dashboard.answer import DATA, answer, hidden_words, sentence, with_bounds
    from costmodel.dashboard.catalogue import Catalogue
    from costmodel.dashboard.selection import CONTROLS, build, hidden
    from costmodel.dashboard.state import FIELDS

    catalogue = Catalogue()
    at = {component: default for component, _, default, _ in FIELDS.values()}
    parts = [HEAD]
    for data in catalogue.values("dataset"):
        c = {name: at[name] for name in CONTROLS} | {"dataset": data}
        info, items = build(catalogue, c)
        found = answer(info, items)
        parts.append(f"\n## {DATA.get(data, data)}\n\n{sentence(info, found, data)}\n")
        if found:
            parts.append(
                f"\n| hardware | design | network and target | {info.y.title} | {info.x.title} | accuracy from |"
            )
            parts.append("\n|---|---|---|---|---|---|\n")
        for row in found:
            p = row.point
            evidence = ", ".join(filter(None, (p.design.evidence, p.design.effort)))
            cells = (row.kind, ", ".join(row.roles), p.label, with_bounds(p, info.y, "y"), with_bounds(p, info.x, "x"),
                     evidence)  # fmt: skip
            parts.append("| " + " | ".join(cells) + " |\n")
        lines = hidden_words(hidden(catalogue, c))
        parts.append("\nNot shown: " + "; ".join(lines) + ".\n" if lines else "\nNothing is left out.\n")
    return "".join(parts)


def main() -> None:
    from costmodel.files import atomic_write

    atomic_write(FILE, text())


if __name__ == "__main__":
    main()
