import pytest

import costmodel
from costmodel.cli.main import main
from costmodel.errors import CostmodelError
from costmodel.explore.evaluators import metrics_of
from costmodel.explore.pareto import nondominated
from costmodel.explore.reference import RESULTS, list_fronts, reference_front
from costmodel.explore.space import MAXIMISED, read_space


def test_every_target_of_the_reference_space_has_a_front_unless_nothing_fits_it():
    space = read_space(RESULTS / "reference.yaml")
    assert {entry.target for entry in space.entries} - set(list_fronts()) == {"ice40-up5k"}
    assert set(list_fronts()) <= set(costmodel.list_targets())


@pytest.mark.parametrize("target", list_fronts())
def test_shipped_fronts_are_fronts(target):
    front = reference_front(target)
    assert front.label == target
    assert len(front) >= 1
    assert nondominated(front.points(), maximise=[o in MAXIMISED for o in front.objectives]).all()
    assert all(m.target == target and m.command.startswith("costmodel ") for m in front.members)


@pytest.mark.parametrize("target", ["raspberry-pi-4b", "asic-7nm-asap7"])
def test_a_member_prices_as_it_says(target):
    front = reference_front(target)
    member = front.members[0]
    entry = next(e for e in read_space(RESULTS / "reference.yaml").entries if e.target == target)
    now = metrics_of(costmodel.profile(member.network).deployed, entry, member.settings)
    for name in set(front.objectives) - {"accuracy"}:
        assert member.metrics[name] == pytest.approx(now[name], rel=1e-9)


def test_a_shipped_folding_is_made_again_by_its_command(capsys):
    front = reference_front("alveo-u250")
    member = front.best("lut")
    assert main([*member.command.split()[1:], "--max-ff", "1e9", "--format", "csv"]) == 0
    printed = dict(line.split(",")[:2] for line in capsys.readouterr().out.splitlines() if line.startswith("lut,"))
    assert float(printed["lut"]) == pytest.approx(member.metrics["lut"], abs=1)


def test_a_target_without_a_shipped_front_is_named():
    with pytest.raises(CostmodelError, match="alveo-u250"):
        reference_front("alveo-u251")
