"""Outlay's own SDK: the GenAI conventions with exact counts read from the wire, and `outlay.*` beside them."""

from outlay_collector.dialects.model import Dialect

TABLE = Dialect(
    name="outlay",
    title="Outlay SDK",
    scopes=("outlay",),
    rank=5,
    notes=("Counts come from the provider's own answer, so this span is believed before any other of the request.",),
)
