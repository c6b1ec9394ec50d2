import csv
import gzip
from pathlib import Path

import pytest

import costmodel
from costmodel.dashboard import results
from costmodel.dashboard.catalogue import Catalogue
from costmodel.errors import CostmodelError
from costmodel.metrics import headlines
from costmodel.zoo import counts
from tests.near import near

AGAIN = "stale: run make data"


@pytest.fixture(scope="module")
def catalogue():
    return Catalogue()


def test_every_network_is_priced_on_every_target(catalogue):
    assert set(costmodel.list_models()) <= set(catalogue.networks), AGAIN
    assert set(catalogue.targets) == set(costmodel.list_targets()), AGAIN
    pairs = {(d.network, d.target) for d in catalogue.results.designs}
    assert len(pairs) == len(catalogue.networks) * len(catalogue.targets) == len(catalogue.results.designs)


def test_shipped_counts_are_those_of_the_zoo(catalogue):
    with Path(counts.__file__).with_name("counts.csv").open(newline="") as file:
        rows = {row["name"]: row for row in csv.DictReader(file)}
    assert rows
    for name, row in rows.items():
        assert catalogue.networks[name].metrics["mul"] == int(row["mul"]), AGAIN


@pytest.mark.parametrize(
    ("network", "target"),
    [("cnv-w1a1", "asic-45nm-nangate"), ("abbnn-reactnet18-cifar10", "raspberry-pi-4b"), ("cnv-w1a1", "pynq-z2")],
)
def test_a_row_is_what_the_estimate_says(catalogue, network, target):
    row = next(d for d in catalogue.results.designs if (d.network, d.target) == (network, target))
    estimate = catalogue.estimate(network, target, {})
    kept = [name for name in headlines() if estimate.has(name)]
    assert set(row.metrics) == set(kept), AGAIN
    made = results.design_row(network, catalogue.profile(network), target)
    assert (made.network, made.target, made.scope, made.notes, made.left_out) == (
        row.network, row.target, row.scope, row.notes, row.left_out,
    ), AGAIN  # fmt: skip
    for name in kept:
        v = estimate.total(name)
        assert row.metrics[name] == near((v.value, v.low, v.high), rel=1e-5), AGAIN


def test_results_are_small():
    assert sum(p.stat().st_size for p in results.DATA.rglob("*.gz")) < 4e6


def test_accuracies_are_told_apart(catalogue):
    kinds = {i.design.evidence for i in catalogue.items}
    assert kinds == {"", "measured", "published"}
    for item in catalogue.items:
        assert ("accuracy" in item.design.metrics) == bool(item.design.evidence)


def test_reading_needs_no_torch():
    import subprocess
    import sys

    code = (
        "import sys; from costmodel.dashboard.catalogue import Catalogue; c = Catalogue(); c.items; "
        "c.estimate('cnv-w1a1', 'pynq-z2', {}); sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize(
    "payload", [None, b"", b"no gzip", gzip.compress(b"{}", mtime=0), gzip.compress(b'{"format":1', mtime=0)]
)
def test_missing_or_broken_results_say_what_to_do(tmp_path, payload):
    if payload is not None:
        (tmp_path / "designs.json.gz").write_bytes(payload)
    with pytest.raises(CostmodelError, match=r"costmodel\.dashboard\.results"):
        results.read(tmp_path)


def test_a_name_becomes_no_path(catalogue):
    for name in ("../../etc/passwd", "/etc/passwd", "a\x00b"):
        assert "/" not in results._file(name) and "\x00" not in results._file(name)
        with pytest.raises(CostmodelError, match="unknown network"):
            catalogue.profile(name)
        with pytest.raises(CostmodelError, match="unknown target"):
            catalogue.target(name)


def test_a_folding_file_cannot_be_named_from_a_browser(catalogue):
    for path in ("/etc/passwd", "folding.json", "../x"):
        with pytest.raises(CostmodelError, match="folding"):
            catalogue.estimate("cnv-w1a1", "pynq-z2", {"folding": path})
