"""Guessing passwords by the hundred, from one address and from many."""

from __future__ import annotations

import hashlib
import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlencode

import pytest
from tests.web_server import Answer, Running, own_store, running

from outlay_web.config import Settings
from outlay_web.http.auth import FREE_TRIES, HASHES_AT_ONCE, MAX_WAIT_S, Throttle, guesser
from outlay_web.http.security import MAX_LOGIN_BYTES

PASSWORD = "open sesame"


@pytest.fixture(scope="module")
def direct(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with running(Settings(data=tmp_path_factory.mktemp("data"), store_dsn=own_store(), password=PASSWORD)) as server:
        yield server


@pytest.fixture(scope="module")
def proxied(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    data = tmp_path_factory.mktemp("data")
    settings = Settings(data=data, store_dsn=own_store(), password=PASSWORD, trusted_proxies=("127.0.0.0/8",))
    with running(settings) as server:
        yield server


@pytest.fixture(autouse=True)
def _forgiven(request: pytest.FixtureRequest) -> None:
    for name in ("direct", "proxied"):
        if name in request.fixturenames:
            request.getfixturevalue(name).assembly.context.authenticator.throttle._tries.clear()


def log_in(server: Running, password: str, forwarded: str = "") -> Answer:
    headers = {"content-type": "application/x-www-form-urlencoded"}
    if forwarded:
        headers["x-forwarded-for"] = forwarded
    return server.request("POST", "/login", urlencode({"password": password}).encode(), headers)


def test_of_nine_hundred_at_once_five_are_tried(direct: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    hashed = count_hashes(monkeypatch)
    monkeypatch.setattr(direct.assembly.context.authenticator.throttle, "_clock", lambda: 0.0)  # at once
    with ThreadPoolExecutor(90) as guessers:
        answers = Counter(guessers.map(lambda n: log_in(direct, f"guess {n}").status, range(900)))
    assert answers == {403: FREE_TRIES, 429: 900 - FREE_TRIES}
    assert hashed["all"] == FREE_TRIES


def test_from_many_addresses_few_are_judged_at_a_time(proxied: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    hashed = count_hashes(monkeypatch)
    with ThreadPoolExecutor(60) as guessers:
        answers = Counter(
            guessers.map(lambda n: log_in(proxied, "guess", f"198.51.100.{n}").status, range(60)),
        )
    assert answers == {403: 60}
    assert hashed["most"] <= HASHES_AT_ONCE
    assert hashed["memory"] <= 50 << 20


def count_hashes(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How many hashes were made, how many at once, and the memory that those took (128 · n · r bytes, RFC 7914)."""
    seen: Counter[str] = Counter()
    lock = threading.Lock()
    real = hashlib.scrypt

    def scrypt(password: bytes, *, salt: bytes, n: int, r: int, p: int) -> bytes:
        with lock:
            seen["all"] += 1
            seen["now"] += 1
            seen["most"] = max(seen["most"], seen["now"])
            seen["memory"] = max(seen["memory"], seen["now"] * 128 * n * r)
        try:
            return real(password, salt=salt, n=n, r=r, p=p)
        finally:
            with lock:
                seen["now"] -= 1

    monkeypatch.setattr(hashlib, "scrypt", scrypt)
    return seen


def test_who_is_no_trusted_proxy_cannot_say_who_asks(direct: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(direct.assembly.context.authenticator.throttle, "_clock", lambda: 0.0)
    answers = [log_in(direct, "wrong", f"203.0.113.{n}").status for n in range(FREE_TRIES + 1)]
    assert answers == [403] * FREE_TRIES + [429]


def test_behind_a_trusted_proxy_each_address_has_tries(proxied: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(proxied.assembly.context.authenticator.throttle, "_clock", lambda: 0.0)
    for _ in range(FREE_TRIES):
        assert log_in(proxied, "wrong", "203.0.113.7").status == 403
    assert log_in(proxied, PASSWORD, "203.0.113.7").status == 429
    assert log_in(proxied, PASSWORD, "6.6.6.6, 203.0.113.7").status == 429  # what a client itself wrote is not believed
    assert log_in(proxied, PASSWORD, "203.0.113.8").status == 303


def test_a_login_has_no_room_for_a_large_body(direct: Running) -> None:
    assert log_in(direct, "x" * MAX_LOGIN_BYTES).status == 413


def test_a_right_password_among_the_first_tries_is_no_guess(direct: Running) -> None:
    for _ in range(3 * FREE_TRIES):
        assert log_in(direct, PASSWORD).status == 303


def test_any_number_of_failures_has_a_longest_wait() -> None:
    now = [0.0]
    throttle = Throttle(lambda: now[0])
    for _ in range(5_000):
        throttle.failed("a")
    assert throttle.wait_s("a") == MAX_WAIT_S
    now[0] += MAX_WAIT_S
    assert throttle.begin("a") == 0
    assert throttle.begin("a") == MAX_WAIT_S


def test_addresses_by_the_thousand_do_not_make_others_forgotten_at_once() -> None:
    throttle = Throttle(lambda: 0.0)
    for n in range(20_000):
        throttle.failed(f"{n}")
        throttle.failed("a")
    assert throttle.wait_s("a") > 0
    assert len(throttle._tries) <= 10_000


@pytest.mark.parametrize(
    ("peer", "who"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2:ffff::1", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("", ""),
        ("unix:" + "x" * 99, "unix:" + "x" * 59),
    ],
)
def test_an_ipv6_network_counts_as_one_guesser(peer: str, who: str) -> None:
    assert guesser(peer) == who


def test_a_network_that_is_none_is_refused(tmp_path: Path) -> None:
    from outlay.errors import ConfigError
    from outlay_web.config import load_config

    with pytest.raises(ConfigError, match=r"trusted_proxies|TRUSTED_PROXIES"):
        load_config({"OUTLAY_DATA": str(tmp_path), "OUTLAY_TRUSTED_PROXIES": "10.0.0.0/33"})
    config = load_config({"OUTLAY_DATA": str(tmp_path), "OUTLAY_TRUSTED_PROXIES": "10.0.0.0/8, ::1"})
    assert config.settings.trusted_proxies == ("10.0.0.0/8", "::1/128")
