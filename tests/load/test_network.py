"""The user's code and checkpoints: what goes wrong there is one clear message and leaves nothing half done."""

from __future__ import annotations

import os
import pickle
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from costmodel.errors import CostmodelError
from costmodel.load.checkpoints import load_checkpoint
from costmodel.load.network import build
from costmodel.load.reference import resolve


def net(user_net: Path, **arguments: int) -> torch.nn.Module:
    return build(resolve(f"{user_net}:build", arguments))


def test_arguments_reach_the_factory(user_net: Path) -> None:
    assert net(user_net, width=7).stem.out_channels == 7


def test_two_files_of_one_name_are_two_modules(tmp_path: Path) -> None:
    for folder, classes in (("a", 2), ("b", 5)):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "twin.py").write_text(
            f"from torch import nn\ndef build(): return nn.Linear(1, {classes})\n"
        )
    made = [build(resolve(f"{tmp_path / folder / 'twin.py'}:build")).out_features for folder in "ab"]
    assert made == [2, 5]


def test_a_file_named_like_a_library_does_not_replace_it(tmp_path: Path) -> None:
    path = tmp_path / "json.py"
    path.write_text("from torch import nn\ndef build(): return nn.Identity()\n")
    assert isinstance(build(resolve(f"{path}:build")), torch.nn.Identity)
    import json

    assert hasattr(json, "dumps")


def test_relative_imports_of_a_package_work(tmp_path: Path) -> None:
    package = tmp_path / "some_nets"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "sizes.py").write_text("WIDTH = 6\n")
    (package / "net.py").write_text(
        "from torch import nn\nfrom .sizes import WIDTH\ndef build(): return nn.Linear(WIDTH, 1)\n"
    )
    assert build(resolve(f"{package / 'net.py'}:build")).in_features == 6


@pytest.mark.parametrize(
    ("factory", "said"),
    [
        ("broken", r"broken\(\) failed: ValueError: no such depth: 19 \(at .*user_net.py, line 27"),
        ("not_a_network", "returned an object of type dict; expected a torch.nn.Module"),
        ("constant", "is a int; expected a function or class"),
    ],
)
def test_factories_that_fail(user_net: Path, factory: str, said: str) -> None:
    with pytest.raises(CostmodelError, match=said):
        build(resolve(f"{user_net}:{factory}"))


def test_wrong_arguments_of_a_factory_are_said(user_net: Path) -> None:
    with pytest.raises(CostmodelError, match="unexpected keyword argument 'depth'"):
        net(user_net, depth=3)
    with pytest.raises(CostmodelError, match=r"has no option 'widht'.*width"):
        build(resolve("abbnn-digits", {"widht": 2}))


def test_a_bug_of_ours_is_not_blamed_on_the_user(user_net: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from costmodel import api
    from costmodel.ledger import ledger

    def buggy(*_: object, **__: object) -> None:
        ledger.stored_bits(3)  # type: ignore[arg-type]

    monkeypatch.setattr("costmodel.deploy.profile.profile", buggy)
    with pytest.raises(TypeError):
        api.profile(f"{user_net}:build", "1x3x8x8", use_cache=False)


def test_a_module_that_exits_is_an_error_and_not_an_exit(tmp_path: Path) -> None:
    path = tmp_path / "script.py"
    path.write_text("def build(): ...\nimport sys\nsys.exit('usage: ...')\n")
    with pytest.raises(CostmodelError, match="SystemExit: usage"):
        build(resolve(f"{path}:build"))


@pytest.mark.parametrize(
    "wrap", [lambda s: s, lambda s: {"state_dict": s, "epoch": 3}, lambda s: {"model": {"net": s}}]
)
@pytest.mark.parametrize("prefix", ["", "module.", "_orig_mod."])
def test_checkpoints_are_unwrapped(user_net: Path, tmp_path: Path, wrap: object, prefix: str) -> None:
    torch.manual_seed(1)
    source = net(user_net).state_dict()
    torch.save(wrap({prefix + k: v for k, v in source.items()}), tmp_path / "w.pt")  # type: ignore[operator]
    model = net(user_net)
    load_checkpoint(model, tmp_path / "w.pt")
    assert all(torch.equal(value, source[key]) for key, value in model.state_dict().items())


def test_safetensors_are_read(user_net: Path, tmp_path: Path) -> None:
    source = net(user_net).state_dict()
    save_file(source, tmp_path / "w.safetensors")
    model = net(user_net)
    load_checkpoint(model, tmp_path / "w.safetensors")
    assert torch.equal(model.state_dict()["fc.weight"], source["fc.weight"])


def test_a_checkpoint_that_does_not_fit_is_refused_and_the_network_unchanged(user_net: Path, tmp_path: Path) -> None:
    state = net(user_net).state_dict()
    del state["fc.weight"]
    state["extra"] = torch.zeros(1)
    state["stem.weight"] = torch.zeros(4, 3, 5, 5)
    torch.save(state, tmp_path / "w.pt")
    model = net(user_net)
    before = {key: value.clone() for key, value in model.state_dict().items()}
    with pytest.raises(CostmodelError) as error:
        load_checkpoint(model, tmp_path / "w.pt")
    for said in ("1 missing: fc.weight", "1 not in the network: extra", "stem.weight is 4x3x5x5 in the file"):
        assert said in str(error.value)
    assert all(torch.equal(before[key], value) for key, value in model.state_dict().items())


class Evil:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.system, ("touch HACKED",)


@pytest.mark.parametrize("save", [lambda o, p: torch.save(o, p), lambda o, p: p.write_bytes(pickle.dumps(o))])
def test_code_in_a_checkpoint_is_not_run(
    user_net: Path, tmp_path: Path, save: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "w.pt"
    save({"state_dict": Evil()}, path)  # type: ignore[operator]
    with pytest.raises(CostmodelError, match="holds Python objects"):
        load_checkpoint(net(user_net), path)
    assert not (tmp_path / "HACKED").exists()


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("w.safetensors", b"nonsense"),
        ("w.pt", b"nonsense"),
        ("w.pt", b"hello"),
        ("w.pt", b""),
        ("w.pth", b"PK\x03\x04broken"),
    ],
)
def test_files_that_are_no_checkpoints(user_net: Path, tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(CostmodelError, match=name):
        load_checkpoint(net(user_net), tmp_path / name)


def test_a_checkpoint_without_weights_says_what_it_holds(user_net: Path, tmp_path: Path) -> None:
    torch.save({"epoch": 3, "lr": 0.1}, tmp_path / "w.pt")
    with pytest.raises(CostmodelError, match="it has 'epoch', 'lr'"):
        load_checkpoint(net(user_net), tmp_path / "w.pt")
    torch.save([1, 2], tmp_path / "w.pt")
    with pytest.raises(CostmodelError, match="holds a list"):
        load_checkpoint(net(user_net), tmp_path / "w.pt")
