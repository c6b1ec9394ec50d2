"""Workers need nothing but what they are sent: not the result folder, not the user's files, not the driver's folder."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from .test_sweep import in_a_process

NET = "from torch import nn\ndef build():\n    return nn.Sequential(nn.Linear(8, 4), nn.ReLU(), nn.Linear(4, 4))\n"
SPACE = """
networks: [{model: net.py:build, input: 1x8}, tfc-w1a1]
targets:
  - {target: ./mine.yaml, folding: {samples: 4000, seed: 1}}
  - {target: ./mine.yaml, memories: auto}
  - {target: xne, mapping: exact, outputs: [1, 2]}
"""
ROOT = Path(__file__).parents[2]


@pytest.fixture
def here(tmp_path: Path) -> Path:
    """A driver's folder with files that no worker sees."""
    place = tmp_path / "driver"
    place.mkdir()
    (place / "net.py").write_text(NET)
    (place / "mine.yaml").write_text((ROOT / "arch_specs" / "fpga" / "pynq-z2.yaml").read_text())
    (place / "s.yaml").write_text(SPACE)
    return place


#: A driver: the fronts of the space, once in this process and once on the cluster; a worker is killed meanwhile.
DRIVER = """
import os, signal, sys
from pathlib import Path
os.chdir({place!r})
from costmodel.explore import tasks
tasks.SAMPLES_A_CHUNK = 500
from costmodel.explore.space import read_space
from costmodel.explore.sweep import sweep


def main():
    space = read_space("s.yaml")
    alone = sweep(space, "alone", engine="serial")
    killed = []
    def progress(state):
        if state.done == 2 and not killed:
            killed.append(1)
            kill()
    {start}
    with cluster:
        both = sweep(space, "out", engine={engine!r}, workers=2, address=address, progress=progress)
    same = all((a.points.ids == b.points.ids).all() and (a.points.points == b.points.points).all()
               for a, b in zip(alone, both, strict=True))
    print(len(alone) == len(both), same, len(killed), sorted(os.listdir("elsewhere")))


if __name__ == "__main__":
    main()
"""
DASK = """
    from distributed import LocalCluster
    os.makedirs("elsewhere", exist_ok=True)
    cluster = LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None, local_directory="/tmp")
    address = cluster.scheduler_address
    from distributed import Client
    with Client(address) as client:
        client.run(os.chdir, os.path.abspath("elsewhere"))
    kill = lambda: os.kill(next(iter(cluster.workers.values())).pid, signal.SIGKILL)
"""
RAY = """
    import contextlib, ray
    os.makedirs("elsewhere", exist_ok=True)
    ray.init(num_cpus=2, include_dashboard=False, logging_level="error", log_to_driver=False,
             runtime_env={{"env_vars": {{"PYTHONPATH": os.environ["PYTHONPATH"]}}}})
    cluster, address = contextlib.nullcontext(), None
    @ray.remote
    def whoami():
        os.chdir({elsewhere!r})
        return os.getpid()
    pids = ray.get([whoami.remote() for _ in range(4)])
    kill = lambda: os.kill(pids[0], signal.SIGKILL)
"""


@pytest.mark.parametrize("engine", ["dask", "ray"])
def test_workers_in_another_folder_and_a_killed_one_end_in_the_same_front(here, engine):
    pytest.importorskip("distributed" if engine == "dask" else "ray")
    start = (DASK if engine == "dask" else RAY.format(elsewhere=str(here / "elsewhere"))).strip("\n").strip()
    lines = DRIVER.format(place=str(here), engine=engine, start=start).splitlines()
    assert in_a_process(here, lines).splitlines()[-1] == "True True 1 []"


def test_a_scheduler_and_workers_of_their_own_folders_as_on_a_batch_system(here, tmp_path):
    pytest.importorskip("distributed")
    file, place = tmp_path / "scheduler.json", tmp_path / "node"
    place.mkdir()
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))}
    dask = [sys.executable, "-m", "distributed.cli.dask_scheduler"]
    worker = [sys.executable, "-m", "distributed.cli.dask_worker"]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "env": environment, "cwd": place}
    started = [subprocess.Popen([*dask, "--scheduler-file", str(file), "--no-dashboard", "--port", "0"], **quiet)]
    try:
        started.append(
            subprocess.Popen([*worker, "--scheduler-file", str(file), "--nthreads", "1", "--no-dashboard"], **quiet)
        )
        command = [sys.executable, "-m", "costmodel", "explore", "s.yaml", "-o", "out", "--engine", "dask", "--quiet",
                   "--address", str(file)]  # fmt: skip
        done = subprocess.run(command, cwd=here, env=environment, capture_output=True, text=True, timeout=240)
        assert done.returncode == 0, done.stderr[-1500:]
    finally:
        for process in started:
            process.kill()
    assert list((here / "out").glob("front-fpga*.csv"))
    assert not list(place.glob("**/*.parquet"))
