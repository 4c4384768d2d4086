"""Strands Agents."""

from outlay_collector.dialects.model import Dialect

TABLE = Dialect(
    name="strands",
    title="Strands Agents",
    scopes=("strands",),
    rank=40,
    accumulates=True,
    fields={"ttft_ms": ("gen_ai.server.time_to_first_token",), "ttft_s": ("gen_ai.response.time_to_first_chunk",)},
    notes=(
        "The agent's span has the sums of all it ever answered under the same keys: beside calls that is nothing more.",
        "Old and new names stand side by side with one value.",
        "Time to first token in milliseconds. The provider is nowhere: it is told from the model.",
    ),
)
