"""What the controls say is what is priced, and the command line that is shown makes that very design."""

import json
import shlex

import pytest

from costmodel.cli import main as cli
from costmodel.dashboard import whatif
from costmodel.dashboard.catalogue import Catalogue
from costmodel.dashboard.state import pairs
from costmodel.errors import CostmodelError

NETWORK = "abbnn-reactnet6-digits"
FOLDED = "4x27,64x32,4x192,32x32,1x384,4x16,1x16,1x32,10x1"
#: Values that are not the defaults, where three quarters of those will not do.
OTHER = {
    "folding": FOLDED, "mapping": "owowowo", "voltage": 0.9, "node": 28.0, "fps": 60.0, "window": 9, "threads": 4,
    "kind_bits": "linear=4",
}  # fmt: skip


@pytest.fixture(scope="module")
def catalogue():
    return Catalogue()


def control(target, name, value):
    return {"type": "whatif", "of": target, "name": name}, value


def asked(client, changed, wild=(), settings=(), target="asic-45nm-nangate", network=NETWORK):
    values = {"d-network.value": network, "d-target.value": target, "settings.data": list(settings)}
    return client.ask("settings.data", values, changed=changed, wild=wild)


def ids(component):
    """Ids of all controls of a panel that was answered."""
    if isinstance(component, dict):
        own = component.get("props", {})
        found = [own["id"]] if isinstance(own.get("id"), dict) else []
        return found + ids(own.get("children"))
    return [i for c in component for i in ids(c)] if isinstance(component, list) else []


def test_a_control_makes_a_setting_and_a_default_makes_none(client):
    controls = [control("asic-45nm-nangate", "clock", 250), control("asic-45nm-nangate", "outputs", 32)]
    answer = asked(client, 'x.{"name":"clock"}.value', controls)
    assert answer["settings"]["data"] == ["clock=250000000"]
    assert "whatif" not in answer  # the controls stay as they are


def test_settings_that_did_not_change_are_not_announced(client):
    controls = [control("asic-45nm-nangate", "clock", 250)]
    assert "settings" not in asked(client, "x.value", controls, settings=["clock=250000000.0"])


def test_controls_of_the_design_shown_before_are_replaced_whatever_was_changed(client):
    """They are still on the page where a control is changed while a change of the target is being answered: that answer
    is given up for this one."""
    left = [control("asic-45nm-nangate", "outputs", 64), control("asic-45nm-nangate", "clock", 250)]
    answer = asked(client, "x.value", left, settings=["clock=250000000"], target="cortex-a72")
    assert answer["settings"]["data"] == []
    assert {i["of"] for i in ids(answer["whatif"]["children"])} == {"cortex-a72"}
    other = [control("cnv-w1a1@pynq-z2", "folding", FOLDED), control("pynq-z2", "clock", 150)]
    now = ["clock=150000000", f"folding={FOLDED}"]
    answer = asked(client, "x.value", other, settings=now, target="pynq-z2", network="tfc-w1a1")
    assert answer["settings"]["data"] == ["clock=150000000"]
    assert {i["of"] for i in ids(answer["whatif"]["children"])} == {"pynq-z2", "tfc-w1a1@pynq-z2"}


def test_another_target_begins_with_its_defaults_and_another_network_keeps_all_but_the_folding(client):
    now = ["clock=150000000", f"folding={FOLDED}"]
    fresh = asked(client, "d-target.value", settings=now, target="pynq-z2", network="cnv-w1a1")
    assert fresh["settings"]["data"] == []
    here = [control("pynq-z2", "clock", 150), control("cnv-w1a1@pynq-z2", "folding", FOLDED)]
    kept = asked(client, "d-network.value", here, settings=now, target="pynq-z2", network="tfc-w1a1")
    assert kept["settings"]["data"] == ["clock=150000000"]
    assert {i["of"] for i in ids(kept["whatif"]["children"])} == {"pynq-z2", "tfc-w1a1@pynq-z2"}


def test_a_value_that_may_not_be_chosen_is_said_and_changes_nothing(client):
    answer = asked(client, "x.value", [control("asic-45nm-nangate", "clock", 1e12)])
    assert "at most" in answer["whatif-said"]["children"] and "settings" not in answer
    named = [control("pynq-z2", "clock", 100), control("cnv-w1a1@pynq-z2", "folding", "/etc/passwd")]
    answer = asked(client, "x.value", named, target="pynq-z2", network="cnv-w1a1")
    assert "expected auto" in answer["whatif-said"]["children"] and "settings" not in answer


@pytest.mark.parametrize("target", ["asic-45nm-nangate", "pynq-z2", "raspberry-pi-4b"])
def test_every_choice_has_a_control(catalogue, target):
    controls = [json.loads(json.dumps(c, default=lambda o: o.to_plotly_json()))
                for c in whatif.panel(catalogue, "cnv-w1a1", target, {})]  # fmt: skip
    named = [i["name"] for i in ids(controls) if i["type"] == "whatif"]
    assert sorted(named) == sorted(catalogue.parameters(target))


def test_one_unit_is_folded_by_hand(catalogue):
    automatic = whatif.folding_of(catalogue, "cnv-w1a1", "pynq-z2", {})
    fold = whatif.fold_of(catalogue, "cnv-w1a1", "pynq-z2", {}, "0")
    assert (fold.pe, fold.simd) == automatic[0] == (16, 9)
    assert fold.simds == (1, 3, 9, 27)
    assert whatif.refolded(catalogue, "cnv-w1a1", "pynq-z2", {}, 0, *automatic[0]) is None
    line = whatif.refolded(catalogue, "cnv-w1a1", "pynq-z2", {}, 0, 2, 9)
    narrow = catalogue.estimate("cnv-w1a1", "pynq-z2", {"folding": line})
    assert narrow.facts["folding"]["convs.0"] == (2, 9)
    assert narrow.facts["interval_cycles"] == 8 * 10800  # 32 x 3 x 900 cycles instead of 4 x 3 x 900
    assert whatif.folding_of(catalogue, "cnv-w1a1", "pynq-z2", {"folding": line})[0] == (2, 9)
    assert whatif.fold_of(catalogue, "cnv-w1a1", "pynq-z2", {}, "9") is None


def other_than(name, parameter):
    """A value that may be chosen and is not the default."""
    if name in OTHER:
        return OTHER[name]
    if parameter.choices is not None:
        return next((c for c in parameter.choices if c != parameter.default), None)
    if isinstance(parameter.default, bool):
        return not parameter.default
    low = parameter.min if parameter.min is not None else 0
    high = parameter.max if parameter.max is not None else 1e9
    return type(parameter.default)(min(max(parameter.default * 3 // 4 or 8, low), high))


@pytest.mark.parametrize("target", ["asic-45nm-nangate", "pynq-z2", "zcu102", "raspberry-pi-4b"])
def test_the_command_makes_the_same_design(catalogue, target, capsys):
    """One choice after another; all digits of all totals."""
    tried = 0
    for name, parameter in catalogue.parameters(target).items():
        value = other_than(name, parameter)
        network = "cnv-w1a1" if name == "folding" else NETWORK
        if value is None or name == "ports":
            continue
        settings = pairs(whatif.texts(catalogue.settings(target, {name: value})))
        words = shlex.split(catalogue.command(network, target, settings))
        status = cli.main([*words[1:], "--format", "json"])
        if status == 2:  # what this network or core cannot have is refused on both faces
            with pytest.raises(CostmodelError):
                catalogue.estimate(network, target, settings)
            capsys.readouterr()
            tried += 1
            continue
        assert status == 0, words
        printed = json.loads(capsys.readouterr().out)["estimates"][0]["totals"]
        shown = catalogue.estimate(network, target, settings)
        for metric in shown.metrics():
            assert printed[metric]["value"] == shown.total(metric).value, (words, metric)
        tried += 1
    assert tried >= len(catalogue.parameters(target)) - 2


def test_choices_that_do_not_exist_are_left_out_of_a_link(catalogue):
    given = {"clock": "2e8", "nonsense": "1", "outputs": "-3", "folding": "/etc/passwd"}
    assert whatif.known(catalogue, "asic-45nm-nangate", given) == {"clock": 2e8}
    with pytest.raises(CostmodelError):
        catalogue.settings("asic-45nm-nangate", given)


@pytest.mark.parametrize(
    ("typed", "settings", "said"),
    [
        ("250", ["clock=250000000"], ""),
        ("2.5e2", ["clock=250000000"], ""),
        ("250 MHz", ["clock=250000000"], ""),
        ("1e9", None, r"clock: 1e+09 MHz: choose at most"),
        ("fast", None, "clock: “fast” is not a number of MHz"),
        ("nan", None, "is not a number of MHz"),
        ("-5", None, "clock: -5 MHz: choose at least"),
    ],
)
def test_numbers_are_read_and_refused_in_the_unit_of_their_box(client, typed, settings, said):
    answer = asked(client, 'x.{"name":"clock"}.value', [control("asic-45nm-nangate", "clock", typed)])
    assert said in answer["whatif-said"]["children"] and "Hz" not in answer["whatif-said"]["children"].replace(
        "MHz", ""
    )
    assert answer.get("settings", {}).get("data") == settings
