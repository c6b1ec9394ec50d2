"""Sweeps end in the same front whatever is killed, resumed, or run elsewhere."""

import errno
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from costmodel.cli.main import main
from costmodel.errors import CostmodelError
from costmodel.explore import engines, pareto, tasks
from costmodel.explore.front import front_of, read_front
from costmodel.explore.space import read_space
from costmodel.explore.store import Store
from costmodel.explore.sweep import sweep

SPACE = {
    "networks": ["tfc-w1a1"],
    "targets": [
        {"target": "pynq-z2", "folding": {"samples": 3000, "seed": 1}},
        {"target": "asic-7nm-asap7", "outputs": [16, 32], "clock": [2e8, 1e9]},
    ],
}
TEXT = """
networks: [tfc-w1a1]
targets:
  - {target: pynq-z2, folding: {samples: 3000, seed: 1}}
  - {target: asic-7nm-asap7, outputs: [16, 32], clock: [2e8, 1e9]}
"""


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch):
    monkeypatch.setattr(tasks, "SAMPLES_A_CHUNK", 400)
    monkeypatch.setattr(tasks, "GRID_A_CHUNK", 1)


@pytest.fixture
def space():
    return read_space(SPACE)


@pytest.fixture
def expected(space, tmp_path):
    return sweep(space, tmp_path / "expected", engine="serial")


def same(a, b):
    assert [(g.kind, g.label, g.priced, g.feasible) for g in a] == [(g.kind, g.label, g.priced, g.feasible) for g in b]
    for one, other in zip(a, b, strict=True):
        assert np.array_equal(one.points.ids, other.points.ids)
        assert np.array_equal(one.points.points, other.points.points)


def test_the_front_is_that_of_pricing_everything_at_once(space, expected, monkeypatch):
    monkeypatch.setattr(tasks, "SAMPLES_A_CHUNK", 1 << 20)
    monkeypatch.setattr(tasks, "GRID_A_CHUNK", 1 << 20)
    whole = [tasks.run(job) for job in tasks.jobs(space, tasks.ledgers_of(space))]
    assert [r.priced for r in whole] == [3000, 4] == [g.priced for g in expected]
    for result, group in zip(whole, expected, strict=True):
        assert np.array_equal(result.points.ids, group.points.ids)


def test_a_resumed_run_prices_only_what_is_missing(space, expected, tmp_path, monkeypatch):
    store = Store(tmp_path / "expected", space)
    chunks = list(tasks.chunks(space))
    for chunk in chunks[1:6]:
        store.path(chunk).unlink()
    store.path(chunks[7]).write_bytes(b"half a part")
    priced = []
    run = tasks.run
    monkeypatch.setattr(tasks, "run", lambda job: priced.append(job.chunk) or run(job))
    same(sweep(space, tmp_path / "expected", engine="serial", resume=True), expected)
    assert priced == [*chunks[1:6], chunks[7]]


def test_results_of_another_space_are_left_alone(space, expected, tmp_path):
    folder = tmp_path / "expected"
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    with pytest.raises(CostmodelError, match="--resume"):
        sweep(space, folder, engine="serial")
    with pytest.raises(CostmodelError, match="another space"):
        sweep(read_space({**SPACE, "networks": ["sfc-w1a1"]}), folder, engine="serial", resume=True)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.tex").write_text("years of work")
    with pytest.raises(CostmodelError, match="not empty"):
        sweep(space, tmp_path / "mine", engine="serial")
    assert before == {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_full_disk_ends_the_run_and_keeps_what_is_finished(space, expected, tmp_path, monkeypatch):
    written, fsync = [], os.fsync

    def full(descriptor):
        written.append(descriptor)
        if len(written) > 4:
            raise OSError(errno.ENOSPC, "No space left on device")
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(CostmodelError, match="No space left"):
        sweep(space, tmp_path / "out", engine="serial")
    monkeypatch.setattr(os, "fsync", fsync)
    assert len(list((tmp_path / "out" / "parts").iterdir())) == 3  # the manifest came first
    same(sweep(space, tmp_path / "out", engine="serial", resume=True), expected)


def suicidal(item):
    """Kills its worker the first time that it sees item 3; the flag is a file, as the memory dies too."""
    folder, number = item
    flag = Path(folder) / f"{number}"
    if number == 3 and not flag.exists():
        flag.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return number


def test_killed_local_workers_cost_nothing(tmp_path):
    items = [(str(tmp_path), n) for n in range(8)]
    assert sorted(engines.local(suicidal, items, 2)) == list(range(8))


def always_dies(item):
    os.kill(os.getpid(), signal.SIGKILL)


def test_a_chunk_that_always_kills_its_worker_ends_in_an_error(monkeypatch):
    monkeypatch.setattr(engines, "RETRIES", 1)
    with pytest.raises(CostmodelError, match="die again and again"):
        list(engines.local(always_dies, [1, 2], 2))


def in_a_process(tmp_path, lines):
    """What a script prints; cluster engines start processes that import the main script again."""
    path = tmp_path / "run.py"
    path.write_text("import sys\n" + "\n".join(lines))
    root = str(Path(__file__).parents[2])
    done = subprocess.run(
        [sys.executable, str(path)], capture_output=True, text=True, timeout=900, cwd=root,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, [root, os.environ.get("PYTHONPATH")]))},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout.strip()


@pytest.mark.parametrize("engine", ["dask", "ray"])
def test_a_cluster_that_loses_a_worker_ends_in_the_same_front(tmp_path, engine):
    pytest.importorskip("distributed" if engine == "dask" else "ray")
    (tmp_path / "flags").mkdir()
    items = [(str(tmp_path / "flags"), n) for n in range(8)]
    printed = in_a_process(tmp_path, [
        "from tests.explore.test_sweep import suicidal",
        "from costmodel.explore.engines import ENGINES",
        f"if __name__ == '__main__': print(sorted(ENGINES[{engine!r}](suicidal, {items!r}, 2, None)))",
    ])  # fmt: skip
    assert printed.endswith(str(list(range(8))))


def same_number(number):
    return number


def refused(number):
    raise CostmodelError(f"no space left for {number}")


def test_a_cluster_whose_workers_never_come_back_is_replaced(tmp_path):
    pytest.importorskip("distributed")
    printed = in_a_process(tmp_path, [
        "from costmodel.explore import engines",
        "from tests.explore.test_sweep import same_number",
        "def main():",
        "    from distributed import LocalCluster",
        "    engines.WORKERLESS_S = engines._POLL_S = 0.2",
        "    started, found = [], []",
        "    init = LocalCluster.__init__",
        "    LocalCluster.__init__ = lambda self, *a, **k: started.append(self) or init(self, *a, **k)",
        "    for result in engines.dask(same_number, range(40), 2):",
        "        found.append(result)",
        "        if len(found) == 3: started[0].scale(0)",
        "    print(len(started), sorted(found) == list(range(40)))",
        "if __name__ == '__main__': main()",
    ])  # fmt: skip
    assert printed == "2 True"


def test_a_scheduler_without_workers_ends_in_an_error_and_an_error_in_a_chunk_is_its_own(tmp_path):
    pytest.importorskip("distributed")
    printed = in_a_process(tmp_path, [
        "from costmodel.explore import engines",
        "from tests.explore.test_sweep import refused, same_number",
        "def main():",
        "    from distributed import LocalCluster",
        "    engines.WORKERLESS_S = engines._POLL_S = 0.2",
        "    for workers, function in ((0, same_number), (1, refused)):",
        "        with LocalCluster(n_workers=workers, dashboard_address=None) as cluster:",
        "            try: list(engines.dask(function, [1, 2], 2, cluster.scheduler_address))",
        "            except Exception as error: print(type(error).__name__, error)",
        "if __name__ == '__main__': main()",
    ])  # fmt: skip
    first, second = printed.splitlines()
    assert first.startswith("CostmodelError workers die again and again (no worker for 0 s)")
    assert second in ("CostmodelError no space left for 1", "CostmodelError no space left for 2")


def test_a_run_that_is_killed_and_resumed_ends_in_the_same_front(tmp_path, monkeypatch):
    monkeypatch.undo()
    path = tmp_path / "space.yaml"
    path.write_text(TEXT.replace("3000", "6e6"))
    out = tmp_path / "out"
    command = [sys.executable, "-m", "costmodel.cli.main", "explore", str(path), "-o", str(out), "--workers", "2"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
    deadline = time.monotonic() + 120
    while not list(out.glob("parts/part-*.parquet")) and time.monotonic() < deadline and process.poll() is None:
        time.sleep(0.02)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    assert list(out.glob("parts/part-*.parquet"))
    assert main(["explore", str(path), "-o", str(out), "--resume", "--engine", "serial", "--quiet"]) == 0
    assert main(["explore", str(path), "-o", str(tmp_path / "whole"), "--engine", "serial", "--quiet"]) == 0
    for name in ("front-fpga-tfc-w1a1.csv", "front-asic-tfc-w1a1.csv"):
        assert (out / name).read_text() == (tmp_path / "whole" / name).read_text()


def test_the_front_at_each_clock_is_that_of_composing_it_alone(tmp_path):
    clocks = [5e7, 1e8, 2e8]

    def front(clock, name):
        target = {"target": "pynq-z2", "memories": "auto", "clock": clock}
        space = read_space({"networks": ["tfc-w1a1"], "targets": [target]})
        (group,) = sweep(space, tmp_path / name, engine="serial")
        return space, group

    alone = [front(clock, f"{clock:.0f}")[1].points.points for clock in clocks]
    _, whole = front(clocks, "all")
    assert np.array_equal(whole.points.points, pareto.front(np.concatenate(alone)).points)
    assert whole.priced == 3 * front(1e8, "one")[1].priced
    member = front_of(*front([5e7], "slow")).members[0]
    assert member.settings["clock"] == 5e7
    assert "--set clock=50000000.0" in member.command


def test_kept_points_are_bounded_priced_designs_and_change_no_front(space, expected, tmp_path):
    sweep(space, tmp_path / "kept", engine="serial", keep_points=500)
    kept = [pq.read_table(path) for path in sorted((tmp_path / "kept" / "parts").iterdir())]
    fronts = [pq.read_table(path) for path in sorted((tmp_path / "expected" / "parts").iterdir())]
    count = sum(k.num_rows for k in kept) - sum(f.num_rows for f in fronts)
    assert 300 < count <= 500
    for one, front in zip(kept, fronts, strict=True):
        ids = one.column("id").to_pylist()
        assert len(set(ids)) == len(ids)
        assert one.slice(0, front.num_rows).equals(front)
    same(sweep(space, tmp_path / "kept", engine="serial", keep_points=500, resume=True), expected)
    everything = sweep(space, tmp_path / "all", engine="local", workers=2, keep_points=10**9)
    same(everything, expected)
    rows = sum(pq.read_metadata(path).num_rows for path in (tmp_path / "all" / "parts").iterdir())
    assert rows == sum(group.feasible for group in expected)


def test_kept_points_are_the_same_after_a_resumed_run(space, tmp_path):
    sweep(space, tmp_path / "whole", engine="serial", keep_points=700)
    sweep(space, tmp_path / "cut", engine="serial", keep_points=700)
    for chunk in list(tasks.chunks(space))[2:5]:
        Store(tmp_path / "cut", space).path(chunk).unlink()
    with pytest.raises(CostmodelError, match="keep 700 points next to the fronts, and 0 are asked for"):
        sweep(space, tmp_path / "cut", engine="serial", resume=True)
    sweep(space, tmp_path / "cut", engine="local", workers=2, keep_points=700, resume=True)
    for path in (tmp_path / "whole" / "parts").iterdir():
        assert pq.read_table(path).equals(pq.read_table(tmp_path / "cut" / "parts" / path.name))


def test_nothing_feasible_names_the_nearest_design(tmp_path, capsys):
    path = tmp_path / "space.yaml"
    path.write_text(TEXT + "constraints: {seconds_per_image: {max: 1e-12}}\n")
    assert main(["explore", str(path), "-o", str(tmp_path / "out"), "--engine", "serial", "--quiet"]) == 2
    message = capsys.readouterr().err
    assert "no design meets these constraints; the nearest is tfc-w1a1 on" in message
    assert "misses by seconds_per_image" in message
    assert "Traceback" not in message


def test_where_nothing_fits_the_nearest_design_and_what_it_misses_are_named(tmp_path, capsys):
    path = tmp_path / "space.yaml"
    path.write_text("networks: [tfc-w1a1]\ntargets: [ice40-up5k]\n")
    assert main(["explore", str(path), "-o", str(tmp_path / "out"), "--engine", "serial", "--quiet"]) == 2
    assert re.search(r"no folding of tfc-w1a1 on ice40-up5k .* takes .* too many", capsys.readouterr().err)


def test_members_of_an_exact_front_carry_the_folding_and_the_line_that_makes_it(tmp_path, capsys):
    space = read_space({"networks": ["tfc-w1a1"], "targets": [{"target": "pynq-z2", "memories": "auto"}]})
    (group,) = sweep(space, tmp_path / "out", engine="serial")
    found = front_of(space, group)
    assert found.guarantee.startswith("complete: every one of")
    member = found.members[len(found) // 2]
    assert main([*member.command.split()[1:], "--format", "json", "--max-ff", "1e9"]) == 0
    made = json.loads(capsys.readouterr().out)
    made = made.get("document", made)
    assert {n: (f["PE"], f["SIMD"]) for n, f in made["folding"].items()} == {
        n: (f["PE"], f["SIMD"]) for n, f in member.folding.items()
    }
    assert read_front(found.write(tmp_path / "out")[0]) == found


def test_a_front_is_a_frame_and_names_its_best(tmp_path, expected, space):
    found = front_of(space, expected[0])
    frame = found.to_frame()
    assert len(frame) == len(found) == len(found.points())
    assert list(frame.columns[:6]) == ["id", "network", "target", "seconds_per_image", "lut", "bram18"]
    assert found.best("lut").metrics["lut"] == min(member.metrics["lut"] for member in found.members)
    with pytest.raises(CostmodelError, match="objective"):
        found.best("speed")
