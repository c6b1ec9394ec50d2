"""TorchScript and ``torch.export`` files count as their module; files with code or without a network are said."""

from __future__ import annotations

import os
import warnings
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

import costmodel
from costmodel.errors import CostmodelError


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 8, 3, padding=1)
        self.bn = nn.BatchNorm2d(8)
        self.deep = nn.Conv2d(8, 8, 3, groups=8, stride=2)
        self.fc = nn.Linear(8, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = torch.relu(self.bn(self.conv(x)))
        return self.fc(torch.relu(self.deep(x)).mean((2, 3)))


def save(kind: str, model: nn.Module, x: torch.Tensor, path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if kind == "exported":
            torch.export.save(torch.export.export(model, (x,)), str(path))
        else:
            torch.jit.save(torch.jit.trace(model, x) if kind == "traced" else torch.jit.script(model), str(path))


@pytest.mark.parametrize(
    ("kind", "name"), [("exported", "net.pt2"), ("traced", "net.pt"), ("scripted", "net.ts"), ("exported", "net.pt")]
)
def test_a_file_counts_as_its_module(kind: str, name: str, tmp_path: Path) -> None:
    model, x = Net().eval(), torch.randn(1, 3, 12, 12)
    save(kind, model, x, tmp_path / name)
    own, read = costmodel.profile(model, x), costmodel.profile(str(tmp_path / name), "1x3x12x12", use_cache=False)
    for level in ("as_written", "deployed"):
        kinds = [dict(getattr(p, level).by_kind()) for p in (own, read)]
        assert kinds[0] == kinds[1]
    assert own.parameters == read.parameters
    macs = [[(layer.module, layer.macs) for layer in p.deployed.layers if layer.macs] for p in (own, read)]
    assert [m for _, m in macs[0]] == [m for _, m in macs[1]]


def test_weights_in_memory_that_is_not_torchs_are_copied() -> None:
    model = nn.Linear(8, 4, bias=False)
    model.weight = nn.Parameter(torch.from_numpy(np.random.default_rng(0).standard_normal((4, 8)).astype(np.float32)))
    before = model.weight.clone()
    assert costmodel.profile(model, torch.randn(1, 8)).deployed.total("mul") == 32
    model.weight = nn.Parameter(torch.frombuffer(bytearray(4 * 32), dtype=torch.float32).reshape(4, 8))
    assert costmodel.profile(model, torch.randn(1, 8)).deployed.total("mul") == 32
    assert before.shape == (4, 8)


def test_mapped_weights_are_copied(tmp_path: Path) -> None:
    model = nn.Linear(8, 4, bias=False)
    torch.save({"weight": torch.full((4, 8), 0.5)}, tmp_path / "w.pt")
    model.load_state_dict(torch.load(tmp_path / "w.pt", mmap=True, weights_only=True), assign=True)
    content = (tmp_path / "w.pt").read_bytes()
    assert costmodel.profile(model, torch.randn(1, 8)).deployed.total("mul") == 32
    assert (tmp_path / "w.pt").read_bytes() == content


class Evil:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.system, ("touch HACKED",)


def test_files_that_hold_no_network_or_code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    torch.save(Net().state_dict(), "weights.pt")
    torch.save(Net(), "module.pt")
    torch.save({"a": Evil()}, "evil.pt")
    Path("junk.pt").write_bytes(b"junk")
    Path("old.pth").write_bytes(b"\x80\x02.")
    Path("net.h5").write_bytes(b"\x89HDF")
    Path("net.tflite").write_bytes(b"TFL3")
    save("exported", Net().eval(), torch.randn(1, 3, 12, 12), Path("net.pt2"))
    Path("cut.pt2").write_bytes(Path("net.pt2").read_bytes()[:-100])
    for name, said in {
        "weights.pt": "--checkpoint .*weights.pt", "module.pt": "code it would run", "evil.pt": "code it would run",
        "junk.pt": "or only a part", "old.pth": "old file of torch.save", "net.h5": "tf2onnx", "net.keras": "no file",
        "net.tflite": "tf2onnx.convert --tflite", "cut.pt2": "or only a part|cannot be read",
    }.items():  # fmt: skip
        with pytest.raises(CostmodelError, match=said):
            costmodel.profile(name, "1x3x12x12", use_cache=False)
    assert not Path("HACKED").exists()


def test_code_in_an_exported_program_is_not_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    save("exported", Net().eval(), torch.randn(1, 3, 12, 12), Path("net.pt2"))
    torch.save(Evil(), "evil.bin")
    with zipfile.ZipFile("net.pt2") as old, zipfile.ZipFile("bad.pt2", "w") as new:
        for entry in old.namelist():
            pickled = entry.endswith((".pt", ".pkl"))
            new.writestr(entry, Path("evil.bin").read_bytes() if pickled else old.read(entry))
        new.writestr("net/data/constants/custom_obj_0.pt", Path("evil.bin").read_bytes())
    with pytest.raises(CostmodelError, match=r"Python and not only tensors|bad\.pt2"):
        costmodel.profile("bad.pt2", "1x3x12x12", use_cache=False)
    assert not Path("HACKED").exists()


KERAS_3, KERAS_2 = "m.export('net.onnx', format='onnx')", "tf2onnx.convert.from_keras("


@pytest.mark.parametrize(
    ("name", "version", "said", "not_said"),
    [
        ("net.keras", "3.15.1", KERAS_3, KERAS_2),
        ("net.keras", "2.15.0", KERAS_2, KERAS_3),
        ("net.h5", "3.15.1", KERAS_3, KERAS_2),
        ("net.h5", "2.21.0", KERAS_2, KERAS_3),
    ],
)
def test_the_way_from_a_keras_file_is_that_of_the_version_that_wrote_it(
    name: str, version: str, said: str, not_said: str, tmp_path: Path
) -> None:
    path = tmp_path / name
    if name == "net.keras":
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("metadata.json", f'{{"keras_version": "{version}", "date_saved": "2026-01-01@00:00:00"}}')
    else:  # as HDF5 has it: names of attributes first, what they hold behind
        path.write_bytes(b"\x89HDF\r\n\x1a\n keras_version\0" + b"\0" * 1200 + version.encode() + b"\0")
    with pytest.raises(CostmodelError, match=f"a file of Keras {version}") as caught:
        costmodel.profile(str(path), "1x3")
    assert said in str(caught.value) and not_said not in str(caught.value)
    command = str(caught.value).partition('python -c "')[2].partition('", then give net.onnx')[0]
    compile(command, "command", "exec")
    assert repr(str(path)) in command


def test_a_keras_file_that_does_not_say_its_version_has_both_ways(tmp_path: Path) -> None:
    (tmp_path / "net.h5").write_bytes(b"\x89HDF\r\n\x1a\n")
    with pytest.raises(CostmodelError) as caught:
        costmodel.profile(str(tmp_path / "net.h5"), "1x3")
    assert KERAS_3 in str(caught.value) and KERAS_2 in str(caught.value)
