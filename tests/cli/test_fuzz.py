"""Whatever is given, the command line ends: with an answer, or in one line and status 2; nothing is half-written."""

from __future__ import annotations

import json
import random
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType

import pytest
import torch
import yaml

from costmodel.cli import main as cli
from costmodel.cli.completion import NAMED, names
from costmodel.cli.main import VERBS, load, main, verb_parser

#: Seconds after which a command counts as one that does not end.
PATIENCE = 120
NUMBERS = (
    "0",
    "1",
    "-1",
    "1e9",
    "1e400",
    "nan",
    "inf",
    "-inf",
    "",
    "x",
    "0x10",
    "1_000",
    "9" * 400,
    "½",
    "1e-320",
    " 7 ",
)
TEXTS = ("", " ", "/", ".", "/dev/null", "none.yaml", "a=b=c", "é\u202e", "a\nb", "--", "-", "{", "[" * 3000, "None",
         "true", "*", "..", "~", "%s%n", "\x1b[31m", "abbnn", "fpga", "'; ls")  # fmt: skip
#: Options of these take minutes, open a server, or write into the folder of the user.
LEFT_OUT = {"train", "dashboard", "cache", "validate"}
QUICK = ("abbnn-digits", "bn-digits", "tfc")


@pytest.fixture
def patience(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """An alarm for what does not end; what should not happen raises; files are written into a folder of the test."""

    def ring(number: int, frame: FrameType | None) -> None:
        raise AssertionError(f"no end in {PATIENCE} s")

    monkeypatch.setenv(cli.DEBUG, "1")
    monkeypatch.chdir(tmp_path)
    before = signal.signal(signal.SIGALRM, ring)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


def value(chance: random.Random, flag: str, choices: list[str], known: dict[str, list[str]]) -> str:
    """Something for an option: often what is right, often not."""
    if choices and chance.random() < 0.7:
        return chance.choice(choices)
    if flag in NAMED and chance.random() < 0.6:
        return chance.choice(known[NAMED[flag]])
    return chance.choice(chance.choice((NUMBERS, TEXTS)))


def command_line(chance: random.Random, known: dict[str, list[str]]) -> list[str]:
    """A command with a few options, each with something."""
    verb = chance.choice([verb for verb in VERBS if verb not in LEFT_OUT])
    actions = [a for a in verb_parser(verb, load(verb))._actions if a.option_strings and a.dest != "help"]
    words = [verb]
    if verb in ("profile", "compare", "fold", "deploy", "report") and chance.random() < 0.9:
        words.append(chance.choice(QUICK) if chance.random() < 0.8 else chance.choice(TEXTS))
    for action in chance.sample(actions, k=min(len(actions), chance.randint(0, 4))):
        flag = chance.choice(action.option_strings)
        words.append(flag)
        if action.nargs != 0:
            words[-1] += "=" if flag.startswith("--") else ""
            words[-1] += value(chance, flag, list(map(str, action.choices or ())), known)
    return words


def ends_well(words: list[str], capsys: pytest.CaptureFixture[str], folder: Path) -> None:
    """Run a command: status 0, 1 or 2, one line of error for 2, JSON that can be read, no temporary file left."""
    signal.alarm(PATIENCE)
    try:
        status = main(words)
    except SystemExit as end:
        assert end.code in (0, None), words
        status = 0
    finally:
        signal.alarm(0)
    out, err = capsys.readouterr()
    assert status in (0, 1, 2), words
    assert "Traceback" not in err, words
    if status == 2:
        assert err.startswith("costmodel: error: ") and err.count("\n") == 1, (words, err)
        assert out == "", words
    elif "--format=json" in words and "--count" not in words and out.strip():
        json.loads(out)
    assert not list(folder.rglob(".*.tmp*")), words


def lines(count: int, seed: int, capsys: pytest.CaptureFixture[str], folder: Path) -> None:
    chance = random.Random(seed)
    known = {what: names(what) for what in set(NAMED.values())}
    known["models"], known["targets"] = [*QUICK], ["fpga", "arm", "asic", "pynq-z2", "none"]
    for _ in range(count):
        ends_well(command_line(chance, known), capsys, folder)


def damaged(chance: random.Random, value: object) -> object:
    """A document with one thing in it gone, of another type, or out of range."""
    if isinstance(value, dict) and value and chance.random() < 0.9:
        key = chance.choice(list(value))
        made = dict(value)
        if chance.random() < 0.15:
            del made[key]
        else:
            made[key] = damaged(chance, value[key])
        return made
    if isinstance(value, list) and value and chance.random() < 0.8:
        place = chance.randrange(len(value))
        return [damaged(chance, item) if i == place else item for i, item in enumerate(value)]
    return chance.choice([None, True, -1, 0, 1e308, float("nan"), float("inf"), 10**40, "", "x", [], {}, [[[]]], "1e6"])


def target_file(chance: random.Random, path: Path) -> list[str]:
    kind = chance.choice(("fpga", "arm", "asic"))
    base = {"fpga": "pynq-z2", "arm": "cortex-a72", "asic": "asic-45nm-nangate"}[kind]
    constant = {"value": 1.0, "low": 0.5, "high": 2.0, "unit": "1", "source": "own_mca", "confidence": "C"}
    document = {
        "kind": kind, "base": base, "title": "mine", "constants": {"mine": constant},
        "parameters": {"clock": {"default": 1e8, "unit": "Hz", "min": 1.0, "max": 1e10, "description": "clock"}},
    }  # fmt: skip
    path.write_text(yaml.safe_dump(damaged(chance, document)), encoding="utf-8")
    return ["profile", chance.choice(QUICK), "--target", str(path), "--format=json"]


def folding_file(chance: random.Random, path: Path) -> list[str]:
    document = {"Defaults": {}} | {
        f"MVAU_hls_{i}": {"PE": 1, "SIMD": 1, "ram_style": "auto", "resType": "lut", "mem_mode": "internal_decoupled"}
        for i in range(4)
    }
    path.write_text(json.dumps(damaged(chance, document)) if chance.random() < 0.9 else "[" * 5000)
    how = chance.choice(("profile", "fold"))
    return [how, "tfc", "--target", "pynq-z2", "--folding" if how == "profile" else "--compare", str(path)]


def space_file(chance: random.Random, path: Path) -> list[str]:
    document = {
        "networks": ["tfc", {"model": "bn-digits", "width": [0.5, 1.0]}],
        "targets": [{"target": "pynq-z2", "clock": [1e8]}, {"target": "arm", "threads": [1, 4]}],
        "objectives": ["seconds_per_image", "lut"], "constraints": {"seconds_per_image": {"max": 0.01}},
    }  # fmt: skip
    path.write_text(yaml.safe_dump(damaged(chance, document)), encoding="utf-8")
    return ["explore", str(path), "--count", "--format=json"]


def checkpoint_file(chance: random.Random, path: Path) -> list[str]:
    from costmodel import build_model

    state = build_model("abbnn-digits").state_dict()
    key = chance.choice(list(state))
    damage: Callable[[], object] = chance.choice([
        lambda: {**state, key: torch.zeros(3)}, lambda: {k: v for k, v in state.items() if k != key}, lambda: [1, 2],
        lambda: {"state_dict": {"model": state}}, lambda: {**state, "more": torch.ones(1)}, lambda: {}, lambda: "text",
    ])  # fmt: skip
    path = path.with_suffix(chance.choice((".pt", ".safetensors")))
    if chance.random() < 0.7:
        torch.save(damage(), path)
    data = path.read_bytes() if path.exists() else b""
    if chance.random() < 0.5:
        path.write_bytes(chance.choice([b"", data[: len(data) // 2], chance.randbytes(200), b"\xff" * 8 + data]))
    return ["profile", "abbnn-digits", "--checkpoint", str(path), "--format=json"]


FILES = (target_file, folding_file, space_file, checkpoint_file)


def files(count: int, seed: int, capsys: pytest.CaptureFixture[str], folder: Path) -> None:
    chance = random.Random(seed)
    for i in range(count):
        make = FILES[i % len(FILES)]
        ends_well(make(chance, folder / f"{make.__name__}-{i}"), capsys, folder)


def test_a_hundred_commands_and_files_end_well(
    patience: None, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    lines(60, 0, capsys, tmp_path)
    files(40, 0, capsys, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(1, 11))
def test_a_thousand_commands_and_files_end_well(
    seed: int, patience: None, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    lines(70, seed, capsys, tmp_path)
    files(40, seed, capsys, tmp_path)
