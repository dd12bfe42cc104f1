"""The words under a table: metric, split, selection, n, spread, bold rule, and how it was tuned.

A table → sentences. Knows no output format: nothing is escaped here.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations
from math import floor, log10
from statistics import median, stdev

from storage.reporting.selection import METRIC_FACTS, picked_metric, selection_words
from storage.reporting.statistics import smallest_detectable
from storage.reporting.table import Table, field_text


def caption(table: Table) -> tuple[str, ...]:
    """What a reader must know to quote the table, one sentence each, in a fixed order."""
    return (
        _what(table),
        *which_cells(table),
        *_spread(table),
        *_bold_words(table),
        *(_pick_words(table)),
    )


def _what(table: Table) -> str:
    unit = f" in {_unit_words(table)}" if table.facts.unit else ""
    better = "higher" if table.facts.higher_is_better else "lower"
    return f"{table.facts.words}{unit}, {selection_words(table.spec)}; {better} is better."


def _unit_words(table: Table) -> str:
    return {"%": "per cent"}[table.facts.unit]


def which_cells(table: Table) -> Iterator[str]:
    """Which of a study's cells are shown, where not all are."""
    parts = [f"phase {table.spec.phase}"] if table.spec.phase else []
    for name, wanted in table.spec.where.items():
        values = wanted if isinstance(wanted, tuple) else (wanted,)
        parts.append(f"{name} = {' or '.join(field_text(value) for value in values)}")
    if parts:
        yield f"Shown: {', '.join(parts)}."
    if table.is_shortened:
        yield f"Some runs have fewer than {table.spec.last_k} epochs and are averaged over all."


def _spread(table: Table) -> Iterator[str]:
    if table.num_planned == 1:
        yield "One seed (n = 1) unless marked, so no error can be given."
    elif table.num_planned:
        yield (
            "Mean ± SEM over seeds (sample standard deviation, ddof = 1, divided by √n); "
            f"n = {table.num_planned} unless marked."
        )


def _bold_words(table: Table) -> Iterator[str]:
    spec = table.spec
    if spec.bold == "none":
        return
    if spec.bold == "max":
        yield f"Bold: best mean of each {_line(table)}, without a test."
    else:
        yield (
            f"Bold: best mean of each {_line(table)} and all that a two-sided paired t-test over "
            f"shared seeds does not tell from it (Holm's correction over the {_line(table)}, "
            f"α = {spec.alpha:g}); with few seeds the test is weak, so bold together does not mean "
            "equal."
        )
        yield from _power_words(table)
    if table.is_untested:
        yield "Where fewer than two seeds are shared no test is possible: only the best is bold."
    yield from _competitor_words(table)


def _line(table: Table) -> str:
    """Within which the entries compete."""
    return "column" if table.spec.bold_over == "rows" else "row"


def _competitor_words(table: Table) -> Iterator[str]:
    """Who is compared with whom, on which seeds."""
    groups, line = table.competitions, _line(table)
    shared = sorted({len(group.seeds) for group in groups if group.has_unequal_seeds} - {0})
    if shared:
        numbers = " or ".join(str(n) for n in shared)
        yield (
            f"Entries of a {line} with different seeds are compared on the "
            f"{numbers} seeds that all share, while each mean is over all of its own."
        )
    if any(group.has_unequal_seeds and not group.seeds for group in groups):
        yield f"Where the entries of a {line} share no seed none is bold."
    if any(group.barred for group in groups):
        yield "Entries with a run that diverged or ended at chance are never bold."
    if table.excluded_from_bold:
        yield "Entries without all their seeds take no part in the comparison."


def _power_words(table: Table) -> Iterator[str]:
    """How large a difference must be for the test to see it, by the spread found here."""
    spreads: list[float] = []
    num_shared: list[int] = []
    for group in table.competitions:
        if len(group.seeds) < 2:
            continue
        for first, second in combinations(group.compared.values(), 2):
            spreads.append(stdev(first[seed] - second[seed] for seed in group.seeds))
            num_shared.append(len(group.seeds))
    if spreads:
        n = min(num_shared)
        least = smallest_detectable(median(spreads), n, table.spec.alpha)
        yield (
            f"At n = {n} and the median spread of the differences here, such a test (before the "
            f"correction) finds a difference of {_difference(least, table)} four times in five."
        )


def _difference(size: float, table: Table) -> str:
    """Two digits of a difference or more, never an exponent; per cents differ by points."""
    decimals = max(0, 1 - floor(log10(size))) if size > 0 else 0
    points = " points" if table.facts.unit == "%" else ""
    return f"{size:.{decimals}f}{points}"


def _pick_words(table: Table) -> Iterator[str]:
    """One sentence per rule; a choice made on test data is called by its name."""
    rules = {(p.field, tuple(p.group), p.phase, p.rule): picked_metric(p) for p in table.picks}
    for (field, by, phase, rule), metric in rules.items():
        per = f" per {', '.join(by)}" if by else ""
        is_tuned_on_test = metric is not None and METRIC_FACTS[metric].is_test
        oracle = " These numbers are therefore tuned on test data." if is_tuned_on_test else ""
        yield f"{field} was picked{per} in phase {phase}: {rule}.{oracle}"
