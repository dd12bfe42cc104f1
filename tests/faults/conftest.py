"""The synthetic stores of the storage tests."""

from tests.storage.conftest import attempt, failure, filled, pick, root, study

__all__ = ["attempt", "failure", "filled", "pick", "root", "study"]
