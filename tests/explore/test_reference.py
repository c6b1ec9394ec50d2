import pytest

import costmodel
from costmodel.cli.main import main
from costmodel.errors import CostmodelError
from costmodel.explore.evaluators import metrics_of
from costmodel.explore.pareto import nondominated
from costmodel.explore.reference import RESULTS, datasets, list_fronts, reference_front
from costmodel.explore.space import read_space
from costmodel.metrics import maximised
from tests.near import near

SHIPPED = [(dataset, target) for dataset in datasets() for target in list_fronts(dataset)]


def space_of(dataset):
    return read_space(RESULTS / dataset / "reference.yaml")


@pytest.mark.parametrize("dataset", datasets())
def test_every_target_that_holds_a_network_of_the_reference_space_has_a_front(dataset):
    targets = {entry.target for entry in space_of(dataset).entries}
    assert targets <= set(costmodel.list_targets())
    assert targets - set(list_fronts(dataset)) <= {"ice40-up5k"}


@pytest.mark.parametrize(("dataset", "target"), SHIPPED)
def test_shipped_fronts_are_fronts(dataset, target):
    front = reference_front(target, dataset)
    assert front.label == target
    assert len(front) >= 1
    assert nondominated(front.points(), maximise=[maximised(o) for o in front.objectives]).all()
    assert all(m.target == target and m.command.startswith("costmodel ") for m in front.members)


@pytest.mark.parametrize("target", ["alveo-u250", "asic-130nm-sky130", "raspberry-pi-4b"])
def test_members_run_at_the_clocks_of_the_space(target):
    entry = next(entry for entry in space_of("cifar10").entries if entry.target == target)
    used = {member.settings["clock"] for member in reference_front(target).members}
    assert used <= set(dict(entry.axes)["clock"])
    if "clock_Hz" in reference_front(target).objectives:
        assert len(used) > 1


@pytest.mark.parametrize("target", ["raspberry-pi-4b", "asic-7nm-asap7", "xne"])
def test_a_member_prices_as_it_says(target):
    front = reference_front(target)
    member = front.members[0]
    entry = next(e for e in space_of("cifar10").entries if e.target == target)
    now = metrics_of(costmodel.profile(member.network).deployed, entry, member.settings)
    for name in set(front.objectives) - {"accuracy"}:
        assert member.metrics[name] == near(now[name], rel=1e-9)


@pytest.mark.parametrize("target", ["alveo-u250", "zcu104"])
def test_a_shipped_folding_is_made_again_by_its_command(target, capsys):
    member = reference_front(target).best("lut")
    assert main([*member.command.split()[1:], "--max-ff", "1e9", "--format", "csv"]) == 0
    printed = dict(line.split(",")[:2] for line in capsys.readouterr().out.splitlines() if line.startswith("lut,"))
    assert float(printed["lut"]) == near(member.metrics["lut"], abs=1)


def test_what_is_not_shipped_is_named():
    with pytest.raises(CostmodelError, match="alveo-u250"):
        reference_front("alveo-u251")
    with pytest.raises(CostmodelError, match="cifar10"):
        reference_front("alveo-u250", "cifar11")
