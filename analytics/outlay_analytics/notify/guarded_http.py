"""POST to an address that somebody typed in, without becoming a way into the network.

The name is resolved once, every address it has must be public, and the connection goes to the address that was
checked, so a name that answers differently a second time gains nothing. No redirects, no proxies, no credentials in
the URL, ports 80 and 443 only, five seconds in all, 64 kB of answer at most, and the answer is never shown. What the
operator lists in the config file (`alerts.allow`) is exempt from the address and port rules.
"""

from __future__ import annotations

import http.client
import ipaddress
import socket
import ssl
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from outlay.errors import ConfigError, OutlayError

TIMEOUT_S = 5.0
ANSWER_LIMIT_BYTES = 65536
PORTS = {"http": 80, "https": 443}
IpAddress = ipaddress.IPv4Address | ipaddress.IPv6Address
IpNetwork = ipaddress.IPv4Network | ipaddress.IPv6Network
PORT_REFUSED = "port {} is not allowed: only 80 and 443, or what alerts.allow lists"
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")


class RefusedAddress(OutlayError):
    """The URL may not be used: its form, port or address is not allowed."""


@dataclass(frozen=True)
class Allowed:
    """The operator's exceptions: hosts, `host:port`, addresses and networks that may be private.

    An entry without a port allows every port.
    """

    hosts: frozenset[tuple[str, int | None]] = frozenset()
    networks: tuple[IpNetwork, ...] = ()

    @classmethod
    def parse(cls, entries: Sequence[str]) -> Allowed:
        """Read the list from the config file.

        Raises:
            ConfigError: If an entry is neither a host, a host with a port, an address nor a network.
        """
        hosts: set[tuple[str, int | None]] = set()
        networks: list[IpNetwork] = []
        for entry in entries:
            try:
                networks.append(ipaddress.ip_network(entry.strip("[]"), strict=False))
                continue
            except ValueError:
                pass
            try:
                parts = urlsplit(f"//{entry}")
                host, port = parts.hostname, parts.port
            except ValueError as exc:
                raise ConfigError(f"alerts.allow: {entry!r} is not a host, host:port, address or network") from exc
            if not host or parts.path or parts.username is not None:
                raise ConfigError(f"alerts.allow: {entry!r} is not a host, host:port, address or network")
            hosts.add((host.lower(), port))
        return cls(frozenset(hosts), tuple(networks))

    def permits(self, host: str, port: int, address: IpAddress) -> bool:
        """Whether this destination is exempt."""
        names = {host.lower().rstrip("."), str(address)}
        if any((name, number) in self.hosts for name in names for number in (port, None)):
            return True
        return any(address.version == network.version and address in network for network in self.networks)


@dataclass(frozen=True)
class Target:
    """A checked destination."""

    scheme: str
    host: str
    port: int
    address: str
    path: str


def check_form(url: str) -> None:
    """Refuse a URL by its form alone, without resolving anything.

    Raises:
        RefusedAddress: Says what is wrong with it.
    """
    _split(url)


def check_numeric(url: str, allowed: Allowed) -> None:
    """Refuse what can be refused without asking for a name's addresses: ports, numeric addresses, localhost.

    Raises:
        RefusedAddress: If the form, port or address is not allowed.
    """
    _, host, port, _ = _split(url)
    if host.lower().rstrip(".") == "localhost" or host.lower().rstrip(".").endswith(".localhost"):
        _check(host, port, ipaddress.IPv4Address("127.0.0.1"), allowed)
        return
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)
    except OSError:  # a name
        named = any(name == host.lower().rstrip(".") and number in (port, None) for name, number in allowed.hosts)
        if port not in PORTS.values() and not named and not allowed.networks:
            raise RefusedAddress(PORT_REFUSED.format(port)) from None
        return
    for address in _addresses(found):
        _check(host, port, address, allowed)


def check_soon(url: str, allowed: Allowed, patience_s: float = 2.0) -> None:
    """Refuse what `check_url` would refuse now; a name that does not resolve in time may yet turn out well.

    Raises:
        RefusedAddress: If the form, port or any address is not allowed.
    """
    check_numeric(url, allowed)
    refused: list[RefusedAddress] = []

    def look() -> None:
        try:
            check_url(url, allowed)
        except RefusedAddress as exc:
            refused.append(exc)
        except OSError:
            pass

    looking = threading.Thread(target=look, daemon=True)
    looking.start()
    looking.join(patience_s)
    if refused:
        raise refused[0]


def check_url(url: str, allowed: Allowed) -> Target:
    """Resolve `url` once and refuse whatever is not public.

    Raises:
        RefusedAddress: If the form, port or any address is not allowed.
        OSError: If the name does not resolve.
    """
    scheme, host, port, path = _split(url)
    addresses = _addresses(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))
    for address in addresses:
        _check(host, port, address, allowed)
    return Target(scheme, host, port, str(addresses[0]), path)


def _addresses(found: Sequence[tuple[Any, ...]]) -> list[IpAddress]:
    return [ipaddress.ip_address(str(info[4][0]).split("%")[0]) for info in found]


def _check(host: str, port: int, address: IpAddress, allowed: Allowed) -> None:
    if allowed.permits(host, port, address):
        return
    if port not in PORTS.values():
        raise RefusedAddress(PORT_REFUSED.format(port))
    if not is_public(address):
        is_what = "" if host == str(address) else f"{address}, which is "
        raise RefusedAddress(
            f"{host} is {is_what}not a public address; list it in alerts.allow of outlay.toml to use it"
        )


def _split(url: str) -> tuple[str, str, int, str]:
    if any(ord(char) <= 32 or ord(char) == 127 for char in url) or "\\" in url:
        raise RefusedAddress("the URL has spaces, control characters or backslashes")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as exc:
        raise RefusedAddress("the URL cannot be read") from exc
    if parts.scheme not in PORTS:
        raise RefusedAddress(f"{parts.scheme or 'no'} scheme: only http and https are allowed")
    if parts.username is not None or parts.password is not None:
        raise RefusedAddress("the URL holds a user name or password")
    if not parts.hostname or not parts.hostname.isascii():
        raise RefusedAddress("the URL has no usable host name")
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    if not path.isascii():
        raise RefusedAddress("the URL's path has characters that must be percent-encoded")
    return parts.scheme, parts.hostname, PORTS[parts.scheme] if port is None else port, path


def is_public(address: IpAddress) -> bool:
    """Whether an address is on the public internet, also when it wraps an IPv4 address."""
    if isinstance(address, ipaddress.IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour or (address.teredo[1] if address.teredo else None)
        if inner is None and address in _NAT64:
            inner = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
        if inner is not None:
            return is_public(inner)
        if address.is_site_local:
            return False
    return address.is_global and not (
        address.is_multicast
        or address.is_reserved
        or address.is_unspecified
        or address.is_loopback
        or address.is_link_local
    )


def post(target: Target, body: bytes, headers: Mapping[str, str], timeout_s: float = TIMEOUT_S) -> int:
    """Send one POST to the checked address and return the status of the answer, never its text; `timeout_s` in all.

    Raises:
        OSError: If it cannot be reached or does not answer in time.
        http.client.HTTPException: If what answers is not HTTP.
    """
    connection = _Connection(target, timeout_s)
    cut = threading.Timer(timeout_s, connection.cut)
    cut.daemon = True
    cut.start()
    try:
        connection.request("POST", target.path, body=body, headers=dict(headers))
        response = connection.getresponse()
        response.read(ANSWER_LIMIT_BYTES)
        return response.status
    except (OSError, http.client.HTTPException) as exc:
        if connection.was_cut:
            raise TimeoutError(f"no answer within {timeout_s:g} s") from exc
        raise
    finally:
        cut.cancel()
        connection.close()


class _Connection(http.client.HTTPConnection):
    """A connection to the checked address; TLS still verifies the certificate against the name."""

    def __init__(self, target: Target, timeout_s: float) -> None:
        super().__init__(target.host, target.port, timeout=timeout_s)
        self._target = target
        self.was_cut = False

    def connect(self) -> None:
        plain = socket.create_connection((self._target.address, self._target.port), timeout=self.timeout)
        if self._target.scheme == "https":
            self.sock = plain
            self.sock = ssl.create_default_context().wrap_socket(plain, server_hostname=self._target.host)
        else:
            self.sock = plain

    def cut(self) -> None:
        """End a conversation that takes too long, from another thread."""
        self.was_cut = True
        if self.sock is not None:
            try:
                self.sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
