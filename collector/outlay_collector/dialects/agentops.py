"""AgentOps."""

from outlay_collector.dialects.model import AGGREGATE, CALL, Dialect, Kind

TABLE = Dialect(
    name="agentops",
    title="AgentOps",
    scopes=("agentops",),
    marks=("agentops.span.kind", "gen_ai.request.type"),
    rank=40,
    kinds=(Kind("agentops.span.kind", {"llm": (CALL, "chat")}, otherwise=AGGREGATE),),
)
