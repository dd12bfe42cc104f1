"""Broken study files and overrides: one line of error or a plan, never a traceback.

    python -m tests.faults.fuzz_studies --files 10000 --overrides 2000

Takes the shipped studies, breaks them in many ways (characters, lines, indentation, values, keys,
nesting) and plans what comes out. Prints what was accepted, what was refused, and every exception
that is not the one a user may see.
"""

from __future__ import annotations

import argparse
import random
import shutil
import tempfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from orchestrator.plan.open import open_study
from orchestrator.study.text import StudyError

STUDIES = Path(__file__).parents[2] / "studies"
VALUES = (
    *("", "null", "~", "true", "[]", "{}", "-1", "0", "1e400", ".nan", ".inf", "1e-400", "0x10"),
    *("'", '"', "[1, [2]]", "{a: {b: c}}", "!!python/object:os.system x", "&a *a", "*none", "%"),
    *("9" * 400, "\u202e", "\u0000", "../../etc/passwd", "{pick: a.b}", "all", "- -", "? x", "|"),
    *("<<: {loss: ce}", "${HOME}", "{calibrate: {from_classes: x}}", "auto", "2026-01-01", "1:30"),
)

Breaker = Callable[[str, random.Random], str]


def flip_character(text: str, draw: random.Random) -> str:
    place = draw.randrange(len(text))
    other = chr(draw.choice((0, 9, 35, 58, 91, 123, 233, 0x1F600)))
    return text[:place] + other + text[place + 1 :]


def drop_line(text: str, draw: random.Random) -> str:
    lines = text.splitlines(keepends=True)
    del lines[draw.randrange(len(lines))]
    return "".join(lines)


def repeat_line(text: str, draw: random.Random) -> str:
    lines = text.splitlines(keepends=True)
    lines.insert(draw.randrange(len(lines)), draw.choice(lines))
    return "".join(lines)


def shift_line(text: str, draw: random.Random) -> str:
    lines = text.splitlines(keepends=True)
    place = draw.randrange(len(lines))
    lines[place] = draw.choice(("  ", " ", "\t")) + lines[place]
    return "".join(lines)


def change_value(text: str, draw: random.Random) -> str:
    lines = text.splitlines(keepends=True)
    with_value = [n for n, line in enumerate(lines) if ":" in line]
    if not with_value:
        return text
    place = draw.choice(with_value)
    lines[place] = lines[place].partition(":")[0] + ": " + draw.choice(VALUES) + "\n"
    return "".join(lines)


def change_word(text: str, draw: random.Random) -> str:
    words = text.split(" ")
    words[draw.randrange(len(words))] = draw.choice(VALUES)
    return " ".join(words)


def cut_short(text: str, draw: random.Random) -> str:
    return text[: draw.randrange(len(text))]


BREAKERS: tuple[Breaker, ...] = (
    flip_character,
    drop_line,
    repeat_line,
    shift_line,
    change_value,
    change_word,
    cut_short,
)


def fuzz_files(count: int, seed: int = 0) -> tuple[Counter[str], list[str]]:
    """How `count` broken studies ended, and the exceptions that no user may see."""
    draw = random.Random(seed)
    texts = [path.read_text() for path in sorted(STUDIES.glob("*.yaml"))]
    ended: Counter[str] = Counter()
    wrong: list[str] = []
    with tempfile.TemporaryDirectory() as folder:
        # Beside copies of the real ones, so that `extends` is found.
        path = Path(shutil.copytree(STUDIES, Path(folder) / "studies")) / "fuzz.yaml"
        for _ in range(count):
            text = draw.choice(texts)
            for _ in range(draw.choice((1, 1, 2, 4))):
                text = draw.choice(BREAKERS)(text, draw) if text else text
            path.write_text(text, encoding="utf-8", errors="surrogatepass")
            ended[_try(path, (), wrong, text)] += 1
    return ended, wrong


def fuzz_overrides(count: int, seed: int = 0) -> tuple[Counter[str], list[str]]:
    """The same for `key=value` after a sound study."""
    draw = random.Random(seed)
    keys = (
        *("seeds", "cell.epochs", "cell.learning_rate", "grid.loss", "grid.noise.rate", "losses"),
        *("losses.MAE*.logit_bias", "cell", "grid", "tables.accuracy.rows", "resources.stack"),
        *(
            "cell.architecture.hidden",
            "blocks",
            "phases",
            "study",
            "",
            "a.b.c",
            "seeds.0",
            "..",
            "=",
        ),
    )
    ended: Counter[str] = Counter()
    wrong: list[str] = []
    for _ in range(count):
        override = f"{draw.choice(keys)}={draw.choice(VALUES)}"
        if draw.random() < 0.2:
            override = flip_character(override, draw)
        ended[_try(STUDIES / "quickstart.yaml", (override,), wrong, override)] += 1
    return ended, wrong


def _try(path: Path, overrides: tuple[str, ...], wrong: list[str], what: str) -> str:
    try:
        open_study(path, overrides).expand({})
    except StudyError as error:
        if "\n" in str(error):
            wrong.append(f"an error of several lines: {error!r} for {what!r}")
        return "refused"
    except Exception as error:  # noqa: BLE001 - this is what is looked for
        wrong.append(f"{type(error).__name__}: {error} for {what[:2000]!r}")
        return "traceback"
    return "accepted"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--files", type=int, default=10_000)
    parser.add_argument("--overrides", type=int, default=2_000)
    parser.add_argument("--seed", type=int, default=0)
    chosen = parser.parse_args()
    for what, (ended, wrong) in {
        "files": fuzz_files(chosen.files, chosen.seed),
        "overrides": fuzz_overrides(chosen.overrides, chosen.seed),
    }.items():
        print(f"{what}: {dict(ended)}")
        for line in wrong[:20]:
            print("  ", line[:600])


if __name__ == "__main__":
    main()
