"""Reader of Gemini's answers and of Vertex's embeddings."""

from __future__ import annotations

from outlay.parsing import usage as counts
from outlay.parsing.reading import Json, Reading, read_error, text_of
from outlay.parsing.searches import of_gemini
from outlay.usage import Usage


def gemini(reading: Reading, body: Json) -> None:
    """generateContent, its stream, and the embedding calls."""
    if read_error(reading, body):
        return
    inner = body.get("response")
    if isinstance(inner, dict) and "candidates" in inner:
        body = inner
    reading.response_id = text_of(body.get("responseId")) or reading.response_id
    reading.response_model = text_of(body.get("modelVersion")) or reading.response_model
    for index, candidate in enumerate(counts.objects(body.get("candidates"))):
        if candidate.get("finishReason"):
            reading.finish_reasons[index] = str(candidate["finishReason"])
        _grounding(reading, candidate.get("groundingMetadata"))
        if reading.text is not None:
            content = candidate.get("content")
            for part in counts.objects(content.get("parts") if isinstance(content, dict) else None):
                reading.say(part.get("text"))
    usage = body.get("usageMetadata")
    if isinstance(usage, dict) and usage:
        reading.raw_usage.update(usage)
        reading.service_tier = text_of(usage.get("serviceTier")) or reading.service_tier
        tier = text_of(usage.get("trafficType"))
        if tier and tier not in ("ON_DEMAND", "TRAFFIC_TYPE_UNSPECIFIED"):
            reading.service_tier = tier.lower()
    if reading.raw_usage:
        reading.usage = counts.gemini(reading.raw_usage)
    metadata = body.get("metadata")  # Vertex embeddings
    for prediction in counts.objects(body.get("predictions")):
        embedded = prediction.get("embeddings")
        statistics = embedded.get("statistics") if isinstance(embedded, dict) else None
        tokens = counts.count(statistics.get("token_count")) if isinstance(statistics, dict) else None
        if tokens is not None:
            before = reading.usage.input_tokens if reading.usage else 0
            reading.usage = Usage(input_tokens=(before or 0) + tokens)
    if reading.usage is None and isinstance(metadata, dict):
        characters = counts.count(metadata.get("billableCharacterCount"))
        if characters is not None:
            reading.usage = Usage(other={"input_characters": characters})


def _grounding(reading: Reading, metadata: object) -> None:
    """Searches: of several parts of a stream the one that shows the most."""
    made = of_gemini([metadata], reading.response_model or "")
    if made:
        reading.raw_usage["groundedSearches"] = max(reading.raw_usage.get("groundedSearches", 0), made)
