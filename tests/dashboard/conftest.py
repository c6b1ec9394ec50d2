import pytest

from costmodel.dashboard.app import make_app
from tests.dashboard.client import Client
from tests.dashboard.page import BROWSER, Watched, served


@pytest.fixture(scope="session")
def sweep_folder(tmp_path_factory):
    """A result folder as a sweep writes it: parts of designs, and the front of them."""
    import numpy as np

    from costmodel.explore.front import Front, Member
    from costmodel.explore.pareto import PointSet, nondominated
    from costmodel.explore.store import table_bytes

    folder = tmp_path_factory.mktemp("sweep") / "results"
    (folder / "parts").mkdir(parents=True)
    names = ("seconds_per_image", "lut", "bram18")
    rng = np.random.default_rng(1)
    points = np.column_stack(
        [10 ** rng.normal(-3, 0.4, 5000), 10 ** rng.normal(4, 0.4, 5000), rng.integers(8, 99, 5000)]
    )
    for part, rows in enumerate(np.split(np.arange(5000), 2)):
        counts = {"priced": "2500", "feasible": "2500"}
        worth = nondominated(points[rows])  # the front of a part stands apart from what is kept next to it
        sets = [PointSet(points[rows[keep]], rows[keep]) for keep in (worth, ~worth)]
        (folder / "parts" / f"part-{part}.parquet").write_bytes(table_bytes(sets, names, counts))
    members = tuple(
        Member(int(i), "cnv-w1a1", "pynq-z2", {"clock": 1e8}, dict(zip(names, points[i].tolist(), strict=True)),
               f"costmodel fold --model cnv-w1a1 --device pynq-z2 --fps {i}")
        for i in np.flatnonzero(nondominated(points))
    )  # fmt: skip
    Front("made", "fpga", "", names, members, 5000, 5000, "complete").write(folder)
    return folder


@pytest.fixture(scope="session")
def client(sweep_folder):
    return Client(make_app(sweep_folders=[sweep_folder]))


@pytest.fixture(scope="module")
def address(sweep_folder):
    with served(sweeps=[str(sweep_folder)]) as address:
        yield address


@pytest.fixture(scope="module")
def browser():
    sync_api = pytest.importorskip("playwright.sync_api")
    if BROWSER is None:
        pytest.skip("no chromium")
    with sync_api.sync_playwright() as p:
        made = p.chromium.launch(executable_path=BROWSER, args=["--no-sandbox"])
        yield made
        made.close()


@pytest.fixture
def watched(browser, address):
    made = Watched(browser, address)
    yield made
    made.close()
