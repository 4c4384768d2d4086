"""OpenLIT."""

from outlay_collector.dialects.model import Dialect

TABLE = Dialect(
    name="openlit",
    title="OpenLIT",
    scopes=("openlit",),
    marks=("openlit.agent.version_hash",),
    rank=35,
    input_excludes_cached=("anthropic",),
    output_excludes_reasoning=("gcp.gemini", "gcp.vertex_ai"),
    estimated_without="gen_ai.usage.cache_read.input_tokens",
    notes=(
        "Anthropic's input excludes cached tokens, OpenAI's and Gemini's include them, under the same keys.",
        "Gemini's output excludes thoughts; OpenAI's includes reasoning.",
        "A stream without usage carries the library's own estimate: it lacks the cache counts that real usage brings.",
    ),
)
