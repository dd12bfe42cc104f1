"""A process that trains: what it asks of the system."""

import platform
import subprocess
import sys

import pytest

CODE = """
import resource, torch
from trainables.training.process import set_up_process

def faults_of_a_step():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    torch.ones(16_000_000)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

by_default = min(faults_of_a_step() for _ in range(10))
set_up_process(1)
print(by_default, min(faults_of_a_step() for _ in range(10)), torch.get_num_threads())
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc can be asked")
def test_freed_memory_is_used_again() -> None:
    ended = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, check=True)
    by_default, kept, threads = map(int, ended.stdout.split())
    assert by_default > 100
    assert kept < by_default / 10
    assert threads == 1
