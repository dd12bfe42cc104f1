"""Results: Parquet files that verify themselves, and DuckDB views over them."""

from storage.store import Store

__all__ = ["Store"]
