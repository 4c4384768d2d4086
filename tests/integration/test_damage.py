"""Data that ClickHouse found damaged and set aside: whoever looks at figures is told."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from tests.scrape import value
from tests.waiting import until
from tests.web_server import Running, own_store, running

from outlay_web.config import Settings


def says(server: Running, path: str, words: str) -> bool:
    return words in server.get(path).text


def test_damaged_parts_are_told_on_every_page_and_as_a_metric(tmp_path: Path) -> None:
    with running(Settings(data=tmp_path, store_dsn=own_store())) as server:
        tables = "SELECT data_paths[1] AS path FROM system.tables WHERE database = currentDatabase() AND name = 'calls'"
        detached = Path(server.assembly.store.query(tables)[0]["path"]) / "detached"
        assert "damaged" not in server.get("/").text
        assert value(server, "outlay_broken_parts") == 0
        for count, told in ((1, "1 damaged part of the data"), (2, "2 damaged parts of the data")):
            (detached / f"broken-on-start_202601_{count}_{count}_0").mkdir()
            for path in ("/", "/calls", "/settings"):
                until(partial(says, server, path, told), f"told by {path}")
            assert value(server, "outlay_broken_parts") == count
