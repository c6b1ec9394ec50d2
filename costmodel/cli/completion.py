"""``costmodel completion``: scripts that complete commands, options, and names of networks and targets.

Names are asked for when the user presses the key (``costmodel completion --names models``), so that a new target file
or a newer version needs no new script. Answering imports neither torch nor anything else that is slow.
"""

from __future__ import annotations

import argparse
import importlib
from collections.abc import Sequence

from costmodel.cli import options
from costmodel.cli.main import VERBS, load, verb_parser
from costmodel.errors import CostmodelError

HELP = "Print a completion script for a shell."
EXAMPLES = """\
to use it:
  bash   eval "$(costmodel completion bash)"          in ~/.bashrc
  zsh    eval "$(costmodel completion zsh)"           in ~/.zshrc, after compinit
  fish   costmodel completion fish | source           in ~/.config/fish/config.fish
"""
SHELLS = ("bash", "zsh", "fish")

#: Options and verbs after which a name is expected, and names of what.
NAMED = {
    "--model": "models", "--target": "targets", "--convention": "conventions", "--checkpoint": "checkpoints",
    "--recipe": "recipes", "--plan": "plans", "--data": "data", "--set": "options",
}  # fmt: skip
POSITIONAL = {
    "profile": "models", "models": "models", "compare": "models", "fold": "models", "deploy": "models",
    "train": "models", "report": "models", "targets": "targets", "validate": "kinds",
    "calibrate": "calibrations",
}  # fmt: skip
WHAT = tuple(dict.fromkeys([*NAMED.values(), *POSITIONAL.values()]))


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("shell", nargs="?", choices=SHELLS, help="the shell that will read the script")
    parser.add_argument("--names", choices=WHAT, help="list names, for the script itself")
    options.add(parser, "--target")


def run(args: argparse.Namespace) -> int:
    if bool(args.shell) == bool(args.names):
        raise CostmodelError(f"give one shell: {', '.join(SHELLS)}")
    if args.names:
        print("\n".join(names(args.names, args.target)))
    else:
        print({"bash": bash, "zsh": zsh, "fish": fish}[args.shell](), end="")
    return 0


def names(what: str, targets: Sequence[str] = ()) -> list[str]:
    """All names of a kind, short names included; the options of ``--set`` are those of ``targets``, else of all."""
    if what == "options":
        return _options(targets)
    if what == "models":
        from costmodel.zoo import registry

        return [name for item in registry.list_models() for name in (item, *registry.entry(item).aliases)]
    from costmodel.targets.load import KINDS, aliases, list_targets

    if what == "targets":
        return [*list_targets(), *aliases(), "all"]
    if what == "kinds":
        return ["counts", *(kind for kind in KINDS if list_targets(kind)), "here"]
    if what == "calibrations":
        from costmodel.cli.calibrate import KINDS as ways

        return list(ways)
    if what == "conventions":
        from costmodel.ledger.conventions import list_conventions

        return list_conventions()
    if what == "data":
        from costmodel.train import DATASETS

        return [name.replace("DIR", "") for name in DATASETS]
    module = {"checkpoints": "shipped", "recipes": "recipes", "plans": "plans"}[what]
    found: list[str] = importlib.import_module(f"costmodel.train.{module}").names()
    return found


def _options(targets: Sequence[str]) -> list[str]:
    """``clock=`` for every option, ``impl=hls`` where it takes one of a few words."""
    from costmodel.targets import load_target, options_of
    from costmodel.targets.load import list_targets

    found: dict[str, None] = {}
    for target in targets or list_targets():
        for name, parameter in options_of(load_target(target)).items():
            words = parameter.choices if parameter.choices else ("",)
            found.update(dict.fromkeys(f"{name}={word}" for word in words))
    return list(found)


def flags(verb: str) -> dict[str, argparse.Action]:
    """The long options of a verb."""
    actions = verb_parser(verb, load(verb))._actions
    shown = [action for action in actions if action.help != argparse.SUPPRESS]
    return {flag: action for action in shown for flag in action.option_strings if flag.startswith("--")}


def bash() -> str:
    """A script for bash; zsh reads it too, through ``bashcompinit``."""
    cases = "\n".join(f'    {verb}) flags="{" ".join(flags(verb))}";;' for verb in VERBS)
    ask = '$(costmodel completion --names {} "${{targets[@]}}" 2>/dev/null)'
    values = "\n".join(f'    {flag}) _costmodel_words "{ask.format(what)}"; return;;' for flag, what in NAMED.items())
    choices = "\n".join(f'    {where}) _costmodel_words "{" ".join(w)}"; return;;' for where, w in _choices().items())
    positional = "\n".join(
        f"    {verb}) words=$(costmodel completion --names {what} 2>/dev/null);;" for verb, what in POSITIONAL.items()
    )
    return f"""\
# costmodel completion for bash
_costmodel_words() {{
  COMPREPLY=($(compgen -W "$1" -- "${{COMP_WORDS[COMP_CWORD]}}"))
  case "${{COMPREPLY[*]}}" in *=) compopt -o nospace 2>/dev/null;; esac
}}
_costmodel() {{
  local cur="${{COMP_WORDS[COMP_CWORD]}}" prev="${{COMP_WORDS[COMP_CWORD-1]}}" flags="" words="" i
  local targets=()
  for ((i = 2; i < COMP_CWORD; i++)); do
    if [ "${{COMP_WORDS[i-1]}}" = --target ]; then targets+=(--target "${{COMP_WORDS[i]}}"); fi
  done
  if [ "$COMP_CWORD" -eq 1 ]; then
    _costmodel_words "{" ".join(VERBS)} --help --version"; return
  fi
  case "$prev" in
{values}
    --accuracies|--folding|--output|-o|--sweep) COMPREPLY=($(compgen -f -- "$cur")); return;;
  esac
  case "${{COMP_WORDS[1]}}:$prev" in
{choices}
  esac
  case "${{COMP_WORDS[1]}}" in
{cases}
  esac
  case "$cur" in -*) _costmodel_words "$flags"; return;; esac
  case "${{COMP_WORDS[1]}}" in
{positional}
    completion) words="{" ".join(SHELLS)}";;
  esac
  COMPREPLY=($(compgen -W "$words" -- "$cur") $(compgen -f -- "$cur"))
}}
complete -o filenames -F _costmodel costmodel
"""


def zsh() -> str:
    """The script for bash behind zsh's own emulation of it."""
    return f"autoload -U +X bashcompinit && bashcompinit\n{bash().replace('for bash', 'for zsh')}"


def fish() -> str:
    """A script for fish: one line per option."""
    lines = ["# costmodel completion for fish", "complete -c costmodel -f"]
    first = "__fish_use_subcommand"
    lines += [f"complete -c costmodel -n {first} -a {verb} -d {_quote(text)}" for verb, (_, text) in VERBS.items()]
    for verb in VERBS:
        condition = f'"__fish_seen_subcommand_from {verb}"'
        for flag, action in flags(verb).items():
            line = f"complete -c costmodel -n {condition} -l {flag[2:]}"
            if action.nargs != 0:
                line += " -r"
            if flag in NAMED:
                line += f' -a "(costmodel completion --names {NAMED[flag]})"'
            elif action.choices:
                line += f' -a "{" ".join(map(str, action.choices))}"'
            elif action.nargs != 0:
                line += " -F"
            lines.append(line + (f" -d {_quote(action.help)}" if action.help else ""))
        if verb in POSITIONAL:
            lines.append(f'complete -c costmodel -n {condition} -a "(costmodel completion --names {POSITIONAL[verb]})"')
    lines.append(f'complete -c costmodel -n "__fish_seen_subcommand_from completion" -a "{" ".join(SHELLS)}"')
    return "\n".join(lines) + "\n"


def _choices() -> dict[str, list[str]]:
    """``verb:--option`` for options that take one of a few words, which may differ from verb to verb."""
    return {
        f"{verb}:{flag}": list(map(str, action.choices))
        for verb in VERBS
        for flag, action in flags(verb).items()
        if action.choices
    }


def _quote(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'").replace("%%", "%") + "'"
