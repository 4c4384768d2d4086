"""examples/gateways: what the configurations name exists, and nothing on the way to Outlay samples or drops."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from outlay_collector.dialects import DIALECTS
from outlay_collector.dialects.inherited import FEATURE, NEAREST

FOLDER = Path(__file__).parents[3] / "examples" / "gateways"
CONTRIB = {"otlp", "memory_limiter", "batch", "otlphttp", "file_storage"}
"""Components of the Collector's contrib distribution that are used."""


def read(name: str) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((FOLDER / name).read_text(encoding="utf-8"))
    return found


def test_every_part_of_the_collectors_pipelines_is_defined_and_used() -> None:
    told = read("otel-collector.yaml")
    kinds = ("receivers", "processors", "exporters")
    defined = {kind: set(told[kind]) for kind in kinds}
    used: dict[str, set[str]] = {kind: set() for kind in kinds}
    for pipeline in told["service"]["pipelines"].values():
        for kind in kinds:
            used[kind] |= set(pipeline[kind])
        assert pipeline["processors"] == ["memory_limiter", "batch"]  # in the order that the Collector asks for
    assert used == defined
    assert {name.split("/")[0] for names in [*defined.values(), told["extensions"]] for name in names} == CONTRIB
    assert {name.split("/")[0] for name in told["service"]["pipelines"]} == {"traces", "logs"}


def test_the_collector_keeps_what_outlay_does_not_take_at_once() -> None:
    told = read("otel-collector.yaml")
    exporter = told["exporters"]["otlphttp/outlay"]
    assert exporter["sending_queue"]["storage"] in told["service"]["extensions"]
    assert set(told["service"]["extensions"]) == set(told["extensions"])
    assert exporter["retry_on_failure"] == {"enabled": True, "max_elapsed_time": "0s"}
    assert exporter["headers"]["authorization"] == "Bearer ${env:OUTLAY_API_KEY}"


def test_gateways_send_no_prompts_and_name_themselves() -> None:
    assert read("litellm.yaml")["litellm_settings"] == {"callbacks": ["otel"], "turn_off_message_logging": True}
    mapped = dict(
        pair.split(":")
        for pair in read("envoy-ai-gateway.yaml")["controller"]["spanRequestHeaderAttributes"].split(",")
    )
    asked = {source.key for source in FEATURE} | {key for keys in NEAREST.values() for key in keys}
    assert set(mapped.values()) <= asked
    variables = {each["name"]: each["value"] for each in read("envoy-ai-gateway.yaml")["extProc"]["extraEnvVars"]}
    assert variables["OTEL_SERVICE_NAME"] == "ai-gateway"
    assert {variables[f"OPENINFERENCE_HIDE_{side}"] for side in ("INPUTS", "OUTPUTS")} == {"true"}


def test_the_page_names_dialects_that_exist() -> None:
    page = (FOLDER / "README.md").read_text(encoding="utf-8")
    names = {dialect.name for dialect in DIALECTS}
    named = {part.split(")")[0] for part in page.split("dialects.md#")[1:]}
    assert named
    assert named <= names
