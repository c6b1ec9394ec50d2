"""One word per thing: an option means the same in every command that has it, and no number is out of range."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator

import pytest

from costmodel.cli import options
from costmodel.cli.main import VERBS, load, main, verb_parser

#: Another spelling that stays, hidden: what FINN and the training scripts of others call it.
HIDDEN = {("fold", "--device"), ("train", "--option")}


def actions() -> Iterator[tuple[str, str, argparse.Action]]:
    """Every option of every command: (command, spelling, action)."""
    for verb in VERBS:
        for action in verb_parser(verb, load(verb))._actions:
            for spelling in action.option_strings:
                if spelling not in ("-h", "--help"):
                    yield verb, spelling, action


SPELLINGS = sorted({spelling for _, spelling, action in actions() if action.help != argparse.SUPPRESS})


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_an_option_has_one_meaning_and_one_type(spelling: str) -> None:
    meanings = {
        (action.help, action.metavar, str(action.type), type(action).__name__)
        for _, each, action in actions()
        if each == spelling
    }
    assert len(meanings) == 1


def test_what_is_hidden_is_an_alias_of_an_option_that_is_shown() -> None:
    hidden = {(verb, spelling): action.dest for verb, spelling, action in actions() if action.help == argparse.SUPPRESS}
    assert set(hidden) == HIDDEN
    shown = {(verb, action.dest) for verb, _, action in actions() if action.help != argparse.SUPPRESS}
    assert all((verb, dest) in shown for (verb, _), dest in hidden.items())


def test_no_word_is_both_an_option_that_is_shown_and_a_hidden_one() -> None:
    assert not {spelling for _, spelling in HIDDEN} & set(SPELLINGS)


def having(flag: str) -> list[str]:
    return [verb for verb, spelling, _ in actions() if spelling == flag]


def test_networks_are_given_by_position_or_by_model_wherever_there_are_any() -> None:
    with_networks = having("--model")
    assert set(with_networks) == {"profile", "compare", "fold", "deploy", "train", "report", "dashboard"}
    for verb in with_networks:
        (positional,) = [a for a in verb_parser(verb, load(verb))._actions if not a.option_strings]
        assert (positional.dest, positional.metavar, positional.nargs) == ("models", "MODEL", "*")


PRICE = ["--target", "--set", "--bits", "--fps", "--scale", "--model-args", "--checkpoint", "--trained"]


@pytest.mark.parametrize("flag", PRICE)
def test_what_prices_a_network_takes_every_option_that_prices(flag: str) -> None:
    assert {"profile", "compare", "fold", "deploy", "report"} <= set(having(flag))


def test_formats_have_the_same_names_everywhere() -> None:
    known = {*options.FORMATS, "pdf", "html"}
    for verb in having("--format"):
        (action,) = [a for v, s, a in actions() if (v, s) == (verb, "--format")]
        assert set(action.choices or ()) <= known


@pytest.mark.parametrize(
    ("verb", "target", "bits", "options"),
    [
        ("profile", "asic", "real=8,weight=4", ["real_format=int8", "weight_bits=4"]),
        ("profile", "arm", "real=8", ["precision=int8"]),
        ("fold", "pynq-z2", "real=12,input=6", ["real_bits=12", "input_bits=6"]),
    ],
)
def test_widths_of_numbers_are_one_question_on_every_target(
    verb: str, target: str, bits: str, options: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    answers = []
    for words in (["--bits", bits], [word for option in options for word in ("--set", option)], []):
        assert main([verb, "cnv-w1a1", "--target", target, *words]) == 0
        answers.append(capsys.readouterr().out)
    assert (f"Numbers {bits} against the target's own: " in answers[0]) is (verb == "profile")
    assert "Numbers" not in answers[1]
    asked, told, usual = (answer.partition("Bottleneck")[0] for answer in answers)
    assert asked == told != usual


@pytest.mark.parametrize("value", ["nan", "inf", "-inf", "-1", "1e400", "x", ""])
def test_numbers_out_of_range_are_refused_by_every_option_that_takes_one(
    value: str, capsys: pytest.CaptureFixture[str]
) -> None:
    for verb, spelling, action in actions():
        if action.type is None or action.help == argparse.SUPPRESS:
            continue
        assert main([verb, f"{spelling}={value}"]) == 2, (verb, spelling)
        (line,) = capsys.readouterr().err.splitlines()
        assert spelling in line and "expected" in line


@pytest.mark.parametrize("words", [["abbnn-digits"], ["--model", "abbnn-digits"], ["--by", "kind", "abbnn-digits"]])
def test_a_network_may_stand_anywhere(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["profile", *words, "--format", "json"]) == 0
    assert json.loads(capsys.readouterr().out)["network"] == "abbnn-reactnet6-digits"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["profile"], "no network given"),
        (["profile", "abbnn-digits", "bn-digits"], "give one"),
        (["compare", "abbnn-digits", "bn-digits", "--checkpoint", "x.pt"], "as MODEL=FILE"),
        (["profile", "abbnn-digits", "--set", "clock=1e8"], "--set acts on a target"),
        (["profile", "abbnn-digits", "--fps", "100"], "--fps acts on a target"),
        (["profile", "abbnn-digits", "--bits", "real=8"], "--bits acts on a target"),
        (["fold", "tfc", "--target", "pynq-z2", "--bits", "reel=8"], "Did you mean real?"),
        (["profile", "abbnn-digits", "--target", "asic", "--set", "clock=NaN"], "NaN is no number"),
        (["profile", "abbnn-digits", "--target", "asic", "--set", f"clock={'9' * 5000}"], "--set"),
        (["profile", "abbnn-digits", "--target", "asic", "--set", "[" * 100000], "write NAME=VALUE"),
        (["profile", "abbnn-digits", "--target", "asic", "--set", f"clock={'[' * 100000}"], "nested too deeply"),
        (["profile", "abbnn-digits", "--target", "fpga", "--set", "area_mm2=3"], "unknown option of target"),
        (["fold", "tfc"], "no target given"),
        (["models", "-o--"], "expected a value"),
        (["models", "--format=--"], "expected a value"),
        (["profile", "tfc", "--target=--"], "expected a value"),
        (["fold", "tfc", "--target", "pynq-z2", "--epsilon", "0.1"], "--epsilon acts on a front"),
        (["explore", "space.yaml", "--count", "--resume"], "--resume acts on a sweep"),
        (["deploy", "abbnn-digits", "--data-dir", "."], "--data as well"),
        (["report", "abbnn", "--paper", "letter", "-o", "x.md"], "is the paper of a PDF"),
    ],
)
def test_an_option_without_effect_is_refused(
    arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 2
    out, err = capsys.readouterr()
    assert out == "" and said in err and len(err.splitlines()) == 1


def test_arguments_and_weights_of_one_of_several_networks() -> None:
    parser = verb_parser("compare", load("compare"))
    line = "a b:c --model-args width=2 --model-args b:c=width=3 --checkpoint b:c=w.pt"
    args = parser.parse_intermixed_args(line.split())
    names = options.models(args)
    assert options.arguments(args, names) == {"a": {"width": 2}, "b:c": {"width": 3}}
    assert options.checkpoints(args, names) == {"b:c": "w.pt"}
