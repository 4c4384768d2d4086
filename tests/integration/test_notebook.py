"""A notebook, run by a real kernel: its calls arrive and a line says so. `make clients` installs what this needs."""

from __future__ import annotations

import gzip
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from tests.receiver import Received, receiver

nbclient = pytest.importorskip("nbclient")
nbformat = pytest.importorskip("nbformat")
pytest.importorskip("ipykernel")

CALL = "outlay.record(usage={'input_tokens': 1, 'output_tokens': 2}, model='gpt-4o', provider='openai')"


@pytest.fixture
def server() -> Iterator[Received]:
    with receiver() as found:
        yield found


def test_calls_of_a_notebook_arrive_and_one_line_says_so(
    tmp_path: Path, server: Received, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = server.url.removesuffix("/hook")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(entry for entry in sys.path if entry))
    monkeypatch.setenv("OUTLAY_SPOOL_DIR", str(tmp_path))
    cells = [
        f"import outlay\noutlay.init('shop', endpoint='{url}')",
        f"with outlay.track(feature='first'):\n    {CALL}\noutlay.flush(30)",
        f"{CALL}",  # sent when the kernel is shut down, if not before
    ]
    notebook: Any = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    nbclient.NotebookClient(notebook, timeout=120, kernel_name="python3").execute()
    texts = [output.get("text", "") for cell in notebook.cells for output in cell.outputs]
    assert "".join(texts).count(f"outlay: the first calls have arrived: {url}/calls") == 1
    bodies = [ExportTraceServiceRequest.FromString(gzip.decompress(body)) for body in server.bodies]
    names = [span.name for body in bodies for group in body.resource_spans for span in group.scope_spans[0].spans]
    assert sorted(names) == ["chat gpt-4o", "chat gpt-4o", "first"]
