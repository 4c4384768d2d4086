"""AutoGen."""

from outlay_collector.dialects.model import Dialect

TABLE = Dialect(
    name="autogen",
    title="AutoGen",
    scopes=("autogen",),
    rank=45,
    notes=("Agents and tools only: no model, no tokens, so no calls unless something else describes them.",),
)
