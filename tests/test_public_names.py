"""Every parameter of the public API that takes a name is asked with a wrong one; what takes free text says why."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import costmodel
from costmodel.errors import CostmodelError, UnknownNameError

NET, SMALL = "abbnn-reactnet6-digits", "tfc-w1a1"
SPACE = {"networks": [SMALL], "targets": ["pynq-z2"], "objectives": ["seconds_per_image", "lut"]}
Ask = Callable[[Any], Any]
#: Parameter -> the question with a wrong name, and the name that was meant.
WRONG: dict[str, tuple[Ask, str]] = {
    "Estimate.total(metric)": (lambda has: has.Estimate.total("energy_mJ"), "energy_J"),
    "Estimate.has(metric)": (lambda has: has.Estimate.has("luts_used"), "lut"),
    "Estimate.explain(metric)": (lambda has: has.Estimate.explain("energy_mJ"), "energy_J"),
    "Estimate.lines_of(metric)": (lambda has: list(has.Estimate.lines_of("bram_18")), "bram18"),
    "Estimate.by_layer(metric)": (lambda has: has.Estimate.by_layer("latency_ms"), "latency_s"),
    "Estimate.by_kind(metric)": (lambda has: has.Estimate.by_kind("bram_18"), "bram18"),
    "Estimate.by_component(metric)": (lambda has: has.Estimate.by_component("lutt"), "lut"),
    "Front.best(objective)": (lambda has: has.Front.best("luts"), "lut"),
    "Ledger.total(kinds)": (lambda has: has.Ledger.total("mul", "XNORs"), "xnor"),
    "Ledger.bits_moved(roles)": (lambda has: has.Ledger.bits_moved("weights"), "weight"),
    "Ledger.filter(kinds)": (lambda has: has.Ledger.filter(kinds=("popcounts",)), "popcount"),
    "Ledger.filter(tags)": (lambda has: has.Ledger.filter(tags="binary_convs"), "binary_conv"),
    "Profile.ledger(level)": (lambda has: has.Profile.ledger("deploy"), "deployed"),
    "Profile.estimate(options)": (lambda has: has.Profile.estimate("pynq-z2", clok=1e8), "clock"),
    "build_model(name)": (lambda has: costmodel.build_model("abbnn-reactnet6-digts"), NET),
    "compare(networks)": (lambda has: costmodel.compare("tfc-w1a"), SMALL),
    "compare(targets)": (lambda has: costmodel.compare(SMALL, targets="pynq-z3"), "pynq-z2"),
    "compare(level)": (lambda has: costmodel.compare(SMALL, level="deploy"), "deployed"),
    "compare(scale)": (lambda has: costmodel.compare(SMALL, scale="exac"), "exact"),
    "compare(options)": (lambda has: costmodel.compare(SMALL, targets="pynq-z2", clok=3), "clock"),
    "deploy(model)": (lambda has: costmodel.deploy("abbnn-reactnet6-digts"), NET),
    "estimate(target)": (lambda has: costmodel.estimate(has.Ledger, "pynq-z3"), "pynq-z2"),
    "estimate(level)": (lambda has: costmodel.estimate(has.Ledger, "pynq-z2", level="writen"), "as_written"),  # type: ignore[arg-type]
    "estimate(scale)": (lambda has: costmodel.estimate(has.Ledger, "xne", scale="csd"), "csd2"),
    "estimate(options)": (lambda has: costmodel.estimate(has.Ledger, "xne", clok=3), "clock"),
    "explore(engine)": (lambda has: costmodel.explore(SPACE, engine="locl"), "local"),
    "explore(space)": (lambda has: costmodel.explore({**SPACE, "objectiv": ["lut"]}), "objectives"),
    "fold(network)": (lambda has: costmodel.fold("tfc-w1a", "pynq-z2"), SMALL),
    "fold(target)": (lambda has: costmodel.fold(SMALL, "pynq-z3"), "pynq-z2"),
    "fold(goal)": (lambda has: costmodel.fold(SMALL, "pynq-z2", goal="luts"), "lut"),
    "fold(limits)": (lambda has: costmodel.fold(SMALL, "pynq-z2", limits={"luts": 3}), "lut"),
    "fold(memories)": (lambda has: costmodel.fold(SMALL, "pynq-z2", memories="fre"), "free"),
    "fold(scale)": (lambda has: costmodel.fold(SMALL, "pynq-z2", scale="exac"), "exact"),
    "fold(options)": (lambda has: costmodel.fold(SMALL, "pynq-z2", clok=1), "clock"),
    "list_targets(kind)": (lambda has: costmodel.list_targets("fpg"), "fpga"),
    "load_target(name)": (lambda has: costmodel.load_target("pynq-z3"), "pynq-z2"),
    "profile(model)": (lambda has: costmodel.profile("tfc-w1a"), SMALL),
    "report(networks)": (lambda has: costmodel.report(has.path, "tfc-w1a", "pynq-z2"), SMALL),
    "report(targets)": (lambda has: costmodel.report(has.path, SMALL, "pynq-z3"), "pynq-z2"),
    "report(kind)": (lambda has: costmodel.report(has.path, SMALL, kind="netwrk"), "network"),
    "report(level)": (lambda has: costmodel.report(has.path, SMALL, level="deploy"), "deployed"),
    "report(format)": (lambda has: costmodel.report(has.path, SMALL, format="pfd"), "pdf"),
    "report(paper)": (lambda has: costmodel.report(has.path, SMALL, paper="a44"), "a4"),
    "report(options)": (lambda has: costmodel.report(has.path, SMALL, "pynq-z2", clok=3), "clock"),
    "report(checkpoints)": (lambda has: costmodel.report(has.path, SMALL, checkpoints={"tfc-w1a": "x.pt"}), SMALL),
    "report(arguments)": (lambda has: costmodel.report(has.path, SMALL, arguments={"tfc-w1a": {"hidden": 3}}), SMALL),
    "totals(target)": (lambda has: costmodel.totals(has.Ledger, "pynq-z3"), "pynq-z2"),
    "totals(level)": (lambda has: costmodel.totals(has.Profile, "xne", level="deploy"), "deployed"),  # type: ignore[arg-type]
    "totals(options)": (lambda has: costmodel.totals(has.Ledger, "xne", clok=[3]), "clock"),
    "validate(kinds)": (lambda has: costmodel.validate(["fpgaa"]), "fpga"),
}
#: Parameter -> a value that is no name at all, and what is said about it.
REFUSED: dict[str, tuple[Ask, str]] = {
    "build_model(arguments)": (lambda has: costmodel.build_model(NET, widht=3), "Did you mean width"),
    "deploy(arguments)": (lambda has: costmodel.deploy(NET, arguments={"widht": 3}), "Did you mean width"),
    "profile(arguments)": (lambda has: costmodel.profile(NET, arguments={"widht": 3}), "Did you mean width"),
    "profile(checkpoint)": (lambda has: costmodel.profile(NET, checkpoint="no.pt"), "no checkpoint no.pt"),
    "deploy(checkpoint)": (lambda has: costmodel.deploy(NET, checkpoint="no.pt"), "no.pt"),
    "profile(argv)": (
        lambda has: costmodel.profile(has.module, "1x3", argv=["--depth"]),
        "for a network that is named",
    ),
    "compare(inputs)": (lambda has: costmodel.compare(SMALL, inputs="3 by 3"), "cannot be read"),
    "report(inputs)": (lambda has: costmodel.report(has.path, SMALL, inputs=["3 by 3"]), "cannot be read"),
    "report(path)": (lambda has: costmodel.report("report.xyz", SMALL), "xyz"),
    "report(sweeps)": (lambda has: costmodel.report(has.path, sweeps=["nowhere"]), "nowhere"),
    "report(accuracies)": (lambda has: costmodel.report(has.path, SMALL, accuracies=["no.csv"]), r"no\.csv"),
    "report(date)": (lambda has: costmodel.report(has.path, SMALL, date="today"), "YYYY-MM-DD"),
    "explore(accuracies)": (lambda has: costmodel.explore(SPACE, accuracies=["no.csv"]), r"no\.csv"),
    "register_op(name)": (lambda has: costmodel.register_op("correlation", lambda call: []), "mylib::op"),
}
#: What may be any text.
FREE = {
    "deploy(name)": "what the network is called in the answer",
    "explore(address)": "of a cluster",
    "explore(folder)": "is made",
    "Front.write(folder)": "is made",
    "list_models(pattern)": "a pattern that may match nothing",
    "profile(name)": "what the network is called in the answer",
    "report(argv)": "the command line of the networks' own code",
    "report(given)": "words of the command in the report",
    **dict.fromkeys((f"{noun}.to_latex(label)" for noun in ("Comparison", "Estimate", "Front", "Ledger", "Profile")),
                    "of the reader's own"),
}  # fmt: skip


def asked() -> Iterator[str]:
    """Parameters of the public functions and methods whose type holds text, and whatever is passed on by name."""
    for name in costmodel.__all__:
        value = getattr(costmodel, name)
        methods = inspect.getmembers(value, inspect.isfunction) if inspect.isclass(value) else [("", value)]
        for method, function in methods:
            if method.startswith("_") or not callable(function):
                continue
            for parameter in inspect.signature(function).parameters.values():
                text = re.sub(r"Callable\[\[.*?\].*?\]", "", str(parameter.annotation))
                if re.search(r"\b(str|Level)\b", text) or parameter.kind is parameter.VAR_KEYWORD:
                    yield f"{name}.{method}({parameter.name})" if method else f"{name}({parameter.name})"


@pytest.fixture(scope="module")
def has(tmp_path_factory: pytest.TempPathFactory) -> SimpleNamespace:
    from torch import nn

    from costmodel.explore.reference import reference_front

    profile = costmodel.profile(NET)
    return SimpleNamespace(
        Profile=profile, Ledger=profile.deployed, Estimate=profile.estimate("pynq-z2"),
        Comparison=costmodel.compare(profile), Front=reference_front("pynq-z2"), module=nn.Linear(3, 2),
        path=tmp_path_factory.mktemp("reports") / "report.md",
    )  # fmt: skip


def test_no_parameter_is_left_out() -> None:
    tables = {f"{noun}.{to}(by)" for noun in ("Comparison", "Estimate", "Front", "Ledger", "Profile") for to in TO}
    groups = [set(WRONG), set(REFUSED), set(FREE), tables]
    assert sum(map(len, groups)) == len(set().union(*groups))
    assert set(asked()) == set().union(*groups)


@pytest.mark.parametrize("parameter", WRONG)
def test_a_wrong_name_is_an_error_with_the_nearest(parameter: str, has: SimpleNamespace) -> None:
    ask, meant = WRONG[parameter]
    with pytest.raises(UnknownNameError) as raised:
        ask(has)
    assert meant in raised.value.suggestions, raised.value
    assert not has.path.exists()


@pytest.mark.parametrize("parameter", REFUSED)
def test_what_cannot_be_meant_is_said(parameter: str, has: SimpleNamespace) -> None:
    ask, words = REFUSED[parameter]
    with pytest.raises(CostmodelError, match=words):
        ask(has)
    assert not has.path.exists()


TO = ("to_frame", "to_csv", "to_markdown", "to_latex")


@pytest.mark.parametrize("to", TO)
@pytest.mark.parametrize("noun", ["Comparison", "Estimate", "Front", "Ledger", "Profile"])
def test_a_table_that_a_noun_has_not_is_an_error_that_names_those_it_has(noun, to, has) -> None:
    thing = getattr(has, noun)
    with pytest.raises(UnknownNameError) as raised:
        getattr(thing, to)("by layrs")
    assert all(part in str(raised.value) for part in thing._view().parts)


def test_options_without_a_target_change_nothing_in_silence() -> None:
    with pytest.raises(CostmodelError, match="clock acts on a target"):
        costmodel.compare(SMALL, clock=1e8)


def test_a_file_of_a_report_is_not_left_behind(tmp_path: Path) -> None:
    with pytest.raises(CostmodelError):
        costmodel.report(tmp_path / "report.md", SMALL, "pynq-z2", clok=3)
    assert list(tmp_path.iterdir()) == []
