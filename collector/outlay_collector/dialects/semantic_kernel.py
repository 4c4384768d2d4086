"""Semantic Kernel and Microsoft Agent Framework."""

from outlay_collector.dialects.model import Dialect

TABLE = Dialect(
    name="semantic_kernel",
    title="Semantic Kernel, Agent Framework",
    scopes=("semantic_kernel", "Microsoft.SemanticKernel", "agent_framework", "Experimental.Microsoft.Agents"),
    rank=40,
    notes=("An agent's span may show the last call only: it is never added to what is below it.",),
)
