"""Turn finished runs into accuracy records, and their weights into packed checkpoints.

python -m costmodel.train.publish RUN... [--weights] [--records FILE]
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import msgspec

from costmodel.errors import CostmodelError
from costmodel.files import atomic_write
from costmodel.train.job import Job, OwnNetwork, Result
from costmodel.train.records import RECORDS, Record, add
from costmodel.train.shipped import WEIGHTS
from costmodel.zoo import registry

#: What a packed checkpoint may take in the package.
LIMIT_BYTES = 5_000_000


def read_result(folder: Path) -> tuple[Job, Result]:
    """Job and result of a finished run. Raises :class:`CostmodelError` for a folder without one."""
    path = folder / "result.json"
    try:
        content = msgspec.json.decode(path.read_bytes())
        return msgspec.convert(content["job"], Job), msgspec.convert(content["result"], Result)
    except FileNotFoundError:
        raise CostmodelError(f"{folder} holds no finished run: there is no {path.name}. Train it to the end.") from None
    except (OSError, KeyError, TypeError, msgspec.DecodeError) as error:
        raise CostmodelError(f"{path} is damaged: {error}. Delete it and train again.") from error


def weights_name(job: Job) -> str:
    """Name of the weights of a job: the network's, its width where that is not 1, and the axes that differ."""
    axes = {**job.recipe.network, **job.options}
    parts = [job.network, *([f"w{job.width:g}"] if job.width != 1.0 else []), *(str(axes[key]) for key in sorted(axes))]
    return "-".join(parts)


def record_of(job: Job, result: Result, weights: str | None = None) -> Record:
    """The accuracy record of a run."""
    about = result.environment
    return Record(
        network=job.network,
        data=job.data.partition(":")[0],
        variant=_variant(job),
        width=job.width,
        recipe=job.recipe_name,
        seed=job.seed,
        epochs=tuple(result.epochs),
        held_out="validation" if job.validation else "test",
        accuracy=round(100 * result.accuracy, 4),
        best_accuracy=round(100 * result.best_accuracy, 4),
        step_accuracies=tuple(round(100 * a, 4) for a in result.step_accuracies),
        parameters=result.parameters,
        seconds=round(result.seconds, 1),
        device=str(about.get("device", "unknown")),
        hardware=str(about.get("hardware", "unknown")),
        threads=int(about.get("threads", 0)),
        precision=str(about.get("precision", "unknown")),
        torch=str(about.get("torch", "unknown")),
        commit=str(about.get("commit", "unknown")),
        key=job.key,
        checkpoint_sha256=result.checkpoint_sha256,
        options={**job.recipe.network, **job.options},
        teacher=job.teacher,
        weights=weights,
    )


def _variant(job: Job) -> str:
    """The rules that a network follows: ``abbnn``, ``bnfree``, ``bn``; a user's own network is ``own``."""
    if isinstance(job.own, OwnNetwork):
        return "own"
    first = job.network.partition("-")[0]
    return "bn" if registry.entry(job.network).family == "finn" and first != "abbnn" else first


def pack_run(folder: Path, to: Path, name: str) -> Path:
    """Write the packed weights of a finished run. Raises :class:`CostmodelError` when they are too large to ship."""
    from costmodel.load.pack import pack
    from costmodel.train.networks import load_trained

    model, job = load_trained(folder / "final.safetensors")
    data = pack(model, job)
    if len(data) >= LIMIT_BYTES:
        raise CostmodelError(f"the packed weights of {folder} take {len(data)} bytes; at most {LIMIT_BYTES} ship.")
    to.mkdir(parents=True, exist_ok=True)
    return atomic_write(to / f"{name}.safetensors", data)


def main() -> int:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description="Turn finished runs into accuracy records.")
    parser.add_argument("run", nargs="+", type=Path, help="folder of a finished run")
    parser.add_argument("--weights", action="store_true", help="ship the packed weights too, under the network's name")
    parser.add_argument("--records", type=Path, default=RECORDS, help="file of records (default: the package's)")
    args = parser.parse_args()
    try:
        for folder in args.run:
            job, result = read_result(folder)
            name = weights_name(job)
            if args.weights:
                path = pack_run(folder, WEIGHTS, name)
                print(f"{path}: {path.stat().st_size} bytes")
            add(record_of(job, result, name if args.weights else None), args.records)
            print(f"{name}: {100 * result.accuracy:.2f} % on the {result.held_out} images")
    except CostmodelError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
