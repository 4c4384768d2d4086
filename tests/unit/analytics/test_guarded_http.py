"""An address that somebody typed in is no way into the network."""

from __future__ import annotations

import ipaddress
import socket
import threading
from typing import Any

import pytest
from tests.receiver import receiver

from outlay.errors import ConfigError
from outlay_analytics.notify.guarded_http import (
    Allowed,
    RefusedAddress,
    check_form,
    check_numeric,
    check_soon,
    check_url,
    is_public,
    post,
)

NOBODY = Allowed()


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1/",
        "http://127.1/",
        "http://2130706433/",
        "http://0x7f000001/",
        "http://0177.0.0.1/",
        "http://0.0.0.0/",
        "http://[::1]/",
        "http://[::]/",
        "http://[::ffff:127.0.0.1]/",
        "http://[::ffff:7f00:1]/",
        "http://[64:ff9b::7f00:1]/",
        "http://[2002:7f00:1::]/",
        "http://[fe80::1]/",
        "http://[fc00::1]/",
        "http://[ff02::1]/",
        "http://10.0.0.1/",
        "http://172.16.0.1/",
        "http://192.168.1.1/",
        "http://169.254.169.254/latest/meta-data/",
        "http://100.64.0.1/",
        "http://224.0.0.1/",
        "http://255.255.255.255/",
        "http://localhost/",
        "http://198.18.0.1/",
        "http://8.8.8.8:22/",
        "https://8.8.8.8:8443/",
    ],
)
def test_what_is_not_public_is_refused(url: str) -> None:
    with pytest.raises(RefusedAddress):
        check_url(url, NOBODY)
    with pytest.raises(RefusedAddress):  # at once, too
        check_numeric(url, NOBODY)


@pytest.mark.parametrize(
    "url",
    [
        "ftp://example.com/",
        "file:///etc/passwd",
        "gopher://example.com/",
        "//example.com",
        "example.com",
        "http://user:pw@example.com/",
        "http://user@example.com/",
        "http:///path",
        "http://exa mple.com/",
        "http://example.com/\r\nX: y",
        "http://example.com\\@127.0.0.1/",
        "http://example.com:99999/",
        "http://example.com/ü",
        "http://exämple.com/",
        "",
    ],
)
def test_malformed_urls_are_refused_without_asking_anybody(url: str) -> None:
    with pytest.raises(RefusedAddress):
        check_form(url)


def test_public_addresses_pass() -> None:
    assert check_url("https://8.8.8.8/x?y=1", NOBODY).path == "/x?y=1"
    assert check_url("http://[2001:4860:4860::8888]/", NOBODY).address == "2001:4860:4860::8888"
    assert is_public(ipaddress.ip_address("1.1.1.1"))


@pytest.mark.parametrize("entry", ["127.0.0.1", "127.0.0.1:8080", "127.0.0.0/8", "localhost", "localhost:8080"])
def test_what_the_operator_lists_is_allowed(entry: str) -> None:
    host = "localhost" if "localhost" in entry else "127.0.0.1"
    assert check_url(f"http://{host}:8080/", Allowed.parse([entry])).port == 8080


def test_a_name_is_not_looked_up_where_only_numbers_are_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    def resolve(host: str, port: int, **kwargs: Any) -> list[Any]:
        assert kwargs["flags"] & socket.AI_NUMERICHOST
        raise socket.gaierror(socket.EAI_NONAME, "no number")

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    check_numeric("https://hooks.example.com/x", NOBODY)
    check_numeric("http://hooks.internal:8080/x", Allowed.parse(["hooks.internal:8080"]))
    with pytest.raises(RefusedAddress, match="port 8080"):
        check_numeric("http://hooks.internal:8080/x", NOBODY)


def test_a_name_that_is_private_now_is_refused_and_one_that_is_not_known_yet_passes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def resolve(host: str, port: int, *, flags: int = 0, **kwargs: Any) -> list[Any]:
        if flags or host != "inside.example":
            raise socket.gaierror(socket.EAI_NONAME, "not known")
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("10.0.0.1", port))]

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    check_soon("https://later.example/", NOBODY)
    with pytest.raises(RefusedAddress, match=r"inside\.example is 10\.0\.0\.1"):
        check_soon("https://inside.example/", NOBODY)


def test_an_entry_with_a_port_allows_only_that_port() -> None:
    with pytest.raises(RefusedAddress):
        check_url("http://127.0.0.1:8081/", Allowed.parse(["127.0.0.1:8080"]))


@pytest.mark.parametrize("entry", ["http://x/", "a/b", "x:notaport", "", "u@h"])
def test_a_bad_exception_is_named(entry: str) -> None:
    with pytest.raises(ConfigError, match=r"alerts\.allow"):
        Allowed.parse([entry])


def test_a_name_that_resolves_differently_the_second_time_gains_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = iter(["8.8.8.8", "127.0.0.1"])
    asked = []

    def resolve(host: str, port: int, **kwargs: Any) -> list[Any]:
        asked.append(host)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (next(answers), port))]

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    target = check_url("http://rebind.example/", NOBODY)
    assert (target.address, target.host, asked) == ("8.8.8.8", "rebind.example", ["rebind.example"])


def test_one_private_address_among_public_ones_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    both = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, 80)) for address in ("8.8.8.8", "10.0.0.1")]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *args, **kwargs: both)
    with pytest.raises(RefusedAddress, match=r"10\.0\.0\.1"):
        check_url("http://mixed.example/", NOBODY)


def test_a_redirect_is_an_answer_not_an_order() -> None:
    with receiver() as first, receiver() as second:
        first.status, first.location = 302, second.url
        status = post(check_url(first.url, Allowed.parse(["127.0.0.1"])), b"{}", {})
        assert status == 302
        assert len(first.bodies) == 1
        assert second.bodies == []


def test_a_receiver_that_never_answers_is_left_in_time() -> None:
    with receiver() as slow:
        slow.release = threading.Event()
        target = check_url(slow.url, Allowed.parse(["127.0.0.1"]))
        with pytest.raises(TimeoutError):
            post(target, b"{}", {}, timeout_s=0.3)
        slow.release.set()
