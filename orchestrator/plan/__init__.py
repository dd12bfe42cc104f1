"""Cells beside the store: what is there, what is missing, what was picked."""
