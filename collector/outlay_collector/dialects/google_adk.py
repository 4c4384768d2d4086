"""Google's Agent Development Kit: `gen_ai.*` names, and the model's whole answer as JSON."""

from outlay_collector.dialects.model import Blob, Dialect

TABLE = Dialect(
    name="google_adk",
    title="Google ADK",
    scopes=("gcp.vertex.agent",),
    marks=("gcp.vertex.agent.llm_response",),
    rank=40,
    fields={
        "response_model": ("gen_ai.response.model", "gcp.vertex.agent.llm_response#model_version"),
        "cache_read_tokens": ("gen_ai.usage.cache_read.input_tokens", "gen_ai.usage.experimental.cached_tokens"),
    },
    answers=("gcp.vertex.agent.llm_response",),
    usage=(Blob("gcp.vertex.agent.llm_response", "usage_metadata"),),
    notes=(
        "The first versions name the framework as provider, and say thoughts and cached tokens in the answer alone.",
        "Their output excludes thoughts, which the total of the answer shows; since 2.0 it includes them.",
    ),
)
