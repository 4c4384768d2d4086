"""What is given back is code that stands in a file, and nothing else."""

from __future__ import annotations

import sys

import pytest

from outlay_web.footprint import GROWN_BYTES, Footprint, resident_bytes, unchanged_code


def mapping(start: int, size: int, kind: str, path: str, anonymous_kb: int = 0) -> str:
    return f"{start:x}-{start + size:x} {kind} 00000000 08:01 42    {path}\nRss: 1 kB\nAnonymous:   {anonymous_kb} kB\n"


def test_only_large_libraries_whose_code_was_never_written_to_are_given_back() -> None:
    large = 64 << 20
    smaps = "".join(
        (
            mapping(0x10000000, large, "r-xp", "/lib/engine.so"),
            mapping(0x20000000, large, "r-xp", "/lib/patched.so", anonymous_kb=4),
            mapping(0x30000000, large, "r--p", "/lib/engine.so"),
            mapping(0x38000000, large, "r--p", "/lib/engine.so", anonymous_kb=11_000),
            mapping(0x40000000, large, "rw-p", ""),
            mapping(0x50000000, 4096, "r-xp", "/lib/small.so.1"),
            mapping(0x60000000, large, "r-xp", "/lib/old.so (deleted)"),
            mapping(0x70000000, large, "r-xp", "/lib/with a space.so.2"),
        )
    )
    assert list(unchanged_code(smaps)) == [(0x10000000, large), (0x30000000, large), (0x70000000, large)]


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
def test_a_process_goes_on_after_giving_back_and_does_so_again_only_when_it_has_grown() -> None:
    said: list[str] = []
    footprint = Footprint(said.append)
    footprint.tidy()
    footprint.tidy()
    assert said == ["SYSTEM JEMALLOC PURGE"]
    grown = bytearray(b"x") * (2 * GROWN_BYTES)
    footprint.tidy()
    assert len(said) == 2
    assert len(grown) < resident_bytes()
