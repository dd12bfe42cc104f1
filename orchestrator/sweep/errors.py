"""Errors of a running sweep that are nobody's study.

StudyError            in `study/text.py`: something in a study file is wrong, with its place
ExecutorError         Ray cannot run the cells
  ClusterLostError    Ray ran them, and is gone
"""

from __future__ import annotations


class ExecutorError(Exception):
    """Ray cannot run the cells; the text says why."""


class ClusterLostError(ExecutorError):
    """The cluster was lost and could not be replaced; what has landed stays."""
