"""The button's report is the one that the command makes."""

import io
import zipfile

import pytest

from costmodel.cli import main as cli
from costmodel.dashboard import report
from costmodel.dashboard.catalogue import Catalogue
from costmodel.dashboard.report import Order, orders
from costmodel.errors import CostmodelError
from tests.dashboard.test_upload import GOOD, sent

SMALL, OTHER = "abbnn-reactnet6-digits", "bn-reactnet6-digits"


@pytest.fixture(scope="module")
def catalogue():
    return Catalogue()


def test_designs_at_their_defaults_are_one_report_and_others_have_their_own(catalogue):
    designs = [f"{SMALL}@pynq-z2", f"{OTHER}@pynq-z2", f"{SMALL}@asic-45nm-nangate", f"{SMALL}@pynq-z2;clock=2e8"]
    assert orders(catalogue, designs) == [
        Order((SMALL, OTHER), ("pynq-z2", "asic-45nm-nangate")),
        Order((SMALL,), ("pynq-z2",), ("clock=200000000",)),
    ]


def test_a_choice_that_is_the_default_makes_no_report_of_its_own(catalogue):
    assert orders(catalogue, [f"{SMALL}@pynq-z2;clock=1e8", f"{OTHER}@pynq-z2"]) == [
        Order((SMALL, OTHER), ("pynq-z2",))
    ]


@pytest.mark.parametrize(
    ("designs", "said"),
    [
        ([], "no design"),
        (["no@pynq-z2"], "unknown network"),
        (["abbnn-reactnet18-cifar10 (width=0.25)@pynq-z2"], "variant"),
        ([f"{SMALL}@../../etc/passwd"], "unknown target"),
        ([f"{SMALL}@pynq-z2;folding=/etc/passwd"], "folding"),
        ([f"{SMALL}@pynq-z2;level=as_written"], "as they are deployed"),
    ],
)
def test_what_a_report_cannot_hold_is_said(catalogue, designs, said):
    with pytest.raises(CostmodelError, match=said):
        orders(catalogue, designs)


def test_too_many_designs_are_counted(catalogue):
    many = [f"{name}@pynq-z2" for name, row in catalogue.networks.items() if not row.arguments]
    with pytest.raises(CostmodelError, match=f"{len(many)} networks on 1 targets; a report holds at most"):
        orders(catalogue, many)


def test_it_is_byte_for_byte_the_report_of_the_command(catalogue, tmp_path, monkeypatch):
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1770000000")
    [order] = orders(catalogue, [f"{SMALL}@asic-45nm-nangate;clock=250e6;scale=pow2"])
    data, name = report.make(catalogue, [order])
    assert data.startswith(b"%PDF") and name == f"report-{SMALL}-asic-45nm-nangate.pdf"
    assert cli.main(report.command(order, str(tmp_path / "own.pdf"))) == 0
    assert data == (tmp_path / "own.pdf").read_bytes()


def test_several_reports_are_one_archive_and_an_uploaded_target_is_one_of_them(catalogue):
    from costmodel.dashboard import upload

    mine = upload.take(catalogue, sent(GOOD))
    data, name = report.make(catalogue, orders(catalogue, [f"{SMALL}@{mine}", f"{SMALL}@pynq-z2;clock=2e8"]))
    archive = zipfile.ZipFile(io.BytesIO(data))
    assert name == "reports.zip" and len(archive.namelist()) == 2
    assert all(archive.read(member).startswith(b"%PDF") for member in archive.namelist())


def test_without_the_extra_the_page_says_which(client, monkeypatch):
    from costmodel.reports import make

    monkeypatch.setattr(make, "find_spec", lambda package: None)
    answer = client.ask("d-report-got.data", {"d-network.value": SMALL, "d-target.value": "pynq-z2"})
    assert "costmodel[reports]" in answer["d-report-said"]["children"]
    assert "d-report-got" not in answer


def test_the_pages_report_what_they_show(client, monkeypatch):
    wanted = []
    monkeypatch.setattr(report, "make", lambda _, found: (wanted.append(found), (b"%PDF", "report.pdf"))[1])
    client.ask("d-report-got.data", {"d-network.value": SMALL, "settings.data": ["clock=250000000"]})
    assert wanted.pop() == [Order((SMALL,), ("asic-45nm-nangate",), ("clock=250000000",))]
    client.ask("c-report-got.data", {"pins.data": [f"{SMALL}@pynq-z2", f"{OTHER}@pynq-z2"]})
    assert wanted.pop() == [Order((SMALL, OTHER), ("pynq-z2",))]
    front = client.ask("designs.rowData", {"kind.value": ["fpga"]})["designs"]["rowData"]
    client.ask("x-report-got.data", {"kind.value": ["fpga"]})
    [order] = wanted.pop()
    listed = [row for row in front if "(" not in row["network"]]
    assert set(order.networks) == {row["network"] for row in listed}
    client.ask("x-report-got.data", {"kind.value": ["fpga"], "x-selected.data": [listed[0]["key"]]})
    assert wanted.pop() == [Order((listed[0]["network"],), (listed[0]["target"],))]
