"""Estimates against measurements: ``costmodel.validate()`` estimates the rows of ``ground_truth.csv``, with scores."""

from costmodel.validate.report import Report, Summary
from costmodel.validate.rows import Result, Row, Skipped, load_rows
from costmodel.validate.run import KINDS, validate
from costmodel.verb import callable_package

__all__ = ["KINDS", "Report", "Result", "Row", "Skipped", "Summary", "load_rows", "validate"]

callable_package(__name__, "costmodel.validate.run:validate")
