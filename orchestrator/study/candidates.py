"""The values that a pick compares: which cells stand for each, and on which seeds.

Values are compared under the same settings and on the same seeds, or not at all. Cells in, values
out; knows no results.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from orchestrator.study.cell import StudyCell
from orchestrator.study.model import PickRule
from trainables.registry import nearest

Setting = tuple[str, ...]
"""Values of the spanned fields, in their order."""

Tried = Mapping[str, Mapping[int, Mapping[Setting, StudyCell]]]
"""Value as a table shows it → seed → setting → cell."""


class PickError(ValueError):
    """A pick asks for a comparison that cannot be made.

    Args:
        message: what to change.
        key: key of the pick that is wrong, None for the pick as a whole.
        nearest: what may have been meant.
    """

    def __init__(self, message: str, key: str | None = None, nearest: str | None = None) -> None:
        super().__init__(message)
        self.key, self.nearest = key, nearest


@dataclass(frozen=True)
class Candidates:
    """The values of one group.

    Args:
        group: the fields that its cells share.
        values: value as a table shows it → as the study writes it, in the order of the grid.
        cells: value as a table shows it → for each shared seed, its cells: one per setting.
        spanned: fields beside the picked one that the search varies; a seed's figure is the mean
            over them.
        has_unequal_seeds: whether some value has seeds that another lacks.
    """

    group: Mapping[str, str]
    values: Mapping[str, Any]
    cells: Mapping[str, Sequence[Sequence[StudyCell]]]
    spanned: tuple[str, ...]
    has_unequal_seeds: bool


def groups_of(
    phase: str, rule: PickRule, cells: Iterable[StudyCell]
) -> dict[tuple[str, ...], list[StudyCell]]:
    """Values of `by` → the cells of a phase that are compared; skipped ones are not."""
    groups: dict[tuple[str, ...], list[StudyCell]] = {}
    for cell in cells:
        if cell.phase == phase and cell.skipped is None:
            key = tuple(cell.axes.get(field, "") for field in rule.by)
            groups.setdefault(key, []).append(cell)
    return groups


def check_pick(
    phase: str, rule: PickRule, cells: Iterable[StudyCell], companions: Collection[str] = ()
) -> None:
    """Whether the groups that wait for no other pick can be compared. Raises PickError."""
    ready = {
        key: members
        for key, members in groups_of(phase, rule, cells).items()
        if all(member.pending is None for member in members)
    }
    _check_fields(rule, [member for members in ready.values() for member in members])
    for key, members in ready.items():
        find_candidates(rule, key, members, companions)


def find_candidates(
    rule: PickRule,
    key: tuple[str, ...],
    members: Sequence[StudyCell],
    companions: Collection[str] = (),
) -> Candidates:
    """What one group compares. Raises PickError.

    Args:
        companions: fields picked by the same rule; one that each value has its own of is no
            setting, but a part of the value.
    """
    group = dict(zip(rule.by, key, strict=True))
    spanned = _spanned(members, rule.field, companions)
    tried: dict[str, dict[int, dict[Setting, StudyCell]]] = {}
    for member in members:
        setting = tuple(member.axes.get(name, "") for name in spanned)
        seeds = tried.setdefault(member.axes[rule.field], {})
        seeds.setdefault(member.seed, {})[setting] = member
    settings = _common_settings(rule.field, group, spanned, tried)
    shared = _shared_seeds(rule.field, group, tried, len(settings))
    return Candidates(
        group=group,
        values={m.axes[rule.field]: _raw_value(m.fields, rule.field) for m in members},
        cells={
            shown: [list(seeds[seed].values()) for seed in shared] for shown, seeds in tried.items()
        },
        spanned=spanned,
        has_unequal_seeds=any(set(seeds) != set(shared) for seeds in tried.values()),
    )


def _check_fields(rule: PickRule, members: Sequence[StudyCell]) -> None:
    """Every cell has the field that is picked, and some cell each field of `by`."""
    known = {name for member in members for name in member.axes}
    lacking = next((name for name in rule.by if members and name not in known), None)
    if lacking is not None:
        raise PickError(f"no cell has a field '{lacking}'", "by", nearest(lacking, known))
    if any(rule.field not in member.axes for member in members):
        if rule.field in known:
            raise PickError(f"some cells of the phase have no field '{rule.field}'", "field")
        raise PickError(f"no cell has a field '{rule.field}'", "field", nearest(rule.field, known))


def _spanned(
    members: Sequence[StudyCell], field: str, companions: Collection[str]
) -> tuple[str, ...]:
    """Fields that vary within a group beside the picked one and what belongs to its values."""
    names = dict.fromkeys(name for member in members for name in member.axes)
    return tuple(
        name
        for name in names
        if name != field
        and not name.startswith(f"{field}.")
        and len({member.axes.get(name) for member in members}) > 1
        and not (name in companions and _follows(members, name, field))
    )


def _follows(members: Sequence[StudyCell], name: str, field: str) -> bool:
    """Whether each value of `field` stands with one value of `name` alone."""
    pairs = {(member.axes[field], member.axes.get(name)) for member in members}
    return len(pairs) == len({value for value, _ in pairs})


def _common_settings(
    field: str, group: Mapping[str, str], spanned: tuple[str, ...], tried: Tried
) -> set[Setting]:
    """The settings of the first value, which all others must have been tried under as well."""
    found = {
        shown: {setting for settings in seeds.values() for setting in settings}
        for shown, seeds in tried.items()
    }
    first, *others = found
    for other in others:
        if found[other] != found[first]:
            differing = _differing(spanned, found[first], found[other])
            raise PickError(
                f"{field} {first} and {other}{_place(group)} were tried under different settings, "
                f"so they cannot be compared: {differing}"
            )
    return found[first]


def _differing(spanned: tuple[str, ...], first: set[Setting], other: set[Setting]) -> str:
    """`noise.rate 0, 0.4 against 0`; fields of which only the combinations differ by name."""
    words = []
    for index, name in enumerate(spanned):
        ours = dict.fromkeys(setting[index] for setting in sorted(first))
        theirs = dict.fromkeys(setting[index] for setting in sorted(other))
        if ours.keys() != theirs.keys():
            words.append(f"{name} {', '.join(ours)} against {', '.join(theirs)}")
    return "; ".join(words) or f"other combinations of {', '.join(spanned)}"


def _shared_seeds(
    field: str, group: Mapping[str, str], tried: Tried, num_settings: int
) -> list[int]:
    """Seeds at which every value has a cell of every setting."""
    whole = {
        shown: {seed for seed, cells in seeds.items() if len(cells) == num_settings}
        for shown, seeds in tried.items()
    }
    shared = sorted(set.intersection(*whole.values()))
    if not shared:
        lists = (f"{shown} has {_listed(seeds)}" for shown, seeds in whole.items())
        raise PickError(
            f"the values of {field}{_place(group)} share no seed, so they cannot be compared: "
            f"{'; '.join(lists)}"
        )
    return shared


def _listed(seeds: Iterable[int]) -> str:
    return ", ".join(str(seed) for seed in sorted(seeds)) or "none that is whole"


def _place(group: Mapping[str, str]) -> str:
    return f" for {', '.join(f'{name}={value}' for name, value in group.items())}" if group else ""


def _raw_value(fields: Mapping[str, Any], dotted_field: str) -> Any:
    value: Any = fields
    for step in dotted_field.split("."):
        value = value[step]
    return value
