"""Figures of the sources that need no training: what each shows, computed as a picture."""
