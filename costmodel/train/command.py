"""What ``costmodel train`` does: from arguments to jobs, from jobs to runs, from runs to results."""

from __future__ import annotations

import argparse
import os
import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from costmodel.errors import CostmodelError
from costmodel.train import DATASETS
from costmodel.train.curves import draw
from costmodel.train.job import Job, OwnNetwork, Result
from costmodel.train.plans import Cell, load_plan
from costmodel.train.recipes import Recipe, load_recipe, with_epochs

if TYPE_CHECKING:
    import torch

    from costmodel.train.feed import Feed
    from costmodel.train.run import Run
    from costmodel.train.session import Pending


@dataclass(frozen=True)
class Request:
    """A job, its folder, and the checkpoint of its teacher."""

    job: Job
    folder: Path
    teacher: Path | None
    tree: Path | None


def run(args: argparse.Namespace, paused: int) -> int:
    """Run the verb. Returns 0 when every run is done and ``paused`` when time was up."""
    requests = [_request(cell, Path(args.output)) for cell in _cells(args)]
    if args.restart:
        for request in requests:
            _clear(request.folder)
    import torch

    from costmodel.train.session import Progress, Stop, environment, train

    stop = Stop(args.minutes)
    device = choose_device(args.accelerator)
    threads = args.threads or (1 if all(r.job.data == "digits" for r in requests) else _cores())
    torch.set_num_threads(threads)
    _arithmetic(device, args.deterministic)
    factory = _Factory(args, device, environment(device, threads))
    left = [request for request in requests if _result(request) is None]
    train([factory.pending(request) for request in left], stop, args.parallel, Progress(sys.stderr, args.quiet))
    if args.curves:
        for request in requests:
            draw(request.folder)
    results = [(request, _result(request)) for request in requests]
    for request, result in results:
        print(_summary(request, result))
    if stop.signal is not None:
        raise KeyboardInterrupt
    return 0 if all(result for _, result in results) else paused


def _cells(args: argparse.Namespace) -> Sequence[Cell]:
    if args.plan:
        return _planned(args)
    if not args.models:
        raise CostmodelError(
            "no network given. Give one or more (see: costmodel models), a file (net.py:build), or --plan NAME."
        )
    if not args.data:
        raise CostmodelError(f"no data set given. Give --data with one of {', '.join(DATASETS)}.")
    epochs = _epochs(args.epochs) if args.epochs else ()
    return [
        Cell(
            model=model,
            own=own,
            data=args.data,
            recipe=args.recipe,
            seed=seed,
            width=1.0 if args.width is None else args.width,
            epochs=epochs,
            options=options,
            validation=args.validation,
            teacher=args.teacher,
        )
        for model, own, options in _networks(args)
        for seed in args.seed or [0]
    ]


def _networks(args: argparse.Namespace) -> list[tuple[str, OwnNetwork | None, dict[str, Any]]]:
    """Name, what a job says of a network of the user's own, and the axes of one of the zoo."""
    found: list[tuple[str, OwnNetwork | None, dict[str, Any]]] = []
    for model in args.models:
        if ":" not in model:
            found.append((model, None, args.arguments[model]))
            continue
        from costmodel.train.own import own_network

        found.append((*own_network(model, args.arguments[model], args.input), {}))
    if args.input and all(own is None for _, own, _ in found):
        raise CostmodelError("--input is for a network of your own, such as net.py:build; those of the zoo know theirs")
    return found


def _planned(args: argparse.Namespace) -> list[Cell]:
    """The runs of a plan, each as narrow or as short as the command says; a student finds its teacher's new name."""
    given = {"MODEL": args.models, "--data": args.data, "--recipe": args.recipe, "--seed": args.seed}
    given |= {"--model-args": args.model_args, "--teacher": args.teacher}
    if unwanted := [name for name, value in given.items() if value]:
        raise CostmodelError(
            f"--plan says what to train: give it without {', '.join(unwanted)}. --width, --epochs and --validation "
            f"change every run of a plan; for anything else write a plan of your own (--plan FILE.yaml)."
        )
    changes: dict[str, Any] = {"epochs": _epochs(args.epochs)} if args.epochs else {}
    changes |= {"width": args.width} if args.width is not None else {}
    changes |= {"validation": True} if args.validation else {}
    cells = load_plan(args.plan)
    changed = [msgspec.structs.replace(cell, **changes) for cell in cells]
    renamed = {_job(old).slug: _job(new).slug for old, new in zip(cells, changed, strict=True)}
    return [msgspec.structs.replace(c, teacher=renamed.get(c.teacher or "", c.teacher)) for c in changed]


def _job(cell: Cell) -> Job:
    """The job of a cell. Raises :class:`CostmodelError` for a cell that cannot be trained."""
    from costmodel.train.networks import check, default_recipe, network_name

    network = network_name(cell.model, cell.data) if cell.own is None else cell.model
    name = cell.recipe or (default_recipe(network, cell.data) if cell.own is None else "one-step")
    recipe = load_recipe(name)
    if cell.epochs:
        recipe = with_epochs(recipe, cell.epochs)
    if recipe.loss.teacher > 0 and not cell.teacher:
        raise CostmodelError(
            f"the recipe {name} learns from a teacher: give --teacher FILE (final.safetensors of a run)."
        )
    if cell.width <= 0:
        raise CostmodelError(f"--width {cell.width:g}: expected a factor above 0, such as 0.25.")
    dataset, _, tree = cell.data.partition(":")
    if dataset == "imagenet" and not tree:
        raise CostmodelError("--data imagenet: which folder? Give --data imagenet:DIR with DIR/train and DIR/val.")
    if dataset == "imagenet" and cell.validation:
        raise CostmodelError("--validation is for data sets in memory; for imagenet give another tree.")
    job = Job(
        network=network,
        data=dataset,
        recipe_name=Path(name).stem,
        recipe=recipe,
        seed=cell.seed,
        width=cell.width,
        validation=cell.validation,
        teacher=cell.teacher or None,
        options=dict(cell.options),
        own=msgspec.UNSET if cell.own is None else cell.own,
    )
    check(job)
    return job


def _request(cell: Cell, out: Path) -> Request:
    job, tree = _job(cell), cell.data.partition(":")[2]
    teacher = _teacher(cell.teacher, out) if cell.teacher else None
    return Request(job, out / job.slug, teacher, Path(tree) if tree else None)


def _teacher(given: str, out: Path) -> Path:
    """A teacher's checkpoint: a file, or the name of a run in the folder of runs."""
    return Path(given) if given.endswith(".safetensors") else out / given / "final.safetensors"


def _epochs(text: str) -> tuple[int, ...]:
    try:
        return tuple(int(part) for part in text.split(","))
    except ValueError:
        raise CostmodelError(f"--epochs {text}: expected a number, or one per phase, such as 30,30.") from None


def _clear(folder: Path) -> None:
    from costmodel.train.session import owned

    if folder.exists():
        with owned(folder):
            shutil.rmtree(folder)


def choose_device(wanted: str) -> torch.device:
    """The device by name; ``auto`` is the GPU where there is one. Raises :class:`CostmodelError` where not."""
    import torch

    if wanted == "cuda" and not torch.cuda.is_available():
        raise CostmodelError(
            "--accelerator cuda: this PyTorch sees no CUDA device. Use --accelerator cpu, or install a CUDA build."
        )
    return torch.device("cuda" if wanted != "cpu" and torch.cuda.is_available() else "cpu")


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _arithmetic(device: torch.device, deterministic: bool) -> None:
    import torch

    if deterministic:
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
        torch.use_deterministic_algorithms(True)
    elif device.type == "cuda":
        torch.backends.cudnn.benchmark = True
    # What a recipe calls fp32 is fp32, and accuracy is always measured in it.
    torch.backends.cudnn.allow_tf32 = False


def can_be_a_graph(recipe: Recipe) -> bool:
    """Whether every step of a recipe can be replayed: batches of one shape, and a rate that the device reads."""
    return recipe.compile and recipe.drop_last and all(phase.optimizer == "adam" for phase in recipe.phases)


class _Factory:
    """Makes runs, and reads each data set once for all of them."""

    def __init__(self, args: argparse.Namespace, device: torch.device, environment: dict[str, Any]) -> None:
        self.args, self.device, self.environment = args, device, environment
        self.feeds: dict[str, Feed] = {}

    def pending(self, request: Request) -> Pending:
        from costmodel.train.session import Pending

        return Pending(request.folder, lambda: self.make(request), request.teacher)

    def make(self, request: Request) -> Run:
        from costmodel.train.networks import builder, load_teacher
        from costmodel.train.run import Options, Run

        job, args = request.job, self.args
        teacher = load_teacher(request.teacher, job.data).to(self.device) if request.teacher else None
        options = Options(
            device=self.device,
            graph=self.device.type == "cuda" and can_be_a_graph(job.recipe),
            evaluate_every=args.evaluate_every,
            save_every=args.save_every,
        )
        feed = self._feed(job, request.tree)
        return Run(
            job, request.folder, feed, builder(job, feed.classes, feed.shape), options, teacher, dict(self.environment)
        )

    def _feed(self, job: Job, tree: Path | None) -> Feed:
        recipe = job.recipe
        key = repr(
            (
                job.data,
                tree,
                job.validation,
                recipe.augment,
                recipe.batch,
                recipe.drop_last,
                recipe.channels_last,
                recipe.pixels,
            )
        )
        if key not in self.feeds:
            self.feeds.clear()  # one data set at a time: padded images take memory
            self.feeds[key] = self._make_feed(job, tree)
        return self.feeds[key]

    def _make_feed(self, job: Job, tree: Path | None) -> Feed:
        from costmodel.train import data, download, feed, folder

        recipe = job.recipe
        if tree is not None:
            return folder.FolderFeed(
                tree, recipe.augment, recipe.batch, self.device, recipe.drop_last, recipe.channels_last, _cores()
            )
        directory = data.data_directory(self.args.data_dir)
        if self.args.download:
            download.fetch(job.data, directory, lambda text: print(f"\r{text}", end="", file=sys.stderr, flush=True))
        loaded = data.load(job.data, directory, job.validation)
        return feed.MemoryFeed(
            loaded,
            recipe.augment,
            recipe.batch,
            self.device,
            recipe.drop_last,
            recipe.channels_last,
            recipe.pixels == "unit",
        )


def _result(request: Request) -> Result | None:
    """The result in a run's folder, if it is this job's."""
    try:
        content = msgspec.json.decode((request.folder / "result.json").read_bytes())
        if msgspec.convert(content["job"], Job).key != request.job.key:
            return None
        return msgspec.convert(content["result"], Result)
    except FileNotFoundError:
        return None
    except (OSError, KeyError, TypeError, msgspec.DecodeError) as error:
        raise CostmodelError(
            f"{request.folder / 'result.json'} is damaged: {error}. Delete it and run again."
        ) from error


def _summary(request: Request, result: Result | None) -> str:
    if result is None:
        return f"{request.job.slug}: under way; the same command goes on"
    return (
        f"{request.job.slug}: {100 * result.accuracy:.2f} % on the {result.held_out} images at the last epoch "
        f"(best epoch {100 * result.best_accuracy:.2f} %, picked on those images), {result.seconds:.0f} s"
    )
