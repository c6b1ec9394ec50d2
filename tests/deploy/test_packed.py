"""Packed files: read back to the same program, close to the bits they must hold, and never half understood."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import save_file

from costmodel.deploy import packed
from costmodel.deploy.assemble import assemble
from costmodel.deploy.executor import Executor
from costmodel.errors import CostmodelError
from tests.deploy.networks import images, zoo


@pytest.fixture(scope="module")
def digits():
    return zoo("abbnn-digits")


@pytest.fixture(scope="module")
def good(digits, tmp_path_factory) -> Path:
    return packed.save(assemble(digits.graph, 12), tmp_path_factory.mktemp("packed") / "good.safetensors")


@pytest.mark.parametrize("name", ["abbnn-digits", "bn-digits", "tfc-w1a1", "cnv-w1a1"])
@pytest.mark.parametrize("bits", [None, 10])
def test_a_file_gives_back_the_program(name, bits, tmp_path):
    made = zoo(name)
    program = assemble(made.graph, bits)
    again = packed.load(packed.save(program, tmp_path / "net.safetensors"))
    x = images(made, 3)
    assert np.array_equal(Executor(program).run(x)[0], Executor(again).run(x)[0])
    assert (again.network, again.fraction_bits, again.notes) == (program.network, bits, program.notes)
    for a, b in zip(program.instructions, again.instructions, strict=True):
        assert a.arrays.keys() == b.arrays.keys()
        assert all(np.array_equal(v, b.arrays[k]) and v.dtype == b.arrays[k].dtype for k, v in a.arrays.items())


def test_reactnet18_is_within_two_percent_of_its_bits_and_runs_without_torch(tmp_path):
    made = zoo("abbnn-reactnet18-cifar10")
    program = assemble(made.graph, 16)
    path = packed.save(program, tmp_path / "net.safetensors")
    assert packed.binary_weights(program) == 11_157_504
    assert path.stat().st_size * 8 <= 1.02 * packed.theoretical_bits(program)
    x = images(made, 1)
    np.save(tmp_path / "x.npy", x)
    code = (
        "import sys, numpy as np\n"
        "from costmodel.deploy import packed\n"
        "from costmodel.deploy.executor import Executor\n"
        "np.save('y.npy', Executor(packed.load('net.safetensors')).run(np.load('x.npy'))[0])\n"
        "assert 'torch' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=True, env=_environment())
    assert np.array_equal(np.load(tmp_path / "y.npy"), Executor(program).run(x)[0])


def _environment() -> dict[str, str]:
    import os

    return {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}


def test_the_header_says_what_it_is(good):
    header = packed.read_header(good)
    assert (header["format"], header["version"], header["fraction_bits"]) == ("costmodel-deployed", 1, 12)


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_a_damaged_file_is_refused_and_never_misread(good, tmp_path_factory, data):
    raw = bytearray(good.read_bytes())
    kind = data.draw(st.sampled_from(["cut", "flip", "insert", "zero"]))
    at = data.draw(st.integers(0, len(raw) - 1))
    if kind == "cut":
        raw = raw[:at]
    elif kind == "flip":
        raw[at] ^= 1 << data.draw(st.integers(0, 7))
    elif kind == "insert":
        raw[at:at] = data.draw(st.binary(min_size=1, max_size=9))
    else:
        raw[at : at + 32] = bytes(len(raw[at : at + 32]))
    path = tmp_path_factory.getbasetemp() / "damaged.safetensors"
    path.write_bytes(bytes(raw))
    try:
        program = packed.load(path)
    except CostmodelError as error:
        assert str(path) in str(error) and "costmodel deploy" in str(error)
        return
    original = packed.load(good)  # what was touched is no more than a name in the header, or padding
    for a, b in zip(original.instructions, program.instructions, strict=True):
        assert all(np.array_equal(v, b.arrays[k]) for k, v in a.arrays.items())


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=400))
def test_noise_is_refused(tmp_path_factory, noise):
    path = tmp_path_factory.getbasetemp() / "noise.safetensors"
    path.write_bytes(noise)
    with pytest.raises(CostmodelError):
        packed.load(path)


def test_foreign_files_are_told_apart(tmp_path):
    checkpoint = tmp_path / "checkpoint.safetensors"
    save_file({"weight": np.zeros(3, np.float32)}, checkpoint)
    with pytest.raises(CostmodelError, match="no deployed network"):
        packed.load(checkpoint)
    newer = tmp_path / "newer.safetensors"
    header = {"format": "costmodel-deployed", "version": 2}
    save_file({"weight": np.zeros(3, np.float32)}, newer, {"costmodel": json.dumps(header)})
    with pytest.raises(CostmodelError, match="version 2"):
        packed.load(newer)
    with pytest.raises(CostmodelError, match="cannot read"):
        packed.load(tmp_path / "missing.safetensors")


def test_nothing_half_written(tmp_path, digits):
    with pytest.raises(CostmodelError, match="cannot write"):
        packed.save(assemble(digits.graph, 12), tmp_path / "no" / "net.safetensors")
    assert not list(tmp_path.iterdir())
