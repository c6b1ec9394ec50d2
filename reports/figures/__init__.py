"""Figures: what is drawn is data first, so that it can be tested without pixels; one module draws them all."""
