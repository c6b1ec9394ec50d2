"""`costmodel.profile` next to the counters that people use today: processor time, and what each one reports.

    python benchmarks/counters.py [--repeats 5] [--models resnet18,abbnn,reactneta] [--json FILE]

One process, one thread, CPU seconds of whole calls on a built model and a 1x3x224x224 input. Every counter is called
once before it is timed, then all take turns `--repeats` times; the table shows medians and their ratio to fvcore's.
Counters that are not installed are left out (`make bench` installs them).
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import resource
import statistics
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import nn

Counter = Callable[[nn.Module, torch.Tensor], str]


def forward(model: nn.Module, x: torch.Tensor) -> str:
    with torch.no_grad():
        model(x)
    return ""


def costmodel(model: nn.Module, x: torch.Tensor) -> str:
    from costmodel import profile

    ledger = profile(model, x).deployed
    parts = [f"{short(ledger.total('mul'))} multiplications"]
    if ledger.total("xnor"):
        parts.append(f"{short(ledger.total('xnor'))} XNOR and popcount")
    if shifts := ledger.total("shift_const", "shift_channel", "shift_var"):
        parts.append(f"{short(shifts)} shifts")
    return ", ".join([*parts, f"{short(ledger.total('add'))} additions", "..."])


def fvcore(model: nn.Module, x: torch.Tensor) -> str:
    from fvcore.nn import FlopCountAnalysis

    count = FlopCountAnalysis(model, x).unsupported_ops_warnings(False).uncalled_modules_warnings(False)
    return f"{short(count.total())} flops"


def ptflops_pytorch(model: nn.Module, x: torch.Tensor) -> str:
    return _ptflops(model, x, "pytorch")


def ptflops_aten(model: nn.Module, x: torch.Tensor) -> str:
    return _ptflops(model, x, "aten")


def _ptflops(model: nn.Module, x: torch.Tensor, backend: str) -> str:
    from ptflops import get_model_complexity_info

    macs, _ = get_model_complexity_info(
        model, tuple(x.shape[1:]), as_strings=False, print_per_layer_stat=False, verbose=False, backend=backend
    )
    return f"{short(macs)} MACs"


def torchinfo(model: nn.Module, x: torch.Tensor) -> str:
    from torchinfo import summary

    return f"{short(summary(model, input_data=x, verbose=0).total_mult_adds)} mult-adds"


def calflops(model: nn.Module, x: torch.Tensor) -> str:
    from calflops import calculate_flops

    _, macs, _ = calculate_flops(
        model, input_shape=tuple(x.shape), print_results=False, print_detailed=False, output_as_string=False
    )
    return f"{short(macs)} MACs"


def flop_counter_mode(model: nn.Module, x: torch.Tensor) -> str:
    from torch.utils.flop_counter import FlopCounterMode

    with FlopCounterMode(display=False) as counter, torch.no_grad():
        model(x)
    return f"{short(counter.get_total_flops())} flops"


COUNTERS: dict[str, Counter] = {
    "(forward alone)": forward,
    "costmodel": costmodel,
    "fvcore": fvcore,
    "ptflops, pytorch backend": ptflops_pytorch,
    "ptflops, aten backend": ptflops_aten,
    "torchinfo": torchinfo,
    "calflops": calflops,
    "FlopCounterMode": flop_counter_mode,
}


def short(number: float) -> str:
    """Four digits and a prefix."""
    for factor, prefix in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(number) >= factor:
            return f"{number / factor:.4g} {prefix}"
    return f"{number:.4g}"


def quietly(counter: Counter, model: nn.Module, x: torch.Tensor) -> str:
    """Call a counter without what it prints and warns of."""
    with (
        warnings.catch_warnings(),
        contextlib.redirect_stdout(io.StringIO()),
        contextlib.redirect_stderr(io.StringIO()),
    ):
        warnings.simplefilter("ignore")
        return counter(model, x)


def measure(name: str, repeats: int) -> dict[str, Any]:
    """Median CPU seconds and report of every installed counter on one network of the zoo."""
    from costmodel import build_model

    torch.manual_seed(0)
    model, x = build_model(name).eval(), torch.randn(1, 3, 224, 224)
    reports: dict[str, str] = {}
    for label, counter in COUNTERS.items():
        try:
            reports[label] = quietly(counter, model, x)
        except ImportError:
            continue
    times: dict[str, list[float]] = {label: [] for label in reports}
    for _ in range(repeats):
        for label in reports:
            begin = time.process_time()
            quietly(COUNTERS[label], model, x)
            times[label].append(time.process_time() - begin)
    medians = {label: statistics.median(values) for label, values in times.items()}
    return {
        "model": name,
        "seconds": medians,
        "spread": {label: [min(values), max(values)] for label, values in times.items()},
        "ratio_to_fvcore": {label: value / medians["fvcore"] for label, value in medians.items()},
        "reports": reports,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--models", default="resnet18,abbnn,reactneta")
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    torch.set_num_threads(1)
    results = [measure(name, args.repeats) for name in args.models.split(",")]
    for result in results:
        print(
            f"\n{result['model']}\n\n| counter | CPU s | range | of fvcore | reports |\n| --- | --: | --: | --: | --- |"
        )
        for label, seconds in result["seconds"].items():
            low, high = result["spread"][label]
            ratio = result["ratio_to_fvcore"][label]
            print(f"| {label} | {seconds:.3f} | {low:.3f}–{high:.3f} | {ratio:.2f} | {result['reports'][label]} |")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"\ntorch {torch.__version__}, one thread, peak memory of this process {peak:.0f} MiB")
    if args.json:
        args.json.write_text(json.dumps(results, indent=2) + "\n")


if __name__ == "__main__":
    main()
