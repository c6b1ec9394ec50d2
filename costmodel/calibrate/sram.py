"""SRAM buffers by CACTI: the tables ``sram_NODE_CELL`` of ``arch_specs/asic`` made again.

    python -m costmodel.calibrate.sram --cacti path/to/cacti --config path/to/default_cfg.cfg

``--cacti`` is the program built from HewlettPackard/cacti (commit 1ffd8df), run in its own folder; ``--config`` the
default configuration of accelergy-cacti-plug-in. Buffers are plain RAM with one bank and one read/write port at 300 K.
"""

from __future__ import annotations

import argparse
import csv
import re
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from costmodel.errors import CostmodelError

NODES = (22, 32, 45, 65, 90)
CELLS = ("lop", "hp")
SIZES_KB = (1, 2, 8, 32, 128, 512, 1024, 2048, 4096)
WORDS = (64, 256)


@dataclass(frozen=True, slots=True)
class Buffer:
    """Energies in pJ an access, ``area`` in mm2, ``leakage`` in mW."""

    node: int
    cell: str
    kilobytes: int
    word: int
    read: float
    write: float
    area: float
    leakage: float


def run(cacti: Path, config: str, node: int, cell: str, kilobytes: int, word: int) -> Buffer:
    """One buffer. Raises :class:`CostmodelError` where CACTI gives no result."""
    text = re.sub(r'(-(?:Data|Tag) array (?:cell|peripheral) type - )"?itrs-\w+"?', rf'\1"itrs-{cell}"', config)
    text += (
        f"\n-size (bytes) {kilobytes * 1024}\n-read-write port 1\n-block size (bytes) {word // 8}\n"
        f"-technology (u) {node / 1000}\n-output/input bus width {word}\n-UCA bank 1\n"
        f'-cache type "ram"\n-tag size (b) 0\n-associativity 1\n'
    )
    folder = cacti.resolve().parent
    written, result = folder / "buffer.cfg", folder / "buffer.cfg.out"
    written.write_text(text)
    result.unlink(missing_ok=True)
    done = subprocess.run([f"./{cacti.name}", "-infile", written.name], cwd=folder, capture_output=True, text=True)
    if not result.is_file():
        raise CostmodelError(f"CACTI gave no result for {kilobytes} KB at {node} nm {cell}: {done.stdout[-300:]}")
    with result.open(newline="") as file:
        head, *rows = csv.reader(file, skipinitialspace=True)
    found = {key.strip(): value.strip() for key, value in zip(head, rows[-1], strict=False)}
    return Buffer(
        node, cell, kilobytes, word,
        1e3 * float(found["Dynamic read energy (nJ)"]), 1e3 * float(found["Dynamic write energy (nJ)"]),
        float(found["Area (mm2)"]), float(found["Standby leakage per bank(mW)"]),
    )  # fmt: skip


def sweep(cacti: Path, config: str) -> Iterator[Buffer]:
    for word in WORDS:
        for node in NODES if word == 64 else (22, 45, 65):
            for cell in CELLS:
                for kilobytes in SIZES_KB:
                    yield run(cacti, config, node, cell, kilobytes, word)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description="Price SRAM buffers with CACTI.")
    parser.add_argument("--cacti", type=Path, required=True)
    parser.add_argument("--config", type=Path, required=True)
    given = parser.parse_args(arguments)
    config = given.config.read_text()
    print("table,size,read_pJ,write_pJ,area_mm2,leakage_mW")
    for b in sweep(given.cacti, config):
        name = f"sram_{b.node}_{b.cell}" + ("" if b.word == 64 else f"_w{b.word}")
        print(f"{name},{b.kilobytes}KB,{b.read:.5g},{b.write:.5g},{b.area:.5g},{b.leakage:.5g}", flush=True)


if __name__ == "__main__":
    main()
