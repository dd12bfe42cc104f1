"""A run leaves its process and its data as it found them, or has no result."""
