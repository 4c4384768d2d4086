"""What is given back is code that stands in a file, and nothing else."""

from __future__ import annotations

import itertools
import sys

import pytest

from outlay_web.server import footprint as module
from outlay_web.server.footprint import GROWN_BYTES, LONGEST_REST_S, Footprint, resident_bytes, unchanged_code


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


def test_what_grows_again_and_again_is_given_back_ever_more_rarely(monkeypatch: pytest.MonkeyPatch) -> None:
    size, now = [0], [0.0]
    given: list[float] = []
    monkeypatch.setattr(module, "resident_bytes", lambda: size[0])
    monkeypatch.setattr(module, "give_back", lambda run: given.append(now[0]))
    footprint = Footprint(lambda sql: None, lambda: now[0])
    for look in range(100):
        now[0] = 10.0 * look
        size[0] += 2 * GROWN_BYTES
        footprint.tidy()
    gaps = [after - before for before, after in itertools.pairwise(given)]
    assert gaps == sorted(gaps)
    assert gaps[-1] == LONGEST_REST_S
    for look in range(100, 140):  # it has become quiet
        now[0] = 10.0 * look
        footprint.tidy()
    size[0] += 2 * GROWN_BYTES
    footprint.tidy()
    assert given[-1] == now[0]
