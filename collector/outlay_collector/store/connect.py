"""One connection to ClickHouse through clickhouse-connect, with the settings that ours have, and its errors as ours."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from outlay.errors import StoreError
from outlay_collector.store.dsn import Dsn
from outlay_collector.store.query import Row

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

CONNECT_S = 5
# How ClickHouse plans our statements. Named tuples carry what belongs together through the steps of a long statement;
# the chain optimization looks for `a < b AND b < c` and takes three quarters of a long statement's analysis. Nothing is
# compiled: the third page with an expression would wait 0.15-0.3 CPU-s for it, and ten million calls win nothing by it.
PLANNING: dict[str, Any] = {
    "enable_named_columns_in_function_tuple": 1,
    "optimize_and_compare_chain": 0,
    "compile_expressions": 0,
    "compile_aggregate_expressions": 0,
    "compile_sort_description": 0,
}
# How rows come as Arrow tables: names of few kinds as numbers into a dictionary, texts as the bytes they are. Of the
# connection: given with a statement, chDB would read, set and set back each of them, eight statements for one.
ARROW: dict[str, Any] = {
    "output_format_arrow_string_as_string": 0,
    "output_format_arrow_low_cardinality_as_dictionary": 1,
    "output_format_arrow_compression_method": "none",
}
# On a cluster: what is written is on most replicas, so that it outlives the node that took it.
QUORUM: dict[str, Any] = {"insert_quorum": "auto"}
# Where rows are spread over shards. An insert is answered when the shards have it; what a subquery reads is read once,
# here, and sent along; no condition with a subquery goes into what is sent. All nodes read and write the
# same replica of a shard, the first that lives, so that each sees what the others wrote.
ACROSS: dict[str, Any] = {
    "distributed_foreground_insert": 1,
    "distributed_product_mode": "global",
    "allow_push_predicate_ast_for_distributed_subqueries": 0,
    "load_balancing": "in_order",
    "prefer_localhost_replica": 0,
}
# What a reader may take.
READ_LIMITS: dict[str, Any] = {
    "max_execution_time": 30,
    "max_memory_usage": 2_000_000_000,
    "max_bytes_before_external_group_by": 400_000_000,  # groups beyond it wait on disk: slower, not refused
    "max_result_rows": 1_000_000,
    "use_query_condition_cache": 0,
}
# Codes after which the same statement may succeed later: timeouts, no connection, memory, too many parts or queries,
# disk full, read-only replica, Keeper trouble.
RETRYABLE_CODES = frozenset({3, 159, 164, 202, 203, 209, 210, 241, 242, 243, 252, 279, 285, 319, 394, 425, 999})

# clickhouse-connect logs a traceback with the statement's values for every failed insert; the error itself is raised.
logging.getLogger("clickhouse_connect").setLevel(logging.CRITICAL)


def connect(
    dsn: Dsn,
    limits: Mapping[str, Any] | None = None,
    database: str | None = None,
    *,
    silence_s: int,
    across: bool = False,
) -> Client:
    """A new client; `limits` makes it a reader that cannot write or lift its limits.

    Args:
        across: Whether it reads and writes the tables of all shards.
        silence_s: How long a server may say nothing before the connection is given up.
    """
    import clickhouse_connect

    # readonly=1 forbids any later change of settings; over HTTP every request carries its settings, so there it is 2.
    readonly: dict[str, Any] = {} if limits is None else {**limits, "readonly": "1" if dsn.embedded else "2"}
    written = {**ARROW, **(QUORUM if dsn.cluster else {})} if limits is None else {}
    spread = ACROSS if across else {}
    settings = {name: str(value) for name, value in {**PLANNING, **written, **spread, **readonly}.items()}
    try:
        if dsn.embedded:
            client: Client = clickhouse_connect.get_client(
                interface="chdb",
                path=dsn.path,
                database=database or dsn.database,
                settings=settings,
                tz_mode="aware",
            )
            return client
        return clickhouse_connect.get_client(
            interface="https" if dsn.secure else "http",
            host=dsn.host,
            port=dsn.port,
            username=dsn.username,
            password=dsn.password,
            database=database or dsn.database,
            settings=settings,
            tz_mode="aware",
            autogenerate_session_id=limits is None,
            connect_timeout=CONNECT_S,
            send_receive_timeout=silence_s,
        )
    except Exception as exc:
        raise translate(exc, f"cannot open the store at {dsn.shown}: ") from exc


def rows_of(result: Any) -> list[Row]:
    """A result of the client as rows by name."""
    return [dict(zip(result.column_names, row, strict=True)) for row in result.result_rows]


def run(call: Any, *args: Any, **kwargs: Any) -> Any:
    """Call a method of the client; its errors come as `StoreError`."""
    try:
        return call(*args, **kwargs)
    except StoreError:
        raise
    except Exception as exc:
        raise translate(exc) from exc


def translate(exc: Exception, prefix: str = "") -> StoreError:
    """clickhouse-connect's error as ours: classified by ClickHouse's code, without stack trace or version."""
    code = int(getattr(exc, "code", None) or 0)
    message = str(exc).split("Stack trace:")[0].strip()
    no_answer = code == 0 and type(exc).__name__ in ("OperationalError", "ConnectionError", "TimeoutError")
    return StoreError(prefix + message, code=code, retryable=code in RETRYABLE_CODES or no_answer)
