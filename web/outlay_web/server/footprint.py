"""Give back memory that nobody uses: an idle server should weigh little, however much it did before.

Three things stay with a process long after their use. ClickHouse's allocator and the C library keep freed pages; both
return them when told to. And the engine is a library of half a gigabyte: what it touched once, at start or in a busy
minute, stays mapped and counts as ours although it is only a part of the file. Unmapping it costs 30 ms; what is needed
comes back from the page cache, sixteen pages at a time. With the demo's data, idle: 616 MB before, 270 to 350 after.

It stays for that. With a twentieth of this data, a server that had shown all pages twice weighed 470 MB a minute later,
470 MB with the allocators' pages given back alone, and 323 MB with the engine's untouched code given back, too.
"""

from __future__ import annotations

import ctypes
import mmap
import re
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

MADV_DONTNEED = 4
LARGE_BYTES = 16 << 20
GROWN_BYTES = 24 << 20
FIRST_REST_S = 10.0
LONGEST_REST_S = 160.0
SMAPS = Path("/proc/self/smaps")
STATM = Path("/proc/self/statm")
HEADER = re.compile(r"([0-9a-f]+)-([0-9a-f]+) (\S+) \S+ \S+ \S+\s*(.*)")


class Footprint:
    """What the process holds in memory, given back when it has grown.

    What is given back and needed again has to be read again. So while it grows again and again, it is given back ever
    more rarely.

    Args:
        run: Runs a statement in the embedded engine.
    """

    def __init__(self, run: Callable[[str], object], clock: Callable[[], float] = time.monotonic) -> None:
        self._run = run
        self._clock = clock
        self._least = 0
        self._rest_s = 0.0
        self._rested_at = float("-inf")

    def tidy(self) -> bool:
        """Give back what grew since the last time. Returns False: there is never more to do at once."""
        now = self._clock()
        if resident_bytes() <= self._least + GROWN_BYTES:
            self._rest_s /= 2
        elif now >= self._rested_at:
            give_back(self._run)
            self._least = resident_bytes()
            self._rested_at = now + self._rest_s
            self._rest_s = min(max(2 * self._rest_s, FIRST_REST_S), LONGEST_REST_S)
        return False


def resident_bytes() -> int:
    """Memory of this process that is mapped to pages, its libraries' included; without /proc, without end."""
    try:
        return int(STATM.read_text().split()[1]) * mmap.PAGESIZE
    except OSError:
        return sys.maxsize


def give_back(run: Callable[[str], object]) -> None:
    """Return freed memory and untouched code to the system; what is in use comes back by itself."""
    run("SYSTEM JEMALLOC PURGE")
    if not sys.platform.startswith("linux"):
        return
    libc = ctypes.CDLL(None)
    for start, size in unchanged_code(SMAPS.read_text(errors="replace")):
        libc.madvise(ctypes.c_void_p(start), ctypes.c_size_t(size), MADV_DONTNEED)
    if hasattr(libc, "malloc_trim"):  # glibc's
        libc.malloc_trim(0)


def unchanged_code(smaps: str) -> Iterator[tuple[int, int]]:
    """(address, bytes) of the code and constants of large libraries that are as they stand in their files.

    A mapping with a page of its own (`Anonymous`) is left alone: what was written there is in no file.
    """
    start = end = 0
    for line in smaps.splitlines():
        header = HEADER.fullmatch(line)
        if header is not None:
            fixed = header[3] in ("r-xp", "r--p") and ".so" in header[4] and "(deleted)" not in header[4]
            start, end = (int(header[1], 16), int(header[2], 16)) if fixed else (0, 0)
        elif line.startswith("Anonymous:") and int(line.split()[1]) == 0 and end - start >= LARGE_BYTES:
            yield start, end - start
