"""What /metrics says, read as Prometheus reads it."""

from __future__ import annotations

from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

from tests.web_server import Running


def metrics(server: Running) -> list[Metric]:
    """All metrics of one scrape."""
    return list(text_string_to_metric_families(server.get("/metrics").text))


def samples(server: Running, name: str) -> list[Sample]:
    """The samples of one name."""
    return [sample for metric in metrics(server) for sample in metric.samples if sample.name == name]


def value(server: Running, name: str, **labels: str) -> float:
    """The one sample of a name with exactly these labels."""
    [found] = [sample.value for sample in samples(server, name) if sample.labels == labels]
    return float(found)
