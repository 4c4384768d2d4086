"""Settle: traces that changed become calls, one row per billable request, each counted once.

The work is SQL in ClickHouse (`store/sql/settle_*.sql`), a few statements over temporary tables of one connection:

1. which traces: those that changed, and those that share a response with them
2. read their spans through the dialect tables, counts in canonical form
3. the tree: what is above a span, what it inherits
4. which spans speak of the same request: nested, at a stream's end, by response id across traces
5. sums bottom up: what an agent's span says beyond the calls below it
6. price, and write calls, repeats, lookups and response ids, each with tombstones for what is no more

Settling a trace again gives the same rows, in whatever order its spans came.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

from outlay.errors import StoreError
from outlay_collector.dialects import common
from outlay_collector.dialects.compile import fragments
from outlay_collector.dialects.keys import codes
from outlay_collector.dialects.literals import texts
from outlay_collector.prices import PriceBook
from outlay_collector.store import Store, load_sql
from outlay_collector.store.query import Params

SQL = "outlay_collector.store.sql"
UNKNOWN_TABLE = 60
MAX_DEPTH = 64
MAX_ROUNDS = 3
NO_ROUND = 255
BATCH_SPANS = 100_000
BATCH_TRACES = 50_000
RESETTLE_TRACES = 5_000
# Of a trace with more spans, or over more hours, only what a change touches is read and settled again.
GIANT_SPANS = 10_000
GIANT_HOURS = 24
EVER = datetime(1970, 1, 1, tzinfo=UTC)
SCRATCH = (
    "settle_traces",
    "settle_keys",
    "settle_partners",
    "settle_giant",
    "settle_touched",
    "settle_hours",
    "settle_raw",
    "settle_newest",
    "settle_inside",
    "settle_spans",
    "settle_tree",
    "settle_usage",
    "settle_pairs",
    "settle_links",
    "settle_aggregates",
    "settle_tops",
    "settle_shared",
    "settle_joined",
    "settle_members",
    "settle_nodes",
    "settle_sums",
    "settle_merged",
    "settle_requests",
    "settle_known_ids",
    "settle_billable",
    "settle_priced",
)
BILLABLE = "SELECT * FROM settle_billable"
AGREE = " OR ".join(
    f"({a} = '' OR {b} = '' OR startsWith({a}, {b}) OR startsWith({b}, {a}))"
    for a, b in (
        ("L.request_model", "R.request_model"),
        ("L.response_model", "R.response_model"),
        ("L.request_model", "R.response_model"),
        ("L.response_model", "R.request_model"),
    )
)
# The hours in which a span lies, with five seconds after it: spans of one request have one in common.
HOURS = (
    "arrayMap(x -> toStartOfHour(began_at) + toIntervalHour(x), "
    "range(toUInt64(greatest(0, least(72, dateDiff('hour', began_at, ended_at + toIntervalSecond(5)) + 1)))))"
)
BARE_MODEL = (
    "replaceRegexpOne(lower(toLowCardinality({})), "
    "'^(.*/)?((us|eu|apac|global)[.])?((anthropic|amazon|meta|mistral|cohere)[.])?', '')"
)


class Settler:
    """Turns changed traces into calls. For one thread; its connection is its own."""

    def __init__(self, store: Store, prices: PriceBook) -> None:
        self.store = store
        self.prices = prices
        self._writer = store.writer()
        self._version = 0
        self.spans_read = 0  # by the last run
        self._emptied = False
        self._before = False  # whether this run's traces were settled before
        self._found: dict[str, int] = {}  # how much this run has of the kinds that steps are for
        self._read = self._read_giant = ""
        self._inside = ""
        self._canonical = ""

    def close(self) -> None:
        self._writer.close()

    def run_once(self) -> bool:
        """Settle the next batch of changed traces. Returns whether more is waiting."""
        w = self._writer
        # Constants, not a join: so the primary key leads to what is new, however much was loaded before.
        known = w.query("SELECT loader, max(seq) AS seq FROM settle_progress GROUP BY loader ORDER BY loader")
        params: dict[str, Any] = {"known": [str(row["loader"]) for row in known]}
        settled = []
        for n, row in enumerate(known):
            params |= {f"loader_{n}": str(row["loader"]), f"seq_{n}": int(row["seq"])}
            settled.append(f"(loader = {{loader_{n}:String}} AND seq > {{seq_{n}:UInt64}})")
        waiting = " OR ".join([*settled, "loader NOT IN {known:Array(String)}"])
        limits = {"max_spans": BATCH_SPANS, "max_traces": BATCH_TRACES}
        batches = w.query(load_sql(SQL, "settle_next", waiting=waiting), params | limits)
        if not batches:
            return False
        self._prepare()
        chosen = []
        for n, row in enumerate(batches):
            params |= {f"next_{n}": str(row["loader"]), f"upto_{n}": int(row["upto"])}
            chosen.append(f"(loader = {{next_{n}:String}} AND seq <= {{upto_{n}:UInt64}})")
        w.run(load_sql(SQL, "settle_changed", batches=f"({waiting}) AND ({' OR '.join(chosen)})"), params)
        self._settle()
        w.insert("settle_progress", [{"loader": row["loader"], "seq": row["upto"]} for row in batches if row["upto"]])
        return any(row["more"] for row in batches)

    def resettle(self, project: str, start: datetime, end: datetime) -> int:
        """Settle every trace with a span in [start, end) again. Returns how many traces that were."""
        rows = self._writer.query(
            "SELECT DISTINCT trace_id FROM spans WHERE project = {project:String} "
            "AND toStartOfHour(started_at) >= toStartOfHour({start:DateTime64(6)}) "
            "AND toStartOfHour(started_at) <= {end:DateTime64(6)} "
            "AND started_at >= {start:DateTime64(6)} AND started_at < {end:DateTime64(6)} ORDER BY trace_id",
            {"project": project, "start": start, "end": end},
        )
        traces = [(project, str(row["trace_id"])) for row in rows]
        for at in range(0, len(traces), RESETTLE_TRACES):
            self.settle(traces[at : at + RESETTLE_TRACES])
        return len(traces)

    def settle(self, traces: Iterable[tuple[str, str]]) -> None:
        """Settle these traces, (project, trace id), and those that share a response with them."""
        wanted = sorted(set(traces))
        if not wanted:
            return
        self._prepare()
        rows = [{"project": p, "trace_id": t, "write": 1, "round": 0, "since": EVER} for p, t in wanted]
        self._writer.insert("settle_traces", rows)
        self._settle()

    def _settle(self) -> None:
        """Settle what is in settle_traces."""
        self._gather()
        found = self._writer.query(load_sql(SQL, "settle_found"))[0]
        self._found = {kind: int(count) for kind, count in found.items()}
        self.spans_read = self._found["spans"]
        # Where nothing speaks of usage or of a cache, and never did, there is nothing to write.
        if self._found["speakers"] or self._found["lookups"] or (self._before and self.spans_read):
            self._tree()
            self._requests()
            self._sums()
            self._write()
        # What a large run read is not kept in memory until the next.
        self._empty()
        self._emptied = True

    def _prepare(self) -> None:
        """Scratch tables, empty; the compiled statements; the next version."""
        if not self._read:
            self._compile()
        try:
            # After a run that failed they are not empty; else one is enough to see that they are there.
            self._empty(SCRATCH[:1] if self._emptied else SCRATCH)
        except StoreError as exc:
            # The first run, or a server's session that ended while nothing changed.
            if exc.code != UNKNOWN_TABLE:
                raise
            self._create()
            self._empty()
        self._emptied = self._before = False
        self._version = max(self._version + 1, time.time_ns() // 1000)

    def _compile(self) -> None:
        """The statements that the dialect tables make, and the version to go on from."""
        tables = fragments()
        self._read, self._read_giant = (
            load_sql(SQL, "settle_read", source=load_sql(SQL, source), **tables)
            for source in ("settle_source", "settle_source_giant")
        )
        self._inside = load_sql(SQL, "settle_inside", **tables)
        self._canonical = load_sql(SQL, "settle_canonical", **tables)
        newest = "SELECT max(version) AS v FROM (SELECT version FROM calls UNION ALL SELECT version FROM repeats)"
        self._version = int(self._writer.query(newest)[0]["v"])
        self.prices.ensure(self._writer)

    def _create(self) -> None:
        w = self._writer
        for statement in load_sql(SQL, "settle_tables").split(";\n"):
            w.run(statement)
        # To merge steps, or to compile them to machine code, takes longer than to run them. One thread keeps the order
        # of the spans, which is the order in which calls are stored, and leaves the other cores to the pages.
        w.run(
            "SET query_plan_merge_expressions = 0, compile_expressions = 0, compile_aggregate_expressions = 0, "
            "compile_sort_description = 0, max_threads = 1, optimize_on_insert = 0"
        )
        for name, statement in (
            ("settle_raw", self._read),
            ("settle_newest", "SELECT * FROM settle_raw"),
            ("settle_inside", self._inside),
            ("settle_billable", load_sql(SQL, "settle_billable")),
            ("settle_priced", self.prices.price_select(BILLABLE)),
        ):
            params = {"round": NO_ROUND} if name == "settle_raw" else None
            w.run(f"CREATE TEMPORARY TABLE IF NOT EXISTS {name} ENGINE = Memory AS {statement}", params)

    def _empty(self, tables: Sequence[str] = SCRATCH) -> None:
        for table in tables:
            self._writer.run(f"TRUNCATE TABLE {table}")

    def _gather(self) -> None:
        """Read the spans of the traces, then of those that share a response with them, until there are no more."""
        w = self._writer
        for round_ in range(MAX_ROUNDS + 1):
            params = {"round": round_, "write": int(round_ + 1 < MAX_ROUNDS)}
            w.run(load_sql(SQL, "settle_hours"), params | {"giant_spans": GIANT_SPANS, "giant_hours": GIANT_HOURS})
            self._read_spans(self._read, params)
            if self._count("settle_hours", "giant"):
                self._gather_touched(round_)
            self._before = self._before or bool(w.query(load_sql(SQL, "settle_before"), {"round": round_})[0]["n"])
            if self._before:
                w.run(load_sql(SQL, "settle_known_ids"))
            if round_ == MAX_ROUNDS:
                return
            w.run("TRUNCATE TABLE settle_keys")
            w.run(load_sql(SQL, "settle_keys", hours=HOURS), params)
            w.run(load_sql(SQL, "settle_partners"), params)
            if not self._count("settle_partners", f"round = {round_ + 1}"):
                return
            w.run(load_sql(SQL, "settle_partner_traces"), params)

    def _gather_touched(self, round_: int) -> None:
        """Read what a round touches of giant traces: what changed, all above it, and all below the heads."""
        w = self._writer
        up, down = 2 * round_, 2 * round_ + 1
        w.run(load_sql(SQL, "settle_giant"), {"round": round_})
        w.run(load_sql(SQL, "settle_giant_new"), {"round": round_, "step": up})
        self._spread("settle_giant_up", up)
        self._read_spans(self._read_giant, {"step": up})
        w.run(load_sql(SQL, "settle_giant_heads"), {"step": down})
        self._spread("settle_giant_down", down)
        self._read_spans(self._read_giant, {"step": down})

    def _spread(self, name: str, step: int) -> None:
        for depth in range(1, MAX_DEPTH + 1):
            self._writer.run(load_sql(SQL, name), {"step": step, "depth": depth})
            if not self._count("settle_touched", f"step = {step} AND depth = {depth}"):
                return

    def _read_spans(self, statement: str, params: Params) -> None:
        """Append what a SELECT of stage 1 reads to settle_spans."""
        w = self._writer
        w.run("TRUNCATE TABLE settle_raw")
        w.run("TRUNCATE TABLE settle_inside")
        w.run("INSERT INTO settle_raw " + statement, params)
        opens = f"opens OR said[{codes()['blob_alone']}] != ''"
        read = w.query(f"SELECT count() > uniqExact(id) AS moved, countIf({opens}) AS opens FROM settle_raw")[0]
        if read["moved"]:
            self._keep_newest()
        if read["opens"]:
            w.run("INSERT INTO settle_inside " + self._inside)
        w.run("INSERT INTO settle_spans " + self._canonical)

    def _keep_newest(self) -> None:
        """Of spans that were read from two hours, as they were sent again with another start, keep one."""
        w = self._writer
        w.run(load_sql(SQL, "settle_newest"))
        w.run("TRUNCATE TABLE settle_raw")
        w.run("INSERT INTO settle_raw SELECT * FROM settle_newest")
        w.run("TRUNCATE TABLE settle_newest")

    def _tree(self) -> None:
        w = self._writer
        w.run(load_sql(SQL, "settle_roots", which="pid = 0 OR pid NOT IN (SELECT id FROM settle_spans)"))
        placed = self._count("settle_tree")
        hidden = " OR ".join(
            f"(x IN ({', '.join(repr(name) for name in names)}) AND hasAny(mapKeys(c.context), {texts(names)}))"
            for names in common.CONTEXT_GROUPS.values()
        )
        level = load_sql(SQL, "settle_context", context_hidden=hidden)
        for depth in range(1, MAX_DEPTH + 1):
            if placed == self._found["spans"]:
                return
            w.run(level, {"depth": depth})
            before, placed = placed, self._count("settle_tree")
            if placed == before:
                break
        # What is in a ring, or deeper than anyone nests, stands for itself.
        w.run(load_sql(SQL, "settle_roots", which="id NOT IN (SELECT id FROM settle_tree)"))

    def _requests(self) -> None:
        """Which spans speak of the same request."""
        w = self._writer
        bare = {f"model_of_{side}": BARE_MODEL.format(f"s.{side}_model") for side in ("request", "response")}
        agree = AGREE.replace("L.", "p.").replace("R.", "c.")
        w.run(load_sql(SQL, "settle_usage", **bare))
        if self._count("settle_usage", "above != 0"):
            w.run(load_sql(SQL, "settle_pairs", models_agree=f"({agree})"))
            w.run(load_sql(SQL, "settle_links"))
        if self._found["tails"]:
            w.run(load_sql(SQL, "settle_tails"))
        w.run(load_sql(SQL, "settle_aggregates"))
        w.run(load_sql(SQL, "settle_tops"))
        w.run(load_sql(SQL, "settle_shared"))
        if self._count("settle_shared"):
            self._join()
        w.run(load_sql(SQL, "settle_members"))
        most = int(w.query("SELECT max(precedence) AS n FROM settle_members")[0]["n"])
        self._found["repeats"] = max(most - 1, 0)
        # Each request is put together from its last span to its first: one span and the rest, what those after it say.
        for precedence in range(max(most - 1, 1), 0, -1):
            into = "settle_requests" if precedence == 1 else "settle_merged"
            rest = load_sql(SQL, "settle_last" if precedence + 1 >= most else "settle_later")
            w.run(
                load_sql(SQL, "settle_merge", into=into, rest=rest), {"precedence": precedence, "next": precedence + 1}
            )

    def _join(self) -> None:
        """Chains of spans, in one trace or several, that share a response id, or failing that their counts."""
        w = self._writer
        agree = AGREE.replace("L.", "m.").replace("R.", "w.w_")
        by_id = {
            "key": "argMinIf(u.response_key, u.rank, u.response_key != 0)",
            "which": "true",
            "ids_agree": "true",
            "flagged": "true",
        }
        # Equal counts may be chance: one side must lack the id and the other be the root of a trace or the client's own
        # span, or without any id one must lie within the time of the other; nothing is flagged.
        by_counts = {
            "key": "if(max(u.response_key != 0) AND "
            "countIf((u.above = 0 OR u.rank <= 10) AND u.fingerprint != 0) = 0, 0, "
            "argMinIf(u.fingerprint, u.rank, u.fingerprint != 0))",
            "which": "t.head NOT IN (SELECT head FROM settle_joined)",
            "ids_agree": "(m.head = w.winner OR m.with_id != w.w_with_id OR (NOT m.with_id AND ("
            "(m.started_at < w.w_started_at AND m.ended_at >= w.w_ended_at) OR "
            "(w.w_started_at < m.started_at AND w.w_ended_at >= m.ended_at))))",
            "flagged": "false",
        }
        for how, slack_s in ((by_id, 5), (by_counts, 1)):
            w.run(load_sql(SQL, "settle_joined", chains_agree=f"({agree})", **how), {"slack_s": slack_s})

    def _sums(self) -> None:
        """What aggregates say beyond what is below them, from the leaves up."""
        w = self._writer
        self._found["aggregates"] = self._count("settle_aggregates")
        if not self._found["aggregates"]:
            return
        w.run(load_sql(SQL, "settle_nodes"))
        deepest = int(w.query("SELECT max(usage_depth) AS d FROM settle_nodes")[0]["d"])
        sums = load_sql(SQL, "settle_sums")
        for depth in range(deepest, -1, -1):
            w.run(sums, {"depth": depth})
        w.run(load_sql(SQL, "settle_rests"))

    def _write(self) -> None:
        w = self._writer
        params: dict[str, Any] = {"version": self._version}
        w.run("INSERT INTO settle_billable " + load_sql(SQL, "settle_billable"))
        self.prices.prepare(w, BILLABLE)
        w.run("INSERT INTO settle_priced " + self.prices.price_select(BILLABLE))
        w.run(self._unless_new(load_sql(SQL, "settle_dirty_hours")))
        w.run(self._unless_new(load_sql(SQL, "settle_calls")), params)
        if self._found["lookups"] or self._before:
            w.run(self._unless_new(load_sql(SQL, "settle_lookups")), params)
        if self._found["repeats"] or self._found["aggregates"] or self._before:
            w.run(self._unless_new(load_sql(SQL, "settle_repeats")), params)
        w.run(self._unless_new(load_sql(SQL, "settle_response_ids", hours=HOURS)), params)

    def _unless_new(self, sql: str) -> str:
        """A statement without the part that looks for rows of an earlier run, when there was none."""
        return sql if self._before else sql.split("-- What is no more:")[0]

    def _count(self, table: str, where: str = "1") -> int:
        return int(self._writer.query(f"SELECT count() AS n FROM {table} WHERE {where}")[0]["n"])
