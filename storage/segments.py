"""Which compacted segments are live: the pointer file `CURRENT` and nothing else decides.

`CURRENT` is a JSON list of segment file names, replaced by an atomic rename. A segment is named by
the SHA-256 of its content and never changes. Knows no rows.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from storage.landing import SEGMENTS, sync_folder, write_aside

POINTER = "CURRENT"


def current_segments(root: Path) -> tuple[Path, ...]:
    """Files of the live segments, oldest first; none before the first compaction."""
    try:
        names = json.loads((root / SEGMENTS / POINTER).read_text())
    except FileNotFoundError:
        return ()
    return tuple(root / SEGMENTS / Path(name).name for name in names)


def switch_segments(root: Path, segments: Sequence[Path]) -> None:
    """Make `segments` the live ones, atomically."""
    pointer = root / SEGMENTS / POINTER
    content = json.dumps([segment.name for segment in segments]).encode()
    write_aside(pointer, content).replace(pointer)
    sync_folder(pointer.parent)
