"""Figures: values → plotly figures, one module each. Nothing is computed here."""
