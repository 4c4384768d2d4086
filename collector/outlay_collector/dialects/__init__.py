"""Dialects: the ways in which spans describe model calls, as data.

A dialect is one frozen table (see `model.Dialect`): how to recognize it, which attributes carry which field, which
counts include which. `names` turns all tables into arrays that settle looks attributes up in, `recognize`, `naming` and
`opened` say what single words and JSON texts mean, `docs` prints docs/dialects.md.
Adding a library is one table here and one capture in tests/data/otlp-corpus.

Enters: declarative tables.
Leaves: look-ups that settle reads spans with.
May import: nothing.
"""

from __future__ import annotations

from outlay_collector.dialects import (
    agentops,
    anthropic_sdk,
    autogen,
    gateways,
    genkit,
    google_adk,
    haystack,
    laminar,
    langfuse,
    langsmith,
    langwatch,
    litellm,
    logfire,
    mlflow,
    openinference,
    openlit,
    openllmetry,
    otel_genai,
    outlay_sdk,
    pydantic_ai,
    semantic_kernel,
    strands,
    vercel,
)
from outlay_collector.dialects.model import Blob, Dialect, Kind

# In order of preference: the first whose scope fits wins, then the first with a mark; the last is the default.
DIALECTS: tuple[Dialect, ...] = (
    outlay_sdk.TABLE,
    anthropic_sdk.TABLE,
    anthropic_sdk.PLATFORM,
    otel_genai.LANGCHAIN,
    otel_genai.ANTHROPIC,
    otel_genai.BEDROCK,
    openllmetry.FRAMEWORK,
    openllmetry.CREWAI,
    openllmetry.PROVIDER,
    openllmetry.OPENAI_JS,
    openllmetry.BEDROCK,
    openllmetry.GOOGLE,
    openinference.PROVIDER,
    openinference.ANTHROPIC_OLD,
    openinference.GOOGLE_OLD,
    openinference.FRAMEWORK,
    openinference.LANGCHAIN,
    openinference.LANGCHAIN_OLD,
    openinference.CREWAI,
    openinference.HAYSTACK,
    langfuse.TABLE,
    vercel.TABLE,
    logfire.TABLE,
    logfire.OLD,
    logfire.ANTHROPIC_OLD,
    pydantic_ai.TABLE,
    pydantic_ai.OLD,
    litellm.TABLE,
    gateways.ENVOY,
    gateways.OPENROUTER,
    mlflow.TABLE,
    laminar.TABLE,
    langsmith.TABLE,
    google_adk.TABLE,
    strands.TABLE,
    semantic_kernel.TABLE,
    haystack.TABLE,
    autogen.TABLE,
    genkit.TABLE,
    langwatch.TABLE,
    openlit.TABLE,
    openlit.ANTHROPIC,
    openlit.GOOGLE,
    openlit.ONE_SCOPE,
    agentops.TABLE,
    otel_genai.TABLE,
)
DEFAULT = DIALECTS[-1]

__all__ = ["DEFAULT", "DIALECTS", "Blob", "Dialect", "Kind"]
