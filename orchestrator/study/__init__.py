"""Study text → cells: pure, without Ray, torch or DuckDB."""
