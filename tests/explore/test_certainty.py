"""What is known of a front's members is what their estimates say, and constants that they share move together."""

import numpy as np
import pytest

from costmodel.cli.main import main
from costmodel.errors import CostmodelError
from costmodel.explore import certainty as module
from costmodel.explore.certainty import _bill, certainty
from costmodel.explore.front import front_of
from costmodel.explore.pareto import nondominated
from costmodel.explore.space import read_space
from costmodel.explore.sweep import sweep
from tests.near import near

TARGETS = {
    "fpga": {"target": "pynq-z2"},
    "fpga by size": {"target": "pynq-z2", "memories": "auto", "clock": [1e8, 2e8]},
    "fpga drawn": {"target": "pynq-z2", "folding": {"samples": 3000}},
    "asic": {"target": "xne", "mapping": "exact", "outputs": [1, 2, 4]},
    "arm": {"target": "raspberry-pi-4b", "threads": [1, 4], "clock": [6e8, 1.5e9]},
}
OBJECTIVES = {
    "fpga": ["seconds_per_image", "lut"],
    "asic": ["seconds_per_image", "energy_J", "area_mm2"],
    "arm": ["seconds_per_image", "clock_Hz"],
}


def front(tmp_path, name, network="tfc-w1a1"):
    kind = name.split()[0]
    space = read_space({"networks": [network], "targets": [TARGETS[name]], "objectives": {kind: OBJECTIVES[kind]}})
    (group,) = sweep(space, tmp_path, engine="serial")
    return front_of(space, group)


@pytest.mark.parametrize("name", TARGETS)
def test_every_member_is_priced_again_as_it_was(tmp_path, name):
    found = front(tmp_path, name)
    assert len(found) > 1
    for member in found.members:
        bill = _bill(member, "deployed")
        for objective in set(found.objectives) - {"seconds_per_image", "clock_Hz"}:
            assert bill.total(objective).value == near(member.metrics[objective], abs=1e-3, rel=1e-9)


@pytest.mark.parametrize("name", ["fpga by size", "asic", "arm"])
def test_members_are_on_the_nominal_front_and_their_shares_are_of_fronts(tmp_path, name):
    found = front(tmp_path, name)
    known = certainty(found, draws=50)
    assert known.nominal.all()
    assert np.all(known.possible >= known.nominal)
    assert np.all((known.share >= 0) & (known.share <= 1))
    assert nondominated(found.points(), keep_weakly=True).all()


def test_an_error_that_all_members_share_leaves_their_order_as_it_is(tmp_path):
    known = certainty(front(tmp_path, "arm"), draws=100)
    assert not known.certain.all()  # taken one by one, their bounds overlap
    assert known.share.min() == 1.0


def test_large_fronts_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "MEMBERS", 1)
    with pytest.raises(CostmodelError, match="at most 1 are priced again"):
        certainty(front(tmp_path, "arm"))


def test_the_command_line_says_it(tmp_path, capsys):
    path = tmp_path / "space.yaml"
    path.write_text("networks: [tfc-w1a1]\ntargets: [{target: xne, mapping: exact, outputs: [1, 2]}]\n")
    assert (
        main(["explore", str(path), "-o", str(tmp_path / "out"), "--engine", "serial", "--certainty", "--quiet"]) == 0
    )
    printed = " ".join(capsys.readouterr().out.split())
    assert "certain, whatever the constants are within their bounds:" in printed
    assert "on the front" in printed
