"""The public verbs of ``import costmodel``: networks by name or as modules, inputs as tensors or text."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

import costmodel
from costmodel.errors import CostmodelError
from tests.near import near


def net() -> nn.Module:
    return nn.Sequential(nn.Conv2d(1, 2, 3), nn.ReLU(), nn.Flatten(), nn.Linear(2 * 4 * 4, 3))


@pytest.mark.parametrize(
    "inputs",
    ["1x1x6x6", ["1x1x6x6"], torch.zeros(1, 1, 6, 6), (torch.zeros(1, 1, 6, 6),), [torch.zeros(1, 1, 6, 6)],
     {"input": torch.zeros(1, 1, 6, 6)}, "input=1x1x6x6"],
    ids=["text", "texts", "tensor", "tuple", "list", "dict", "named text"],
)  # fmt: skip
def test_every_spelling_of_one_input_gives_one_profile(inputs: object) -> None:
    profile = costmodel.profile(net(), inputs)
    assert profile.deployed.total("mul") == 9 * 2 * 16 + 32 * 3
    assert profile.network == "Sequential"


def test_a_module_is_left_as_it_was() -> None:
    model = net().train()
    before = {key: value.clone() for key, value in model.state_dict().items()}
    costmodel.profile(model, "1x1x6x6", name="mine")
    assert model.training
    assert all(torch.equal(before[key], value) for key, value in model.state_dict().items())


def test_named_models_are_profiled_as_their_modules_are() -> None:
    named = costmodel.profile("abbnn-digits")
    built = costmodel.profile(costmodel.build_model("abbnn-digits"), "1x1x8x8", name=named.network)
    assert built == named


def test_a_profile_is_priced_and_framed() -> None:
    pytest.importorskip("pandas")
    estimate = costmodel.profile("abbnn-digits").estimate("arm")
    assert isinstance(estimate, costmodel.Estimate)
    assert sum(i.value for i in estimate.by_layer("latency_s").values()) == near(estimate.total("latency_s").value)
    assert {i: row["latency_s"] for i, row in estimate.by_layer().items() if "latency_s" in row} == estimate.by_layer(
        "latency_s"
    )
    assert estimate.to_frame("line")["value"].sum() > 0
    frame = costmodel.profile("abbnn-digits").deployed.to_frame("charge")
    assert frame["count"].sum() == costmodel.profile("abbnn-digits").deployed.total()


def test_in_channels_change_the_default_input() -> None:
    assert costmodel.profile("abbnn-digits", arguments={"in_channels": 3}).input_shapes == ((1, 3, 8, 8),)


@pytest.mark.parametrize(
    ("model", "inputs", "said"),
    [
        (net, None, "no inputs given"),
        (net, "1x1x2x2", "does not run on an input of 1x1x2x2"),
        ("abbnn-digits", torch.zeros(1), "give inputs as text"),
    ],
)
def test_wrong_inputs(model: object, inputs: object, said: str) -> None:
    with pytest.raises(CostmodelError, match=said):
        costmodel.profile(model() if callable(model) else model, inputs)  # type: ignore[arg-type]


def test_checkpoints_and_arguments_are_for_named_models(tmp_path: Path) -> None:
    with pytest.raises(CostmodelError, match="for a network that is named"):
        costmodel.profile(net(), "1x1x6x6", arguments={"width": 2})


@pytest.mark.parametrize("what", ["profile", "estimate"])
def test_notebooks_show_tables(what: str) -> None:
    profile = costmodel.profile("abbnn-digits")
    html = (profile if what == "profile" else profile.estimate("arm"))._repr_html_()
    assert html.count("<table") == html.count("</table>") >= 1
    assert "abbnn-reactnet6-digits" in html
    assert "<script" not in html


def test_a_network_with_fresh_weights_is_built_the_same_each_time_and_the_callers_numbers_go_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "fresh.py"
    path.write_text(
        "from torch import nn\n"
        "def build():\n    net = nn.Linear(2, 2)\n    print(net.weight.tolist())\n    return net\n"
    )
    torch.manual_seed(7)
    expected = torch.rand(3)
    torch.manual_seed(7)
    for _ in range(2):
        costmodel.profile(f"{path}:build", "1x2", use_cache=False)
    first, second = capsys.readouterr().err.splitlines()
    assert first == second
    assert torch.equal(torch.rand(3), expected)


@pytest.mark.parametrize("bits", [0, 9, 2.5, "4"])
@pytest.mark.parametrize("network", ["bn-digits", torch.nn.Conv2d(1, 1, 1)])
def test_widths_of_comparisons_are_refused_out_of_range_for_names_and_modules(network, bits):
    inputs = None if isinstance(network, str) else "1x1x4x4"
    for verb in (costmodel.profile, costmodel.deploy):
        with pytest.raises(costmodel.CostmodelError, match="expected a whole number from 1 to 8"):
            verb(network, inputs, threshold_bits=bits)
