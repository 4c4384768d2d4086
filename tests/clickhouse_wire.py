"""A shard that answers nothing and notes what it is sent: as much of ClickHouse's native protocol as that takes."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from io import BufferedRWPair


class Wire:
    """A shard that notes the statements it is sent and answers each with no rows: ClickHouse's native protocol, TCP.

    Named in the engine's configuration as the node that is to be asked with prefer_localhost_replica = 0.
    """

    REVISION = 54448  # of the protocol: what this server says it is, so that it is sent nothing newer
    HELLO, QUERY, DATA, PING, TABLES_STATUS = 0, 1, 2, 4, 5
    PONG, END_OF_STREAM, TABLES_STATUS_ANSWER = 4, 5, 9
    SECONDARY_TCP = 1
    # An empty block ends what a client sends: packet, name, block info, no columns, no rows.
    END = b"\x02\x00\x01\x00\x02\xff\xff\xff\xff\x00\x00\x00"

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._sent: list[str] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    @contextmanager
    def listening(self) -> Iterator[list[str]]:
        """What is sent meanwhile."""
        with self._lock:
            self._sent = []
            yield self._sent

    def _accept(self) -> None:
        while True:
            peer, _ = self._listener.accept()
            threading.Thread(target=self._serve, args=(peer,), daemon=True).start()

    def _serve(self, peer: socket.socket) -> None:
        stream = peer.makefile("rwb")
        with peer, stream, suppress(OSError, EOFError):
            while True:
                packet = _varint(stream)
                if packet == self.HELLO:
                    _skip(stream, "snnnsss")
                    hello = _text("two_shards") + _number(26) + _number(9) + _number(self.REVISION)
                    stream.write(_number(self.HELLO) + hello + _text("UTC") + _text("wire") + _number(1))
                elif packet == self.PING:
                    stream.write(_number(self.PONG))
                elif packet == self.TABLES_STATUS:
                    tables = [(_bytes(stream), _bytes(stream)) for _ in range(_varint(stream))]
                    not_replicated = b"".join(_text(d) + _text(t) + b"\0" for d, t in tables)
                    stream.write(_number(self.TABLES_STATUS_ANSWER) + _number(len(tables)) + not_replicated)
                elif packet == self.QUERY:
                    self._sent.append(self._query(stream))
                    stream.write(_number(self.END_OF_STREAM))
                else:
                    return
                stream.flush()

    def _query(self, stream: BufferedRWPair) -> str:
        _skip(stream, "s1sss")  # query id; who asks, in whose name
        by_tcp = stream.read(1)[0] == self.SECONDARY_TCP
        _skip(stream, "sssnnn" if by_tcp else "")  # of the first client
        _skip(stream, "sn" + ("n" if by_tcp else ""))  # quota key, distance
        if stream.read(1)[0]:  # a trace context
            stream.read(24)
            _skip(stream, "s1")
        while _bytes(stream):  # settings
            _skip(stream, "ns")
        _skip(stream, "snn")  # secret, stage, compression
        text = _bytes(stream).decode()
        tail = b""
        while not tail.endswith(self.END):  # tables that GLOBAL made, and the end
            piece = stream.read1(65536)
            if not piece:
                raise EOFError
            tail = (tail + piece)[-64:]
        return text


def _varint(stream: BufferedRWPair) -> int:
    value, shift = 0, 0
    while True:
        byte = stream.read(1)
        if not byte:
            raise EOFError
        value |= (byte[0] & 127) << shift
        shift += 7
        if byte[0] < 128:
            return value


def _bytes(stream: BufferedRWPair) -> bytes:
    return stream.read(_varint(stream))


def _skip(stream: BufferedRWPair, kinds: str) -> None:
    """Fields: s a text, n a number, 1 a byte."""
    for kind in kinds:
        if kind == "1":
            stream.read(1)
        elif kind == "s":
            _bytes(stream)
        else:
            _varint(stream)


def _number(value: int) -> bytes:
    out = b""
    while value >= 128:
        out += bytes([value & 127 | 128])
        value >>= 7
    return out + bytes([value])


def _text(value: str | bytes) -> bytes:
    raw = value.encode() if isinstance(value, str) else value
    return _number(len(raw)) + raw
