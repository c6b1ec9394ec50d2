"""Cycles of inner loops on named Arm cores, by llvm-mca: what the constants of ``own_mca`` are made of.

    costmodel calibrate arm --format csv -o costmodel/calibrate/arm_loops.csv

The loops (``calibrate/arm/loops.s``) are those of ``kernels.c`` as clang 19 makes them. What llvm-mca 19 says of them
is shipped; where an llvm-mca is installed it is asked again. It knows no caches and no memory, and its models of
in-order cores depend on the order of instructions: the resource bound is the other end. LLVM 14 has no model of
Neoverse N1.
"""

from __future__ import annotations

import csv
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, fields
from functools import lru_cache
from pathlib import Path

from costmodel.errors import CostmodelError
from costmodel.targets.load import load_target
from costmodel.targets.quantity import Quantity

LOOPS = Path(__file__).parent / "arm" / "loops.s"
#: The table that is shipped.
SHIPPED = Path(__file__).with_name("arm_loops.csv")
ITERATIONS = 100
#: What a loop computes in one iteration, in units of the constant that it stands for.
CONSTANTS = {
    "bgemm_4x2": ("cycles_128_bmac", 8.0), "bdot_32": ("cycles_128_bmac", 0.25), "sgemm_8x4": ("cycles_fp32_mac", 32.0),
    "i8gemm_4x2": ("cycles_int8_mac", 128.0), "sdot_4x2": ("cycles_int8_mac", 128.0),
}  # fmt: skip
_NEON = ("bgemm_4x2", "sgemm_8x4", "i8gemm_4x2")
#: Cores, which are targets as well, and their loops. Cortex-A53 and -A72 have no SDOT, Cortex-M no NEON.
CORES = {
    "cortex-a53": _NEON, "cortex-a55": (*_NEON, "sdot_4x2"), "cortex-a72": _NEON,
    "neoverse-n1": (*_NEON, "sdot_4x2"), "apple-m1": (*_NEON, "sdot_4x2"),
    "cortex-m4": ("bdot_32",), "cortex-m33": ("bdot_32",), "cortex-m7": ("bdot_32",),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Row:
    """Of one iteration: ``instructions``, ``cycles`` in a row of :data:`ITERATIONS`, and the resource ``bound``."""

    core: str
    loop: str
    instructions: int
    cycles: float
    bound: float
    tool: str

    @property
    def constant(self) -> str:
        return CONSTANTS[self.loop][0]

    @property
    def ends(self) -> tuple[float, float]:
        """The constant by the resource bound and by the cycles."""
        work = CONSTANTS[self.loop][1]
        return self.bound / work, self.cycles / work

    @property
    def shipped(self) -> Quantity:
        """The constant of the core."""
        return load_target(self.core).constants[self.constant]

    @property
    def agrees(self) -> bool:
        """Whether what llvm-mca says and the interval of the constant have values in common."""
        low, high = self.ends
        return low <= self.shipped.high and high >= self.shipped.low


@lru_cache(maxsize=1)
def command() -> str | None:
    """llvm-mca, the newest by name, or None where there is none."""
    named = (shutil.which(f"llvm-mca-{version}") for version in range(30, 13, -1))
    return next(filter(None, named), None) or shutil.which("llvm-mca")


@lru_cache(maxsize=1)
def version() -> str:
    """For instance ``19.1.7``. Raises :class:`CostmodelError` without llvm-mca."""
    found = re.search(r"LLVM version (\S+)", _asked(["--version"], ""))
    if found is None:
        raise CostmodelError("llvm-mca --version names no version")
    return found[1]


def loops() -> dict[tuple[str, str], str]:
    """Texts by name and the core that they were scheduled for."""
    found = {}
    for part in LOOPS.read_text(encoding="utf-8").split("//// ")[1:]:
        head, _, text = part.partition("\n")
        name, core = head.split()
        found[name, core] = text
    return found


def make() -> Iterator[Row]:
    """Every loop on every core. Raises :class:`CostmodelError` where the tool fails or does not know a core."""
    texts = loops()
    for core, names in CORES.items():
        small = core.startswith("cortex-m")
        scheduled = ("cortex-m7" if core == "cortex-m7" else "cortex-m4") if small else "cortex-a53"
        flags = ["-mtriple=thumbv7em-none-eabi"] if small else ["-mtriple=aarch64", "-mattr=+dotprod"]
        head = "\t.syntax unified\n\t.thumb\n" if small else ""
        for name in names:
            said = _asked([*flags, f"-mcpu={core}", f"-iterations={ITERATIONS}", "-instruction-info=false",
                           "-resource-pressure=false"], head + texts[name, scheduled])  # fmt: skip
            count, cycles, bound = (
                _number(said, what) for what in ("Instructions", "Total Cycles", "Block RThroughput")
            )
            yield Row(core, name, int(count / ITERATIONS), cycles / ITERATIONS, bound, version())


def _number(said: str, what: str) -> float:
    found = re.search(rf"{what}:\s+([\d.]+)", said)
    if found is None:
        raise CostmodelError(f"llvm-mca says no {what!r}")
    return float(found[1])


def _asked(arguments: list[str], text: str) -> str:
    tool = command()
    if tool is None:
        raise CostmodelError("cycles of loops need llvm-mca. Install it, for instance with: apt install llvm-19")
    done = subprocess.run([tool, *arguments], input=text, capture_output=True, text=True, timeout=600)
    if done.returncode or "is not a recognized processor" in done.stderr:
        raise CostmodelError(f"llvm-mca failed: {(done.stderr or done.stdout).strip()[-200:]}")
    return done.stdout


def read(path: Path = SHIPPED) -> list[Row]:
    kinds = {f.name: {"int": int, "float": float}.get(str(f.type), str) for f in fields(Row)}
    with open(path, newline="", encoding="utf-8") as file:
        return [Row(**{n: kinds[n](v) for n, v in row.items()}) for row in csv.DictReader(file)]
