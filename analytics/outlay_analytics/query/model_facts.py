"""Who makes a model, of which family it is and which version, as its name says.

Names are those that providers bill: `gpt-4o-2024-08-06`, `anthropic.claude-sonnet-4-5-20250929-v1:0`,
`models/gemini-2.5-pro`. A name that says nothing about it has no maker: unknown is None.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

# Beginnings of names, the longer first where one begins with another: family and maker.
FAMILIES: tuple[tuple[str, str, str], ...] = (
    ("text-embedding-ada", "Text Embedding", "OpenAI"),
    ("text-embedding-3", "Text Embedding", "OpenAI"),
    ("chatgpt", "GPT", "OpenAI"),
    ("codex", "GPT", "OpenAI"),
    ("gpt-oss", "GPT-OSS", "OpenAI"),
    ("gpt", "GPT", "OpenAI"),
    ("o1", "o-series", "OpenAI"),
    ("o3", "o-series", "OpenAI"),
    ("o4", "o-series", "OpenAI"),
    ("whisper", "Whisper", "OpenAI"),
    ("claude", "Claude", "Anthropic"),
    ("gemini", "Gemini", "Google"),
    ("gemma", "Gemma", "Google"),
    ("llama", "Llama", "Meta"),
    ("mistral", "Mistral", "Mistral AI"),
    ("mixtral", "Mixtral", "Mistral AI"),
    ("ministral", "Ministral", "Mistral AI"),
    ("codestral", "Codestral", "Mistral AI"),
    ("devstral", "Devstral", "Mistral AI"),
    ("magistral", "Magistral", "Mistral AI"),
    ("pixtral", "Pixtral", "Mistral AI"),
    ("voxtral", "Voxtral", "Mistral AI"),
    ("command", "Command", "Cohere"),
    ("rerank", "Rerank", "Cohere"),
    ("embed", "Embed", "Cohere"),
    ("aya", "Aya", "Cohere"),
    ("deepseek", "DeepSeek", "DeepSeek"),
    ("qwen", "Qwen", "Alibaba"),
    ("qwq", "Qwen", "Alibaba"),
    ("grok", "Grok", "xAI"),
    ("nova", "Nova", "Amazon"),
    ("titan", "Titan", "Amazon"),
    ("phi", "Phi", "Microsoft"),
    ("kimi", "Kimi", "Moonshot AI"),
    ("moonshot", "Moonshot", "Moonshot AI"),
    ("glm", "GLM", "Z.ai"),
    ("jamba", "Jamba", "AI21 Labs"),
    ("jurassic", "Jurassic", "AI21 Labs"),
    ("j2", "Jurassic", "AI21 Labs"),
    ("sonar", "Sonar", "Perplexity"),
    ("voyage", "Voyage", "Voyage AI"),
    ("nemotron", "Nemotron", "NVIDIA"),
    ("granite", "Granite", "IBM"),
    ("palmyra", "Palmyra", "Writer"),
    ("minimax", "MiniMax", "MiniMax"),
)
# Who sells under a provider's name of the conventions, what the service is called, and whose name is on the invoice.
SELLERS: dict[str, tuple[str, str]] = {
    "openai": ("OpenAI", "OpenAI API"),
    "anthropic": ("Anthropic", "Claude API"),
    "aws.bedrock": ("AWS", "Amazon Bedrock"),
    "aws.sagemaker": ("AWS", "Amazon SageMaker"),
    "azure.ai.openai": ("Microsoft", "Azure OpenAI"),
    "azure.ai.inference": ("Microsoft", "Azure AI Foundry"),
    "gcp.gemini": ("Google", "Gemini API"),
    "gcp.gen_ai": ("Google", "Google Generative AI"),
    "gcp.vertex_ai": ("Google", "Vertex AI"),
    "mistral_ai": ("Mistral AI", "Mistral API"),
    "cohere": ("Cohere", "Cohere API"),
    "deepseek": ("DeepSeek", "DeepSeek API"),
    "groq": ("Groq", "Groq API"),
    "ibm.watsonx.ai": ("IBM", "watsonx.ai"),
    "perplexity": ("Perplexity", "Perplexity API"),
    "x_ai": ("xAI", "xAI API"),
    "moonshot_ai": ("Moonshot AI", "Moonshot API"),
    "openrouter": ("OpenRouter", "OpenRouter API"),
    # As the price list calls some of them.
    "aws": ("AWS", "Amazon Bedrock"),
    "azure": ("Microsoft", "Azure OpenAI"),
    "google": ("Google", "Gemini API"),
    "mistral": ("Mistral AI", "Mistral API"),
    "moonshotai": ("Moonshot AI", "Moonshot API"),
    "x-ai": ("xAI", "xAI API"),
}
PATH = re.compile(r"^(?:.*[/|])?(?:[a-z]{2,6}\.)?(?:[a-z0-9]+\.)?(?=[a-z])")
VERSION = re.compile(r"[-@](20\d{2}-\d\d-\d\d|20\d{6}|\d{4}|\d{3})(?:-v\d+(?::\d+)?)?$|-(v\d+(?::\d+)?|latest)$")


@dataclass(frozen=True)
class ModelFacts:
    """What a model's name says: who made it, its family, its dated or numbered version."""

    developer: str | None
    family: str | None
    version: str | None


@lru_cache(maxsize=10_000)
def model_facts(model: str) -> ModelFacts:
    """What the name of a model says.

    >>> model_facts("us.anthropic.claude-sonnet-4-5-20250929-v1:0")
    ModelFacts(developer='Anthropic', family='Claude', version='20250929')
    """
    name = model.strip().lower()
    bare = [name, PATH.sub("", name, count=1), name.rpartition("/")[2], name.rpartition(".")[2]]
    found = next(
        ((family, maker) for text in bare for prefix, family, maker in FAMILIES if text.startswith(prefix)), None
    )
    version = VERSION.search(name)
    return ModelFacts(
        found[1] if found else None,
        found[0] if found else None,
        (version[1] or version[2]) if version else None,
    )


def seller(provider: str) -> tuple[str, str]:
    """Who sells and the name of the service; the provider's own name where it is none of the conventions."""
    return SELLERS.get(provider, (provider or "unknown", provider or "unknown"))
