"""Estimates against measurements: ``validate()`` estimates every row of ``ground_truth.csv`` and scores it."""

from costmodel.validate.report import Report, Summary
from costmodel.validate.rows import Result, Row, Skipped, load_rows
from costmodel.validate.run import KINDS, validate

__all__ = ["KINDS", "Report", "Result", "Row", "Skipped", "Summary", "load_rows", "validate"]
