"""The executed network is the given one, and what it counts while it runs is the deployed ledger, row by row."""

from collections import Counter
from fnmatch import fnmatchcase

import numpy as np
import pytest
import torch
from torch import nn

from costmodel.deploy.assemble import assemble
from costmodel.deploy.assembler import CannotRunError
from costmodel.deploy.executor import Executor, per_image, run_batches
from costmodel.deploy.multipliers import replace_multipliers
from costmodel.deploy.streams import multiplications_left
from costmodel.deploy.study import effect, prepare, verify
from costmodel.errors import CostmodelError
from costmodel.graph.attrs import Affine
from costmodel.ledger.rules import charge
from costmodel.ledger.scales import SCALE_OPTIONS, with_scale
from costmodel.zoo import entry, list_models
from tests.deploy.networks import images, rows, scramble, zoo
from tests.foreign import detach_style, parametrized_style, plain_tensor_style
from tests.trace.idioms import WEIGHTS

#: All networks for 32x32, 28x28 and 8x8 images; the binary family at an eighth of its width, which keeps every place.
CIFAR = [n for n in list_models("*-cifar10") if n != "resnet18-cifar10"]
SMALL = [*list_models("*-digits"), "tfc-w1a1", "cnv-w1a1"]


def counted(deployment, option, bits, count=2):
    graph = replace_multipliers(deployment.graph, option)
    tally: Counter = Counter()
    Executor(assemble(graph, bits, option)).run(images(deployment, count), tally=tally)
    return Counter(per_image(tally, count)), rows(charge(graph, "deployed"))


@pytest.mark.parametrize("name", CIFAR + SMALL)
def test_zoo_networks_run_exactly_and_count_their_ledger(name):
    made = zoo(name, **({"width": 0.125} if name in CIFAR else {}))
    verdict = verify(made, images(made, 2))
    assert verdict.exact, verdict
    # Weights of ±c with a real c: a sum that is exactly zero is a tie, and PyTorch falls to either side by rounding.
    assert verdict.by_rounding == (name == "bnfree-bnn18-cifar10")
    for bits in (None, 16):
        executed, ledger = counted(made, "exact", bits)
        assert executed == ledger
    assert sum(flips for _, flips, _ in effect(made, "exact", 24, images(made, 2)).flips) == 0


@pytest.mark.parametrize("option", ["*=csd2,stages.1*=lut", "stages.*=pow2,stages.2*=exact,stages.3*=csd3"])
def test_what_single_layers_multiply_by_is_executed_and_counted_alike(option):
    made = zoo("abbnn-reactnet18-cifar10", width=0.125)
    executed, ledger = counted(made, option, 16)
    assert executed == ledger
    charged = charge(replace_multipliers(made.graph, option), "deployed")
    priced = with_scale(made.profile.deployed, option)
    assert charged.by_kind_and_tag() == priced.by_kind_and_tag()
    assert charged.by_kind_and_tag() != charge(made.graph, "deployed").by_kind_and_tag()
    names = {n.id: n.name for n in made.graph.nodes}
    marks = {names[n.id]: n.attrs.multiplier for n in replace_multipliers(made.graph, option).nodes
             if isinstance(n.attrs, Affine) and n.attrs.multiplier}  # fmt: skip
    chosen = dict(part.split("=") for part in option.split(","))
    for name, mark in marks.items():
        assert mark == [v for pattern, v in chosen.items() if fnmatchcase(name, pattern)][-1]


@pytest.mark.parametrize(
    ("option", "words"),
    [("stages.9*=csd2", "unknown layer"), ("stages.1*=tied", "tied is of all layers"), ("csd9", "unknown way")],
)
def test_scales_that_no_layer_can_have_are_refused(option, words):
    with pytest.raises(CostmodelError, match=words):
        replace_multipliers(zoo("abbnn-reactnet18-cifar10", width=0.125).graph, option)


@pytest.mark.parametrize("style", [detach_style, parametrized_style, plain_tensor_style], ids=lambda m: m.__name__)
def test_networks_of_other_hands_run_exactly_and_count_their_ledger(style):
    name = "abbnn-reactnet18" if "abbnn-reactnet18" in style.FACTORIES else next(iter(style.FACTORIES))
    torch.manual_seed(0)
    made = prepare(scramble(style.FACTORIES[name](classes=10, small=True)), torch.randn(1, 3, 32, 32))
    assert verify(made, images(made, 1)).exact
    executed, ledger = counted(made, "exact", 16, 1)
    assert executed == ledger


def quantised(x, bits):
    return torch.round(torch.clamp(x, 0, 1) * (2**bits - 1)) / (2**bits - 1)


class FewBits(torch.nn.Module):
    """Activations of several bits on weights of one, two or several."""

    def __init__(self, bits, quantise):
        super().__init__()
        self.stem, self.bn = torch.nn.Conv2d(3, 8, 3, padding=1), torch.nn.BatchNorm2d(8)
        self.weight = torch.nn.Parameter(torch.randn(12, 8, 3, 3))
        self.bits, self.quantise = bits, quantise

    def forward(self, x):
        return torch.nn.functional.conv2d(
            quantised(self.bn(self.stem(x)), self.bits), self.quantise(self.weight), padding=1
        )


@pytest.mark.parametrize("weights", ["xnor", "plain", "ternary", "dorefa4", "power_of_two", "real"])
@pytest.mark.parametrize("bits", [2, 4, 8])
def test_activations_of_several_bits_run_exactly_and_count_their_ledger(bits, weights):
    torch.manual_seed(0)
    made = prepare(scramble(FewBits(bits, WEIGHTS[weights][0])), torch.randn(1, 3, 16, 16))
    assert verify(made, images(made, 2)).exact
    executed, ledger = counted(made, "exact", None)
    assert executed == ledger


@pytest.mark.parametrize("option", SCALE_OPTIONS)
def test_every_way_to_remove_multiplications_counts_its_ledger(option):
    for arguments in ({}, {"scale": "tied"}):
        made = zoo("abbnn-reactnet18-cifar10", width=0.125, **arguments)
        for bits in (None, 12):
            executed, ledger = counted(made, option, bits)
            assert executed == ledger


def test_tied_scales_leave_only_shifts_exactly():
    for name in ("abbnn-reactnet18-cifar10", "abbnn-reactneta-cifar10"):
        made = zoo(name, width=0.125, scale="tied")
        graph = replace_multipliers(made.graph, "tied")
        assert multiplications_left(made.graph) and not multiplications_left(graph)
        x = images(made, 4)
        np.testing.assert_allclose(
            Executor(assemble(graph)).run(x)[0], Executor(assemble(made.graph)).run(x)[0], rtol=0, atol=1e-12
        )
        muls = {t: n for (k, t), n in with_scale(made.profile.deployed, "tied").by_kind_and_tag().items() if k == "mul"}
        assert set(muls) == {"stem_conv", "fp_linear"}


def test_untied_scales_are_left_alone():
    made = zoo("abbnn-reactnet18-cifar10", width=0.125)
    assert len(multiplications_left(replace_multipliers(made.graph, "tied"))) == len(multiplications_left(made.graph))


def test_tables_give_the_same_bits_as_multiplications():
    made = zoo("abbnn-xnor18-cifar10", width=0.125)
    x = images(made, 2)
    for bits in (6, 16):
        table = assemble(replace_multipliers(made.graph, "lut"), bits, "lut")
        assert any("table" in i.arrays for i in table.instructions)
        assert np.array_equal(Executor(table).run(x)[0], Executor(assemble(made.graph, bits)).run(x)[0])


def test_more_fraction_bits_flip_fewer_signs():
    made = zoo("abbnn-reactnet18-cifar10", width=0.25)
    flipped = [effect(made, "exact", bits, images(made, 4)).flipped for bits in (4, 10, 24)]
    assert flipped[0] > flipped[1] > flipped[2] == 0


def test_more_terms_come_closer():
    made = zoo("abbnn-digits")
    errors = [effect(made, option, 24, images(made, 16)).error for option in ("pow2", "csd2", "csd3", "exact")]
    assert errors[0] > errors[1] > errors[2] > errors[3]


def test_batches_and_threads_do_not_change_the_answer():
    made = zoo("abbnn-digits")
    executor, x = Executor(assemble(made.graph, 12)), images(made, 9)
    one = np.concatenate([executor.run(x[k : k + 1])[0] for k in range(9)])
    assert np.array_equal(one, run_batches(executor, x, batch=4))
    assert np.array_equal(one, run_batches(executor, x, batch=2, threads=2))


def test_inputs_that_do_not_fit_are_refused():
    executor = Executor(assemble(zoo("abbnn-digits").graph))
    with pytest.raises(CostmodelError, match=r"input0 of .* is \[n, 1, 8, 8\]; an array of shape \[2, 3, 8, 8\]"):
        executor.run(np.zeros((2, 3, 8, 8)))
    with pytest.raises(CostmodelError, match="1 inputs"):
        executor.run()


def test_the_published_network_keeps_one_multiplication_an_output():
    made = zoo("abbnn-reactnet18")
    assert entry("abbnn-reactnet18").input_shape == (1, 3, 224, 224)
    exact = made.profile.deployed.by_kind_and_tag()
    scales = sum(n for (kind, tag), n in exact.items() if kind == "mul" and "weight_scale" in tag)
    assert scales == 1_680_896
    left = {o: sum(n.numel for n in multiplications_left(replace_multipliers(made.graph, o))) for o in SCALE_OPTIONS}
    assert left == {"exact": 1_680_896, "pow2": 0, "csd2": 0, "csd3": 0, "tied": 1_680_896, "lut": 175_616}
    tied = with_scale(made.profile.deployed, "tied").by_kind_and_tag()
    assert not any(kind == "mul" and tag not in ("stem_conv", "fp_linear") for kind, tag in tied)


@pytest.mark.slow
@pytest.mark.parametrize("name", [*CIFAR, "resnet18-cifar10"])
def test_whole_networks_flip_no_sign_at_24_bits(name):
    made = zoo(name)
    x = images(made, 2)
    assert verify(made, x).exact
    assert sum(flips for _, flips, _ in effect(made, "exact", 24, x).flips) == 0
    executed, ledger = counted(made, "exact", 24)
    assert executed == ledger


class Frames(nn.Module):
    """Several images in a batch of one, through transposed convolutions with gaps between their results."""

    def __init__(self, kernel, stride):
        super().__init__()
        self.up, self.signs = nn.ConvTranspose2d(3, 4, kernel, stride), nn.Parameter(torch.randn(4, 2, 2, 2))

    def forward(self, x):
        batch, frames, *rest = x.shape
        y = self.up(x.reshape(batch * frames, *rest))
        y = nn.functional.conv_transpose2d(torch.sign(y + 0.1), torch.sign(self.signs), stride=3)
        return y.reshape(batch, frames, *y.shape[1:])


class OfOneNumber(nn.Module):
    """A decision about one number of the image, whose dimensions are dropped, applies to all of it."""

    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(4, 4)
        self.register_buffer("limit", torch.tensor(0.3))

    def forward(self, x):
        y = self.linear(x)
        return y * torch.sign(y.sum(1).squeeze() - self.limit)


@pytest.mark.parametrize(
    ("net", "shape"),
    [(Frames(2, 2), (1, 3, 3, 5, 5)), (Frames(2, 3), (1, 2, 3, 4, 4)), (OfOneNumber(), (1, 4))],
    ids=["transposed", "transposed with gaps", "one number"],
)
def test_what_batches_do_not_keep_apart_is_executed_and_counted_image_by_image(net, shape):
    made = prepare(net.eval(), torch.randn(shape))
    x = images(made, 3)
    assert verify(made, x).exact
    tally = Counter()
    Executor(assemble(made.graph)).run(x, tally=tally)
    charged = Counter()
    for c in made.profile.deployed.charges:
        charged[c.module, c.call, c.op, c.kind] += c.count
    assert per_image(tally, 3) == charged


def test_a_window_in_the_padding_alone_is_refused():
    """Dilation steps over the whole of a narrow map: PyTorch's largest element is minus infinity there."""
    network = nn.Sequential(nn.Conv2d(3, 4, 1), nn.MaxPool2d((1, 2), padding=(0, 1), dilation=2))
    with pytest.raises(CannotRunError, match="padding alone"):
        assemble(prepare(network.eval(), torch.randn(1, 3, 4, 1)).graph)
    assemble(prepare(network.eval(), torch.randn(1, 3, 4, 3)).graph)
