"""The queue between the application and the server.

Bounded by spans and by bytes; what does not fit is dropped and counted. Long texts go first: once they fill three
quarters of the bytes, in memory or in the spool's files, spans are queued without them, so that a big prompt does not
take the record of its cost along.

One daemon thread encodes and sends; it starts with the first span, and again after a fork. Process exit waits for it
at most `exit_timeout_s`, and tells how many spans were lost.

Spans may also end in a destructor: the garbage collector closes an abandoned stream wherever it happens to run, also
in the middle of `put` on the same thread, and while that thread sends. So the lock can be taken again by its holder,
wake-ups are `SimpleQueue`s, which are made for that, and a thread that sends only queues what it records meanwhile.
"""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any

from outlay import _fork, _safely
from outlay.export.delivery import Delivery
from outlay.export.filing import Filing
from outlay.export.progress import Progress
from outlay.export.requests import EncodeScores, EncodeSpans, Requests
from outlay.export.sender import Sender
from outlay.export.slim import TEXTLESS, size_of, without_texts
from outlay.export.spool import Spool
from outlay.export.waiting import Waiting, Written
from outlay.export.worker import Worker
from outlay.settings import Settings

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import ReadableSpan

    from outlay.parsing.batch_items import Item


class Pipeline:
    """Ended spans and evaluations on their way to the server."""

    def __init__(
        self,
        settings: Settings,
        sender: Sender,
        encode_spans: EncodeSpans,
        encode_scores: EncodeScores,
        *,
        exiting: bool = False,
        spool: Spool | None = None,
    ) -> None:
        self._settings = settings
        self._spool = spool
        self._sender = sender
        self._encoders = encode_spans, encode_scores
        self.late: dict[int, Any] = {}  # span id → what is read when the span is encoded
        self._begin()
        self._exiting = exiting
        _fork.renew(self)
        _fork.hold(self)

    def _begin(self) -> None:
        """A fresh queue and no thread."""
        self._exiting = False
        settings, sender = self._settings, self._sender
        self._progress = progress = Progress()
        self._lock = progress.lock
        self._waiting = waiting = Waiting(settings)
        requests = Requests(*self._encoders, self.late, progress)
        self._filing = filing = Filing(settings, self._spool, waiting, requests, progress)
        self._delivery = delivery = Delivery(settings, sender, progress, filing)
        self._worker = Worker(settings, sender, waiting, requests, filing, delivery, progress)
        self._heir: Pipeline | None = None  # has taken over
        self._before: Pipeline | None = None  # was taken over from, and may still be at something
        self._former: threading.Thread | None = None  # sent for us, until another pipeline took over
        self._last_sends = threading.Lock()

    def before_fork(self) -> None:
        """What is being encoded or imported is finished first, and a file that is being made."""
        self._worker.hold()
        if self._spool is not None:
            self._spool.before_fork()

    def forked(self) -> None:
        """The parent goes on."""
        if self._spool is not None:
            self._spool.forked()
        self._worker.let_go()

    def after_fork(self) -> None:
        """In a forked child: its parent sends what was queued."""
        self._filing.forget()
        self.late.clear()
        self._sender.close()
        if self._spool is not None:
            self._spool.after_fork()
        self._begin()

    # --- the application's side

    @property
    def exported(self) -> int:
        """Spans and scores that the server has taken."""
        return self._progress.counts.exported

    @property
    def dropped(self) -> int:
        """Spans and scores that are lost."""
        return self._progress.counts.dropped

    @property
    def spooled(self) -> int:
        """Spans that are kept in a file."""
        return self._progress.counts.spooled

    def put(self, span: ReadableSpan, span_id: int) -> None:
        """Queue an ended span; drop it, counted, when the queue is full."""
        if self._heir is not None:
            self._heir.put(span, span_id)
            return
        size = size_of(span)
        late = self.late.get(span_id) if self.late else None
        if late is not None and late.words is not None:
            size += late.words.size()
        fits = self._waiting.takes_text(size) and not (self._spool is not None and self._spool.is_nearly_full)
        if not fits and size > TEXTLESS:
            span = without_texts(span)
            size = size_of(span)
            if late is not None:
                self.late[span_id] = late._replace(words=None)
            _safely.warn("texts", "long texts do not fit the queue; spans are sent without them")
        if self._spool is not None and self._waiting.is_full(size):
            self._filing.make_room()
        with self._lock:
            self._filing.end()
            is_full = self._waiting.is_full(size)
            if is_full:
                self._progress.counts.add(dropped=1)
                self.late.pop(span_id, None)
            else:
                self._waiting.add(span, size)
                self._filing.unfiled += 1
            waits = self._waiting.count
        self._came(waits)
        if is_full:
            _safely.warn("queue", "queue is full (%d spans); newer spans are dropped", self._settings.queue_spans)

    def put_item(self, item: Item) -> None:
        """Queue one line of a batch's results; it becomes a span on the export thread."""
        if self._heir is not None:
            self._heir.put_item(item)
            return
        with self._lock:
            if not self._waiting.add_item(item):
                self._progress.counts.add(dropped=1)
                return
            waits = self._waiting.count
        self._came(waits)

    def put_score(self, score: Any) -> None:
        """Queue an evaluation."""
        if self._heir is not None:
            self._heir.put_score(score)
            return
        with self._lock:
            if not self._waiting.add_score(score):
                self._progress.counts.add(dropped=1)
                return
        self._came(0)

    def _came(self, waits: int) -> None:
        """Something waits: `waits` spans and items."""
        if self._worker.thread is None:
            with self._lock:
                self._worker.start()
        self._filing.tell()
        if waits >= self._worker.batch:
            self.wake()
        if self._exiting and not self._progress.sends_here:
            self.exit()  # send it at once, unless this thread is at it anyway

    def begun(self) -> None:
        """A span has begun."""
        self._filing.begin()

    def gone(self) -> None:
        """A span has ended that is not queued."""
        with self._lock:
            self._filing.end()

    def wake(self) -> None:
        """Send now, without waiting for it."""
        self._worker.wake()

    def flush(self, timeout_s: float) -> bool:
        """Wait until everything queued so far is delivered.

        Returns:
            Whether it was; False when time ran out or something was given up.
        """
        end = time.monotonic() + timeout_s
        with self._lock:
            failures = self._progress.failures
            self._progress.flushes += 1
            if self._waiting:
                self._worker.start()
            self.wake()
            try:
                while self._is_busy():
                    left = end - time.monotonic()
                    if left <= 0:
                        return False
                    self.wake()
                    self._worker.idle.wait(min(left, 0.25))
            finally:
                self._progress.flushes -= 1
            return failures == self._progress.failures

    def _is_busy(self) -> bool:
        flying = self._progress.in_flight or (self._before is not None and self._before._progress.in_flight)
        return bool(self._waiting or flying or self._filing.left or self._filing.recovers)

    def recover(self) -> None:
        """Have the worker take over what other processes have left behind."""
        if self._spool is not None and self._spool.others():
            with self._lock:
                self._filing.recovers = True
                self._worker.start()
            self.wake()

    # --- settings that arrive after the first span

    def hand_over(self, other: Pipeline) -> None:
        """Move what is queued to another pipeline; what is being sent comes after it, should nobody take it."""
        with self._filing.writing, self._lock:
            spans, scores = self._waiting.take_all()
            other._progress.counts = self._progress.counts
            other._before, self._heir = self, other
            self._delivery.hand_on = other._take
            self._former = self._worker.leave()
            for thing, size in spans:
                if type(thing) is Written:
                    other._filing.add_written(thing, size)
            self._filing.hand_over(other._filing)
        other.late.update(self.late)
        for thing, size in spans:
            if type(thing) is Written:
                other._came(0)
            elif size:
                other._filing.begun += 1  # it ends there
                other.put(thing, thing.context.span_id)
            else:
                other.put_item(thing)
        for score in scores:
            other.put_score(score)

    def _take(self, signal: str, body: bytes, count: int) -> None:
        """Queue a request that another pipeline could not send."""
        written = Written(body, count)
        with self._filing.writing, self._lock:
            if signal == "logs":
                self._waiting.scores.append(written)
            else:
                self._filing.add_written(written, len(body))
            self._worker.start()
        self.wake()

    # --- the end

    def shutdown(self, timeout_s: float) -> None:
        """Send what is queued, for at most `timeout_s`, then stop. Safe to call twice, one after the other sends."""
        timeout_s = min(max(timeout_s, 0.0), threading.TIMEOUT_MAX)
        end = time.monotonic() + timeout_s
        if self._progress.sends_here:
            return
        self._progress.sends_here = True
        try:
            if self._last_sends.acquire(timeout=timeout_s):
                try:
                    if self._before is not None:
                        self._before._finish(end)
                    self._worker.end(end)
                finally:
                    self._last_sends.release()
        finally:
            self._progress.sends_here = False

    def _finish(self, end: float) -> None:
        """Wait for what was under way when another pipeline took over; what nobody has taken by then is lost."""
        thread = self._former
        if thread is not None and thread is not threading.current_thread():
            thread.join(max(end - time.monotonic(), 0.0))
        with self._lock:
            self._progress.counts.add(dropped=self._progress.lose())

    def exit(self) -> None:
        """The process ends: send what is queued, and what threads that outlive this still record as they record it."""
        self._exiting = True
        self.shutdown(self._settings.exit_timeout_s)
