"""A pool process keeps no memory that it needed for a moment; the switches are the GNU C library's."""

import platform
import subprocess
import sys

import pytest

pytestmark = pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="other C libraries have no such switches")
# Freeing one large piece makes the C library keep later ones on its heap, and the last of them keeps all below it there.
CODE = """
import sys
from worker.memory import return_free_memory, return_large_pieces

def read_resident_mib():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * 4096 / (1 << 20)

def fill(n_bytes, n_pieces):
    large = bytearray(b"x") * (30 << 20)
    del large
    pieces = [bytearray(b"x") * n_bytes for _ in range(n_pieces)]
    return pieces.pop()

if "large" in sys.argv:
    return_large_pieces()
before = read_resident_mib()
kept = fill(*map(int, sys.argv[1:3]))
if "free" in sys.argv:
    return_free_memory()
print(read_resident_mib() - before)
"""


def grow(*arguments):
    command = [sys.executable, "-c", CODE, *map(str, arguments)]
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def test_large_pieces_go_back_when_they_are_free():
    assert grow(2 << 20, 40) > 60.0
    assert grow(2 << 20, 40, "large") < 20.0


def test_small_pieces_go_back_when_that_is_asked_for():
    assert grow(100 << 10, 800, "large") > 60.0
    assert grow(100 << 10, 800, "large", "free") < 20.0
