"""Small files of results → segments, while a run goes on and after it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from orchestrator.guard.full_disk import is_disk_full
from storage.layout import ATTEMPTS, files_in
from storage.reading import Damage
from storage.segments.compaction import compact

MANY_FILES = 500
"""Files worth a compaction; `status` and `sql` check each of them anew until then."""

LOOK_SECONDS = 10.0


def tidy_up(store: Path, note: Callable[[str], None]) -> None:
    """Compact `store`, and tell what was damaged in it. A full disk only puts it off."""
    try:
        for damage in compact(store).damaged:
            note(f"damaged: {damage}")
    except Exception as error:
        if not is_disk_full(error):
            raise
        note(f"no room to compact the store: {error}")


@contextmanager
def kept_tidy(
    store: Path, note: Callable[[str], None], look_seconds: float = LOOK_SECONDS
) -> Iterator[None]:
    """Compact `store` in a thread whenever many files have gathered, until the block ends.

    Damaged files that it set aside are told at the end, by the caller's own thread. Its failures
    are not told: whoever tidies up afterwards meets the same.
    """
    over = threading.Event()
    damaged: list[Damage] = []

    def look() -> None:
        while not over.wait(look_seconds):
            try:
                if len(files_in(store / ATTEMPTS)) >= MANY_FILES:
                    damaged.extend(compact(store).damaged)
            except Exception:  # noqa: BLE001 - see above
                return

    thread = threading.Thread(target=look, name="compaction", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
        for damage in damaged:
            note(f"damaged: {damage}")
