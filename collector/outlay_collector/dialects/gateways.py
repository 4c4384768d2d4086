"""Gateways that write spans themselves: Envoy AI Gateway and OpenRouter's Broadcast.

Sources: Envoy AI Gateway's documentation and source as of November 2026 (OpenInference attributes, scope
envoyproxy/ai-gateway); OpenRouter's documentation of Broadcast to an OpenTelemetry collector, and what receivers of it
publish about its spans. Neither was captured here: one needs Kubernetes, the other the internet.
"""

from dataclasses import replace

from outlay_collector.dialects import openinference
from outlay_collector.dialects.model import CALL, PLAIN, Dialect, Kind

ENVOY = replace(
    openinference.PROVIDER,
    name="envoy_ai_gateway",
    title="Envoy AI Gateway",
    scopes=("envoyproxy/ai-gateway",),
    rank=36,
    notes=(
        "OpenInference attributes, written by the gateway: where the client sends its span, too, that is believed.",
        "Prompt counts include cached tokens. Requests that only count tokens are no calls.",
        "Its `AI_GATEWAY_TRACING_SEMCONV=gen_ai` leaves cached tokens out of Anthropic's input, not of OpenAI's, and "
        "says of neither which: leave it at its default, `openinference`.",
        "By its documentation and source, not by a capture.",
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
    kinds=(Kind("span.type", {"generation": (CALL, ""), "span": (PLAIN, "")}),),
    fields={"ttft_ms": ("trace.metadata.openrouter.first_token_ms",)},
    charged_costs=("gen_ai.usage.total_cost",),
    notes=(
        "`gen_ai.provider.name` is who answered; who bills is OpenRouter, and its cost is what it charges.",
        "The `trace` object of a request says what it is for: `trace_name`, or `feature`, `team`, `customer` in it; "
        "else the name of the key does.",
        "Attempts at providers are spans below the generation, and no calls.",
        "By its documentation and its receivers', not by a capture.",
    ),
)
