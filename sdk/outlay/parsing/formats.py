"""Which requests are model calls: recognized by path and body, not by host.

Proxies, gateways, Azure, vLLM and Ollama all keep the paths of the API that they imitate. The host only refines the
provider's name where it is a known one.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import unquote

from outlay.parsing import anthropic, bedrock, gemini, openai, others
from outlay.parsing.reading import Reader


@dataclass(frozen=True, slots=True)
class Format:
    """One wire format.

    Attributes:
        name: For logs and tests.
        reader: Reads a body or one stream event.
        provider: Provider when the host does not tell.
        hints: Bytes that make a stream event worth parsing; the others are only counted.
        request_model_needed: The body must name a model, or it is something else on the same path.
        needs: Further words of the body that tell it from something else; of each group one must be there.
    """

    name: str
    reader: Reader
    provider: str
    hints: re.Pattern[bytes]
    request_model_needed: bool = True
    needs: tuple[frozenset[str], ...] = ()


def _needs(*groups: str) -> tuple[frozenset[str], ...]:
    return tuple(frozenset(group.split()) for group in groups)


def _hints(*patterns: str) -> re.Pattern[bytes]:
    return re.compile("|".join(patterns).encode())


_SPACE = r"\s*:\s*"
CHAT = Format(
    "openai-chat",
    openai.openai_chat,
    "openai",
    _hints(rf'"usage"{_SPACE}\{{', rf'"finish_reason"{_SPACE}"', rf'"error"{_SPACE}[{{"]', '"x_groq"'),
)
RESPONSES = Format(
    "openai-responses",
    openai.openai_responses,
    "openai",
    _hints(
        r'"response\.(created|completed|incomplete|failed|cancelled)"',
        rf'"type"{_SPACE}"error"',
        rf'"error"{_SPACE}\{{',
    ),
)
MEDIA = Format("openai-media", openai.openai_media, "openai", _hints('"usage"', r"\.(completed|done)"), False)
VIDEO = Format("openai-video", openai.openai_video, "openai", _hints('"status"'), needs=_needs("prompt"))
MESSAGES = Format(
    "anthropic-messages",
    anthropic.anthropic,
    "anthropic",
    _hints("message_(start|delta|stop)", rf'"type"{_SPACE}"error"'),
)
RAW_PREDICT = Format(
    "vertex-raw",
    anthropic.raw_predict,
    "gcp.vertex_ai",
    re.compile(MESSAGES.hints.pattern + b"|" + CHAT.hints.pattern),
    False,
)
GEMINI = Format(
    "gemini",
    gemini.gemini,
    "gcp.gemini",
    _hints("usageMetadata", "finishReason", "groundingMetadata", '"error"'),
    False,
)
PREDICT = Format("vertex-predict", gemini.gemini, "gcp.vertex_ai", GEMINI.hints, False)
_COUNTED = _hints('"usage', r"\.(created|started|completed|done)", '"error"')


def _counted(name: str, provider: str, *needs: str) -> Format:
    """A format of which nothing matters but the names of its counts."""
    return Format(name, others.by_shape, provider, _COUNTED, needs=_needs(*needs))


INTERACTION = _counted("gemini-interaction", "gcp.gemini", "model agent", "input tools previous_interaction_id")
CONVERSATION = _counted("mistral-conversation", "mistral_ai", "inputs tool_confirmations")
DOCUMENT = _counted("mistral-document", "mistral_ai", "model", "document input inputs")
DECISION = _counted("openai-decision", "openai", "model", "questions")
PARSE = _counted("cohere-parse", "cohere", "model", "document")
LOCAL_DECISION = _counted("ollama-decision", "ollama", "model", "questions")
CONVERSE = Format(
    "bedrock-converse", bedrock.converse, "aws.bedrock", _hints("messageStop", "metadata", "Exception"), False
)
INVOKE = Format("bedrock-invoke", bedrock.invoke, "aws.bedrock", _hints('"bytes"'), False)
COHERE = Format("cohere", others.cohere, "cohere", _hints("message-(start|end)", "stream-(start|end)", "finish_reason"))
OLLAMA = Format("ollama", others.ollama, "ollama", _hints(rf'"done"{_SPACE}true', '"error"'))


@dataclass(frozen=True, slots=True)
class Endpoint:
    """What a path says about a request."""

    format: Format
    operation: str
    model: str | None = None
    streams: bool = False
    deployment: bool = False


_RULES: tuple[tuple[re.Pattern[str], Format, str], ...] = tuple(
    (re.compile(pattern), wire_format, operation)
    for pattern, wire_format, operation in (
        (r"/(?:deployments/(?P<deployment>[^/]+)/)?(?:chat|agents)/completions$", CHAT, "chat"),
        (r"/(?:deployments/(?P<deployment>[^/]+)/)?responses(?:/compact)?$", RESPONSES, "chat"),
        (r"/(?:deployments/(?P<deployment>[^/]+)/)?embeddings$", CHAT, "embeddings"),
        (r"/(?:deployments/(?P<deployment>[^/]+)/)?(?:fim/)?completions$", CHAT, "text_completion"),
        (
            r"/(?:deployments/(?P<deployment>[^/]+)/)?images/(?:generations|edits|variations)$",
            MEDIA,
            "image_generation",
        ),
        (r"/(?:deployments/(?P<deployment>[^/]+)/)?audio/(?:transcriptions|translations)$", MEDIA, "transcription"),
        (r"/(?:deployments/(?P<deployment>[^/]+)/)?audio/speech$", MEDIA, "speech"),
        (r"/v1/videos(?:/edits|/extensions|/[^/]+/remix)?$", VIDEO, "video_generation"),
        (r"/models/(?P<model>[^/:]+):(?:stream)?[rR]awPredict$", RAW_PREDICT, "chat"),
        (r"/messages$", MESSAGES, "chat"),
        (
            r"/(?:models|tunedModels|endpoints)/(?P<model>[^/:]+):(?:stream)?[gG]enerateContent$",
            GEMINI,
            "generate_content",
        ),
        (r"/models/(?P<model>[^/:]+):(?:batchE|e)mbedContents?$", GEMINI, "embeddings"),
        (r"/models/(?P<model>[^/:]+):predict$", PREDICT, "image_generation"),
        (r"/model/(?P<model>[^/]+)/converse(?:-stream)?$", CONVERSE, "chat"),
        (r"/model/(?P<model>[^/]+)/invoke(?:-with-response-stream)?$", INVOKE, "chat"),
        (r"/v[12]/chat$", COHERE, "chat"),
        (r"/v[12]/embed$", COHERE, "embeddings"),
        (r"/v[12]/rerank$", COHERE, "rerank"),
        (r"/api/chat$", OLLAMA, "chat"),
        (r"/api/generate$", OLLAMA, "text_completion"),
        (r"/api/embed(?:dings)?$", OLLAMA, "embeddings"),
        (r"/interactions$", INTERACTION, "generate_content"),
        (r"/conversations(?:/[^/]+(?:/restart)?)?$", CONVERSATION, "chat"),
        (r"/decisions$", DECISION, "chat"),
        (r"/systemone$", LOCAL_DECISION, "chat"),
        (r"/(?:chat/)?(?:moderations|classifications)$", DOCUMENT, "classification"),
        (r"/ocr$", DOCUMENT, "ocr"),
        (r"/v\d+/parse$", PARSE, "ocr"),
    )
)
# One quick look decides for nearly every other request of the application.
_LIKELY = re.compile(
    r"(?:/(?:completions|responses|compact|embeddings|embed|messages|generations|edits|variations|transcriptions"
    r"|translations|speech|converse|converse-stream|invoke|invoke-with-response-stream|chat|generate|rerank"
    r"|videos|extensions|remix|interactions|decisions|conversations(?:/[^/]+(?:/restart)?)?|systemone|moderations|classifications|ocr|parse)"
    r"|:[A-Za-z]*(?:Content|Contents|Predict|predict))$"
)

_HOSTS: tuple[tuple[str, str], ...] = (
    (".openai.azure.com", "azure.ai.openai"),
    (".cognitiveservices.azure.com", "azure.ai.openai"),
    (".services.ai.azure.com", "azure.ai.inference"),
    ("aiplatform.googleapis.com", "gcp.vertex_ai"),
    ("generativelanguage.googleapis.com", "gcp.gemini"),
    ("bedrock-runtime.", "aws.bedrock"),
    ("bedrock-mantle.", "aws.bedrock"),
    ("api.openai.com", "openai"),
    ("api.anthropic.com", "anthropic"),
    ("api.mistral.ai", "mistral_ai"),
    ("codestral.mistral.ai", "mistral_ai"),
    ("api.deepseek.com", "deepseek"),
    ("api.groq.com", "groq"),
    ("api.x.ai", "x_ai"),
    ("api.cohere.com", "cohere"),
    ("api.cohere.ai", "cohere"),
    ("api.perplexity.ai", "perplexity"),
    ("openrouter.ai", "openrouter"),
    ("api.together.xyz", "together_ai"),
    ("api.together.ai", "together_ai"),
    ("api.fireworks.ai", "fireworks"),
    ("api.cerebras.ai", "cerebras"),
    ("api.moonshot.", "moonshot_ai"),
    ("dashscope", "alibaba"),
    ("watsonx", "ibm.watsonx.ai"),
)
_AGENTS: tuple[tuple[str, str], ...] = (("mistral", "mistral_ai"), ("groq/", "groq"), ("together", "together_ai"))


def recognize(path: str) -> Endpoint | None:
    """What the path of a POST says; None for anything that is no model call."""
    path = path.partition("?")[0].rstrip("/")
    if _LIKELY.search(path) is None:
        return None
    for pattern, wire_format, operation in _RULES:
        match = pattern.search(path)
        if match is not None:
            groups = match.groupdict()
            deployment, model = groups.get("deployment"), groups.get("model")
            last = path.rsplit("/", 1)[-1]
            named = unquote(model or deployment or "")
            return Endpoint(
                wire_format,
                _operation(named) or operation if wire_format in (INVOKE, PREDICT) else operation,
                named or None,
                "stream" in last,
                deployment is not None,
            )
    return None


def _operation(model: str) -> str | None:
    """What a model does, where every kind of model has the same path."""
    return next((kind for part, kind in (("embed", "embeddings"), ("rerank", "rerank")) if part in model.lower()), None)


def provider_of(host: str, likely: str, deployment: bool = False, user_agent: str = "") -> str:
    """The provider's OpenTelemetry name.

    Args:
        host: Known hosts decide.
        likely: The provider whose format it is.
        deployment: The path names an Azure deployment.
        user_agent: Clients of compatible providers name themselves.
    """
    host = host.lower()
    for part, name in _HOSTS:
        if part in host:
            return name
    if deployment:
        return "azure.ai.openai"
    if likely == "openai" and user_agent:
        agent = user_agent.lower()
        for part, name in _AGENTS:
            if part in agent:
                return name
    return likely
