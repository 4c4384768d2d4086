"""The queue between the application and the server.

Bounded by spans and by bytes; what does not fit is dropped and counted. Long texts go first: once they fill three
quarters of the bytes, in memory or in the spool's files, spans are queued without them, so that a big prompt does not
take the record of its cost along.

One daemon thread encodes and sends; it starts with the first span, and again after a fork. Process exit waits for it
at most `exit_timeout_s`, and tells how many spans were lost. Retryable answers (429, 502, 503, 504 and connection
errors, as in the OTLP specification) are retried with backoff and jitter, anything else is dropped and counted.

Spans may also end in a destructor: the garbage collector closes an abandoned stream wherever it happens to run, also
in the middle of `put` on the same thread, and while that thread sends. So the lock can be taken again by its holder,
the wake-up is a `SimpleQueue`, which is made for that, and a thread that sends only queues what it records meanwhile:
it would wait for itself.
"""

from __future__ import annotations

import os
import random
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any, NamedTuple

from outlay import _fork, _safely
from outlay.export.request_file import appended
from outlay.export.sender import Sender, unseen
from outlay.export.slim import TEXTLESS, size_of, without_texts
from outlay.export.spool import REST_SUFFIX, Spool
from outlay.export.spool_format import Left
from outlay.settings import Settings

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import ReadableSpan

    from outlay.parsing.batch_items import Item

RETRYABLE = frozenset({429, 502, 503, 504})

_BACKOFF_S = (0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0)

_MAX_RETRY_AFTER_S = 60.0

_MAX_TEXT = 4 << 20  # characters of one span, and about those of one request: far below what a server takes

_EXIT_BATCH = 8

_WRITE_PAUSE_S = 0.002

_MAX_ITEMS = 65_536  # of batch results, which arrive by the ten thousand and are small until they are encoded


class Written(NamedTuple):
    """Spans that are encoded; their request is empty while they still are at it."""

    body: bytes
    spans: int
    filed: bool
    """They are in the spool's file, too."""


class Pipeline:
    """Ended spans and evaluations on their way to the server."""

    def __init__(
        self,
        settings: Settings,
        sender: Sender,
        encode_spans: Callable[[Sequence[ReadableSpan], dict[int, Any]], bytes],
        encode_scores: Callable[[Sequence[Any]], bytes],
        *,
        exiting: bool = False,
        spool: Spool | None = None,
    ) -> None:
        self._settings = settings
        self._spool = spool
        self._sender = sender
        self._encode_spans = encode_spans
        self._encode_scores = encode_scores
        self._max_spans = settings.queue_spans
        self._max_bytes = settings.queue_bytes
        self._max_text_bytes = settings.queue_bytes * 3 // 4  # beyond that, spans are queued without long texts
        self._batch = min(settings.batch_spans, settings.queue_spans)
        self.late: dict[int, Any] = {}  # span id → what is read when the span is encoded
        self._left: list[Left] = []  # files of processes that are no more, and our own that made room
        self.after_fork()
        self._exiting = exiting
        _fork.renew(self)
        _fork.hold(self)

    def before_fork(self) -> None:
        """What is being encoded is finished first, and a file that is being made."""
        self._writing.acquire()
        if self._spool is not None:
            self._spool.before_fork()

    def forked(self) -> None:
        """The parent goes on."""
        if self._spool is not None:
            self._spool.forked()
        self._writing.release()

    def after_fork(self) -> None:
        """A fresh queue and no thread: at the start, and in a forked child, whose parent sends what was queued."""
        self._lock = threading.RLock()
        self._wakes: SimpleQueue[None] = SimpleQueue()
        self._idle = threading.Condition(self._lock)
        # Span and size; 0 marks an item of a batch. On the left what is encoded, if there is a spool.
        self._spans: deque[tuple[Any, int]] = deque()
        self._encoded = 0  # spans in it that are encoded, beyond one per entry
        self._open = 0  # spans that have begun, if there is a spool
        self._unfiled = 0  # spans that have ended and were never in the spool's file
        self._file = 0  # which of the spool's files is written to
        self._filed = 0  # spans in the spool's file that are still to be sent
        self._writing = threading.RLock()  # held while spans go to the spool's file
        self._unwritten: SimpleQueue[None] = SimpleQueue()
        self._writer: threading.Thread | None = None
        self._writer_waits = False
        for left in self._left:
            left.close()  # unlocks nothing: the parent holds it open
        self._left.clear()
        self._left_flies = False  # what is in flight is of such a file
        self._recovers = False  # the worker is to look for such files
        self._scores: deque[Any] = deque()
        self._bytes = 0
        self._items = 0
        self.exported = 0
        self.dropped = 0
        self.spooled = 0
        self._in_flight = 0
        self._flushes = 0  # callers waiting in flush()
        self._failures = 0  # batches that were given up, for flush() to notice
        self._deadline: float | None = None  # set by shutdown
        self._given_up = False  # by the server, while shutdown waits
        self._thread: threading.Thread | None = None
        self._exiting = False
        self._last_sends = threading.Lock()
        self._here = threading.local()  # `sends`: this thread is at sending, and takes along what is queued meanwhile
        self.late.clear()
        self._sender.close()
        if self._spool is not None:
            self._spool.after_fork()

    # --- the application's side

    def put(self, span: ReadableSpan, span_id: int) -> None:
        """Queue an ended span; drop it, counted, when the queue is full."""
        size = size_of(span)
        late = self.late.get(span_id) if self.late else None
        if late is not None and late.words is not None:
            size += late.words.size()
        crowded = self._bytes + size > self._max_text_bytes or (self._spool is not None and self._spool.is_nearly_full)
        if size > _MAX_TEXT or (crowded and size > TEXTLESS):
            span = without_texts(span)
            size = size_of(span)
            if late is not None:
                self.late[span_id] = late._replace(words=None)
            _safely.warn("texts", "long texts do not fit the queue; spans are sent without them")
        full = False
        if self._spool is not None and self._is_full(size):
            self._make_room()
        with self._lock:
            waiting = len(self._spans) + self._encoded
            self._open = max(self._open - 1, 0)
            if self._is_full(size):
                self.dropped += 1
                full = True
                self.late.pop(span_id, None)
            else:
                self._spans.append((span, size))
                self._bytes += size
                self._unfiled += 1
            if self._thread is None:
                self._start()
        if self._writer_waits:
            self._writer_waits = False
            self._unwritten.put(None)
        if waiting + 1 >= self._batch:
            self.wake()
        if self._exiting:
            self._send_last()
        if full:
            _safely.warn("queue", "queue is full (%d spans); newer spans are dropped", self._max_spans)

    def put_item(self, item: Item) -> None:
        """Queue one line of a batch's results; it becomes a span on the export thread."""
        with self._lock:
            if self._items >= _MAX_ITEMS:
                self.dropped += 1
                return
            self._spans.append((item, 0))
            self._items += 1
            waiting = len(self._spans)
            if self._thread is None:
                self._start()
        if waiting >= self._batch:
            self.wake()
        if self._exiting:
            self._send_last()

    def put_score(self, score: Any) -> None:
        """Queue an evaluation."""
        with self._lock:
            if len(self._scores) >= self._max_spans:
                self.dropped += 1
                return
            self._scores.append(score)
            if self._thread is None:
                self._start()
        if self._exiting:
            self._send_last()

    def wake(self) -> None:
        """Send now, without waiting for it."""
        if self._wakes.empty():
            self._wakes.put(None)

    def flush(self, timeout_s: float) -> bool:
        """Wait until everything queued so far is delivered.

        Returns:
            Whether it was; False when time ran out or something was given up.
        """
        end = time.monotonic() + timeout_s
        with self._lock:
            failures = self._failures
            self._flushes += 1
            if self._thread is None and (self._spans or self._scores):
                self._start()
            self.wake()
            try:
                while self._spans or self._scores or self._in_flight or self._left or self._recovers:
                    left = end - time.monotonic()
                    if left <= 0:
                        return False
                    self.wake()
                    self._idle.wait(min(left, 0.25))
            finally:
                self._flushes -= 1
            return failures == self._failures

    def hand_over(self, other: Pipeline) -> None:
        """Move what is queued to another pipeline; used when settings arrive after the first span."""
        with self._writing, self._lock:
            spans, scores = list(self._spans), list(self._scores)
            self._spans.clear()
            self._scores.clear()
            self._bytes = self._items = self._encoded = 0
            self._thread = None  # what is under way is finished there
            self.wake()
            for written in [entry for entry in spans if type(entry[0]) is Written]:
                other.put_written(*written)
            spans = [entry for entry in spans if type(entry[0]) is not Written]
            other._open, self._writer = self._open, None
            for left in self._left:
                if other._spool is not None and left.process == os.getpid():
                    other._spool.adopt(left)
                    other._left.append(left)
                elif other._spool is not None and left.target == other._spool.target:
                    other._left.append(left)
                else:
                    self._put_back(left, other)
            self._left = []
            self._unwritten.put(None)
            if self._spool is not None:
                self._spool.all_sent()
                self._spool.close()
        other.late.update(self.late)
        for span, size in spans:
            if size:
                other.put(span, span.context.span_id)
            else:
                other.put_item(span)
        for score in scores:
            other.put_score(score)

    def put_written(self, written: Written, size: int) -> None:
        """Queue what another pipeline has encoded."""
        with self._lock:
            filed = self._spool is not None and self._spool.append("traces", written.spans, written.body)
            self._filed += written.spans if filed else 0
            self._spans.appendleft((written._replace(filed=filed), size))
            self._encoded += written.spans - 1
            self._bytes += size
            if self._thread is None:
                self._start()

    def begun(self) -> None:
        """A span has begun: if the process were killed before it is in the spool's file, it would be lost."""
        spool = self._spool
        if spool is not None and spool.open():
            with self._lock:
                self._open += 1
                spool.at_risk(self._open + self._unfiled)

    def gone(self) -> None:
        """A span has ended that is not queued."""
        if self._spool is not None:
            with self._lock:
                self._open = max(self._open - 1, 0)

    def recover(self) -> None:
        """Have the worker take over what other processes have left behind."""
        if self._spool is not None and self._spool.others():
            with self._lock:
                self._recovers = True
                if self._thread is None:
                    self._start()
            self.wake()

    def _take_left(self) -> None:
        """Take over what processes of this target have left behind when they ended, and say what they lost."""
        if self._spool is None or not self._recovers:
            return
        self._recovers = False
        left = [*self._spool.left_behind()]  # no fork meanwhile: a child would hold them, and never know
        for one in left:
            found = sum(record.count for record in one.records)
            if one.at_risk:
                self.dropped += one.at_risk
                _safely.warn(
                    f"spool of {one.process}",
                    "process %d was killed: %d spans of it were under way and are lost, %d that had ended are sent now",
                    one.process,
                    one.at_risk,
                    found,
                )
            if one.rest:
                where = one.path.with_suffix(REST_SUFFIX).name
                _safely.warn(
                    f"spool {where}",
                    "%d bytes of %s cannot be read and are kept in %s",
                    one.rest,
                    one.path,
                    where,
                )
        with self._lock:
            self._left += left

    def _is_full(self, size: int) -> bool:
        """Whether a span of this size does not fit."""
        waiting = len(self._spans) + self._encoded - self._items
        return waiting >= self._max_spans or self._bytes + size > self._max_bytes

    def _is_nearly_full(self) -> bool:
        """Whether it is time to make room, and most of what waits is in the file: small files would soon be many."""
        waiting = len(self._spans) + self._encoded - self._items
        is_crowded = 4 * waiting > 3 * self._max_spans or 4 * self._bytes > 3 * self._max_text_bytes
        return is_crowded and 2 * self._filed > waiting

    def _make_room(self) -> None:
        """Take what waits out of memory: it is sent from the spool's file later."""
        if self._spool is None or self._is_sending():
            return
        while self._write_down():
            pass
        self._put_aside()

    def _put_aside(self) -> None:
        """Take what is in the spool's file out of memory, and begin another file."""
        assert self._spool is not None
        with self._writing, self._lock:
            left = self._spool.rotate()
            if left is None:
                return
            kept = [entry for entry in self._spans if type(entry[0]) is not Written or not entry[0].filed]
            for thing, size in self._spans:
                if type(thing) is Written and thing.filed:
                    self._bytes -= size
                    self._encoded -= thing.spans - 1
            self._spans = deque(kept)
            self._filed = 0
            self._file += 1
            self._left.append(left)

    def shutdown(self, timeout_s: float) -> None:
        """Send what is queued, for at most `timeout_s`, then stop. Safe to call twice, one after the other sends."""
        timeout_s = min(max(timeout_s, 0.0), threading.TIMEOUT_MAX)
        end = time.monotonic() + timeout_s
        if self._is_sending():
            return
        self._here.sends = True
        try:
            if self._last_sends.acquire(timeout=timeout_s):
                try:
                    self._send_until(end)
                finally:
                    self._last_sends.release()
        finally:
            self._here.sends = False

    def _is_sending(self) -> bool:
        """Whether this very thread sends: the worker, or who shuts down."""
        return getattr(self._here, "sends", False)

    def _send_until(self, end: float) -> None:
        """Let the worker send, then send ourselves what is left, until `end` on the monotonic clock."""
        with self._lock:
            self._deadline = end
            self._given_up = False
            dropped, spooled = self.dropped, self.spooled
            thread = self._thread
        self.wake()
        if thread is not None and thread.is_alive():
            thread.join(max(end - time.monotonic(), 0.0))
        at_once = self._given_up or (thread is not None and thread.is_alive())
        while not self._stopped(at_once):
            self._drain()  # what was recorded since the worker found nothing more
            at_once = self._given_up or time.monotonic() > end
        kept = self.spooled - spooled
        if kept and self._spool is not None:
            _safely.warn(
                "exit kept",
                "%d spans are kept in %s and sent at the next start: %s did not take them in time",
                kept,
                self._spool.folder,
                self._settings.endpoint,
            )
        if self._spool is not None:
            self._spool.close()
        lost = self.dropped - dropped
        if lost:
            _safely.warn(
                "exit",
                "%d spans and scores dropped at exit: %s did not take them in time",
                lost,
                self._settings.endpoint,
            )

    def _stopped(self, at_once: bool) -> bool:
        """Whether nothing waits and the worker is gone; `at_once`, what waits is dropped and counted."""
        try:
            while self._write_down():
                pass
        except Exception:
            _safely.report("spool")
        with self._writing, self._lock:
            if (self._spans or self._scores) and not at_once:
                return False
            # What is in flight now is counted here; a worker that is still at it finds it gone and counts nothing.
            lost = len(self._spans) + self._encoded + len(self._scores)
            lost += 0 if self._left_flies else self._in_flight
            kept = min(self._filed, lost)
            self.spooled += kept
            self.dropped += lost - kept
            self._spans.clear()
            self._scores.clear()
            self._bytes = self._items = self._in_flight = self._encoded = self._filed = 0
            for left in self._left:
                self._put_back(left, self)
            self._left.clear()
            self._unfiled = 0
            self._file += 1
            self._thread = None
            self._deadline = None
            return True

    def _put_back(self, left: Left, counts: Pipeline) -> None:
        """Leave a file to the next start."""
        if left.process == os.getpid():  # made room for others
            counts.spooled += sum(record.count for record in left.records)
        if self._spool is not None:
            self._spool.done(left, len(left.records))

    def exit(self) -> None:
        """The process ends: send what is queued, and what threads that outlive this still record as they record it."""
        self._exiting = True
        self.shutdown(self._settings.exit_timeout_s)

    def _send_last(self) -> None:
        """The process ends, and something was recorded: send it at once, unless this thread is at it anyway."""
        if not self._is_sending():
            self.exit()

    def _start(self) -> None:
        """Start the worker, and who writes to the spool; the lock is held."""
        if self._spool is not None and self._writer is None:
            self._writer = threading.Thread(target=self._write, name="outlay-spool", daemon=True)
            try:
                self._writer.start()
            except RuntimeError:
                self._writer = None
        thread = threading.Thread(target=self._work, name="outlay-export", daemon=True)
        self._thread = thread
        try:
            thread.start()
        except RuntimeError:
            self._thread = None  # the interpreter is closing; shutdown drains in its own thread

    # --- the spool's side

    def _write(self) -> None:
        """Write down what ends: at once, and while more comes every few milliseconds, so that nobody need wake us."""
        me = threading.current_thread()
        self._here.sends = True
        while self._writer is me:
            try:
                if not self._write_down():
                    self._writer_waits = True
                    if self._spans and type(self._spans[-1][0]) is not Written:
                        continue  # it came before we waited
                    self._unwritten.get(timeout=60)
                    continue
                if self._is_nearly_full():
                    self._put_aside()  # before those who record have to
            except Empty:
                continue
            except Exception:
                _safely.report("spool")
            time.sleep(_WRITE_PAUSE_S)

    def _write_down(self) -> int:
        """Encode what is queued and put it into the spool's file; returns how many spans that were."""
        spool = self._spool
        if spool is None or not self._spans or type(self._spans[-1][0]) is Written:
            return 0
        with self._writing:
            with self._lock:
                raw: list[Any] = []
                size = 0
                while self._spans and type(self._spans[-1][0]) is not Written and len(raw) < self._batch:
                    span, its = self._spans.pop()
                    raw.append(span)
                    size += its
                    self._items -= not its
                if not raw:
                    return 0
                # As many entries as before, so that whoever waits for an empty queue goes on waiting.
                place = (Written(b"", len(raw), False), size)
                self._spans.appendleft(place)
                self._encoded += len(raw) - 1
            raw.reverse()
            ways = (lambda some: self._encode_spans(some, self.late), self._encode_without_texts)
            body, count = self._encode("span", raw, *ways, flying=False)
            filed = count > 0 and spool.append("traces", count, body)
            with self._lock:
                for n, entry in enumerate(self._spans):
                    if entry is place:
                        self._spans[n] = (Written(body, count, filed), size)
                        self._encoded += count - len(raw)
                        self._filed += count if filed else 0
                        break
                self._unfiled = max(self._unfiled - len(raw), 0)
                spool.at_risk(self._open + self._unfiled)
            return len(raw)

    def _sent(self, filed: int, file: int) -> None:
        """Spans of one of the spool's files are on the server, or refused there."""
        if not filed or self._spool is None:
            return
        with self._writing:
            if file != self._file:
                return  # another one is written to; that one is sent again, which the server takes for what it is
            with self._lock:
                self._filed = max(self._filed - filed, 0)
            if not self._filed:
                self._spool.all_sent()

    def _send_left(self) -> None:
        """Send what other processes have left behind."""
        spool = self._spool
        while spool is not None and self._left:
            left = self._left[0]
            unsent = [*left.records]
            while unsent:
                signal, count, bodies = unsent[0].signal, 0, list[bytes]()
                with self._writing:
                    if left not in self._left:
                        return  # the process ends, and has put it back
                    for record in unsent:
                        if record.signal != signal or (bodies and count + record.count > self._batch):
                            break
                        count += record.count
                        bodies.append(left.body(record))
                with self._lock:
                    self._in_flight, self._left_flies = count, True
                taken = self._deliver(signal, b"".join(bodies), count, kept=True)
                self._left_flies = False
                if not taken:
                    break
                del unsent[: len(bodies)]
            with self._lock:
                if left not in self._left:
                    return  # the process ends, and has put it back
                self._left.remove(left)
                if left.process == os.getpid():
                    self.spooled += sum(record.count for record in unsent)
            with self._writing:
                spool.done(left, len(unsent))
            if unsent:
                return

    # --- the worker's side

    def _work(self) -> None:
        interval_s = self._settings.flush_interval_ms / 1000
        me = threading.current_thread()
        self._here.sends = True
        try:
            with self._writing:
                self._sender.prepare()
                self._take_left()
        except Exception:
            _safely.report("spool")
        while self._thread is me and self._deadline is None:
            self._sleep(interval_s)
            try:
                self._drain()
            except Exception:
                _safely.report("export")
                with self._lock:
                    self._failures += 1
                    self.dropped += self._in_flight
                    self._in_flight = 0
            with self._lock:
                if not (self._spans or self._scores):
                    self._idle.notify_all()
        try:
            self._drain()
        except Exception:
            _safely.report("export")

    def _sleep(self, seconds: float) -> None:
        """Until somebody wakes us, or time is up."""
        try:
            self._wakes.get(timeout=seconds)
            while True:
                self._wakes.get_nowait()
        except Empty:
            pass

    def _drain(self) -> None:
        """Send batch after batch until the queue is empty."""
        while True:
            while self._write_down():
                pass
            limit = self._batch * (_EXIT_BATCH if self._deadline is not None else 1)
            with self._lock:
                spans: list[Any] = []
                texts = 0
                count = 0
                while self._spans and count < limit and texts < _MAX_TEXT:
                    if self._spool is not None and not getattr(self._spans[0][0], "body", b""):
                        break  # it is being encoded, or came just now
                    span, size = self._spans.popleft()
                    spans.append(span)
                    texts += size
                    self._bytes -= size
                    if type(span) is Written:
                        count += span.spans
                        self._encoded -= span.spans - 1
                    else:
                        count += 1
                        self._items -= not size
                        self._unfiled = max(self._unfiled - 1, 0)
                scores = list(self._scores)
                self._scores.clear()
                self._in_flight = count + len(scores)
            if not spans and not scores:
                self._send_left()
                return
            done = True
            if spans:
                done = self._deliver("traces", *self._request_of(spans))
            if scores:
                done = self._deliver("logs", *self._encode("score", scores, self._encode_scores)) and done
            if not done and self._deadline is not None:
                self._given_up = True
                return

    def _request_of(self, things: list[Any]) -> tuple[bytes, int, int]:
        """A request of encoded and other spans, how many are in it, and how many of these are in the spool's file."""
        written = [thing for thing in things if type(thing) is Written]
        raw = [thing for thing in things if type(thing) is not Written]
        body, count = b"".join(one.body for one in written), sum(one.spans for one in written)
        filed = sum(one.spans for one in written if one.filed)
        if raw:
            ways = (lambda some: self._encode_spans(some, self.late), self._encode_without_texts)
            with self._writing:
                more, added = self._encode("span", raw, *ways)
            body, count = body + more, count + added
        return body, count, filed

    def _encode_without_texts(self, spans: Sequence[Any]) -> bytes:
        return self._encode_spans([without_texts(span) for span in spans], self.late)

    def _encode(
        self, what: str, things: list[Any], *ways: Callable[[list[Any]], bytes], flying: bool = True
    ) -> tuple[bytes, int]:
        """The request, and how many things are in it: one that cannot be encoded does not take the others with it.

        Args:
            what: A span or a score, for messages.
            things: Some of them.
            ways: To encode some of them: the first for all at once, then each in turn for those that it fails on.
            flying: They are counted as being in flight.
        """
        try:
            return ways[0](things), len(things)
        except Exception:
            _safely.report(f"encoding a {what}")
        bodies: list[bytes] = []
        for thing in things:
            for way in ways:
                try:
                    bodies.append(way([thing]))
                    break
                except Exception:
                    continue
            else:
                with self._lock:
                    self.dropped += self._landed(1) if flying else 1
                    self._failures += 1
        return b"".join(bodies), len(bodies)  # requests joined end to end are one request

    def _deliver(self, signal: str, body: bytes, count: int, filed: int = 0, *, kept: bool = False) -> bool:
        """Send one request until it is taken, refused for good, or time is up.

        Args:
            signal: `traces` or `logs`.
            body: The request.
            count: How many spans or scores are in it.
            filed: How many of them are in the spool's file.
            kept: It is of a process that is no more, whose file stays until it is taken.
        """
        if not count:
            return True
        attempt, file = 0, self._file
        while True:
            timeout_s = self._settings.export_timeout_s
            if self._deadline is not None:
                timeout_s = min(timeout_s, self._deadline - time.monotonic())
                if timeout_s <= 0:
                    return self._give_up(signal, body, count, "time is up", kept=kept or self._kept(filed, file))
            with unseen():
                status, wait_s = self._sender.send(signal, body, timeout_s)
            if 200 <= status < 300:
                with self._lock:
                    self.exported += self._landed(count)
                self._sent(filed, file)
                return True
            if status and status not in RETRYABLE:
                self._sent(filed, file)
                self._give_up(signal, body, count, f"the server answered {status}")
                return kept
            attempt += 1
            if self._deadline is not None and attempt > 1:
                return self._give_up(signal, body, count, "the process is ending", kept=kept or self._kept(filed, file))
            if self._settings.spool_file and attempt > 2:
                return self._give_up(signal, body, count, "the server is away")
            if attempt == 3:
                _safely.warn(
                    "endpoint", "%s does not take spans (status %d); retrying", self._settings.endpoint, status
                )
            pause = max(_BACKOFF_S[min(attempt, len(_BACKOFF_S)) - 1], min(wait_s, _MAX_RETRY_AFTER_S))
            self._pause(pause * random.uniform(0.8, 1.2))

    def _pause(self, seconds: float) -> None:
        """Back off; the end of the process and a waiting flush cut it short."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0 and self._deadline is None:
            if self._flushes and seconds > 1 and left < seconds - 1:
                return
            time.sleep(min(left, 0.05))

    def _kept(self, filed: int, file: int) -> int | bool:
        """How many spans stay in the spool's file; True where that is put aside, and counted with it."""
        return filed and (file != self._file or filed)

    def _give_up(self, signal: str, body: bytes, count: int, why: str, *, kept: int | bool = 0) -> bool:
        if kept:
            with self._lock:
                landed = self._landed(count)
                if kept is not True:  # of our own file, where it stays; of another's it stays there
                    self.spooled += min(landed, kept)
                    self.dropped += max(landed - kept, 0)
                    self._filed = max(self._filed - kept, 0)
            return False
        if signal == "traces" and self._settings.spool_file and appended(self._settings, body):
            with self._lock:
                self.spooled += self._landed(count)
            return True
        with self._lock:
            lost = self._landed(count)
            self.dropped += lost
            self._failures += 1
            told = self._deadline is not None or not lost  # shutdown tells its own, once
        if not told:
            _safely.warn("drop", "%d spans dropped: %s", count, why)
        return False

    def _landed(self, count: int) -> int:
        """Take `count` off what is in flight; 0 when shutdown has counted it already. The lock is held."""
        count = min(count, self._in_flight)
        self._in_flight -= count
        return count
