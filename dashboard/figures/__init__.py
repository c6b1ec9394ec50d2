"""From plot data to what plotly draws. Plain dictionaries: validation and pixels are the browser's business."""

from costmodel.dashboard.figures.bars import intervals, stacked
from costmodel.dashboard.figures.base import CONFIG, Figure, message, theme_of
from costmodel.dashboard.figures.cloud import cloud
from costmodel.dashboard.figures.parallel import parallel
from costmodel.dashboard.figures.roofline import roofline
from costmodel.dashboard.figures.trade_off import trade_off

__all__ = [
    "CONFIG", "Figure", "cloud", "intervals", "message", "parallel", "roofline", "stacked", "theme_of", "trade_off",
]  # fmt: skip
