"""Put before PYTHONPATH by `outlay run`: starts Outlay once a process imports something that it meters.

A helper that does none of this pays nothing. The `sitecustomize` that would have been found without this one runs, too.
"""

import importlib.machinery
import importlib.util
import os
import sys
from types import ModuleType

HERE = os.path.dirname(os.path.abspath(__file__))
WATCHED = {"aiohttp", "celery", "django", "flask", "httpx", "httpx2", "rq", "starlette", "urllib3"}


class Starter:
    """Waits for the first import of interest, and starts the SDK before it goes on."""

    def __init__(self) -> None:
        named = os.environ.get("OUTLAY_FEATURES", "").split(",")
        self.watched = WATCHED | {entry.partition(":")[0].strip() for entry in named}

    def find_spec(
        self, name: str, path: object = None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if name not in self.watched or _is_loading("outlay"):
            return None  # what is not loaded whole cannot be started; `init()` or the next import of interest does
        sys.meta_path[:] = [finder for finder in sys.meta_path if finder is not self]
        start()
        return importlib.util.find_spec(name)


def _is_loading(name: str) -> bool:
    return getattr(getattr(sys.modules.get(name), "__spec__", None), "_initializing", False)


def start() -> None:
    """Start the SDK with what the environment says. The application never fails because of it."""
    os.environ.setdefault("OUTLAY_AUTO_FEATURES", "true")
    try:
        from outlay.tracing.lifecycle import get_client

        get_client()
    except Exception as failed:
        print(f"outlay: not started: {type(failed).__name__}: {failed}", file=sys.stderr)


def run_theirs() -> None:
    """Run the `sitecustomize` that this one stands before."""
    elsewhere = [path for path in sys.path if os.path.abspath(path or os.curdir) != HERE]
    spec = importlib.machinery.PathFinder.find_spec("sitecustomize", elsewhere)
    if spec is not None and spec.loader is not None:
        theirs = importlib.util.module_from_spec(spec)
        sys.modules["sitecustomize"] = theirs
        spec.loader.exec_module(theirs)


os.environ.setdefault("OUTLAY_AUTO_FEATURES", "true")
sys.meta_path.insert(0, Starter())
run_theirs()
