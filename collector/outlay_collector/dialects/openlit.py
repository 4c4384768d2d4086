"""OpenLIT: `gen_ai.*` names, counts as each provider's wire has them. Its scopes name the client that was read."""

from dataclasses import replace

from outlay_collector.dialects.model import Dialect

_ESTIMATE = (
    "A stream without usage carries the library's own estimate: it lacks the cache counts that real usage brings."
)

TABLE = Dialect(
    name="openlit",
    title="OpenLIT",
    scopes=("openlit.instrumentation.",),
    rank=35,
    estimated_without="gen_ai.usage.cache_read.input_tokens",
    charged_costs=("outlay.cost.usd",),
    notes=("Input includes cached tokens and output includes reasoning, whatever the model.", _ESTIMATE),
)

ANTHROPIC = replace(
    TABLE,
    name="openlit_anthropic",
    title="OpenLIT for Anthropic and Bedrock",
    scopes=("openlit.instrumentation.anthropic", "openlit.instrumentation.bedrock"),
    input_excludes_cached=("*",),
    notes=("Input excludes cached tokens, under the same keys.", _ESTIMATE),
)

GOOGLE = replace(
    TABLE,
    name="openlit_google",
    title="OpenLIT for Gemini",
    scopes=("openlit.instrumentation.google_ai_studio", "openlit.instrumentation.vertexai"),
    output_excludes_reasoning=("*",),
    notes=("Output excludes thoughts, under the same keys.", _ESTIMATE),
)

ONE_SCOPE = replace(
    TABLE,
    name="openlit_one_scope",
    title="OpenLIT, where the scope does not name the client",
    scopes=("openlit",),
    marks=("openlit.agent.version_hash",),
    input_excludes_cached=("anthropic", "aws.bedrock"),
    output_excludes_reasoning=("gcp.gemini", "gcp.vertex_ai"),
    notes=("What counts include is told from the provider.", _ESTIMATE),
)
