"""Times as people write and read them."""

from __future__ import annotations

import re

UNITS = {"s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0, "d": 86400.0}


def format_seconds(seconds: float) -> str:
    """`42 s`, `3 min 10 s`, `2 h 05 min`."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"


def parse_seconds(text: str) -> float:
    """`90s`, `45m`, `20h`, `1.5d` → seconds. Raises ValueError."""
    match = re.fullmatch(r"\s*(\d+(?:\.\d*)?)\s*([a-z]+)\s*", text)
    if match is None or match[2] not in UNITS or float(match[1]) == 0:
        raise ValueError(f"'{text}' is not a time such as 90s, 45m, 20h or 1.5d")
    return float(match[1]) * UNITS[match[2]]
