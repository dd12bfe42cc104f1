"""The first digits of a key → the key: of a cell that was tried, or that a study plans."""

from __future__ import annotations

from storage.store import Store

SHOWN_DIGITS = 12
LISTED = 4
_QUERY = """
    select key from attempts where starts_with(key, $1)
    union
    select key from planned where starts_with(key, $1)
    order by key
"""


class KeyPrefixError(Exception):
    """No key begins so, or more than one does; the text says which."""


def keys_of(store: Store, prefix: str) -> list[str]:
    """Every known key that begins with `prefix`."""
    return [key for (key,) in store.rows(_QUERY, [prefix.lower()])]


def find_key(store: Store, prefix: str) -> str:
    """The one key that begins with `prefix`. Raises KeyPrefixError."""
    found = keys_of(store, prefix)
    if not found:
        raise KeyPrefixError(
            f"no cell of {store.root} has a key that begins with {prefix}, tried or planned"
        )
    if len(found) > 1:
        listed = ", ".join(key[:SHOWN_DIGITS] for key in found[:LISTED])
        more = ", …" if len(found) > LISTED else ""
        raise KeyPrefixError(
            f"{len(found)} cells have a key that begins with {prefix}: {listed}{more}"
        )
    return found[0]


def short(key: str | None) -> str:
    """The first digits of a key or of a digest; what its kind is, such as `listing:`, stays."""
    if key is None:
        return "unknown"
    kind, mark, digits = key.rpartition(":")
    return f"{kind}{mark}{digits[:SHOWN_DIGITS]}"
