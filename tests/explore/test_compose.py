from dataclasses import replace
from itertools import product

import numpy as np
import pytest

from costmodel.errors import CostmodelError
from costmodel.explore.compose import Objectives, compose, rebuild
from costmodel.explore.pareto import nondominated
from costmodel.targets.fpga.choices import BRAM, DSP, FF, LUT, URAM, Design, Link, unit

from .finnr import independent, matrix_unit, random_unit


def brute_force(design, columns, max_bram=None, max_dsp=None):
    """The front by pricing every design, at every interval that it can keep up with."""
    rows = []
    for choices in product(*(range(len(u)) for u in design.units)):
        slowest = max(u.cycles[c] for u, c in zip(design.units, choices, strict=True))
        for at in range(np.searchsorted(design.intervals, slowest), len(design.intervals)):
            interval, cost = design.price(choices, at)
            if (max_bram is None or cost[BRAM] <= max_bram) and (max_dsp is None or cost[DSP] <= max_dsp):
                rows.append([interval, *cost[list(columns)]])
            if not design.entry and not design.exit and not design.overhead.any():
                break  # a larger interval changes nothing but itself
    points = np.unique(np.array(rows, dtype=np.int64).reshape(-1, 1 + len(columns)), axis=0)
    return points[nondominated(points)]


def unique_front(points):
    points = np.unique(points, axis=0)
    return points[nondominated(points)]


def ordered(points):
    return points[np.lexsort(points.T[::-1])]


def small_network(seed):
    rng = np.random.default_rng(seed)
    if seed % 2:
        count = rng.integers(1, 5)
        units = [random_unit(rng, f"u{i}", int(rng.integers(1, 13)), dsp=seed % 3 == 0) for i in range(count)]
    else:
        shapes = [(rng.choice([4, 6, 9, 12]), rng.choice([2, 4, 6, 10]), rng.integers(1, 30)) for _ in range(3)]
        shapes = [tuple(map(int, shape)) for shape in shapes]
        units = [matrix_unit(f"m{i}", *s, bits_a=int(rng.integers(1, 9)), dsp_from=6) for i, s in enumerate(shapes)]
    return independent(units)


def linked_network(seed):
    """Chains and trees of units with stream costs, costs that depend on the interval, and a residual branch."""
    rng = np.random.default_rng(1000 + seed)
    units = [random_unit(rng, f"u{i}", int(rng.integers(1, 7)), dsp=seed % 4 == 0) for i in range(rng.integers(2, 6))]
    plain = independent(units)

    def random_cost(*shape):
        cost = np.zeros((*shape, 5), dtype=np.int64)
        cost[..., LUT], cost[..., FF] = rng.integers(0, 40, shape) << 16, rng.integers(0, 90, shape) << 16
        cost[..., BRAM] = rng.integers(0, 3, shape)
        return cost

    links, entry, exit_, steps = [], {}, {}, len(plain.intervals)
    for i, u in enumerate(units):
        source = int(rng.integers(-1, i)) if i else -1
        if source >= 0:
            links.append(Link(source, i, random_cost(units[source].widths_out, u.widths_in)))
        if source < 0 and rng.random() < 0.5:
            entry[i] = random_cost(steps, u.widths_in)
        if rng.random() < 0.3:
            exit_[i] = random_cost(steps, u.widths_out)
    overhead = random_cost(steps) if seed % 2 else plain.overhead
    return Design(tuple(units), plain.intervals, overhead, tuple(links), entry, exit_)


def star(seed):
    """One unit that feeds several others: their fronts are summed before its own is added."""
    rng = np.random.default_rng(2000 + seed)
    units = [random_unit(rng, f"u{i}", int(rng.integers(2, 5)), dsp=True) for i in range(5)]
    plain = independent(units)
    links = []
    for target in range(1, 5):
        cost = np.zeros((units[0].widths_out, units[target].widths_in, 5), dtype=np.int64)
        cost[..., LUT] = rng.integers(0, 40, cost.shape[:-1]) << 16
        links.append(Link(0, target, cost))
    return Design(tuple(units), plain.intervals, plain.overhead, tuple(links), {}, {})


NETWORKS = [*(small_network(s) for s in range(36)), *(linked_network(s) for s in range(36)), *map(star, range(3))]


@pytest.mark.parametrize("design", NETWORKS)
def test_the_exact_front_is_that_of_brute_force_and_its_members_are_rebuilt(design):
    assert design.size < 40_000
    front = compose(design)
    assert np.array_equal(ordered(front.rows), brute_force(design, (BRAM, DSP, LUT)))
    limits = Objectives(max_bram=6, max_dsp=5)
    assert np.array_equal(ordered(compose(design, limits).rows), brute_force(design, (BRAM, DSP, LUT), 6, 5))
    for point, at, choices in zip(front.rows, front.at, rebuild(design, front), strict=True):
        interval, cost = design.price(choices, at)
        assert [interval, cost[BRAM], cost[DSP], cost[LUT]] == point.tolist()


@pytest.mark.parametrize("design", NETWORKS)
def test_without_dsp_the_front_is_that_of_brute_force(design):
    rows = compose(design, Objectives(dsp=False)).rows
    assert np.array_equal(ordered(rows[:, [0, 1, 3]]), brute_force(design, (BRAM, LUT)))


def with_ultra(design, seed):
    """The same design with further choices: some memories lie in UltraRAM instead of block RAM."""
    rng = np.random.default_rng(seed)
    units = []
    for u in design.units:
        moved = u.cost.copy()
        moved[:, URAM] = rng.integers(1, 4, len(u))
        moved[:, BRAM] = 0
        both = {"settings": u.settings, "cycles": u.cycles, "enters": u.enters, "leaves": u.leaves}
        doubled = {name: np.concatenate([column, column]) for name, column in both.items()}
        units.append(replace(u, cost=np.concatenate([u.cost, moved]), **doubled))
    return replace(design, units=tuple(units))


@pytest.mark.parametrize("seed", range(0, len(NETWORKS), 3))
def test_with_ultraram_the_front_is_that_of_brute_force(seed):
    design = with_ultra(NETWORKS[seed], seed)
    if design.size > 40_000:
        pytest.skip("too large for brute force")
    front = compose(design, Objectives(ultra=True))
    found = np.column_stack([front.rows[:, :2], front.uram, front.rows[:, 3]])
    assert np.array_equal(unique_front(found), brute_force(design, (BRAM, URAM, LUT)))
    for point, uram, at, choices in zip(front.rows, front.uram, front.at, rebuild(design, front), strict=True):
        interval, cost = design.price(choices, at)
        assert [interval, cost[BRAM], cost[DSP], cost[LUT]] == point.tolist()
        assert cost[URAM] == uram
    if not len(front):
        return
    # With limits: complete where nothing is left out, and never a member that is not allowed.
    limit = int(np.median(front.rows[:, 2]))
    limited = compose(design, Objectives(max_bram=3, max_dsp=limit, ultra=True, max_uram=4))
    expected = brute_force(design, (BRAM, URAM, LUT, DSP), 3, limit)
    expected = expected[expected[:, 2] <= 4][:, :4]
    expected = unique_front(expected)
    kept = unique_front(np.column_stack([limited.rows[:, :2], limited.uram, limited.rows[:, 3]]))
    assert np.all(limited.rows[:, 2] <= limit)
    if not limited.left_out:
        assert np.array_equal(kept, expected)
    else:
        assert {tuple(row) for row in kept.tolist()} <= {tuple(row) for row in expected.tolist()}


@pytest.mark.parametrize("epsilon", [0.02, 0.2])
@pytest.mark.parametrize("design", NETWORKS[::5])
def test_the_certified_front_of_four_objectives_covers_brute_force(design, epsilon):
    front = compose(design, Objectives(epsilon=epsilon))
    exact = brute_force(design, (BRAM, LUT, FF)).astype(float)
    kept = front.rows.astype(float)
    covered = (
        (kept[None, :, 0] <= exact[:, None, 0])
        & (kept[None, :, 1] <= exact[:, None, 1] * (1 + epsilon))
        & (kept[None, :, 2] <= exact[:, None, 2] * (1 + epsilon))
        & (kept[None, :, 3] <= exact[:, None, 3])
    )
    assert covered.any(axis=1).all()
    for point, at, choices in zip(front.rows, front.at, rebuild(design, front), strict=True):
        interval, cost = design.price(choices, at)
        assert [interval, cost[BRAM], cost[LUT], cost[FF]] == point.tolist()


@pytest.mark.parametrize("design", NETWORKS[::5])
def test_a_certified_front_within_a_limit_covers_what_stays_clear_of_it(design):
    exact, epsilon = brute_force(design, (BRAM, LUT, FF)).astype(float), 0.2
    limit = int(np.median(exact[:, 1]))
    kept = compose(design, Objectives(max_bram=limit, epsilon=epsilon)).rows.astype(float)
    assert np.all(kept[:, 1] <= limit)
    exact = exact[exact[:, 1] * (1 + epsilon) <= limit]
    covered = (kept[None, :, [0, 3]] <= exact[:, None, [0, 3]]).all(axis=2)
    covered &= (kept[None, :, 1:3] <= exact[:, None, 1:3] * (1 + epsilon)).all(axis=2)
    assert covered.any(axis=1).all()


@pytest.mark.parametrize("epsilon", [0.05, 0.5])
def test_members_of_a_certified_front_are_rebuilt_where_many_keys_share_a_box(epsilon):
    rng = np.random.default_rng(5)
    units = [random_unit(rng, f"u{i}", 12) for i in range(8)]
    for each in units:  # block RAM by the hundred: some are in one box
        each.cost[:, BRAM] = rng.integers(100, 400, len(each.cost))
    design = independent(units)
    front = compose(design, Objectives(epsilon=epsilon))
    members = list(range(0, len(front), max(1, len(front) // 300)))
    for member, choices in zip(members, rebuild(design, front, members), strict=True):
        interval, cost = design.price(choices, int(front.at[member]))
        assert [interval, cost[BRAM], cost[LUT], cost[FF]] == front.rows[member].tolist()


def network_of_twenty_layers():
    shapes = [(27, 64, 1024), *[(576, 64, 1024)] * 4, (576, 128, 256), *[(1152, 128, 256)] * 4]
    shapes += [(1152, 256, 64), *[(2304, 256, 64)] * 4, (2304, 512, 16), *[(4608, 512, 16)] * 3, (512, 10, 1)]
    return independent([matrix_unit(f"layer{i}", *shape) for i, shape in enumerate(shapes)])


def test_no_random_design_of_a_large_network_is_below_its_front():
    design = network_of_twenty_layers()
    assert design.size > 10**30
    front = compose(design)
    points = front.rows[:, [0, 1, 3]]
    rng = np.random.default_rng(0)
    for _ in range(20):
        # Designs near the front, where a mistake would show: choices that keep up with a random member's interval.
        interval = rng.choice(points[:, 0])
        picks = [rng.choice(np.flatnonzero(u.cycles <= interval), 5000) for u in design.units]
        designs = np.column_stack(
            [
                np.max([u.cycles[p] for u, p in zip(design.units, picks, strict=True)], axis=0),
                sum(u.cost[p, BRAM] for u, p in zip(design.units, picks, strict=True)),
                sum(u.cost[p, LUT] for u, p in zip(design.units, picks, strict=True)),
            ]
        )
        both = np.concatenate([points, designs])
        assert nondominated(both, keep_weakly=True)[: len(points)].all()
        assert not nondominated(both)[len(points) :].any()


@pytest.mark.parametrize("budget", range(12))
def test_a_constraint_solver_finds_no_cheaper_design(budget):
    cp_model = pytest.importorskip("ortools.sat.python.cp_model")
    design = network_of_twenty_layers()
    front = compose(design)
    rng = np.random.default_rng(budget)
    interval, bram = int(rng.choice(front.rows[:, 0])), int(rng.choice(front.rows[:, 1]))
    within = front.rows[(front.rows[:, 0] <= interval) & (front.rows[:, 1] <= bram)]
    model = cp_model.CpModel()
    luts, brams = [], []
    for u in design.units:
        able = np.flatnonzero(u.cycles <= interval)
        able = able[nondominated(u.cost[able][:, [BRAM, LUT]])]
        flags = [model.new_bool_var("") for _ in able]
        model.add_exactly_one(flags)
        luts += [int(u.cost[c, LUT]) * f for c, f in zip(able, flags, strict=True)]
        brams += [int(u.cost[c, BRAM]) * f for c, f in zip(able, flags, strict=True)]
    model.add(sum(brams) <= bram)
    model.minimize(sum(luts))
    solver = cp_model.CpSolver()
    solver.parameters.num_workers = 1
    status = solver.solve(model)
    if len(within):
        assert status == cp_model.OPTIMAL
        assert round(solver.objective_value) == within[:, 3].min()
    else:
        assert status == cp_model.INFEASIBLE


def test_limits_that_nothing_meets_give_an_empty_front():
    assert len(compose(small_network(2), Objectives(max_bram=-1))) == 0


def test_points_of_another_design_are_refused():
    design = small_network(0)
    points = compose(design)
    with pytest.raises(CostmodelError, match="not members"):
        rebuild(design, replace(points, keys=points.keys + np.array([0, 0, 1])))


def test_a_unit_without_choices_is_refused():
    with pytest.raises(CostmodelError, match="no folding"):
        unit("conv1", {"PE": []}, [], {"lut": []})
