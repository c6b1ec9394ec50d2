import moocore
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from costmodel.errors import CostmodelError
from costmodel.explore import _bitmaps, _filters, pareto
from costmodel.explore.intervals import membership
from costmodel.explore.pareto import FrontStream, front, hypervolume, merge, nondominated, reduce


@pytest.fixture
def eager_filters(monkeypatch):
    """Make every filter act on small sets, so that random tests reach all of them."""
    monkeypatch.setattr(pareto, "_SMALL", 16)
    monkeypatch.setattr(pareto, "_SMALL_OF", {})
    monkeypatch.setattr(pareto, "_MARGIN", 0.0)  # bitmaps, however fast they are here
    monkeypatch.setattr(pareto, "_DENSE", 16)
    monkeypatch.setattr(pareto, "_CHUNK", 512)
    monkeypatch.setattr(pareto, "_SAMPLE", 1024)
    monkeypatch.setattr(pareto, "_FEW", 1)


def random_set(rng, kind, n, d):
    if kind == "uniform":
        return rng.random((n, d))
    if kind == "shell":
        points = rng.exponential(size=(n, d))
        return points / points.sum(axis=1, keepdims=True) + rng.uniform(0, 0.1, size=(n, 1))
    if kind == "ties":
        return rng.integers(0, 6, size=(n, d)).astype(float)
    if kind == "heavy":
        return np.exp(5 * rng.standard_normal((n, d)))
    if kind == "constant":
        return np.where(np.arange(d) == 0, 1.0, rng.random((n, d)))
    return np.column_stack([np.arange(n), -np.arange(n), *rng.random((d - 2, n))]).astype(float)  # all on the front


@pytest.mark.parametrize("d", [2, 3, 4, 5, 9])
@pytest.mark.parametrize("kind", ["uniform", "shell", "ties", "heavy", "constant", "line"])
def test_masks_are_those_of_moocore(eager_filters, kind, d):
    rng = np.random.default_rng(d)
    for n in (1, 2, 17, 700, 3001):
        points = random_set(rng, kind, n, d)
        maximise = rng.random(d) < 0.5
        for keep_weakly in (False, True):
            for flags in (False, maximise):
                expected = moocore.is_nondominated(points, maximise=flags, keep_weakly=keep_weakly)
                assert np.array_equal(nondominated(points, maximise=flags, keep_weakly=keep_weakly), expected)


@pytest.mark.parametrize("margin", [0.0, 1e9])
@pytest.mark.parametrize("kind", ["shell", "line"])
def test_the_last_step_is_chosen_by_its_time_and_changes_no_answer(eager_filters, monkeypatch, kind, margin):
    called = []
    whole = _bitmaps.front_mask
    monkeypatch.setattr(pareto, "_MARGIN", margin)
    monkeypatch.setattr(
        _bitmaps, "front_mask", lambda points, weakly: called.append(len(points)) or whole(points, weakly)
    )
    points = random_set(np.random.default_rng(3), kind, 3000, 4)
    assert np.array_equal(nondominated(points), moocore.is_nondominated(points))
    assert len(called) == (2 if margin == 0.0 else 1)  # a sample, and all where bitmaps are ahead on it


@pytest.mark.parametrize("kind", ["uniform", "shell", "ties"])
@pytest.mark.parametrize("d", [2, 3, 4])
def test_masks_are_those_of_moocore_at_the_real_thresholds(kind, d):
    points = random_set(np.random.default_rng(d), kind, 400_000 if d < 4 else 280_000, d)
    assert np.array_equal(nondominated(points), moocore.is_nondominated(points))


@settings(max_examples=80, deadline=None)
@given(
    arrays(
        np.float64,
        st.tuples(st.integers(1, 70), st.integers(1, 7)),
        elements=st.sampled_from([-np.inf, -1e300, -1.0, -0.0, 0.0, 5e-324, 0.1, 0.1 + 2**-56, 1.0, 1e300, np.inf]),
    ),
    st.booleans(),
)
def test_bitmaps_are_brute_force_with_ties_duplicates_and_infinities(points, keep_weakly):
    mask = _bitmaps.front_mask(points, keep_weakly)
    assert mask is None or mask.tolist() == brute_force(points, keep_weakly).tolist()


def brute_force(points, keep_weakly):
    less, better = (points[:, None] <= points[None]).all(-1), (points[:, None] < points[None]).any(-1)
    keep = ~(less & better).any(axis=0)
    if not keep_weakly:
        keep &= ~np.triu((points[:, None] == points[None]).all(-1), 1).any(axis=0)
    return keep


@pytest.mark.parametrize("keep_weakly", [False, True])
@pytest.mark.parametrize("kind", ["uniform", "shell", "ties", "heavy", "constant", "doubled", "one cell"])
@pytest.mark.parametrize("d", [2, 4, 6])
def test_bitmaps_of_many_cells_are_moocore(kind, d, keep_weakly):
    rng = np.random.default_rng(d)
    n = 5 * _bitmaps._BLOCK + 17
    points = random_set(rng, "shell" if kind == "doubled" else kind, n, d)
    if kind == "doubled":  # equal points in different cells as well
        points = np.repeat(points[: n // 3], 3, axis=0)[rng.permutation(n // 3 * 3)]
    if kind == "one cell":  # nothing tells the codes apart
        points = np.concatenate([np.tile(rng.random(d), (n, 1)), [np.ones(d), -np.ones(d)]])
    expected = moocore.is_nondominated(points, keep_weakly=keep_weakly)
    assert np.array_equal(_bitmaps.front_mask(points, keep_weakly), expected)


@pytest.mark.parametrize("dtype", [np.float32, np.int64, np.uint16])
def test_any_number_type_and_memory_order_gives_the_same_mask(eager_filters, dtype):
    points = np.random.default_rng(1).integers(0, 900, (4000, 3)).astype(dtype)
    expected = nondominated(points.astype(float))
    assert np.array_equal(nondominated(np.asfortranarray(points)), expected)
    assert np.array_equal(nondominated(points[::-1][::-1]), expected)


def test_infinities_are_ordinary_values(eager_filters):
    points = np.random.default_rng(2).random((3000, 3))
    points[::7, 0], points[::11, 2] = np.inf, -np.inf
    less, better = (points[:, None] <= points[None]).all(-1), (points[:, None] < points[None]).any(-1)
    assert np.array_equal(nondominated(points, keep_weakly=True), ~(less & better).any(axis=0))


@settings(max_examples=60, deadline=None)
@given(arrays(np.int64, st.tuples(st.integers(1, 60), st.integers(1, 4)), elements=st.integers(-3, 3)), st.data())
def test_merging_is_associative_commutative_and_keeps_the_lowest_id(points, data):
    cut = data.draw(st.integers(1, len(points)))
    ids = np.random.default_rng(0).permutation(len(points))
    whole = front(points, ids)
    parts = [front(points[:cut], ids[:cut])] + ([front(points[cut:], ids[cut:])] if cut < len(points) else [])
    for merged in (merge(*parts), merge(*parts[::-1]), reduce(parts, fan_in=2)):
        assert np.array_equal(merged.points, whole.points)
        assert np.array_equal(merged.ids, whole.ids)
    for point, id_ in zip(whole.points, whole.ids, strict=True):
        assert id_ == ids[(points == point).all(axis=1)].min()


def test_reducing_a_long_stream_equals_one_front():
    rng = np.random.default_rng(3)
    points = rng.random((50_000, 3))
    parts = (front(points[i : i + 500], np.arange(i, i + 500)) for i in range(0, len(points), 500))
    assert np.array_equal(reduce(parts, fan_in=4).ids, front(points).ids)


@pytest.mark.parametrize("size", [1, 97, 4096])
def test_a_stream_of_blocks_ends_in_the_front_of_all(size):
    rng = np.random.default_rng(size)
    points = np.round(rng.random((size * 9, 3)), 2)
    stream = FrontStream((False, True, False))
    for at in range(0, len(points), size):
        stream.add(points[at : at + size], np.arange(at, at + size))
    whole = front(points, maximise=(False, True, False))
    assert np.array_equal(stream.best.ids, whole.ids)
    assert np.array_equal(stream.best.points, whole.points)


def test_hypervolume_of_one_point_is_its_box():
    assert hypervolume([[1.0, 2.0]], [4.0, 4.0]) == 6.0


@pytest.mark.parametrize(
    ("points", "maximise", "words"),
    [
        ([[1.0, float("nan")]], False, "NaN"),
        ([1.0, 2.0], False, "shape"),
        ([["a", "b"]], False, "numbers"),
        ([[1.0, 2.0]], (True,), "directions"),
        ([[2**60, 1]], False, "2\\^53"),
    ],
)
def test_bad_input_is_refused_with_the_reason(points, maximise, words):
    with pytest.raises(CostmodelError, match=words):
        nondominated(points, maximise=maximise)


def test_a_nan_deep_in_a_large_set_is_refused(eager_filters):
    points = np.random.default_rng(5).random((5000, 3))
    points[4321, 1] = np.nan
    with pytest.raises(CostmodelError, match="NaN"):
        nondominated(points)


@pytest.mark.parametrize("seed", range(20))
def test_certain_and_possible_members_are_those_of_the_definition(seed):
    rng = np.random.default_rng(seed)
    value = rng.integers(0, 12, (25, 2)).astype(float)
    low, high = value - rng.integers(0, 3, value.shape), value + rng.integers(0, 3, value.shape)
    result = membership(value, low, high)

    def dominates(a, b):
        return bool(np.all(a <= b) and np.any(a < b))

    n = len(value)
    for i in range(n):
        others = [j for j in range(n) if j != i]
        assert result.certain[i] == (result.nominal[i] and not any(dominates(low[j], high[i]) for j in others))
        assert result.possible[i] == (not any(dominates(high[j], low[i]) for j in others))
    assert np.all(result.certain <= result.nominal)
    assert np.all(result.nominal <= result.possible)


def test_exact_values_make_every_member_certain_and_draws_agree():
    value = np.random.default_rng(6).random((200, 3))
    result = membership(value, value, value, maximise=(True, False, False), draws=np.stack([value] * 3))
    assert np.array_equal(result.certain, result.nominal)
    assert np.array_equal(result.share == 1.0, result.nominal)
    assert np.array_equal(result.share == 0.0, ~result.nominal)


def test_a_stream_whose_first_block_has_one_best_point_loses_none_of_those_that_follow():
    stream = pareto.FrontStream()
    first = np.array([[1.0, 5.0], [2.0, 6.0], [3.0, 7.0]])
    stream.add(first, np.arange(3))
    rng = np.random.default_rng(0)
    rest = rng.random((500, 2)) * 10
    stream.add(rest, 3 + np.arange(500))
    whole = np.concatenate([first, rest])
    assert sorted(stream.best.ids.tolist()) == np.flatnonzero(pareto.nondominated(whole)).tolist()
    pivots, keep = np.zeros((0, 2)), np.zeros(500, dtype=np.bool_)
    assert _filters.drop_dominated_by(pivots, rest, keep) == 500 and keep.all()
