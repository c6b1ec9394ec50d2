"""One identity a point, one kind of thing on a front, and the same on the screen and in the file."""

import numpy as np
import pytest

from costmodel.dashboard.answer import answer, hidden_words, sentence
from costmodel.dashboard.catalogue import Catalogue
from costmodel.dashboard.download import table
from costmodel.dashboard.selection import CONTROLS, brushed, build, choose, hidden, listed_keys, rows
from costmodel.dashboard.state import FIELDS
from costmodel.metrics import METRICS, metric

AXES = [name for name, m in METRICS.items() if m.headline or m.of_network or name == "accuracy"]
CONSTRAINTS = ("", "accuracy >= 60", "latency <= 1 ms")


@pytest.fixture(scope="module")
def catalogue():
    return Catalogue()


def controls(**more):
    at = {component: default for component, _, default, _ in FIELDS.values()}
    return {name: at[name] for name in CONTROLS} | more


def brute_force(points, x, y):
    """Keys of the points that no other is better than in one metric and at least equal to in the other."""
    sign = np.array([-1.0 if metric(n).maximised else 1.0 for n in (x, y)])
    at = np.array([(p.x.value, p.y.value) for p in points]).reshape(-1, 2) * sign
    no_worse = (at[:, None, :] <= at[None, :, :]).all(-1)
    better = (at[:, None, :] < at[None, :, :]).any(-1)
    return {p.key for p, beaten in zip(points, (no_worse & better).any(0), strict=True) if not beaten}


@pytest.mark.parametrize("y", ["accuracy", "latency_s", "tops_per_watt"])
@pytest.mark.parametrize("data", ["cifar10", "cifar100", "imagenet", "mnist", "digits"])
def test_the_front_is_that_of_brute_force_and_of_the_file(catalogue, data, y):
    for number, x in enumerate(AXES):
        c = controls(dataset=data, x=x, y=y, constraints=CONSTRAINTS[number % len(CONSTRAINTS)])
        info, items = build(catalogue, c)
        head, lines = table(info, items, [])
        on_screen = [info.points[i].key for i in info.front]
        assert set(on_screen) == brute_force([p for p in info.points if p.state != "failing"], x, y), (x, y)
        assert sum(line[head.index("state")] == "front" for line in lines) == len(on_screen) == len(set(on_screen))
        assert len(lines) == len(info.points)
        of = {i.design.key: i for i in items}
        assert len(of) == len(items)
        for p, line in zip(info.points, lines, strict=True):  # a row is the point's, with its own accuracy and source
            row = dict(zip(head, line, strict=True))
            assert (row["network"], row["target"], row["conditions"]) == (
                of[p.key].network, of[p.key].target, of[p.key].conditions,
            )  # fmt: skip
            assert row[x] == p.x.value and row[y] == p.y.value


def test_energy_of_one_scope_is_compared_at_a_time(catalogue):
    for x in ("energy_J", "power_W", "tops_per_watt"):
        for scope in ("most", "chip core", "chip", "board"):
            info, _ = build(catalogue, controls(x=x, scope=scope))
            scopes = {p.design.scope for p in info.points}
            assert len(scopes) <= 1 and (scope == "most" or scopes <= {scope}), (x, scope)
    every, _ = build(catalogue, controls(x="latency_s"))
    assert len({p.design.scope for p in every.points}) > 2


def test_incomplete_totals_are_on_no_front_unless_asked_for(catalogue):
    off, _ = build(catalogue, controls(x="energy_J", scope="chip core"))
    on, _ = build(catalogue, controls(x="energy_J", scope="chip core", incomplete="on"))
    incomplete = [p for p in off.points if p.open_ended]
    assert incomplete and all(p.state == "failing" and "incomplete" in p.why for p in incomplete)
    assert any(on.points[i].open_ended for i in on.front)


def test_what_an_estimate_notes_travels_with_its_figure(catalogue):
    for network, target in (("cnv-w1a1", "xne"), ("cnv-w1a1", "pynq-z2"), ("cnv-w1a1", "cortex-m4")):
        estimate = catalogue.estimate(network, target, {})
        item = next(i for i in catalogue.items if (i.network, i.target) == (network, target))
        assert item.design.notes == estimate.notes
        assert item.design.scope == estimate.scope != ""
        shown = {name: why for name, why in estimate.left_out.items() if name in item.design.metrics}
        assert dict(item.design.left_out) == shown


def test_every_design_of_a_filter_is_shown_or_said_to_be_hidden(catalogue):
    for x in ("latency_s", "energy_J", "lut", "area_mm2"):
        c = controls(x=x)
        info, _ = build(catalogue, c)
        away = hidden(catalogue, c)
        assert sum(h.count for h in away) + len(info.points) == len(choose(catalogue, c)), x
        assert len(hidden_words(away)) == len(away)


def test_a_network_is_found_by_its_name(catalogue):
    info, items = build(catalogue, controls(network=["cnv-w1a1"]))
    assert info.points and {i.network for i in items} == {"cnv-w1a1"}


def test_rows_are_numbers_and_what_is_listed_is_what_is_counted(catalogue):
    info, items = build(catalogue, controls())
    front = rows(info, items, [])
    assert len(front) == len(info.front) == len(listed_keys(info, [], False))
    assert all(isinstance(row[name], float) and row[f"{name}_text"] for row in front for name in "xy")
    assert len(listed_keys(info, [], True)) == len(info.points)
    two = [info.points[0].key, info.points[5].key]
    assert brushed(info, two) == two == listed_keys(info, two, True)


def test_no_kind_of_hardware_is_left_out_of_the_answer():
    from costmodel.dashboard.answer import KINDS
    from costmodel.targets import list_targets

    assert set(list_targets().values()) <= set(KINDS)


def test_the_answer_names_ends_and_knee_of_each_kind(catalogue):
    info, items = build(catalogue, controls())
    found = answer(info, items)
    kinds = {row.kind for row in catalogue.targets.values()}
    assert {row.kind for row in found} == kinds >= {"asic", "fpga", "arm"}
    for kind in kinds:
        roles = [role for row in found if row.kind == kind for role in row.roles]
        assert sorted(roles) == ["knee", "least latency", "most accurate"]
        own = [p for p, i in zip(info.points, items_of(info, items), strict=True) if i.kind == kind]
        able = [p for p in own if p.state != "failing"]
        fastest = next(row for row in found if row.kind == kind and "least latency" in row.roles)
        assert fastest.point.x.value == min(p.x.value for p in able)
        top = next(row for row in found if row.kind == kind and "most accurate" in row.roles)
        assert top.point.y.value == max(p.y.value for p in able)
        assert {row.point.key for row in found if row.kind == kind} <= brute_force(able, "latency_s", "accuracy")
    said = sentence(info, found, "cifar10")
    assert said.startswith("CIFAR-10: best compromise") and f"{len(info.front)} of {len(info.points):,} designs" in said


def items_of(info, items):
    of = {i.design.key: i for i in items}
    return [of[p.key] for p in info.points]
