"""Features where no code names one: the route of the request, the task's name, functions named in a setting.

What the code itself says wins: a scope is opened only where no feature is in force, and `@outlay.track` inside of it is
the innermost one.
"""

from __future__ import annotations

import functools
import inspect
import os
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any

from opentelemetry import context as otel_context

from outlay import _safely, semconv, wire
from outlay.settings import Settings
from outlay.tracing.context import SCOPE_KEY, Scope, current_scope
from outlay.tracing.track import featured
from outlay.wire.patched import patch

MARK = "__outlay_feature__"
_ENTRY = re.compile(r"\s*([A-Za-z_][\w.]*):([A-Za-z_][\w.]*)\s*(?:=\s*(.*?)\s*)?")


def install(settings: Settings) -> None:
    """Hook the frameworks and functions that the settings ask for, now or when they are imported."""
    if settings.auto_features:
        for name, hook in FRAMEWORKS.items():
            wire.watch(name, hook)
    by_module: dict[str, list[tuple[str, str]]] = {}
    for module, function, feature in named(settings.features):
        by_module.setdefault(module, []).append((function, feature))
    for module, functions in by_module.items():
        if _is_program(module):
            said = "OUTLAY_FEATURES: %s is the program itself, which nobody imports: its functions are no features; "
            _safely.warn(f"features {module}", said + "move them to a module that it imports, or track them", module)
        wire.watch(module, functools.partial(_track, functions))


def _is_program(module: str) -> bool:
    """Whether it is what was started: `python app.py`, `python -m shop.app`."""
    main = sys.modules.get("__main__")
    spec = getattr(main, "__spec__", None)
    started = spec.name if spec is not None else os.path.basename(getattr(main, "__file__", None) or "")
    return module not in sys.modules and started in (module, f"{module}.py", f"{module}.__main__")


def named(text: str) -> Iterator[tuple[str, str, str]]:
    """Module, function and feature of each entry of OUTLAY_FEATURES."""
    for entry in text.split(","):
        if not entry.strip():
            continue
        found = _ENTRY.fullmatch(entry)
        if found is None or found[3] == "":
            _safely.warn(f"features {entry}", "OUTLAY_FEATURES: %r is not module:function=feature", entry.strip())
            continue
        module, function, feature = found.groups()
        yield module, function, feature or function.rpartition(".")[2]


def _track(functions: list[tuple[str, str]], module: ModuleType) -> None:
    for path, feature in functions:
        *outer, name = path.split(".")
        try:
            owner: Any = functools.reduce(getattr, outer, module)
            function = inspect.getattr_static(owner, name)
        except AttributeError:
            _safely.warn(f"features {path}", "OUTLAY_FEATURES: there is no %s in %s", path, module.__name__)
            continue
        if not (callable(function) or isinstance(function, (classmethod, staticmethod))):
            _safely.warn(f"features {path}", "OUTLAY_FEATURES: %s in %s is no function", path, module.__name__)
            continue
        if isinstance(function, (classmethod, staticmethod)):
            made: Any = type(function)(featured(function.__func__, feature))
        else:
            made = featured(function, feature)
        setattr(owner, name, made)


@contextmanager
def feature(name: str) -> Iterator[None]:
    """What runs inside is for this, unless something is in force or said inside."""
    token = enter(name)
    try:
        yield
    finally:
        if token is not None:
            otel_context.detach(token)


def enter(name: str) -> Any:
    """Open such a scope; returns what `detach` takes, None where nothing was opened."""
    context = otel_context.get_current()
    scope = current_scope(context)
    if not name or semconv.FEATURE in scope.attributes:
        return None
    inside = Scope({**scope.attributes, semconv.FEATURE: name}, scope.frame, scope.metering)
    return otel_context.attach(otel_context.set_value(SCOPE_KEY, inside, context))


def _starlette(module: ModuleType) -> None:
    """Starlette and FastAPI: the path of the route."""

    def around(original: Any) -> Any:
        async def handle(self: Any, scope: Any, receive: Any, send: Any) -> Any:
            with feature(scope.get("root_path", "") * _is_mounted(scope) + self.path):
                return await original(self, scope, receive, send)

        return handle

    for name in ("Route", "WebSocketRoute"):
        patch(getattr(module, name, None), "handle", around, MARK)


def _is_mounted(scope: Any) -> bool:
    """Whether the application's own mounts, not a proxy, are in the root path."""
    return bool(scope.get("app_root_path") is not None and scope.get("root_path") != scope.get("app_root_path"))


def _flask(module: ModuleType) -> None:
    """Flask: the rule of the view."""

    def around(original: Any) -> Any:
        def dispatch_request(self: Any, *arguments: Any) -> Any:
            import flask

            rule = flask.request.url_rule if flask.has_request_context() else None
            with feature(rule.rule if rule is not None else ""):
                return original(self, *arguments)

        return dispatch_request

    patch(module.Flask, "dispatch_request", around, MARK)


def _django(module: ModuleType) -> None:
    """Django: the route of the view."""

    def around(original: Any) -> Any:
        def resolve_request(self: Any, request: Any) -> Any:
            match = original(self, request)
            route = getattr(match, "route", "")
            match.func = _within("/" + route.lstrip("^/"), match.func)
            return match

        return resolve_request

    patch(module.BaseHandler, "resolve_request", around, MARK)


def _within(name: str, view: Any) -> Any:
    if inspect.iscoroutinefunction(view):

        @functools.wraps(view)
        async def run_async(*args: Any, **kwargs: Any) -> Any:
            with feature(name):
                return await view(*args, **kwargs)

        return run_async

    @functools.wraps(view)
    def run(*args: Any, **kwargs: Any) -> Any:
        with feature(name):
            return view(*args, **kwargs)

    return run


def _celery(module: ModuleType) -> None:
    """Celery: the name of the task."""
    tokens: dict[str, Any] = {}

    def begin(task_id: str = "", task: Any = None, **_: Any) -> None:
        tokens[task_id] = enter(str(getattr(task, "name", "") or ""))

    def end(task_id: str = "", **_: Any) -> None:
        token = tokens.pop(task_id, None)
        if token is not None:
            otel_context.detach(token)

    module.task_prerun.connect(begin, weak=False, dispatch_uid="outlay")
    module.task_postrun.connect(end, weak=False, dispatch_uid="outlay")


def _rq(module: ModuleType) -> None:
    """RQ: the function of the job."""

    def around(original: Any) -> Any:
        def perform(self: Any) -> Any:
            with feature(str(getattr(self, "func_name", "") or "")):
                return original(self)

        return perform

    patch(module.Job, "perform", around, MARK)


FRAMEWORKS: dict[str, Callable[[ModuleType], None]] = {
    "celery.signals": _celery,
    "django.core.handlers.base": _django,
    "flask.app": _flask,
    "rq.job": _rq,
    "starlette.routing": _starlette,
}
"""By module, what hooks it."""
