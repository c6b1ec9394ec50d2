"""Times of layers: constants that made them are found again, intervals hold, and the file prices as the fit does."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from costmodel import profile
from costmodel.calibrate.timing import Least, Timed, Whole, noise
from costmodel.calibrate.timing_fit import REPEATS, Fit, Machine, fit, non_negative, student95, target_yaml
from costmodel.errors import CostmodelError
from costmodel.targets import estimate, load_target
from costmodel.targets.cpu.work import ALIKE, CALLS, TERMS, Engine, amounts
from tests.near import near

CACHE = 1 << 19
NETWORKS = ("cnv-w1a1", "bn-bnn18-cifar10", "abbnn-reactnet18-cifar10", "mobilenetv1")
MACHINE = Machine("a machine", {"cores": 2}, "timed in a test", CACHE)


def truth(name: str) -> float:
    """Seconds of one amount on a machine that is made up."""
    return 2e-5 if name.startswith("call") else 1e-10 * (1 + sum(map(ord, name)) % 7)


def timed(engine: Engine, names: tuple[str, ...] = NETWORKS, error: float = 0.0) -> list[Timed]:
    """Rows of networks on that machine, each off by up to ``error``."""
    random = np.random.default_rng(3)
    rows = []
    for name in names:
        made = profile(name)
        ledger = made.deployed if engine == "executor" else made.as_written
        for layer, kind, work in amounts(ledger, engine, CACHE):
            seconds = sum(truth(a.name) * a.count for a in work) * (1 + error * random.uniform(-1, 1))
            rows.append(Timed(name, (layer.index,), (kind,), work, seconds, 1.0))
    return rows


@pytest.mark.parametrize("engine", ["executor", "pytorch"])
def test_times_that_follow_the_law_are_predicted_of_networks_that_are_left_out(engine: Engine) -> None:
    found = fit(timed(engine), engine)
    for name, ratio in found.ratios.items():
        if name != "mobilenetv1":  # it alone has what a depthwise convolution costs
            assert ratio == near(1, abs=0.05), name
    whole = sum(row.seconds for row in timed(engine))
    law = sum(found.constants[a.name].value * a.count for row in timed(engine) for a in row.work)
    assert law == near(whole, rel=1e-3)


def test_an_interval_holds_its_value_and_at_least_a_tenth_on_each_side() -> None:
    found = fit(timed("executor", error=0.2), "executor")
    for name, c in found.constants.items():
        assert c.low <= 0.9 * c.value <= c.value <= c.high, name
        assert c.high >= 1.1 * c.value, name


@pytest.mark.parametrize("networks", [3, 6, 10])
@pytest.mark.parametrize("error", [0.05, 0.3])
def test_bounds_hold_nine_tenths_of_networks_that_were_not_fitted(networks: int, error: float) -> None:
    """Errors of networks and of the hour, drawn; bounds from the errors of a few that were left out."""
    random, draws, held = np.random.default_rng(7), 2000, 0
    for _ in range(draws):
        *seen, other = np.exp(random.normal(0, error, networks + 1))
        later = np.exp(random.normal(0, np.log1p(REPEATS) / 1.645))
        low, high = Fit("executor", {}, {str(k): float(ratio) for k, ratio in enumerate(seen)}).bounds
        held += bool(low <= other * later <= high)
    assert 0.88 <= held / draws <= 0.95


def test_bounds_of_a_perfect_fit_are_those_of_repetition() -> None:
    assert Fit("executor", {}, dict.fromkeys("abc", 1.0)).bounds == (near(1 / (1 + REPEATS)), near(1 + REPEATS))


def test_points_of_students_distribution() -> None:
    """As tabulated."""
    for freedom, point in ((3, 2.3534), (5, 2.0150), (6, 1.9432), (10, 1.8125), (30, 1.6973)):
        assert student95(freedom) == near(point, rel=3e-3)


def test_every_kind_has_constants_and_those_that_were_not_measured_say_so() -> None:
    found = fit(timed("executor", ("cnv-w1a1", "bn-bnn18-cifar10", "tfc-w1a1")), "executor")
    wanted = {f"{kind}.{term}" for kind, terms in TERMS["executor"].items() for term in terms}
    assert wanted | set(CALLS["executor"]) | {"excess"} == set(found.constants)
    assert found.constants["prelu.element"].alike and not found.constants["threshold.element"].alike
    borrowed = found.constants["prelu_real.element"]
    assert borrowed.value > 0 and borrowed.high == 4 * borrowed.value


@pytest.mark.parametrize("engine", ["executor", "pytorch"])
def test_a_kind_is_alike_to_another_of_its_engine_and_never_to_itself(engine: Engine) -> None:
    alike = ALIKE[engine]
    for kind in alike:
        seen = [kind]
        while seen[-1] in alike:
            seen.append(alike[seen[-1]])
            assert len(set(seen)) == len(seen) and seen[-1] in TERMS[engine]


@pytest.mark.parametrize("engine", ["executor", "pytorch"])
def test_the_file_prices_a_network_as_the_fit_does(tmp_path: Path, engine: Engine) -> None:
    rows = timed(engine, error=0.1)
    found = fit(rows, engine)
    path = tmp_path / "machine.yaml"
    path.write_text(target_yaml(found, MACHINE, [Whole(name, 1.0, 1.0, 1.0) for name in NETWORKS]))
    target = load_target(str(path))
    assert target.kind == "cpu" and target.constant("model_error").fitted_to == NETWORKS
    level = "deployed" if engine == "executor" else "as_written"
    network = "bireal18" if engine == "executor" else "resnet18"
    bill = estimate(profile(network), target, level=level)  # type: ignore[arg-type]
    law = sum(
        found.constants[a.name].value * a.count
        for _, _, work in amounts(profile(network).ledger(level), engine, CACHE)  # type: ignore[arg-type]
        for a in work
    )
    assert bill.total("latency_s").value == near(law, rel=1e-3)
    assert bill.total("latency_s").low < law < bill.total("latency_s").high


def test_pytorch_does_not_run_the_deployed_network(tmp_path: Path) -> None:
    path = tmp_path / "torch.yaml"
    path.write_text(target_yaml(fit(timed("pytorch"), "pytorch"), MACHINE, [Whole("a", 1.0, 1.0, 1.0)]))
    with pytest.raises(CostmodelError, match="give --level as-written"):
        estimate(profile("resnet18-cifar10"), str(path))
    with pytest.raises(CostmodelError, match="makes binary weights anew at every run"):
        estimate(profile("cnv-w1a1"), str(path), level="as_written")


def test_the_work_of_a_binary_convolution_is_that_of_the_kernel() -> None:
    """A 3 x 3 convolution of 128 channels into 256 on a map of 10 columns: two words a tap, two columns left over."""
    ledger = profile("cnv-w1a1").deployed
    found = {layer.name: (layer, {a.name: a.count for a in work}) for layer, kind, work in
             amounts(ledger, "executor", CACHE) if kind == "xnor"}  # fmt: skip
    layer, work = next(each for each in found.values() if each[0].shape_in[1] == 128 and each[0].shape_out[1] == 128)
    rows, columns = layer.shape_out[2:]
    assert work["xnor.gather"] == rows * columns * 9 * 2
    assert work["xnor.word"] == rows * (columns - columns % 4) * 18 * 128
    assert work.get("xnor.word_rest", 0) == rows * (columns % 4) * 18 * 128


def test_least_squares_without_negative_constants() -> None:
    random = np.random.default_rng(0)
    a = random.uniform(0, 1, (40, 6))
    x = np.array([1.0, 0, 2, 0, 0.5, 0])
    assert non_negative(a, a @ x) == near(x, abs=1e-9)
    b = a @ np.array([1.0, -0.5, 2, 0, 0.5, -1])
    found = non_negative(a, b)
    assert (found >= 0).all()
    slope = a.T @ (b - a @ found)  # at the best point no free constant has a slope, and none at zero wants to rise
    assert slope[found > 0] == near(0, abs=1e-8) and (slope[found == 0] <= 1e-8).all()


def test_noise_is_the_second_least_over_the_least() -> None:
    least = Least()
    for seconds in (3.0, 1.0, 2.0, 1.1):
        least.add(seconds)
    assert (least.first, least.second) == (1.0, 1.1)
    assert noise([Timed("n", (0,), ("k",), (), 1.0, 1.1), Timed("n", (1,), ("k",), (), 1e-6, 9.0)]) == 1.1


def test_two_networks_are_too_few_to_leave_one_out() -> None:
    with pytest.raises(CostmodelError, match="at least 3"):
        fit(timed("executor", NETWORKS[:2]), "executor")
