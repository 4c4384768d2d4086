"""Catalogue and contracts → versioned rows in ClickHouse, and the one way to price calls with them.

A price list is the catalogue, its corrections and the user's contracts of one day, named by their hash. It is written
to `prices` once and never changed. `price_epochs` says which list is in force from when: calls keep the list that was
in force when they started, however often they are settled again. A new list begins a new stretch at the moment it
becomes known; only a repricing (`prices_reprice`) moves an older stretch.

One thing reaches back: a name that the list of a call's own stretch does not know at all is looked up in the newest
list when the call is settled, unless its books are closed. No price that was known changes by that, and calls that
arrive late, or in a recording, need no repricing. Such names are kept under the list's version and `LATER`.
"""

from __future__ import annotations

import hashlib
import json
import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from outlay.pricing.catalog import EPOCH, Catalog, Match
from outlay.pricing.price_file import price_document
from outlay_collector.prices import periods
from outlay_collector.prices.catalogue import compile_document, source
from outlay_collector.prices.contracts import apply
from outlay_collector.prices.overrides import Overrides, PriceRow, parse_price, refuse_overlaps
from outlay_collector.prices.periods import PricePeriod
from outlay_collector.prices.reckon import MAX_NAME_LENGTH, Reckoner, tier_of
from outlay_collector.prices.rows import Name, match_row, price_rows, stored_model
from outlay_collector.prices.selecting import LATER, TIER_SQL, key_sql, select_sql
from outlay_collector.store import Params, Store
from outlay_collector.store.client import Writer
from outlay_collector.store.clock import Clock, utc_now
from outlay_collector.store.locks import holding

MAX_NEW_NAMES = 20_000


class PriceBook:
    """The price list in force, and the SQL that prices calls with it. Thread-safe; each caller brings its writer."""

    def __init__(self, store: Store, overrides: Overrides | None = None, *, clock: Clock = utc_now) -> None:
        self.store = store
        self._clock = clock
        self.overrides = overrides or Overrides()
        self._lock = threading.RLock()
        self._catalogs: dict[str, Catalog] = {}
        self._seen: set[Name] = set()
        self._projects: set[str] = set()
        self._foreign: set[str] = set()
        self._lines = periods.Lines()
        self._version = ""
        self._has_contracts = False

    @property
    def version(self) -> str:
        """The list that prices new calls. Empty before the first `ensure`."""
        return self._version

    @property
    def catalog(self) -> Catalog:
        """The newest list in memory: for look-ups of names and prices one by one."""
        return self._catalogs[self._version]

    def ensure(self, writer: Writer, now: datetime | None = None) -> str:
        """Compile the list unless it is there, put it in force for calls from `now` on, and return its version."""
        with holding(self._lock):
            overrides = self.overrides.with_prices(self._put_prices(writer))
            document = _document()
            text = f"{document['schema']}|{document['version']}|{overrides.canonical()}"
            version = hashlib.sha256(text.encode()).hexdigest()[:12]
            if version not in self._catalogs:
                self._catalogs[version] = apply(overrides, Catalog(document))
            if not writer.query(
                "SELECT 1 FROM price_versions WHERE price_version = {version:String} LIMIT 1", {"version": version}
            ):
                self._write(writer, version, overrides, document)
            if version != self._version:
                self._seen.clear()  # what was unknown may be in this list
            self._version = version
            self._has_contracts = bool(writer.query("SELECT 1 FROM prices WHERE NOT is_list LIMIT 1"))
            self._begin_periods(writer, now or self._clock())
            return version

    def put(self, writer: Writer, rows: Iterable[Mapping[str, Any]], now: datetime | None = None) -> str:
        """Add price rows to the contracts (`PUT /prices`) and put the new list in force; return its version.

        Raises:
            ConfigError: If a row has an unknown key or an impossible value, or two are of the same thing. Then nothing
                is stored.
        """
        parsed = [(parse_price(row, f"prices[{n}]"), row) for n, row in enumerate(rows)]
        refuse_overlaps({f"prices[{n}]": price for n, (price, _) in enumerate(parsed)})
        with holding(self._lock):
            writer.insert(
                "put_prices",
                [
                    {
                        "provider": price.provider,
                        "model": price.model,
                        "service_tier": price.service_tier,
                        "min_input_tokens": price.min_input_tokens,
                        "valid_from": price.valid_from.isoformat(),
                        "body": json.dumps(dict(row), default=str, sort_keys=True),
                        "version": time.time_ns(),
                        "is_deleted": 0,
                    }
                    for price, row in parsed
                ],
            )
            return self.ensure(writer, now)

    def prepare(
        self,
        writer: Writer,
        source_sql: str,
        params: Params | None = None,
        *,
        version: str | None = None,
        later: bool = True,
    ) -> None:
        """Resolve the names in `source_sql` that were not seen before, so that `price_select` finds them.

        Args:
            writer: The connection that will price; sees its temporary tables.
            source_sql: As for `price_select`.
            params: Values that `source_sql` binds.
            version: As for `price_select`.
            later: As for `price_select`.
        """
        names = writer.query(
            f"SELECT DISTINCT project, provider, request_model, response_model, {TIER_SQL} AS tier FROM ({source_sql}) "
            f"LIMIT {MAX_NEW_NAMES}",
            params,
        )
        self._prepare(writer, names, version, later)

    def prepare_names(self, writer: Writer, names: Sequence[Mapping[str, str]]) -> None:
        """As `prepare`, for names at hand: project, provider, request_model, response_model, service_tier, region."""
        tiers = [{**row, "tier": tier_of(row["service_tier"], row["region"])} for row in names[:MAX_NEW_NAMES]]
        self._prepare(writer, tiers, None, True)

    def _prepare(self, writer: Writer, names: Sequence[Mapping[str, Any]], version: str | None, later: bool) -> None:
        if not self._version:
            self.ensure(writer)
        with holding(self._lock):
            self.open_projects(writer, {str(row["project"]) for row in names})
            versions = [version] if version else self._versions(writer, later)
            wanted = {
                (str(row["provider"]), str(row["request_model"]), str(row["response_model"]), str(row["tier"]))
                for row in names
            }
            for each in versions:
                self._resolve(writer, each, {(each, *name) for name in wanted} - self._seen)

    def reckoner(self, writer: Writer, projects: set[str]) -> Reckoner:
        """Prices calls of these projects one by one, as `price_select` does."""
        if not self._version:
            self.ensure(writer)
        with holding(self._lock):
            self.open_projects(writer, projects)
            lines = self._lines.read(writer, projects)
            versions = {period.price_version for line in lines.values() for period in line}
            if self._take_over(writer, versions):
                return self.reckoner(writer, projects)
            return Reckoner(dict(self._catalogs), self._version, lines)

    def newest(self, project: str) -> Reckoner:
        """Prices calls one by one with the newest list, whatever list was in force at their moment."""
        return Reckoner(dict(self._catalogs), self._version, {project: (PricePeriod(EPOCH, self._version),)})

    def price_select(
        self,
        source_sql: str,
        *,
        version: str | None = None,
        later: bool = True,
        workings: bool = False,
        grouped: bool = False,
    ) -> str:
        """A SELECT of `source_sql`'s columns and the price of each row; `sql/price.sql` tells both sides.

        Args:
            source_sql: SQL of our own code. Its parameters stay parameters.
            version: Price all rows with this list instead of the one in force when they started.
            later: Whether names that the list in force does not know may be looked up in the newest one.
            workings: Hand out the columns in `WORKINGS` too.
            grouped: Rows are calls added up, as `price_alike.sql` does: of `requests` calls, the largest with
                `largest_input_tokens`.
        """
        return select_sql(
            source_sql, version, later=later, workings=workings, grouped=grouped, has_contracts=self._has_contracts
        )

    def _put_prices(self, writer: Writer) -> list[PriceRow]:
        rows = writer.query("SELECT body FROM put_prices FINAL ORDER BY provider, model, version")
        return [parse_price(json.loads(row["body"]), "a stored price") for row in rows]

    def _write(self, writer: Writer, version: str, overrides: Overrides, document: Mapping[str, Any]) -> None:
        catalog = self._catalogs[version]
        rows = [row for model in catalog.models() for row in price_rows(version, model)]
        body = "\n".join(json.dumps(row) for row in rows)
        writer.load("prices", body.encode(), fmt="JSONEachRow")
        writer.insert(
            "price_versions",
            [
                {
                    "price_version": version,
                    "known_since": self._clock(),
                    "catalogue": catalog.source,
                    "catalogue_checked": datetime.fromisoformat(document["checked"]).date(),
                    "contracts": overrides.canonical(),
                }
            ],
        )

    def _begin_periods(self, writer: Writer, now: datetime) -> None:
        """Begin a stretch with the newest list in every project whose last stretch has another one."""
        last = writer.query(
            "SELECT project, argMax(price_version, starts_at) AS price_version, max(starts_at) AS last_start "
            "FROM price_epochs FINAL GROUP BY project"
        )
        self._projects |= {str(row["project"]) for row in last}
        stale = [row for row in last if row["price_version"] != self._version]
        periods.begin(
            writer, [(row["project"], PricePeriod(max(now, row["last_start"]), self._version)) for row in stale]
        )

    def open_projects(self, writer: Writer, projects: set[str]) -> None:
        """Begin the time line of new projects.

        A project seen for the first time has no history to keep: the newest list holds for all of its past.
        """
        new = projects - self._projects
        if new:
            known = {row["project"] for row in writer.query("SELECT DISTINCT project FROM price_epochs FINAL")}
            periods.begin(writer, [(project, PricePeriod(EPOCH, self._version)) for project in sorted(new - known)])
            self._projects |= new

    def _versions(self, writer: Writer, later: bool) -> list[str]:
        """The lists in force at any time, as `model_matches` names them."""
        found = writer.query(f"SELECT DISTINCT price_version, {key_sql(later)} AS key FROM price_epochs FINAL")
        if self._take_over(writer, {str(row["price_version"]) for row in found}):
            return self._versions(writer, later)
        return [str(row["key"]) for row in found]

    def _take_over(self, writer: Writer, versions: set[str]) -> bool:
        """Of lists that this process did not compile another one put them since: it takes those over, if it can.

        Returns whether another list is in force now.
        """
        foreign = versions - self._catalogs.keys() - self._foreign
        if not foreign:
            return False
        self._foreign |= foreign
        before = self._version
        return self.ensure(writer) != before

    def _resolve(self, writer: Writer, version: str, names: set[Name]) -> None:
        if not names:
            return
        if len(self._seen) > 200_000:
            self._seen.clear()
        found = []
        for name in sorted(names):
            if max(len(name[2]), len(name[3])) > MAX_NAME_LENGTH:
                continue
            listed = version.removesuffix(LATER)
            match = self._match(writer, listed, name)
            if match is not None:
                found.append(match_row(name, listed, match.model, match.kind))
            elif version != listed and listed != self._version:
                match = self._match(writer, self._version, name)
                if match is not None:
                    found.append(match_row(name, self._version, match.model, f"{match.kind}+later_list"))
        if found:
            writer.load("model_matches", "\n".join(json.dumps(row) for row in found).encode(), fmt="JSONEachRow")
        self._seen |= names

    def _match(self, writer: Writer, version: str, name: Name) -> Match | None:
        """The model that a list means by the names on a call; lists of the past are only in the store."""
        known = self._catalogs.get(version)
        match = (known or self.catalog).resolve(*name[1:4])
        if match is None or known is not None:
            return match
        model = stored_model(writer, version, match.model)
        return Match(model, match.kind) if model else None


def _document() -> dict[str, Any]:
    """The price document: the shipped snapshot if it was made from the installed catalogue, else compiled now."""
    shipped = price_document()
    return shipped if shipped["source"] == source() else compile_document()
