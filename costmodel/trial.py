"""A deployment that is asked for by name: built, rewritten, verified, tried on images, and written to files."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from costmodel.deploy import packed
from costmodel.deploy.assemble import assemble
from costmodel.deploy.assembler import CannotRunError
from costmodel.deploy.executor import Executor, run_batches
from costmodel.deploy.multipliers import replace_multipliers
from costmodel.deploy.study import Deployment, Effect, Verdict, effect, prepare, verify
from costmodel.errors import CostmodelError
from costmodel.graph.vocabulary import THRESHOLD_BITS
from costmodel.ledger.scales import FRACTION_BITS, SCALE_OPTIONS
from costmodel.noun import Noun

if TYPE_CHECKING:
    from torch import nn

    from costmodel.deploy.program import Array, Program
    from costmodel.ledger.ledger import Profile
    from costmodel.store.cache import Request
    from costmodel.views.view import View

#: Fraction bits of a comparison of them all.
SWEEP = (4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24)
#: What is said where no weights were given.
RANDOM = (
    "The weights are random, because no --checkpoint was given: flips, errors and agreement show the arithmetic and "
    "not what it does to a trained network, and there is no accuracy."
)
MADE = "No --checkpoint was given: the weights are those that the factory makes, random unless it loads some."


@dataclass(frozen=True, repr=False)
class Trial(Noun):
    """A deployed network and its verdict; ``refusal`` says why it cannot run, where it cannot.

    ``weights`` says what they are where no checkpoint was given.

    Tables (``by``): ``level`` (operations as written and deployed), ``rewrite`` (what each exact rewrite removed),
    ``verdict`` (against PyTorch).
    """

    _VIEW = "costmodel.trial:view"

    made: Deployment
    verdict: Verdict | None
    refusal: str
    weights: str

    def __repr__(self) -> str:
        said = self.refusal or ("exact" if self.exact else "DIFFERENT from PyTorch")
        return f"<Trial of {self.profile.network}: {self.profile.deployed.total('mul'):,} multiplications; {said}>"

    @property
    def profile(self) -> Profile:
        """The counts as written and as deployed, and the rewrites between them."""
        return self.made.profile

    @property
    def exact(self) -> bool:
        """Whether the deployed network ran, and gave PyTorch's outputs but for rounding."""
        return self.verdict is not None and self.verdict.exact

    def pack(self, file: str | os.PathLike[str], *, scale: str = "exact", fraction_bits: int = FRACTION_BITS) -> Path:
        """Write the packed network, which runs without PyTorch, and return its path.

        ``scale`` says what multiplies by the scale of binary weights (``exact``, ``pow2``, ``csd2``, ``csd3``,
        ``tied``, ``lut``; or of some layers, ``conv1=csd2,layer*=lut``), ``fraction_bits`` how many bits are behind the
        point of the residual stream (1 to 40).
        """
        return packed.save(self._program(scale, fraction_bits), file)

    def qonnx(self, file: str | os.PathLike[str], *, scale: str = "exact") -> Path:
        """Write a QONNX graph and return its path; needs the extra ``export``."""
        from costmodel.deploy.qonnx import export

        return Path(export(self._program(scale, None), file))

    def _program(self, scale: str, fraction_bits: int | None) -> Program:
        program = assemble(replace_multipliers(self.made.graph, scale), fraction_bits, scale)
        return replace(program, notes=(*program.notes, *filter(None, [self.weights])))


@dataclass(frozen=True)
class Wanted:
    """Which inputs to judge on: ``count`` test images of ``data``, which lies in ``folder``, else random numbers.

    ``pixels``: "unit" from 0 to 1, "standardised" of mean 0 and deviation 1, None as the network is trained.
    """

    data: str | None = None
    folder: str | None = None
    pixels: str | None = None
    count: int | None = None
    seed: int = 0


@dataclass(frozen=True)
class Images:
    """What a network is judged on; ``labels`` are None for random inputs, ``about`` says what they are."""

    images: Any
    labels: Any
    about: str


@dataclass(frozen=True)
class Ran:
    """What a deployed file is and what came out of it, in words; ``notes`` are those of its program."""

    said: Mapping[str, str]
    notes: tuple[str, ...]


def deploy(
    model: nn.Module | str,
    inputs: Any = None,
    *,
    arguments: Mapping[str, Any] | None = None,
    checkpoint: str | Path | None = None,
    trained: bool = False,
    seed: int = 0,
    threshold_bits: int = THRESHOLD_BITS,
    name: str = "",
    announce: Callable[[str], None] | None = None,
) -> Trial:
    """Rewrite a network for deployment, and prove it by running it against PyTorch on two random inputs.

    Arguments are those of :func:`costmodel.profile`; the seed is also that of the random inputs. The result has the
    ``verdict``, the ``profile`` with the counts of both levels, and :meth:`Trial.pack`, which writes the network to a
    file. A network that cannot be run as integers has a ``refusal`` that says why, and no verdict.

    Raises :class:`CostmodelError` where the network cannot be found, built or run.
    """
    from costmodel import api

    say = announce or (lambda _: None)
    if isinstance(model, str):
        request = api.make_request(
            model, inputs, arguments=arguments, checkpoint=checkpoint, trained=trained, seed=seed,
            threshold_bits=threshold_bits,
        )  # fmt: skip
        return attempt(request, say)
    if arguments or checkpoint:
        raise CostmodelError(
            "'arguments' and 'checkpoint' are for a network that is named; build and load the module first"
        )
    from costmodel.load.running import user_code

    api.check_threshold_bits(threshold_bits)
    given, title = api.inputs_of_module(inputs, seed), name or type(model).__name__
    with user_code(f"{title} does not run on the inputs given"):
        made = prepare(model, given, name=title, trained=trained, seed=seed, threshold_bits=threshold_bits)
    return _judged(made, seed, "", must_run=False)


def attempt(request: Request, announce: Callable[[str], None], *, must_run: bool = False) -> Trial:
    """Build, rewrite and verify the network of ``request``.

    Raises :class:`CostmodelError` where it cannot be built, and with ``must_run`` where it cannot be executed.
    """
    import torch

    from costmodel.load import network as loading
    from costmodel.load.checkpoints import load_checkpoint
    from costmodel.load.inputs import make_inputs
    from costmodel.load.running import user_code

    title = request.reference.title
    torch.manual_seed(request.seed)
    announce(f"building {title}")
    model = loading.build(request.reference)
    if request.checkpoint:
        load_checkpoint(model, request.checkpoint)
    model = loading.finish(request.reference, model)
    announce(f"tracing {title}")
    inputs = make_inputs(request.inputs, request.seed)
    said = f"{title} does not run on an input of {', '.join(map(str, request.inputs))}"
    with user_code(said, request.reference.command):
        made = prepare(
            model, inputs, name=title, trained=request.trained, seed=request.seed,
            threshold_bits=request.threshold_bits,
        )  # fmt: skip
    announce("comparing with PyTorch")
    weights = "" if request.checkpoint else RANDOM if request.reference.kind == "zoo" else MADE
    return _judged(made, request.seed, weights, must_run)


def _judged(made: Deployment, seed: int, weights: str, must_run: bool) -> Trial:
    """The deployment with its verdict, or with what keeps it from running."""
    try:
        return Trial(made, verify(made, random_images(made, 2, seed)), "", weights)
    except CannotRunError as error:
        if must_run:
            raise
        return Trial(made, None, str(error), weights)


def random_images(made: Deployment, count: int, seed: int) -> tuple[Array, ...]:
    """``count`` standard normal inputs [count, ...], one array for each input of the network."""
    generator = np.random.default_rng(seed)
    return tuple(generator.standard_normal((count, *leaf.shape[1:])) for leaf in made.graph.inputs)


def images(made: Deployment, wanted: Wanted) -> Images:
    """Test images of a data set, or random inputs; 8 of them unless ``wanted`` says otherwise."""
    if wanted.data is None:
        count = wanted.count or 8
        return Images(random_images(made, count, wanted.seed), None, f"{count} random inputs")
    if len(made.graph.inputs) != 1:
        raise CostmodelError(f"--data gives one image at a time, and the network takes {len(made.graph.inputs)} inputs")
    found, labels = test_images(wanted, wanted.data, made.graph.inputs[0].shape, made.profile.network)
    count = min(wanted.count or 8, len(found))
    return Images(found[:count], labels[:count], f"{count} test images of {wanted.data}")


def test_images(wanted: Wanted, name: str, shape: Sequence[int], network: str) -> tuple[Any, Any]:
    """Test images as the training code gives them to this network, and their labels."""
    from costmodel.train.data import data_directory, load, takes_unit_pixels

    data = load(name, data_directory(wanted.folder))
    if data.test.images.shape[1:] != tuple(shape[1:]):
        have = "x".join(map(str, data.test.images.shape[1:]))
        raise CostmodelError(
            f"images of {name} are {have} and the network takes {'x'.join(map(str, shape[1:]))}; choose a network "
            f"made for it: costmodel models '*-{name}'"
        )
    unit = wanted.pixels == "unit" or (wanted.pixels is None and takes_unit_pixels(network))
    scale = ((0.0,), (1.0,)) if unit else (data.mean, data.std)
    mean, std = (np.array(v, dtype=np.float64).reshape(1, -1, 1, 1) for v in scale)
    count = wanted.count or len(data.test.images)
    return (data.test.images[:count] / 255.0 - mean) / std, data.test.labels[:count]


def scales(option: str) -> tuple[str, ...]:
    """One way to multiply by a scale, for all layers or for some, or ``all`` of them."""
    return SCALE_OPTIONS if option == "all" else (option,)


def effects(made: Deployment, option: str, bits: int, judged: Images) -> list[Effect]:
    """What each of the ways does to the numbers at one format."""
    return [effect(made, each, bits, judged.images, judged.labels) for each in scales(option)]


def sweep(made: Deployment, option: str, judged: Images) -> list[Effect]:
    """What every format of :data:`SWEEP` does to the numbers; of all ways, that of the exact one."""
    chosen = "exact" if option == "all" else option
    return [effect(made, chosen, bits, judged.images, judged.labels) for bits in SWEEP]


def write(found: Trial, option: str, bits: int, file: str | None, qonnx: str | None) -> list[str]:
    """Write the packed network and the QONNX graph where they are asked for, and say what was written."""
    lines = []
    if file:
        path = found.pack(file, scale=option, fraction_bits=bits)
        size, least = path.stat().st_size, packed.theoretical_bits(packed.load(path)) / 8
        lines.append(f"wrote {path}: {size:,} bytes, {100 * (size / least - 1):.1f} % above the bits of its constants")
    if qonnx:
        lines.append(f"wrote {found.qonnx(qonnx, scale=option)}: QONNX graph")
    return lines


def run_file(path: Path, wanted: Wanted) -> Ran:
    """Run a deployed file; nothing here imports torch."""
    program = packed.load(path)
    shapes = [shape for _, _, shape in program.inputs]
    said = {
        "network": program.network,
        "input": ", ".join("x".join(map(str, shape)) for shape in shapes),
        "fraction bits": str(program.fraction_bits),
        "scale": program.scale,
        "binary weights": f"{packed.binary_weights(program):,}",
        "file": f"{path.stat().st_size:,} bytes",
    }
    if wanted.data:
        found, labels = test_images(wanted, wanted.data, shapes[0], program.network)
        logits = run_batches(Executor(program), found, threads=2)
        said["images"] = f"{len(found)} of {wanted.data}"
        right = f"{100 * float((logits.argmax(1) == labels).mean()):.2f} %"
        said["top-1 accuracy"] = "none: the weights are random" if RANDOM in program.notes else right
    else:
        generator = np.random.default_rng(wanted.seed)
        inputs = [generator.standard_normal((wanted.count or 1, *shape[1:])) for shape in shapes]
        output = Executor(program).run(*inputs)[0]
        said["output for a random input"] = np.array2string(output[0], precision=5, threshold=10)
    return Ran(said, tuple(program.notes))


def view(found: Trial) -> View:
    """A deployment: both levels, the rewrites between them, and the verdict of running it."""
    from costmodel.views import counts, frames, numbers
    from costmodel.views import view as views
    from costmodel.views.deployment import verdict_table

    profile, verdict = found.profile, found.verdict
    parts = {
        "level": lambda: frames.levels(profile), "rewrite": lambda: frames.rewrites(profile),
        "verdict": lambda: frames.table("verdict", ["what", "value"], list(_facts(found).items())),
    }  # fmt: skip
    shown = {
        "level": lambda: counts.levels(profile, numbers.plain),
        "rewrite": lambda: counts.rewrites(profile, numbers.plain),
    }
    if verdict is not None:
        shown["verdict"] = lambda: verdict_table(verdict)
    return views.View(
        lambda: [shown["level"](), *([shown["verdict"]()] if verdict is not None else [])],
        parts,
        lambda: {
            "network": profile.network,
            **_facts(found),
            "totals": {"as_written": profile.as_written.by_kind(), "deployed": profile.deployed.by_kind()},
        },
        shown,
    )


def _facts(found: Trial) -> dict[str, Any]:
    """What running it showed, or why it could not be run."""
    said: dict[str, Any] = {"exact": found.exact, "refusal": found.refusal, "weights": found.weights}
    if found.verdict is not None:
        v = found.verdict
        said |= {
            "images": v.images, "deviation": v.deviation, "scale": v.scale, "agreement": v.agreement, "ties": v.ties,
            "decisions": v.decisions, "precision": v.precision, "settled": v.settled, "zeros": v.zeros,
        }  # fmt: skip
    return said
