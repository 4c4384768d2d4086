"""Who may send and who may look: keys from the Authorization header, a password and a session cookie for the pages.

Off by default, which is why the server then listens on loopback only. With keys on, nothing is answered without a
credential except health checks and the login page.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import ipaddress
import os
import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta

from anyio import CapacityLimiter

from outlay.errors import ConfigError
from outlay_collector.store import Store
from outlay_collector.store.client import Writer
from outlay_web.config import Settings
from outlay_web.http.keys import DEFAULT_PROJECT, Keys, Principal, digest

COOKIE = "outlay_session"
ANYBODY = Principal(DEFAULT_PROJECT, "admin")
SESSION_SQL = """
SELECT expires_at, revoked_at
FROM sessions FINAL
WHERE sha256 = {sha256:String}
"""
SESSION_CACHE_S = 5.0
FREE_TRIES = 5
MAX_WAIT_S = 300.0
MAX_COUNTED = 64  # far beyond what the longest wait takes
MAX_GUESSERS = 10_000
HASHES_AT_ONCE = 2  # each takes 16 MB


class Throttle:
    """Makes guessing slow: after five tries within the window each further one waits twice as long.

    A try counts before it is judged, so that many at once are no more than five; a right one is forgiven afterwards.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._tries: OrderedDict[str, tuple[int, float]] = OrderedDict()
        self._lock = threading.Lock()

    def wait_s(self, who: str) -> float:
        """Seconds until `who` may try again; 0 when it may now."""
        with self._lock:
            return self._wait_s(self._known(who))

    def begin(self, who: str) -> float:
        """As `wait_s`, and where `who` may try now, this is a try."""
        with self._lock:
            wait_s = self._wait_s(self._known(who))
            if wait_s <= 0:
                self._count(who)
            return wait_s

    def failed(self, who: str) -> None:
        with self._lock:
            self._count(who)

    def passed(self, who: str) -> None:
        with self._lock:
            self._tries.pop(who, None)

    def _count(self, who: str) -> None:
        self._tries[who] = (min(self._known(who)[0] + 1, MAX_COUNTED), self._clock())
        self._tries.move_to_end(who)
        if len(self._tries) > MAX_GUESSERS:
            self._tries.popitem(last=False)

    def _known(self, who: str) -> tuple[int, float]:
        """How many tries, and when the last one was; old ones are forgotten."""
        count, last = self._tries.get(who, (0, 0.0))
        return (0, 0.0) if self._clock() - last > 2 * MAX_WAIT_S else (count, last)

    def _wait_s(self, known: tuple[int, float]) -> float:
        count, last = known
        if count < FREE_TRIES:
            return 0.0
        return max(0.0, last + min(MAX_WAIT_S, 2.0 ** (count - FREE_TRIES + 1)) - self._clock())


def guesser(peer: str) -> str:
    """Whose tries count together: an address, or the network of one household where a peer has 2⁶⁴ of them (IPv6)."""
    try:
        address = ipaddress.ip_address(peer.partition("%")[0])
    except ValueError:
        return peer[:64]
    if isinstance(address, ipaddress.IPv6Address):
        mapped = address.ipv4_mapped
        return str(mapped) if mapped else str(ipaddress.ip_network((address, 64), strict=False))
    return str(address)


class Authenticator:
    """Turns a credential into a `Principal`."""

    def __init__(
        self,
        store: Store,
        settings: Settings,
        clock: Callable[[], datetime],
        written: Mapping[str, Principal] | None = None,
    ) -> None:
        """Keys of the store, and those `written` in outlay.toml by their hash."""
        self.keys = Keys(store, clock, written)
        self.keys_on = settings.keys_on
        self.login_on = settings.keys_on or bool(settings.password)
        self.throttle = Throttle()
        self.hashing = CapacityLimiter(HASHES_AT_ONCE)
        self._store = store
        self._clock = clock
        self._bootstrap = digest(settings.bootstrap_key) if settings.bootstrap_key else ""
        self._salt = os.urandom(16)
        self._password = self._scrypt(settings.password) if settings.password else b""
        self._lasts = timedelta(hours=settings.session_hours)
        self._sessions: dict[str, tuple[float, datetime | None]] = {}

    def by_header(self, authorization: str | None) -> Principal | None:
        """The holder of a Bearer key, or of a Basic header with the key as password; None for anything else."""
        secret = _secret(authorization)
        if not secret:
            return None
        if self._bootstrap and hmac.compare_digest(digest(secret), self._bootstrap):
            return Principal(DEFAULT_PROJECT, "admin", "bootstrap")
        return self.keys.find(secret)

    def project_for_ingest(self, authorization: str | None) -> str:
        """The project that spans sent with this header belong to.

        Raises:
            Unauthorized: If keys are on and this is not a live one.
        """
        from outlay_collector.receive.http import Unauthorized

        if not self.keys_on:
            return DEFAULT_PROJECT
        principal = self.by_header(authorization)
        if principal is None:
            raise Unauthorized(refused(authorization, "send"))
        return principal.project

    def by_cookie(self, cookie: str | None) -> Principal | None:
        """The person logged in with this session cookie, or None."""
        if not cookie:
            return None
        name = digest(cookie)
        checked_at, ends = self._sessions.get(name, (-1e9, None))
        if time.monotonic() - checked_at > SESSION_CACHE_S:
            rows = self._store.query(SESSION_SQL, {"sha256": name})
            ends = rows[0]["expires_at"] if rows and rows[0]["revoked_at"] is None else None
            if len(self._sessions) > 10_000:
                self._sessions.clear()
            self._sessions[name] = (time.monotonic(), ends)
        return Principal(DEFAULT_PROJECT, "admin") if ends is not None and ends > self._clock() else None

    def check_password(self, given: str) -> bool:
        """Whether this opens the pages: the password, or an administrator's key where no password is set."""
        if self._password:
            return hmac.compare_digest(self._scrypt(given), self._password)
        principal = self.by_header(f"Bearer {given}")
        return principal is not None and principal.role == "admin"

    def start_session(self, writer: Writer) -> str:
        """A new session's cookie, stored by its hash."""
        cookie = secrets.token_urlsafe(32)
        now = self._clock()
        row = {"sha256": digest(cookie), "created_at": now, "expires_at": now + self._lasts, "revoked_at": None}
        writer.insert("sessions", [{**row, "changed_at": now}])
        return cookie

    def end_session(self, writer: Writer, cookie: str) -> None:
        """Revoke a session on the server: the cookie is worth nothing afterwards."""
        now = self._clock()
        row = {"sha256": digest(cookie), "created_at": now, "expires_at": now, "revoked_at": now, "changed_at": now}
        writer.insert("sessions", [row])
        self._sessions.pop(digest(cookie), None)

    def _scrypt(self, password: str) -> bytes:
        return hashlib.scrypt(password.encode("utf-8", "surrogatepass"), salt=self._salt, n=1 << 14, r=8, p=1)


def refuse_open_binding(settings: Settings) -> None:
    """Listening beyond loopback without keys would give everybody in reach the data.

    Raises:
        ConfigError: If that is what was asked for.
    """
    if not settings.loopback and not settings.keys_on:
        raise ConfigError(
            f"host = {settings.host!r} listens beyond this machine without authentication; set OUTLAY_BOOTSTRAP_KEY "
            "(or keys = on) and, for the pages, OUTLAY_PASSWORD; or use host 127.0.0.1"
        )


def refused(authorization: str | None, to_do: str) -> str:
    """Why a request without a live key is turned away: none came, or one that is not known (any more).

    Args:
        to_do: What the key is for: `send` (OTLP) or `ask` (the API).
    """
    how = (
        "a sender sets OTEL_EXPORTER_OTLP_HEADERS=authorization=Bearer%20KEY, or OUTLAY_API_KEY with Outlay's SDK"
        if to_do == "send"
        else "commands read it from OUTLAY_API_KEY"
    )
    if not _secret(authorization):
        return f"a key is needed: Authorization: Bearer KEY; {how}"
    return f"this key is not known here, or was revoked; `outlay keys list` shows those that are ({how})"


def _secret(authorization: str | None) -> str:
    scheme, _, value = (authorization or "").strip().partition(" ")
    if scheme.lower() == "bearer":
        return value.strip()
    if scheme.lower() == "basic":
        try:
            return base64.b64decode(value.strip(), validate=True).decode().partition(":")[2]
        except (binascii.Error, UnicodeDecodeError):
            return ""
    return ""
