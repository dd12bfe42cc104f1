"""Results: Parquet files that verify themselves, and DuckDB views over them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from storage.store import Store

__all__ = ["Store"]


def __getattr__(name: str) -> Any:
    """`Store` is imported on first use, so that landing a result does not load DuckDB."""
    if name == "Store":
        from storage.store import Store

        return Store
    raise AttributeError(f"module 'storage' has no attribute {name!r}")
