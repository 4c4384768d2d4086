"""A real server over a filled store, and Chromium in front of it. Skipped where there is no Chromium."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright
from tests.browser import demo_world, world
from tests.hand_incidents import put_incident
from tests.web_server import running

from outlay_collector.store import Store
from outlay_web.config import OFF, Settings

CHROMIUM = os.environ.get("OUTLAY_CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome") or ""
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
NOW = datetime.now(UTC)
StartSite = Callable[..., "Site"]
ABORTED = "net::ERR_ABORTED"  # what a page was still loading when the test left it


@dataclass
class Site:
    """A running server and what is in it."""

    url: str
    trace_id: str = ""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.browser)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    if not CHROMIUM:
        pytest.skip("no Chromium on this machine; name one in OUTLAY_CHROMIUM")
    with _short_folder() as folder, sync_playwright() as playwright:
        environment: dict[str, str | float | bool] = {**os.environ, "TMPDIR": folder}
        started = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS, env=environment)
        yield started
        started.close()


@contextlib.contextmanager
def _short_folder() -> Iterator[str]:
    """A folder with a short name, in TMPDIR meanwhile: the path of Chromium's socket, in its profile, must stay under
    108 characters, and the machine's own TMPDIR may be longer than that (macOS has 49 before the first file)."""
    place = os.environ.get("TMPDIR")
    with tempfile.TemporaryDirectory(prefix="o-", dir="/tmp") as folder:
        os.environ["TMPDIR"] = folder
        try:
            yield folder
        finally:
            os.environ.pop("TMPDIR", None)
            if place is not None:
                os.environ["TMPDIR"] = place


def _engine_path(config: pytest.Config) -> Path:
    """Where this process keeps its databases: chDB opens one directory per process."""
    plugins = config.pluginmanager.get_plugins()
    return Path(next(plugin.ENGINE_PATH for plugin in plugins if hasattr(plugin, "ENGINE_PATH")))


@pytest.fixture(scope="session", autouse=True)
def _engine_runs(_engine: None) -> None:
    """Every test here has a store."""


@pytest.fixture(scope="session")
def start_site(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[StartSite]:
    """Starts a server over a database of its own, filled by the function given."""
    place, tempdir = os.environ.get("TMPDIR"), tempfile.tempdir
    with contextlib.ExitStack() as stack:

        def start(fill: Callable[[Store], str], config: Mapping[str, Any] | None = None) -> Site:
            dsn = f"chdb://{_engine_path(request.config)}?database=browser_{uuid.uuid4().hex[:12]}"
            settings = Settings(data=tmp_path_factory.mktemp("site"), store_dsn=dsn, grpc_port=OFF)
            server = stack.enter_context(running(settings, config))
            return Site(server.url, fill(server.assembly.context.store))

        yield start
    tempfile.tempdir = tempdir
    if place is None:
        os.environ.pop("TMPDIR", None)
    else:
        os.environ["TMPDIR"] = place


@pytest.fixture(scope="session")
def site(start_site: StartSite) -> Site:
    """A month of a small company."""

    def fill(store: Store) -> str:
        world.fill(store, NOW, scale=0.5)
        world.fill_bill(store)
        put_incident(store, 1, "code-review", NOW.replace(minute=0) - timedelta(days=3), hours=20)
        return world.fill_trace(store, NOW)

    return start_site(fill)


@pytest.fixture(scope="session")
def empty_site(start_site: StartSite) -> Site:
    """Nothing has arrived yet."""
    return start_site(lambda store: "0" * 32)


@pytest.fixture(scope="session")
def demo_site(start_site: StartSite) -> Site:
    """The month of the demo, for what should be found in it."""

    def fill(store: Store) -> str:
        demo_world.fill(store, NOW)
        return ""

    return start_site(fill, demo_world.config())


@pytest.fixture(scope="session")
def hostile_site(start_site: StartSite) -> Site:
    """Every name is an attack."""

    def fill(store: Store) -> str:
        world.fill_hostile(store, NOW)
        return ""

    return start_site(fill)


@dataclass
class Tab:
    """A page with everything the console said."""

    page: Page
    site: Site
    complaints: list[str] = field(default_factory=list)

    def go(self, path: str) -> Page:
        """Open a path; fails on anything but 200."""
        answer = self.page.goto(self.site.url + path)
        assert answer is not None
        assert answer.status == 200, f"{path}: {answer.status} {self.page.inner_text('body')[:300]}"
        return self.page

    def quiet(self) -> None:
        """Nothing was complained about: no error, no blocked style or script, no file missing."""
        assert not self.complaints, self.complaints


@pytest.fixture
def open_tab(browser: Browser) -> Iterator[Callable[..., Tab]]:
    """Opens a tab on a site; context options as keywords."""
    contexts: list[BrowserContext] = []

    def open_(site: Site, **options: Any) -> Tab:
        options.setdefault("viewport", {"width": 1280, "height": 900})
        context = browser.new_context(**options)
        context.set_default_timeout(300_000)
        contexts.append(context)
        tab = Tab(context.new_page(), site)
        tab.page.on("console", lambda m: tab.complaints.append(m.text) if m.type in ("error", "warning") else None)
        tab.page.on("pageerror", lambda error: tab.complaints.append(str(error)))
        tab.page.on("requestfailed", lambda r: tab.complaints.append(r.url) if r.failure != ABORTED else None)
        return tab

    yield open_
    for context in contexts:
        context.close()
