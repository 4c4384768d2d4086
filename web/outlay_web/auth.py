"""Who may send and who may look: keys from the Authorization header, a password and a session cookie for the pages.

Off by default, which is why the server then listens on loopback only. With keys on, nothing is answered without a
credential except health checks and the login page.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import os
import secrets
import threading
import time
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta

from outlay.errors import ConfigError
from outlay_collector.store import Store
from outlay_collector.store.client import Writer
from outlay_web.config import Settings
from outlay_web.keys import DEFAULT_PROJECT, Keys, Principal, digest

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


class Throttle:
    """Makes guessing slow: after five wrong tries within the window each further one waits twice as long."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._failures: dict[str, tuple[int, float]] = {}
        self._lock = threading.Lock()

    def wait_s(self, who: str) -> float:
        """Seconds until `who` may try again; 0 when it may now."""
        with self._lock:
            count, last = self._failures.get(who, (0, 0.0))
            if count < FREE_TRIES:
                return 0.0
            return max(0.0, last + min(MAX_WAIT_S, 2.0 ** (count - FREE_TRIES + 1)) - self._clock())

    def failed(self, who: str) -> None:
        with self._lock:
            if len(self._failures) > 10_000:
                self._failures.clear()
            count, last = self._failures.get(who, (0, 0.0))
            fresh = self._clock() - last > 2 * MAX_WAIT_S
            self._failures[who] = (1 if fresh else count + 1, self._clock())

    def passed(self, who: str) -> None:
        with self._lock:
            self._failures.pop(who, None)


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
        from outlay_collector.receiver import Unauthorized

        if not self.keys_on:
            return DEFAULT_PROJECT
        principal = self.by_header(authorization)
        if principal is None:
            raise Unauthorized("a key is needed: Authorization: Bearer KEY")
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
