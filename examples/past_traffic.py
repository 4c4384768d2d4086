"""Calls of the past, e.g. from a log: parents in the past, and a producer that waits for the server."""

from datetime import UTC, datetime, timedelta

import outlay
from outlay.testing import capture

DAY = datetime(2026, 3, 1, tzinfo=UTC)


def main() -> None:
    with capture(queue_spans=1000) as sent:
        for number in range(3000):
            start = DAY + timedelta(seconds=number)
            end = start + timedelta(milliseconds=900)
            with outlay.track("import", feature="search", user=f"u{number % 7}", started_at=start, ended_at=end):
                outlay.record(
                    usage={"input_tokens": 800, "cache_read_tokens": 512, "output_tokens": 90},
                    model="gpt-4o-mini",
                    provider="openai",
                    started_at=start,
                    ended_at=end,
                )
            if number % 400 == 399:  # before the queue is full: this is what makes a fast producer wait
                outlay.flush(30)
        outlay.flush(30)
        total = sum(span.attributes["outlay.cost.usd"] for span in sent.calls)
        print(f"{len(sent.calls)} calls of {DAY:%d %B %Y}, ${total:.4f}; {outlay.stats()}")


if __name__ == "__main__":
    main()
