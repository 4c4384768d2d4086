"""From span to server: encoded, queued in bounds, sent on a thread of its own.

Enters: spans and evaluations that ended.
Leaves: OTLP requests; what was dropped, counted.
May import: parsing.
"""
