"""Metering at the HTTP layer: one hook per library, installed once, also for libraries imported later.

The hooks patch classes, so clients made before `init()` are metered, too. Each asks `begin.wanted` whether a request
is worth watching; for any other request that is one regular expression. `parsing` reads what requests and answers say.

Enters: requests and answers of HTTP clients.
Leaves: spans, one per attempt, with the usage that was on the wire.
May import: parsing, tracing.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Sequence
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any, cast

from outlay import _safely

if TYPE_CHECKING:
    from importlib.machinery import ModuleSpec

# Library → our module that hooks it.
_HOOKS = {
    "aiohttp": "outlay.wire.aiohttp",
    "concurrent.futures.thread": "outlay.wire.threads",
    "httpx": "outlay.wire.httpx",
    "httpx2": "outlay.wire.httpx",
    "rq.worker": "outlay.wire.workers",
    "rq.worker.base": "outlay.wire.workers",
    "starlette.background": "outlay.wire.starlette",
    "threading": "outlay.wire.threads",
    "urllib3.connectionpool": "outlay.wire.urllib3",
    "uvicorn.server": "outlay.wire.workers",
}
_more: dict[str, Callable[[ModuleType], None]] = {}  # module → what hooks it, asked for by `watch`
_hooked: set[str] = set()
_lock = threading.Lock()
_installed = False
_finds = False


def install() -> None:
    """Hook every library that is loaded, and the others when they load."""
    global _installed
    with _lock:
        if _installed:
            return
        _installed = True
        for name in _HOOKS:
            module = sys.modules.get(name)
            if module is not None:
                _hook(name, module)
        _find()


def _find() -> None:
    """Notice modules that load from now on; the lock is held."""
    global _finds
    if not _finds:
        _finds = True
        sys.meta_path.insert(0, _Finder())


def _is_wanted(name: str) -> bool:
    return (_installed and name in _HOOKS) or name in _more


def watch(name: str, hook: Callable[[ModuleType], None]) -> None:
    """Have a module hooked, now if it is loaded, else when it loads."""
    with _lock:
        _more[name] = hook
        _find()
        module = sys.modules.get(name)
    if module is not None:
        _hook(name, module)


def hooked() -> list[str]:
    """Modules that are hooked."""
    return sorted(_hooked)


def missed() -> list[str]:
    """Modules that should be hooked, are loaded and are not: an import hook before ours has loaded them itself."""
    return sorted(name for name in _HOOKS if _installed and name in sys.modules and name not in _hooked)


def forget() -> None:
    """Forget what earlier requests have said: failed attempts, requests in the background, ages of batches."""
    for name in ("attempts", "background", "batches"):
        if f"outlay.wire.{name}" in sys.modules:
            import_module(f"outlay.wire.{name}").forget()  # another thread may be importing it just now


def _hook(name: str, module: ModuleType) -> None:
    try:
        if _installed and name in _HOOKS:
            import_module(_HOOKS[name]).hook(module)
        if name in _more:
            _more[name](module)
        _hooked.add(name)
    except Exception:
        _safely.swallow(f"hook for {name}")


class _Finder:
    """Lets the real finders find, and hooks the module after it ran."""

    def __init__(self) -> None:
        self._busy = threading.local()

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if not _is_wanted(fullname) or getattr(self._busy, "name", None) == fullname:
            return None
        from importlib.util import find_spec

        self._busy.name = fullname
        try:
            spec = find_spec(fullname)
        finally:
            self._busy.name = None
        if spec is not None and spec.loader is not None:
            spec.loader = cast(Any, _Loader(spec.loader))
        return spec


class _Loader:
    def __init__(self, inner: Any) -> None:
        self._inner = inner

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        created: ModuleType | None = self._inner.create_module(spec)
        return created

    def exec_module(self, module: ModuleType) -> None:
        if module.__spec__ is not None and cast(Any, module.__spec__.loader) is self:
            module.__spec__.loader = self._inner
            module.__loader__ = self._inner
        self._inner.exec_module(module)
        if _is_wanted(module.__name__):
            _hook(module.__name__, module)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)
