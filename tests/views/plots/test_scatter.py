import math

import hypothesis.strategies as st
import pytest
from hypothesis import given

from costmodel.errors import CostmodelError
from costmodel.targets.quantity import Interval
from costmodel.views.plots.marks import groups
from costmodel.views.plots.scatter import Design, scatter


def design(name, x, y, misfit=""):
    return Design(name, name, "s", {"energy_J": Interval.exact(x), "accuracy": Interval.exact(y)}, misfit=misfit)


values = st.integers(0, 6).map(float)
clouds = st.lists(st.tuples(values, values), max_size=25).map(
    lambda rows: [design(f"d{i}", x, y) for i, (x, y) in enumerate(rows)]
)


@given(clouds)
def test_front_is_exactly_what_nothing_dominates(designs):
    info = scatter(designs, "energy_J", "accuracy")
    front = {info.points[i].id for i in info.front}
    for d in designs:
        x, y = d.metrics["energy_J"].value, d.metrics["accuracy"].value
        beaten = any(
            o.metrics["energy_J"].value <= x and o.metrics["accuracy"].value >= y
            and (o.metrics["energy_J"].value, o.metrics["accuracy"].value) != (x, y)
            for o in designs
        )  # fmt: skip
        assert (d.id in front) == (not beaten)


@given(clouds)
def test_the_winner_named_is_at_least_as_good_in_both(designs):
    info = scatter(designs, "energy_J", "accuracy")
    by_label = {p.label: p for p in info.points}
    for p in info.points:
        if p.state == "dominated":
            winner = by_label[p.why.split(":")[0].removeprefix("beaten by ")]
            assert winner.x.value <= p.x.value and winner.y.value >= p.y.value
            assert winner.state == "front"


@given(clouds)
def test_no_point_lies_beyond_the_staircase(designs):
    xs, ys = scatter(designs, "energy_J", "accuracy").steps()
    assert xs == sorted(xs) and ys == sorted(ys)


def test_what_fails_a_constraint_is_no_member_and_beats_nothing():
    cheap, dear = design("cheap", 1, 90), design("dear", 2, 80)
    info = scatter([cheap, dear], "energy_J", "accuracy", lambda d: "too small" if d.id == "cheap" else "")
    assert [p.state for p in info.points] == ["failing", "front"]
    assert info.points[0].why == "too small"
    assert info.best().id == "dear"


def test_why_says_by_how_much():
    info = scatter([design("a", 1.0, 90.0), design("b", 2.0, 88.0)], "energy_J", "accuracy")
    assert info.points[1].why == "beaten by a: 2 points more top-1 accuracy and 2 times less energy per image"


def test_designs_that_lack_a_metric_are_counted_and_not_drawn():
    info = scatter([design("a", 1, 90), Design("b", "b", "s", {"energy_J": Interval.exact(1)})], "energy_J", "accuracy")
    assert len(info.points) == 1 and info.left_out == 1


def test_nothing_to_show_is_empty_and_not_an_error():
    info = scatter([], "energy_J", "accuracy")
    assert (info.points, info.front, info.best(), info.steps()) == ((), (), None, ([], []))


def test_two_maximised_axes_run_from_small_to_large():
    rows = [Design(n, n, "s", {"images_per_second": Interval.exact(x), "accuracy": Interval.exact(y)})
            for n, x, y in (("a", 1, 90), ("b", 10, 80), ("c", 1, 70))]  # fmt: skip
    info = scatter(rows, "images_per_second", "accuracy")
    assert [info.points[i].id for i in info.front] == ["a", "b"]
    assert info.points[2].why.startswith("beaten by ")
    assert info.steps() == ([1, 1, 10], [90, 80, 80])


def test_what_is_not_a_number_has_no_place():
    with pytest.raises(CostmodelError, match="b has no number"):
        scatter([design("a", 1, 90), design("b", math.nan, 90)], "energy_J", "accuracy")


def test_the_knee_is_the_member_farthest_from_the_line_between_the_ends():
    places = [(1, 10), (2, 80), (3, 85), (9, 90)]
    info = scatter([design(f"d{i}", float(x), float(y)) for i, (x, y) in enumerate(places)], "energy_J", "accuracy")
    ends = [info.points[info.front[0]], info.points[info.front[-1]]]

    def distance(p):
        (x0, y0), (x1, y1) = ((e.x.value, e.y.value) for e in ends)
        u, v = (p.x.value - x0) / (x1 - x0), (p.y.value - y0) / (y1 - y0)
        return v - u

    assert info.knee().id == max((info.points[i] for i in info.front), key=distance).id == "d1"
    assert scatter([], "energy_J", "accuracy").knee() is None


def test_a_figure_that_leaves_something_out_is_kept_off_the_front_unless_asked_for():
    bound = Design("b", "b", "s", {"energy_J": Interval.exact(1.0), "accuracy": Interval.exact(9.0)},
                   left_out={"energy_J": ("leakage is not in it",)})  # fmt: skip
    designs = [bound, design("whole", 5.0, 5.0)]
    off = scatter(designs, "energy_J", "accuracy")
    assert [off.points[i].id for i in off.front] == ["whole"]
    assert off.points[0].open_x == ("leakage is not in it",) and "leakage" in off.points[0].why
    on = scatter(designs, "energy_J", "accuracy", incomplete=True)
    assert [on.points[i].id for i in on.front] == ["b"]


@given(clouds)
def test_screen_and_paper_draw_every_point_once(designs):
    info = scatter(designs, "energy_J", "accuracy")
    drawn = [p.key for group in groups(info) for p in group.points]
    assert sorted(drawn) == sorted(p.key for p in info.points)


@given(st.lists(st.tuples(values, values, values, values), min_size=1, max_size=12))
def test_a_certain_member_is_on_the_front_wherever_the_others_lie(rows):
    def made(i, x, y, dx, dy):
        return Design(
            f"d{i}", f"d{i}", "s", {"energy_J": Interval(x, x - dx, x + dx), "accuracy": Interval(y, y - dy, y + dy)}
        )

    designs = [made(i, *row) for i, row in enumerate(rows)]
    info = scatter(designs, "energy_J", "accuracy")
    for p in info.points:
        worst = (p.x.high, p.y.low)
        beaten = any(
            o.x.low <= worst[0] and o.y.high >= worst[1] and (o.x.low, o.y.high) != worst
            for o in info.points if o is not p
        )  # fmt: skip
        if p.state == "front":
            assert p.certain == (not beaten)
        else:
            assert not p.certain
