"""A small server that speaks ClickHouse's HTTP protocol on top of chDB, for tests only.

It lets the server path of the store be tested without a ClickHouse server: the same client library, the same requests
over a real socket, the same engine behind it. Sessions keep a connection, so temporary tables and SETs live as long as
a client does; every other request has a connection of its own.
"""

from __future__ import annotations

import json
import re
import tempfile
import threading
import zlib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import parse_qsl, urlsplit

import chdb
import lz4.frame
from backports import zstd

RESERVED = {
    "query",
    "database",
    "default_format",
    "session_id",
    "session_timeout",
    "session_check",
    "query_id",
    "user",
    "password",
    "compress",
    "decompress",
    "enable_http_compression",
    "client_protocol_version",
    "wait_end_of_query",
    "send_progress_in_http_headers",
    "http_headers_progress_interval_ms",
    "cancel_http_readonly_queries_on_client_close",
    "role",
    "quota_key",
}
INSERT = re.compile(r"^\s*INSERT\s+INTO\b.*\bFORMAT\s+(\w+)\s*$", re.IGNORECASE | re.DOTALL)


class ClickHouseHttp:
    """`with ClickHouseHttp(path) as server:` then connect to `server.dsn("database")`."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.requests = 0
        self.answers = threading.Event()
        self.answers.set()
        self.sessions: dict[str, tuple[Any, threading.Lock]] = {}
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"owner": self}))
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)

    @property
    def port(self) -> int:
        return int(self._server.server_address[1])

    def dsn(self, database: str, cluster: str = "") -> str:
        address = f"127.0.0.1:{self.port}"
        return f"clickhouse://default:@{address}/{database}" + (f"?cluster={cluster}" if cluster else "")

    def understood(self, sql: str) -> str:
        """A statement as the engine is asked it; another kind of server says it in other words."""
        return sql

    @contextmanager
    def held(self) -> Iterator[None]:
        """Take requests and answer none until the block ends, as a server does that hangs."""
        self.answers.clear()
        try:
            yield
        finally:
            self.answers.set()

    def session(self, name: str) -> tuple[Any, threading.Lock]:
        if name not in self.sessions:
            self.sessions[name] = (chdb.connect(self.path), threading.Lock())
        return self.sessions[name]

    def run(self, sql: str, data: bytes | None, options: dict[str, str]) -> bytes:
        name = options.get("session_id", "")
        connection, lock = self.session(name) if name else (chdb.connect(self.path), threading.Lock())
        try:
            with lock:
                return self._execute(connection, sql, data, options)
        finally:
            if not name:
                connection.close()

    def _execute(self, connection: Any, sql: str, data: bytes | None, options: dict[str, str]) -> bytes:
        if options.get("database"):
            connection.query(f"USE `{options['database']}`", "TabSeparated")
        settings = {k: v for k, v in options.items() if k not in RESERVED and not k.startswith("param_")}
        before = _values(connection, settings)  # a request's settings are its own
        changed = {name: value for name, value in settings.items() if value != before.get(name)}
        _set(connection, changed)
        try:
            params = {k[6:]: v for k, v in options.items() if k.startswith("param_")}
            insert = INSERT.match(sql)
            if insert and data is not None:
                with tempfile.NamedTemporaryFile(suffix=".data") as file:
                    file.write(data)
                    file.flush()
                    head = sql[: insert.start(1)].rstrip()[: -len("FORMAT")]
                    statement = f"{head} FROM INFILE '{file.name}' FORMAT {insert[1]}"
                    return bytes(connection.query(statement, "TabSeparated", params=params).bytes())
            return bytes(connection.query(sql, options.get("default_format", "TabSeparated"), params=params).bytes())
        finally:
            if settings.get("readonly", "0") == "0":
                _set(connection, {name: before[name] for name in changed})

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.answers.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
        for connection, lock in self.sessions.values():
            with lock:
                connection.close()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    owner: ClickHouseHttp

    def log_message(self, *_: object) -> None:
        """Silent: the tests' output is the report."""

    def do_GET(self) -> None:
        self._answer(b"")

    def do_POST(self) -> None:
        if "chunked" in self.headers.get("Transfer-Encoding", ""):
            body = b""
            while size := int(self.rfile.readline().split(b";")[0], 16):
                body += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
        else:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self._answer(_decoded(body, self.headers.get("Content-Encoding", "")))

    def _answer(self, body: bytes) -> None:
        self.owner.requests += 1
        self.owner.answers.wait()
        url = urlsplit(self.path)
        if url.path == "/ping":
            return self._send(200, b"Ok.\n", {})
        options = dict(parse_qsl(url.query, keep_blank_values=True))
        if "multipart/form-data" in self.headers.get("Content-Type", ""):
            options.update(_form(self.headers["Content-Type"], body))
            body = b""
        sql = options.get("query", "")
        data: bytes | None = body if sql and body else None
        if not sql:
            text, _, rest = (
                body.partition(b"\n") if INSERT.match(body.split(b"\n", 1)[0].decode()) else (body, b"", b"")
            )
            sql, data = text.decode(), rest or None
        try:
            status, payload, headers = 200, self.owner.run(self.owner.understood(sql), data, options), {}
        except Exception as exc:
            code = re.search(r"Code: (\d+)", str(exc))
            headers = {"X-ClickHouse-Exception-Code": code[1] if code else "0"}
            status, payload = 500, str(exc).encode()
        return self._send(status, payload, headers)

    def _send(self, status: int, payload: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        standard = {
            "Content-Type": "application/octet-stream",
            "Content-Length": str(len(payload)),
            "X-ClickHouse-Timezone": "UTC",
            "X-ClickHouse-Summary": json.dumps({"written_rows": "0"}),
            "X-ClickHouse-Server-Display-Name": "chdb",
        }
        for name, value in {**standard, **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(payload)


def _values(connection: Any, names: Iterable[str]) -> dict[str, str]:
    """What these settings are now."""
    listed = ", ".join(f"'{_escaped(name)}'" for name in names)
    if not listed:
        return {}
    sql = f"SELECT name, value FROM system.settings WHERE name IN ({listed})"
    rows = bytes(connection.query(sql, "JSONCompactEachRow").bytes()).decode().splitlines()
    return dict(json.loads(row) for row in rows)


def _set(connection: Any, settings: Mapping[str, str]) -> None:
    if settings:
        said = ", ".join(f"{name} = '{_escaped(value)}'" for name, value in settings.items())
        connection.query(f"SET {said}", "TabSeparated")


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("'", "\\'")


def _decoded(body: bytes, encoding: str) -> bytes:
    if encoding == "lz4":
        return bytes(lz4.frame.decompress(body))
    if encoding == "zstd":
        return bytes(zstd.decompress(body))
    if encoding == "gzip":
        return zlib.decompress(body, 31)
    return body


def _form(content_type: str, body: bytes) -> dict[str, str]:
    import email.parser
    import email.policy

    head = f"Content-Type: {content_type}\r\n\r\n".encode()
    message = email.parser.BytesParser(policy=email.policy.HTTP).parsebytes(head + body)
    return {
        str(part.get_param("name", header="content-disposition")): bytes(part.get_payload(decode=True) or b"").decode()
        for part in message.iter_parts()
    }
