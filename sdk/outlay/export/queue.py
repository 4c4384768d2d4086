"""The queue between the application and the server.

Bounded by spans and by bytes; what does not fit is dropped and counted. Long texts go first: once they fill three
quarters of the bytes, spans are queued without them, so that a big prompt does not take the record of its cost along.

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
from typing import TYPE_CHECKING, Any

from outlay import _fork, _safely
from outlay.export.slim import size_of, without_texts
from outlay.settings import Settings

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import ReadableSpan

    from outlay.parsing.batch_items import Item
from outlay.export.sender import Sender, unseen

RETRYABLE = frozenset({429, 502, 503, 504})

_BACKOFF_S = (0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0)

_MAX_RETRY_AFTER_S = 60.0

_MAX_TEXT = 4 << 20  # characters of one span, and about those of one request: far below what a server takes

_EXIT_BATCH = 8

_MAX_ITEMS = 65_536  # of batch results, which arrive by the ten thousand and are small until they are encoded


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
    ) -> None:
        self._settings = settings
        self._sender = sender
        self._encode_spans = encode_spans
        self._encode_scores = encode_scores
        self._max_spans = settings.queue_spans
        self._max_bytes = settings.queue_bytes
        self._max_text_bytes = settings.queue_bytes * 3 // 4  # beyond that, spans are queued without long texts
        self._batch = min(settings.batch_spans, settings.queue_spans)
        self.late: dict[int, Any] = {}  # span id → what is read when the span is encoded
        self.after_fork()
        self._exiting = exiting
        _fork.renew(self)

    def after_fork(self) -> None:
        """A fresh queue and no thread: at the start, and in a forked child, whose parent sends what was queued."""
        self._lock = threading.RLock()
        self._wakes: SimpleQueue[None] = SimpleQueue()
        self._idle = threading.Condition(self._lock)
        self._spans: deque[tuple[Any, int]] = deque()  # span and size; 0 marks an item of a batch
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

    # --- the application's side

    def put(self, span: ReadableSpan, span_id: int) -> None:
        """Queue an ended span; drop it, counted, when the queue is full."""
        size = size_of(span)
        late = self.late.get(span_id) if self.late else None
        if late is not None and late.words is not None:
            size += late.words.size()
        if size > _MAX_TEXT or self._bytes + size > self._max_text_bytes:
            span = without_texts(span)
            size = size_of(span)
            if late is not None:
                self.late[span_id] = late._replace(words=None)
            _safely.warn("texts", "long texts do not fit the queue; spans are sent without them")
        full = False
        with self._lock:
            waiting = len(self._spans)
            if waiting - self._items >= self._max_spans or self._bytes + size > self._max_bytes:
                self.dropped += 1
                full = True
                self.late.pop(span_id, None)
            else:
                self._spans.append((span, size))
                self._bytes += size
            if self._thread is None:
                self._start()
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
                while self._spans or self._scores or self._in_flight:
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
        with self._lock:
            spans, scores = list(self._spans), list(self._scores)
            self._spans.clear()
            self._scores.clear()
            self._bytes = self._items = 0
            self._thread = None  # what is under way is finished there
            self.wake()
        other.late.update(self.late)
        for span, size in spans:
            if size:
                other.put(span, span.context.span_id)
            else:
                other.put_item(span)
        for score in scores:
            other.put_score(score)

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
            dropped = self.dropped
            thread = self._thread
        self.wake()
        if thread is not None and thread.is_alive():
            thread.join(max(end - time.monotonic(), 0.0))
        at_once = self._given_up or (thread is not None and thread.is_alive())
        while not self._stopped(at_once):
            self._drain()  # what was recorded since the worker found nothing more
            at_once = self._given_up or time.monotonic() > end
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
        with self._lock:
            if (self._spans or self._scores) and not at_once:
                return False
            # What is in flight now is counted here; a worker that is still at it finds it gone and counts nothing.
            self.dropped += len(self._spans) + len(self._scores) + self._in_flight
            self._spans.clear()
            self._scores.clear()
            self._bytes = self._items = self._in_flight = 0
            self._thread = None
            self._deadline = None
            return True

    def exit(self) -> None:
        """The process ends: send what is queued, and what threads that outlive this still record as they record it."""
        self._exiting = True
        self.shutdown(self._settings.exit_timeout_s)

    def _send_last(self) -> None:
        """The process ends, and something was recorded: send it at once, unless this thread is at it anyway."""
        if not self._is_sending():
            self.exit()

    def _start(self) -> None:
        """Start the worker; the lock is held."""
        thread = threading.Thread(target=self._work, name="outlay-export", daemon=True)
        self._thread = thread
        try:
            thread.start()
        except RuntimeError:
            self._thread = None  # the interpreter is closing; shutdown drains in its own thread

    # --- the worker's side

    def _work(self) -> None:
        interval_s = self._settings.flush_interval_ms / 1000
        me = threading.current_thread()
        self._here.sends = True
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
            limit = self._batch * (_EXIT_BATCH if self._deadline is not None else 1)
            with self._lock:
                spans: list[Any] = []
                texts = 0
                while self._spans and len(spans) < limit and texts < _MAX_TEXT:
                    span, size = self._spans.popleft()
                    spans.append(span)
                    texts += size
                    self._bytes -= size
                    self._items -= not size
                scores = list(self._scores)
                self._scores.clear()
                self._in_flight = len(spans) + len(scores)
            if not spans and not scores:
                return
            done = True
            if spans:
                ways = (lambda some: self._encode_spans(some, self.late), self._encode_without_texts)
                done = self._deliver("traces", *self._encode("span", spans, *ways))
            if scores:
                done = self._deliver("logs", *self._encode("score", scores, self._encode_scores)) and done
            if not done and self._deadline is not None:
                self._given_up = True
                return

    def _encode_without_texts(self, spans: Sequence[Any]) -> bytes:
        return self._encode_spans([without_texts(span) for span in spans], self.late)

    def _encode(self, what: str, things: list[Any], *ways: Callable[[list[Any]], bytes]) -> tuple[bytes, int]:
        """The request, and how many things are in it: one that cannot be encoded does not take the others with it.

        Args:
            what: A span or a score, for messages.
            things: Some of them.
            ways: To encode some of them: the first for all at once, then each in turn for those that it fails on.
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
                    self.dropped += self._landed(1)
                    self._failures += 1
        return b"".join(bodies), len(bodies)  # requests joined end to end are one request

    def _deliver(self, signal: str, body: bytes, count: int) -> bool:
        """Send one request until it is taken, refused for good, or time is up."""
        if not count:
            return True
        attempt = 0
        while True:
            timeout_s = self._settings.export_timeout_s
            if self._deadline is not None:
                timeout_s = min(timeout_s, self._deadline - time.monotonic())
                if timeout_s <= 0:
                    return self._give_up(signal, body, count, "time is up")
            with unseen():
                status, wait_s = self._sender.send(signal, body, timeout_s)
            if 200 <= status < 300:
                with self._lock:
                    self.exported += self._landed(count)
                return True
            if status and status not in RETRYABLE:
                return self._give_up(signal, body, count, f"the server answered {status}")
            attempt += 1
            if self._deadline is not None and attempt > 1:
                return self._give_up(signal, body, count, "the process is ending")
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

    def _give_up(self, signal: str, body: bytes, count: int, why: str) -> bool:
        if signal == "traces" and self._settings.spool_file and self._spool(body):
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

    def _spool(self, body: bytes) -> bool:
        """Append to the spool file. Protobuf requests joined end to end are one valid request."""
        path = self._settings.spool_file.replace("{pid}", str(os.getpid()))
        try:
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
            try:
                if os.fstat(descriptor).st_size + len(body) > self._settings.spool_bytes:
                    return False
                size = os.fstat(descriptor).st_size
                if os.write(descriptor, body) < len(body):
                    os.ftruncate(descriptor, size)  # the disk is full: half a request would spoil the file
                    return False
            finally:
                os.close(descriptor)
        except OSError:
            _safely.report("spool file")
            return False
        return True
