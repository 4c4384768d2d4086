"""Gateways that write spans themselves: Envoy AI Gateway and OpenRouter's Broadcast.

Sources: Envoy AI Gateway's tracing as of August 2026 (OpenInference attributes, scope envoyproxy/ai-gateway);
OpenRouter's documentation of Broadcast to an OpenTelemetry collector, and its clients' types of the same payload.
"""

from dataclasses import replace

from outlay_collector.dialects import openinference
from outlay_collector.dialects.model import Dialect

ENVOY = replace(
    openinference.PROVIDER,
    name="envoy_ai_gateway",
    title="Envoy AI Gateway",
    scopes=("envoyproxy/ai-gateway",),
    rank=36,
    notes=(
        "OpenInference attributes, written by the gateway: where the client sends its span, too, that is believed.",
        "Prompt counts include cached tokens. Requests that only count tokens are no calls.",
    ),
)

_SAID_BY_OPENROUTER = ("provider_slug", "provider_name", "api_key_name")

OPENROUTER = Dialect(
    name="openrouter_broadcast",
    title="OpenRouter Broadcast",
    scopes=("openrouter",),
    marks=tuple(f"{at}openrouter.{name}" for at in ("", "trace.metadata.") for name in _SAID_BY_OPENROUTER),
    rank=36,
    sold_by="openrouter",
    charged_costs=("gen_ai.usage.total_cost",),
    notes=(
        "`gen_ai.provider.name` is who answered; who bills is OpenRouter, and its cost is what it charges.",
        "The `trace` object of a request says what it is for: `trace_name`, or `feature`, `team`, `customer` in it.",
    ),
)
