"""The PDF read back: text, pages, fonts, tags, bookmarks; and its pages as pictures, for what runs over the edge."""

from __future__ import annotations

import io
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pypdf
import pytest

from costmodel.ledger.ledger import Ledger
from costmodel.reports.content.blocks import Document, plain
from costmodel.reports.content.compose import document
from costmodel.reports.content.places import groups, places
from costmodel.reports.content.subject import Subject, gather
from costmodel.reports.render.fit import CELL_INSET, CHARACTER, TEXT_WIDTH, fit, widths
from costmodel.reports.render.pdf import Paper, breakable, pdf, png

DATE = "2026-01-31"
MARGIN_MM = {"a4": 22.0, "letter": 24.9}


@pytest.fixture(scope="session")
def reader(report: Document) -> pypdf.PdfReader:
    return pypdf.PdfReader(io.BytesIO(pdf(report)))


def text_of(reader: pypdf.PdfReader) -> str:
    return "\n".join(page.extract_text() for page in reader.pages).replace("\u200b", "")


def test_numbers_in_the_pdf_are_those_of_the_api(subject: Subject, reader: pypdf.PdfReader) -> None:
    text = text_of(reader)
    for network in subject.networks:
        for kind in ("mul", "add", "compare"):
            assert f"{network.profile.deployed.total(kind):,}" in text  # type: ignore[arg-type]
    for hardware in subject.hardware:
        for row in hardware.estimates[0].sources().values():
            assert row.source


def test_every_section_is_there_and_has_a_bookmark(reader: pypdf.PdfReader) -> None:
    def titles(outline: list) -> list[str]:  # type: ignore[type-arg]
        return [t for item in outline for t in (titles(item) if isinstance(item, list) else [item.title])]

    found = " ".join(titles(reader.outline))
    for title in ("Multiplications", "Accuracy", "Comparison", "Layer by layer", "energy", "traffic", "Rewrites",
                  "Validation", "Constants", "Reproduction", "References"):  # fmt: skip
        assert title in found


def test_fonts_are_embedded_and_text_is_tagged(reader: pypdf.PdfReader) -> None:
    assert reader.trailer["/Root"]["/MarkInfo"]["/Marked"]
    seen = 0
    for page in reader.pages:
        for font in page["/Resources"].get("/Font", {}).values():
            descendant = font.get_object()["/DescendantFonts"][0].get_object()
            descriptor = descendant["/FontDescriptor"].get_object()
            assert any(f"/FontFile{n}" in descriptor for n in ("", "2", "3")), font
            seen += 1
    assert seen


def test_the_file_says_that_it_is_accessible_and_archivable(reader: pypdf.PdfReader) -> None:
    metadata = reader.trailer["/Root"]["/Metadata"].get_data().decode()
    assert "<pdfuaid:part>1</pdfuaid:part>" in metadata
    assert "<pdfaid:part>2</pdfaid:part>" in metadata and "<pdfaid:conformance>A</pdfaid:conformance>" in metadata
    assert reader.trailer["/Root"]["/Lang"].startswith("en")


def test_metadata_say_title_author_and_date(reader: pypdf.PdfReader) -> None:
    assert reader.metadata is not None
    assert "reactnet6" in (reader.metadata.title or "") and reader.metadata.author == "costmodel"
    assert reader.metadata.creation_date is not None and reader.metadata.creation_date.date().isoformat() == DATE


def test_same_input_and_date_give_the_same_bytes_and_another_date_others(subject: Subject, report: Document) -> None:
    first = pdf(report)
    assert pdf(document(subject, "compare", DATE)) == first
    assert pdf(document(subject, "compare", "2026-02-01")) != first


@pytest.mark.parametrize(("paper", "size"), [("a4", (595, 842)), ("letter", (612, 792))])
def test_paper_is_what_was_asked_for(report: Document, paper: Paper, size: tuple[int, int]) -> None:
    box = pypdf.PdfReader(io.BytesIO(pdf(report, paper))).pages[0].mediabox
    assert (round(float(box.width)), round(float(box.height))) == size


def assert_margins_are_empty(made: Document, paper: Paper) -> int:
    """No ink in the left, right and bottom margins of any page: nothing runs over the edge of the text."""
    from matplotlib.image import imread

    ppi = 40.0
    pages = png(made, paper, ppi)
    for number, page in enumerate(pages, 1):
        pixels = np.asarray(imread(io.BytesIO(page)))[..., :3]
        margin = int((MARGIN_MM[paper] - 1.5) / 25.4 * ppi)
        assert pixels.min() < 0.5, f"page {number} is blank"
        assert pixels[:, :margin].min() > 0.9, f"page {number}, left"
        assert pixels[:, -margin:].min() > 0.9, f"page {number}, right"
    return len(pages)


@pytest.mark.parametrize("paper", ["a4", "letter"])
def test_nothing_runs_over_the_edge_of_a_page(report: Document, paper: Paper) -> None:
    assert assert_margins_are_empty(report, paper) > 5


def test_a_very_long_name_stays_on_the_page(renamed: Subject) -> None:
    assert_margins_are_empty(document(renamed, "compare", DATE), "a4")


def test_many_networks_on_many_targets_stay_on_the_page(subject: Subject) -> None:
    def named(name: str, k: int) -> str:
        return f"{name}-{k}"

    networks, estimates = [], [[] for _ in subject.hardware]  # type: ignore[var-annotated]
    for k in range(3):
        for i, n in enumerate(subject.networks):
            networks.append(replace(n, profile=replace(n.profile, network=named(n.name, k))))
            for j, h in enumerate(subject.hardware):
                estimates[j].append(replace(h.estimates[i], network=named(n.name, k)))
    hardware = [replace(h, estimates=tuple(e)) for h, e in zip(subject.hardware, estimates, strict=True)]
    made = document(replace(subject, networks=tuple(networks), hardware=(*hardware, *hardware)), "compare", DATE)
    assert_margins_are_empty(made, "letter")
    assert_no_word_is_wider_than_its_column(made)
    assert any(table.label == "tab-totals" for table in made.tables())


def test_no_word_runs_into_the_next_column(report: Document, renamed: Subject) -> None:
    validation = gather((), (), kinds=("counts", "arm", "fpga", "asic"), command="costmodel report")
    for made in (report, document(renamed, "compare", DATE), document(validation, "validation", DATE)):
        assert_no_word_is_wider_than_its_column(made)


def assert_no_word_is_wider_than_its_column(made: Document) -> None:
    for table in made.tables():
        shares, size = fit(table.grid)
        for i, (column, width) in enumerate(zip(table.grid.columns, widths(table.grid, shares, size), strict=True)):
            if width:
                held = [column.title, *(table.grid.texts(row)[i] for row in table.grid.rows if row.style != "title")]
                for word in (w for text in held for w in re.split(r"[\s\u200b-]+", breakable(plain(text)))):
                    room = width * TEXT_WIDTH + CELL_INSET / 2
                    assert len(word) * CHARACTER * size <= room, f"{table.label}: {word} in {room:.0f} pt"


def test_a_table_of_many_layers_breaks_across_pages_and_repeats_its_head(subject: Subject) -> None:
    deep = replace(subject.networks[0], profile=_deeper(subject.networks[0].profile))
    hardware = tuple(replace(h, estimates=h.estimates[:1]) for h in subject.hardware)
    made = document(replace(subject, networks=(deep,), hardware=hardware), "network", DATE)
    assert_margins_are_empty(made, "a4")
    pages = [p.extract_text() for p in pypdf.PdfReader(io.BytesIO(pdf(made))).pages]
    assert sum("Operation" in page and "One-bit" in page for page in pages) > 2


def test_no_page_but_the_last_is_blank_in_its_lowest_third(subject: Subject, report: Document) -> None:
    """Figures stand next to their sections, and what does not fit leaves less than a third of a page to the next."""
    from matplotlib.image import imread

    validation = gather((), (), kinds=("counts", "arm", "fpga", "asic"), command="costmodel report")
    target = gather((), ("fpga", "asic"), command="costmodel report")
    for made in (report, document(validation, "validation", DATE), document(target, "target", DATE)):
        for number, page in enumerate(png(made, "a4", 30.0)[:-1], 1):
            pixels = np.asarray(imread(io.BytesIO(page)))[..., :3]
            body = pixels[: round(len(pixels) * (297 - 22) / 297)]  # without the footer
            lowest = np.flatnonzero((body < 0.8).any(axis=(1, 2))).max()
            assert lowest > len(pixels) * (22 + 253 * 2 / 3) / 297, f"{made.title}, page {number}"


def test_panels_that_are_compared_have_equal_axes(report: Document) -> None:
    for label in ("fig-layers", "fig-traffic", "fig-energy", "fig-accuracy"):
        panels = [p for f in report.figures() if f.label.startswith(label) for p in f.plot.panels]
        spans = {p.title.split(":")[0] if label != "fig-traffic" else "": p.limits for p in panels}
        for panel in panels:
            title = panel.title.split(":")[0] if label != "fig-traffic" else ""
            assert panel.limits == spans[title], label


def test_every_layer_stands_in_one_row_and_networks_that_are_alike_share_it(subject: Subject) -> None:
    ledgers = [n.profile.deployed for n in subject.networks]
    assert groups(ledgers) == [(0, 1)]
    busy = [set(ledger.by_layer()) for ledger in ledgers]
    found = places(ledgers, busy)
    for k, wanted in enumerate(busy):
        shown = [i for row in found.rows for i in row.layers[k]]
        assert sorted(shown) == sorted(wanted)
        assert [i for i in found.orders[k] if i is not None] == sorted(wanted)
    numbers = sorted(n for row in found.rows for n in row.numbers)
    assert numbers == list(range(1, len(found.orders[0]) + 1))
    assert len(found.rows) < len(found.orders[0])


def test_a_figure_that_was_drawn_before_comes_from_the_store(
    report: Document, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from costmodel.reports.figures import draw, kept

    monkeypatch.setenv("COSTMODEL_CACHE", str(tmp_path))
    figure = report.figures()[0]
    first = kept.svg(figure.plot, figure.label)
    assert first == draw.svg(figure.plot, figure.label)
    monkeypatch.setattr(draw, "svg", lambda *_: pytest.fail("it was drawn again"))
    assert kept.svg(figure.plot, figure.label) == first
    monkeypatch.undo()
    monkeypatch.setenv("COSTMODEL_CACHE", str(tmp_path))
    other = replace(figure.plot, height=figure.plot.height + 1)
    assert kept.svg(other, figure.label) != first


def test_a_network_without_layers_and_without_targets_has_a_report(subject: Subject) -> None:
    network = subject.networks[0]
    empty = Ledger(network.name, "deployed", (), (), ())
    profile = replace(network.profile, as_written=empty, deployed=empty, rewrites=(), caveats=())
    bare = Subject((replace(network, profile=profile, accuracies=()),), (), {}, "costmodel report")
    made = document(bare, "network", DATE)
    assert_margins_are_empty(made, "a4")
    text = text_of(pypdf.PdfReader(io.BytesIO(pdf(made))))
    assert "no layers that execute anything" in text and "no rewrite applies" in text and "Nothing to report" in text


def test_targets_and_validation_have_reports_of_their_own() -> None:
    made = gather((), ("fpga",), command="costmodel report --target fpga")
    for kind in ("target", "validation"):
        assert assert_margins_are_empty(document(made, kind, DATE), "a4") > 1  # type: ignore[arg-type]


def _deeper(profile):  # type: ignore[no-untyped-def]
    """The same network with its layers repeated until there are more than 200."""
    ledger = profile.deployed
    n = len(ledger.layers)
    times = 200 // n + 1
    layers = tuple(
        replace(la, index=la.index + k * n, module=f"{la.module}.{'x' * (k + 1)}")
        for k in range(times)
        for la in ledger.layers
    )
    charges = tuple(replace(c, layer=c.layer + k * n) for k in range(times) for c in ledger.charges)
    return replace(profile, deployed=replace(ledger, layers=layers, charges=charges))
