import numpy as np
import pytest

from costmodel.views.plots.density import density
from tests.near import near


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_counts_are_those_of_numpy(dtype):
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(2, 20_000)).astype(dtype)
    window = (-2.03, 2.41, -1.57, 3.13)  # on no grid line, where float32 and float64 may differ
    info = density(x, y, window=window, x_log=False, y_log=False, cells=(40, 30))
    expected, _, _ = np.histogram2d(y.astype(float), x.astype(float), bins=(30, 40), range=(window[2:], window[:2]))
    assert np.abs(info.counts - expected).sum() <= 4  # a point on the border of two cells
    assert info.total == info.counts.sum() and info.total + info.beyond == 20_000


def test_cells_are_in_units_of_the_data():
    info = density(np.array([0.0, 2.0]), np.array([1.0, 5.0]), window=(0, 2, 0, 10), x_log=True, y_log=False,
                   cells=(2, 2))  # fmt: skip
    assert info.x == near([10**0.5, 10**1.5])
    assert info.y == near([2.5, 7.5])
    assert info.counts.tolist() == [[1, 0], [0, 1]]


def test_what_is_no_number_is_in_no_cell():
    info = density(np.array([np.nan, np.inf, 1.0]), np.ones(3), window=(0, 2, 0, 2), x_log=False, y_log=False)
    assert (info.total, info.beyond) == (1, 2)


def test_an_empty_window_is_an_error():
    with pytest.raises(ValueError, match="empty"):
        density(np.ones(1), np.ones(1), window=(1, 1, 0, 1), x_log=False, y_log=False)
