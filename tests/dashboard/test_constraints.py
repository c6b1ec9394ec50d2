import pytest

from costmodel.dashboard.constraints import Bound, failure, parse
from costmodel.errors import CostmodelError
from costmodel.targets.quantity import Interval
from costmodel.views.plots.scatter import Design
from tests.near import near


@pytest.mark.parametrize(
    ("text", "bounds"),
    [
        ("", ()),
        ("LUT ≤ 53 200 and FPS ≥ 30", (Bound("lut", True, 53200), Bound("images_per_second", False, 30))),
        ("lut <= 53,200, fps > 30", (Bound("lut", True, 53200), Bound("images_per_second", False, 30, True))),
        ("energy<10mJ; latency <= 2.5 ms", (Bound("energy_J", True, 0.01, True), Bound("latency_s", True, 0.0025))),
        ("accuracy >= 90 %", (Bound("accuracy", False, 90),)),
        ("mul <= 2M", (Bound("mul", True, 2e6),)),
        ("area <= 1.5e0 mm2", (Bound("area_mm2", True, 1.5),)),
    ],
)
def test_constraints_are_read_as_people_write_them(text, bounds):
    found = parse(text)
    assert [(b.metric, b.upper, b.strict) for b in found] == [(b.metric, b.upper, b.strict) for b in bounds]
    assert [b.limit for b in found] == near([b.limit for b in bounds])


@pytest.mark.parametrize(
    ("text", "said"),
    [("LUT", "no constraint"), ("colour <= 3", "unknown metric"), ("lut <= 3 bananas", "no unit"),
     ("lut <= 3 mJ", "no unit of LUTs"),
     ("lut <= many", "no constraint"), ("__import__('os') <= 1", "no constraint"), ("lut <= 1" * 100, "longer")],
)  # fmt: skip
def test_what_is_no_constraint_is_quoted(text, said):
    with pytest.raises(CostmodelError, match=said):
        parse(text)


def test_a_metric_that_is_not_known_cannot_be_met():
    design = Design("a", "a", "s", {"lut": Interval.exact(60000)})
    assert failure(design, parse("fps >= 1")) == "fails Images per second ≥ 1: not known here"
    assert failure(design, parse("lut <= 53200")) == "fails LUTs ≤ 53.2 k: it is 60 k"
    assert failure(design, parse("lut <= 60000")) == ""
    assert failure(design, parse("lut < 60000")) != ""
