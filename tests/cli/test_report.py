"""``costmodel report``: good input makes a file, bad input an explanation, status 2, and no file."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from costmodel.cli.main import main
from costmodel.reports.content.compose import document
from costmodel.reports.content.subject import gather
from tests.reports.test_numbers import names, numbers_in

SMALL = ["--model", "abbnn-reactnet6-digits", "--target", "fpga", "--no-rivals", "--date", "2026-01-31"]


def test_a_report_appears_and_is_the_same_under_any_name(tmp_path: Path) -> None:
    assert main(["report", *SMALL, "-o", str(tmp_path / "a.pdf")]) == 0
    assert main(["report", *SMALL, "-o", str(tmp_path / "b.pdf")]) == 0
    data = (tmp_path / "a.pdf").read_bytes()
    assert data.startswith(b"%PDF") and data == (tmp_path / "b.pdf").read_bytes()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.pdf", "b.pdf"]


def test_trained_weights_are_reported_on_and_named_in_the_command(tmp_path: Path) -> None:
    weights = ["--checkpoint", "abbnn-reactnet6-digits"]
    for name, more in (("plain.md", []), ("trained.md", weights)):
        assert main(["report", *SMALL, *more, "-o", str(tmp_path / name)]) == 0
    plain, trained = ((tmp_path / name).read_text() for name in ("plain.md", "trained.md"))
    assert "--checkpoint abbnn-reactnet6-digits" in trained and "checkpoint='abbnn-reactnet6-digits'" in trained
    assert "--checkpoint" not in plain


def test_what_makes_a_network_is_asked_for_and_stands_in_the_command(tmp_path: Path) -> None:
    path = tmp_path / "net.py"
    path.write_text(
        "import sys, torch\n\n\nclass Net(torch.nn.Module):\n    def __init__(self):\n        super().__init__()\n"
        "        self.bits = int(sys.argv[1])\n        self.stem = torch.nn.Conv2d(3, 4, 3)\n\n"
        "    def forward(self, x):\n        top = 2**self.bits - 1\n"
        "        return torch.round(self.stem(x).clamp(0, 1) * top)\n"
    )
    own = ["--model", f"{path}:Net", "--input", "1x3x8x8", "--model-argv", "5", "--date", "2026-01-31"]
    texts = []
    for name, more in (("four.md", []), ("five.md", ["--threshold-bits", "5", "--meta", "--trained"])):
        assert main(["report", *own, *more, "-o", str(tmp_path / name)]) == 0
        texts.append((tmp_path / name).read_text())
    assert "--model-argv 5" in texts[0] and "--threshold-bits" not in texts[0]
    assert "--model-argv 5" in texts[1] and "--threshold-bits 5" in texts[1]
    assert "--meta" in texts[1] and "--trained" in texts[1]
    assert "4,464" in texts[1] and "4,464" not in texts[0]  # comparisons of 4 maps of 6 by 6 with 31 numbers


def test_a_report_as_written_counts_and_prices_what_is_written(tmp_path: Path) -> None:
    subject = gather((SMALL[1],), ("fpga",), level="as_written", rivals=False, command="costmodel report")
    made = document(subject, "network", "2026-01-31")
    known = names(subject)
    lead = made.tables()[0]
    assert subject.networks[0].profile.as_written.total("mul") != subject.networks[0].profile.deployed.total("mul")
    assert lead.grid.rows[0].values[1].values == (subject.networks[0].profile.as_written.total("mul"),)
    for table in made.tables():
        found = {n for expression in table.api for n in numbers_in(eval(expression, known))}
        shown = {float(v) for row in (*table.grid.rows, *table.grid.footer) for c in row.values for v in c.values}
        assert shown <= found, table.label
    assert main(["report", *SMALL, "--level", "as-written", "-o", str(tmp_path / "r.md")]) == 0
    text = (tmp_path / "r.md").read_text()
    assert "--level as-written" in text and "level='as\\_written'" not in text and "level='as_written'" in text


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--model", "abbn", "-o", "{}/r.pdf"], "unknown network 'abbn'"),
        (["--model", "abbnn", "--target", "fpgaa", "-o", "{}/r.pdf"], "unknown target 'fpgaa'"),
        (["--model", "abbnn", "-o", "{}/none/r.pdf"], "there is no folder"),
        (["--model", "abbnn", "-o", "{}"], "no regular file"),
        (["--model", "abbnn", "-o", "{}/r.docx"], "expected a name that ends in"),
        (["--model", "abbnn", "--date", "tomorrow", "-o", "{}/r.pdf"], "expected YYYY-MM-DD"),
        (["--kind", "compare", "--model", "abbnn", "-o", "{}/r.pdf"], "needs two networks or more"),
        (["--kind", "front", "-o", "{}/r.pdf"], "needs --sweep"),
        (["-o", "{}/r.pdf"], "needs --target"),
        (["--model", "abbnn", "--model", "reactnet18", "--checkpoint", "x.pt", "-o", "{}/r.pdf"], "as MODEL=FILE"),
        (["--model", "abbnn", "--checkpoint", "{}/none.pt", "-o", "{}/r.pdf"], "no checkpoint"),
        (["--model", "abbnn", "-o", "/dev/null", "--format", "pdf"], "no regular file"),
        (["--model", "abbnn", "-o", "{}/" + "r" * 300 + ".pdf"], "cannot write"),
        (["--sweep", "{}/none.parquet", "-o", "{}/r.pdf"], "none.parquet"),
    ],
)
def test_bad_input_is_explained_and_nothing_is_written(
    arguments: list[str], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["report", *(a.format(tmp_path) for a in arguments)]) == 2
    assert said in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_a_missing_extra_is_named_before_the_work_begins(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    found = importlib.util.find_spec
    monkeypatch.setattr("costmodel.reports.make.find_spec", lambda name: None if name == "typst" else found(name))
    assert main(["report", *SMALL, "-o", str(tmp_path / "r.pdf")]) == 2
    assert "pip install 'costmodel[reports]'" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_a_file_that_exists_is_kept_when_rendering_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from costmodel.errors import CostmodelError

    def fail(*_: object) -> bytes:
        raise CostmodelError("no")

    monkeypatch.setattr("costmodel.reports.make.render", fail)
    old = tmp_path / "r.pdf"
    old.write_bytes(b"old")
    assert main(["report", *SMALL, "-o", str(old)]) == 2
    assert old.read_bytes() == b"old" and len(list(tmp_path.iterdir())) == 1
