"""A limit of the address space is told as what it is."""

from __future__ import annotations

import pytest

from orchestrator import cli
from orchestrator.guard import address_space
from orchestrator.guard.address_space import limit_line
from orchestrator.guard.refusals import refusal_line

MAPPED = ImportError("libtorch_cuda.so: failed to map segment from shared object")


@pytest.mark.parametrize(
    "error",
    [
        MAPPED,
        MemoryError(),
        RuntimeError("can't start new thread"),
        OSError(12, "Cannot allocate memory"),
    ],
)
def test_what_lacks_room_names_the_limit(error: Exception, monkeypatch) -> None:
    monkeypatch.setattr(address_space, "limit_bytes", lambda: 3_000_000 * 1024)
    line = limit_line(error)
    assert "2.9 GiB of address space (ulimit -v 3000000)" in line
    assert "\n" not in line


def test_other_errors_and_other_limits_are_not_its_fault(monkeypatch) -> None:
    monkeypatch.setattr(address_space, "limit_bytes", lambda: None)
    assert limit_line(MAPPED) == ""
    monkeypatch.setattr(address_space, "limit_bytes", lambda: 2**30)
    assert limit_line(ImportError("no module named x")) == ""


def test_the_command_line_ends_with_that_line(monkeypatch, capsys) -> None:
    def fail() -> None:
        raise MAPPED

    monkeypatch.setattr(cli, "app", fail)
    monkeypatch.setattr(address_space, "limit_bytes", lambda: 2**30)
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == 2
    assert capsys.readouterr().err.startswith("error: a process may take 1.0 GiB")
    monkeypatch.setattr(address_space, "limit_bytes", lambda: None)
    with pytest.raises(ImportError):
        cli.main()


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (OSError(30, "Read-only file system", "/store/x"), "/store/x: Read-only file system"),
        (OSError(28, "No space left on device"), "No space left on device"),
        (PermissionError(13, "Permission denied", "/store"), "/store: Permission denied"),
        (FileNotFoundError(2, "No such file or directory", "/x"), ""),
        (ValueError("a mistake of ours"), ""),
    ],
)
def test_a_disk_that_refuses_is_one_line(error: Exception, line: str) -> None:
    assert refusal_line(error).partition(";")[0] == line
