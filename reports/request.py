"""What a report is asked for with: its kind, its date, and the command that makes it again."""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime

from costmodel.errors import CostmodelError
from costmodel.reports.content.compose import Kind


def kind_of(kind: Kind | None, models: Sequence[str], targets: Sequence[str], fronts: Sequence[str]) -> Kind:
    """What was asked for, else what the arguments are about; with all that this kind needs given."""
    made: Kind = kind or ("front" if fronts else ("compare" if len(models) > 1 else "network") if models else "target")
    needs = {
        "network": ("a network", models),
        "compare": ("two networks or more", models[1:]),
        "front": ("--sweep", fronts),
        "target": ("--target", targets),
        "validation": ("", [True]),
    }
    what, given = needs[made]
    if not given:
        asked = f"--kind {kind}" if kind else "a report"
        raise CostmodelError(f"{asked} needs {what}; see: costmodel report --help")
    return made


def day_of(text: str | None) -> str:
    """The date of the report as ISO 8601."""
    if text is not None:
        try:
            return date.fromisoformat(text).isoformat()
        except ValueError as error:
            raise CostmodelError(f"--date {text!r}: expected YYYY-MM-DD, such as 2026-01-31") from error
    epoch = os.environ.get("SOURCE_DATE_EPOCH", "")
    try:
        moment = datetime.fromtimestamp(int(epoch), UTC) if epoch else datetime.now(UTC)
    except (ValueError, OverflowError, OSError) as error:
        raise CostmodelError(f"SOURCE_DATE_EPOCH={epoch!r}: expected seconds since 1970, such as 1767225600") from error
    return moment.date().isoformat()


def command(
    kind: str,
    format: str,
    day: str,
    *,
    models: Sequence[str],
    given: Mapping[str, Sequence[str]],
    rivals: bool,
    paper: str,
) -> str:
    """The command that gives these bytes; the name of the file does not go into them.

    ``given`` is by flag; a switch has an empty value.
    """
    words = ["costmodel", "report", *models, "--kind", kind]
    words += [word for flag, values in given.items() for value in values for word in (flag, value) if word]
    words += [] if rivals else ["--no-rivals"]
    words += ["--paper", paper] if format == "pdf" else []
    ending = {"latex": "tex", "markdown": "md"}.get(format, format)
    return shlex.join([*words, "--format", format, "--date", day, "-o", f"report.{ending}"])
