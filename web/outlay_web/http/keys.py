"""Keys: shown once, stored as prefix and SHA-256, and looked up in memory, which is refreshed every few seconds.

A key decides the project. Roles: `ingest` may only send, `project` may send and read its project, `admin` may do
everything in every project.
"""

from __future__ import annotations

import hashlib
import re
import secrets
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator
from pydantic.dataclasses import dataclass as table

from outlay.errors import OutlayError
from outlay_collector.prices.tables import STRICT, read_tables
from outlay_collector.store import Store
from outlay_collector.store.client import Writer

ROLES = ("ingest", "project", "admin")
SHA256 = re.compile(r"[0-9a-fA-F]{64}")
PROJECT = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
LIVE_SQL = "SELECT * EXCEPT changed_at FROM ingest_keys FINAL ORDER BY created_at, prefix"
DEFAULT_PROJECT = "default"


class KeyRefused(OutlayError):
    """A key cannot be created or revoked as asked."""


@dataclass(frozen=True)
class Principal:
    """Who is asking.

    Attributes:
        project: The project of the credential; an administrator may choose another.
        role: `ingest`, `project` or `admin`.
        prefix: Start of the key, empty for a login or where no key is needed.
    """

    project: str
    role: str
    prefix: str = ""


def digest(secret: str) -> str:
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


def check_project(name: str) -> str:
    """A project's name, unchanged.

    Raises:
        KeyRefused: If it is not one.
    """
    if not PROJECT.fullmatch(name):
        raise KeyRefused(
            f"project {name[:80]!r} is not a name: use 1 to 64 letters, digits, dots, dashes or underscores"
        )
    return name


def _project(name: object) -> str:
    if not isinstance(name, str) or not PROJECT.fullmatch(name):
        raise ValueError("is not 1 to 64 letters, digits, dots, dashes or underscores")
    return name


def _hash(value: object) -> str:
    if not isinstance(value, str) or not SHA256.fullmatch(value):
        raise ValueError("must be 64 hex digits: printf %s KEY | sha256sum")
    return value.lower()


@table(config=STRICT, frozen=True)
class ProjectTable:
    """A project of outlay.toml, and its keys by the hash of each whole key."""

    name: Annotated[str, BeforeValidator(_project)]
    role: Literal["ingest", "project"] = "project"
    key_sha256: tuple[Annotated[str, BeforeValidator(_hash)], ...] = field(
        default=(), repr=False
    )  # or a key, by mistake


def parse_projects(written: Mapping[str, Any]) -> dict[str, Principal]:
    """Keys of `[[projects]]` in outlay.toml: by whose hash one is found, what it may do.

    Raises:
        ConfigError: For an unknown key, a name that is not one, or a hash that is not one.
    """
    return {
        known: Principal(project.name, project.role, f"toml-{project.name}")
        for project in read_tables(ProjectTable, written.get("projects", []), "projects")
        for known in project.key_sha256
    }


class Keys:
    """The keys of a store. Reads are from memory and safe on the event loop; `refresh` runs in the background."""

    def __init__(
        self, store: Store, clock: Callable[[], datetime], written: Mapping[str, Principal] | None = None
    ) -> None:
        self._store = store
        self._clock = clock
        self._written = dict(written or {})
        self._live: dict[str, Principal] = dict(self._written)
        self._used: dict[str, datetime] = {}
        self._lock = threading.Lock()

    def find(self, secret: str) -> Principal | None:
        """Whose live key this is, or None. The look-up is by hash, so its time says nothing about the key."""
        principal = self._live.get(digest(secret))
        if principal is not None:
            self._used[principal.prefix] = self._clock()
        return principal

    def refresh(self) -> None:
        """Read the live keys again: a key revoked elsewhere stops working after this."""
        live = {
            row["sha256"]: Principal(row["project"], row["role"], row["prefix"])
            for row in self._store.query(LIVE_SQL)
            if row["revoked_at"] is None
        }
        with self._lock:
            self._live = {**self._written, **live}

    def write_last_used(self, writer: Writer) -> None:
        """Note when keys were last used; called now and then, so the figure is about right."""
        with self._lock:
            used, self._used = self._used, {}
        if not used:
            return
        rows = [row for row in self._store.query(LIVE_SQL) if row["prefix"] in used]
        now = self._clock()
        writer.insert("ingest_keys", [{**row, "last_used_at": used[row["prefix"]], "changed_at": now} for row in rows])

    def list(self) -> list[dict[str, Any]]:
        """Every key without its hash, oldest first."""
        rows = self._store.query(LIVE_SQL)
        return [{name: value for name, value in row.items() if name != "sha256"} for row in rows]

    def create(self, writer: Writer, project: str, role: str) -> tuple[str, dict[str, Any]]:
        """Make a key; return it, for the only time, and what a list shows of it.

        Raises:
            KeyRefused: If the project's name or the role is not one.
        """
        if role not in ROLES:
            raise KeyRefused(f"role {role[:80]!r} is not known; allowed: {', '.join(ROLES)}")
        prefix = "olk_" + secrets.token_hex(4)
        key = f"{prefix}_{secrets.token_urlsafe(32)}"
        now = self._clock()
        row: dict[str, Any] = {
            "prefix": prefix,
            "sha256": digest(key),
            "project": check_project(project),
            "role": role,
            "created_at": now,
            "revoked_at": None,
            "last_used_at": None,
        }
        writer.insert("ingest_keys", [{**row, "changed_at": now}])
        self.refresh()
        return key, {name: value for name, value in row.items() if name != "sha256"}

    def revoke(self, writer: Writer, prefix: str) -> dict[str, Any]:
        """End a key's life at once.

        Raises:
            KeyRefused: If no key has this prefix.
        """
        rows = [row for row in self._store.query(LIVE_SQL) if row["prefix"] == prefix]
        if not rows:
            raise KeyRefused(f"no key starts with {prefix[:80]!r}; `outlay keys list` shows them")
        row = rows[0]
        if row["revoked_at"] is None:
            row["revoked_at"] = self._clock()
            writer.insert("ingest_keys", [{**row, "changed_at": self._clock()}])
        self.refresh()
        return {name: value for name, value in row.items() if name != "sha256"}
