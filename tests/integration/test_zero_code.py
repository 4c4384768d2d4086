"""Programs that know nothing of Outlay: under `outlay run` and `opentelemetry-instrument` their calls arrive, each with
a feature, and they print and exit as they do without."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
from collections import Counter
from collections.abc import Iterator
from importlib.metadata import entry_points
from pathlib import Path

import pytest
from tests.fake_provider import FakeProvider
from tests.receiver import Received, receiver
from tests.sdk_programs import ROOT, features_of, spans

from outlay.zero_code import run

ASK = """
import os, urllib3
def ask(word="hi"):
    body = {"model": "gpt-4o", "messages": [{"role": "user", "content": word}]}
    url = os.environ["PROVIDER"] + "/v1/chat/completions"
    return urllib3.PoolManager().request("POST", url, json=body).json()["id"]
"""


@pytest.fixture(scope="module")
def provider() -> Iterator[FakeProvider]:
    with FakeProvider() as made:
        yield made


@pytest.fixture
def server() -> Iterator[Received]:
    with receiver() as made:
        yield made


def start(folder: Path, *command: str, server: Received, provider: FakeProvider, **more: str) -> tuple[int, str, str]:
    """Run to the end; its exit code, what it printed and what it said on stderr."""
    paths = os.pathsep.join([str(folder), *(entry for entry in sys.path if entry)])
    environ = {
        **{name: value for name, value in os.environ.items() if not name.startswith(("OUTLAY_", "OTEL_"))},
        "PYTHONPATH": paths,
        "OUTLAY_ENDPOINT": server.url.removesuffix("/hook"),
        "OUTLAY_EXIT_TIMEOUT_S": "60",
        "PROVIDER": provider.url,
        "HOME": str(folder),
        **more,
    }
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, env=environ, cwd=folder)
    return done.returncode, done.stdout, done.stderr


def outlay_run(*words: str) -> tuple[str, ...]:
    return (sys.executable, "-W", "ignore", "-m", "outlay_web", "run", *words)


def test_a_program_runs_as_without_and_its_calls_arrive(
    tmp_path: Path, server: Received, provider: FakeProvider
) -> None:
    (tmp_path / "sitecustomize.py").write_text("import sys; sys.own_site = True\n")
    (tmp_path / "work.py").write_text(ASK + "class Desk:\n    @staticmethod\n    def triage(): return ask()\n")
    program = tmp_path / "app.py"
    program.write_text(
        "import sys, work\nprint(sys.argv[1:], sys.own_site, 'outlay' in sys.modules)\n"
        "work.ask(); work.Desk.triage()\nprint('err', file=sys.stderr)\nsys.exit(5)\n"
    )
    features = "--features=work:Desk.triage=triage, nonsense, work:gone, app:main"
    words = ("--service", "shop", features, "--", str(program), "--x", "1")
    code, out, err = start(tmp_path, *outlay_run(*words), server=server, provider=provider)
    assert (code, out) == (5, "['--x', '1'] True True\n"), err
    assert [line for line in err.splitlines() if "OUTLAY_FEATURES" not in line] == ["err"]
    assert ["'nonsense'" in err, "no gone in work" in err] == [True, True]
    assert err.count("app is the program itself, which nobody imports") == 1
    assert Counter(features_of(server)) == {"": 1, "triage": 1}
    assert {span.resource["service.name"] for span in spans(server)} == {"shop"}
    plain = start(tmp_path, sys.executable, str(program), "--x", "1", server=server, provider=provider)
    assert plain == (5, "['--x', '1'] True False\n", "err\n")


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("--",), 2, "there is no command"),
        (("--servce", "x", "--", "true"), 2, "unknown option '--servce'"),
        (("--service",), 2, "--service needs a value"),
        (("--", "no-such-program"), 127, "no-such-program: not found"),
        (("--", str(ROOT / "docs")), 126, "not executable"),
    ],
)
def test_a_wrong_command_line_is_told(
    capsys: pytest.CaptureFixture[str], words: tuple[str, ...], code: int, said: str
) -> None:
    with pytest.raises(SystemExit) as left:
        run.main(words)
    assert (left.value.code, said in capsys.readouterr().err) == (code, True)


@pytest.mark.parametrize(
    ("command", "flag"),
    [
        ("python -I app.py", "-I"),
        ("/usr/bin/python3.11 -W ignore -uE -m app", "-E"),
        ("python -X dev -S app.py", "-S"),
        ("python -m app -S", ""),
        ("python app.py -I", ""),
        ("python -c -I", ""),
        ("gunicorn -E app", ""),
    ],
)
def test_a_python_that_cannot_be_metered_is_told_apart(command: str, flag: str) -> None:
    assert run.leaves_out(command.split()) == flag


@pytest.mark.parametrize("wire", ["true", "false"])
def test_a_program_that_imports_outlay_for_its_tags_is_metered_all_the_same(
    tmp_path: Path, server: Received, provider: FakeProvider, wire: str
) -> None:
    """Its functions of OUTLAY_FEATURES are tracked once, with `init()` and without, also where the wire is not."""
    (tmp_path / "work.py").write_text(
        ASK + "import outlay\n@outlay.track(feature='said')\ndef said(): return ask()\n"
        "@outlay.track(plan='pro')\ndef bare(): return ask()\n"
    )
    program = tmp_path / "app.py"
    program.write_text(
        "import outlay, work\nwork.ask()\nwork.said()\nwork.bare()\noutlay.init(service='shop')\nwork.ask()\n"
    )
    features = "--features=work:ask=asked,work:said=other,work:bare=named"
    command = outlay_run(features, "--", str(program))
    code, _, err = start(tmp_path, *command, server=server, provider=provider, OUTLAY_WIRE=wire)
    assert code == 0, err
    tracked = [span for span in spans(server) if "gen_ai.operation.name" not in span.attributes]
    found = Counter((span.name, span.attributes["outlay.feature"]) for span in tracked)
    # a feature that is in force stays; what is said by the code wins
    assert found == {("ask", "asked"): 4, ("said", "said"): 1, ("bare", "named"): 1}
    assert len(spans(server)) - len(tracked) == (4 if wire == "true" else 0)


def test_help_is_printed_and_lists_every_option(capsys: pytest.CaptureFixture[str]) -> None:
    run.main(["--help"])
    said = capsys.readouterr().out
    assert [option for option in (*run.OPTIONS, "COMMAND") if option not in said] == []


FRAMEWORKS = {
    "fastapi": (
        """
import fastapi, fastapi.testclient
from app_calls import ask
app, inner = fastapi.FastAPI(), fastapi.FastAPI()
@app.get("/items/{number}")
def one(number: int): return ask()
@app.post("/async")
async def two(): return ask()
@inner.get("/in/{x}")
def three(x: str): return ask()
app.mount("/mounted", inner)
client = fastapi.testclient.TestClient(app)
client.get("/items/7"); client.post("/async"); client.get("/mounted/in/a"); client.get("/nowhere")
""",
        {"/items/{number}": 1, "/async": 1, "/mounted/in/{x}": 1},
    ),
    "flask": (
        """
import flask
import outlay
from app_calls import ask
app = flask.Flask("shop")
@app.get("/items/<int:number>")
def one(number): return ask()
@app.get("/named")
def two():
    with outlay.track(feature="named"): return ask()
with app.test_client() as client:
    client.get("/items/7"); client.get("/named"); client.get("/nowhere")
""",
        {"/items/<int:number>": 1, "named": 1},
    ),
    "django": (
        """
import django
from django.conf import settings
settings.configure(ROOT_URLCONF=__name__, ALLOWED_HOSTS=["*"], SECRET_KEY="x", DEBUG=False)
django.setup()
from django.http import HttpResponse
from django.test import Client
from django.urls import path
from app_calls import ask
def one(request, number): return HttpResponse(ask())
async def two(request): return HttpResponse(ask())
urlpatterns = [path("items/<int:number>", one), path("async", two)]
Client().get("/items/7"); Client().get("/async"); Client().get("/nowhere")
""",
        {"/items/<int:number>": 1, "/async": 1},
    ),
    "celery": (
        """
import celery
from app_calls import ask
app = celery.Celery("shop", broker="memory://")
@app.task(name="shop.digest")
def digest(): return ask()
digest.apply().get()
""",
        {"shop.digest": 1},
    ),
}


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_a_framework_s_routes_and_tasks_are_features(
    tmp_path: Path, server: Received, provider: FakeProvider, framework: str
) -> None:
    program, expected = FRAMEWORKS[framework]
    (tmp_path / "app_calls.py").write_text(ASK)
    (tmp_path / "app.py").write_text(program)
    code, _, err = start(tmp_path, *outlay_run("--", "app.py"), server=server, provider=provider)
    assert code == 0, err
    assert Counter(features_of(server)) == expected


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Outlay's entry points, as an installation has them."""
    folder = tmp_path_factory.mktemp("installed")
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    info = folder / f"outlay-{project['version']}.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: outlay\nVersion: {project['version']}\n")
    lines = []
    for group, entries in project["entry-points"].items():
        lines += [f"[{group}]", *(f"{name} = {value}" for name, value in entries.items())]
    (info / "entry_points.txt").write_text("\n".join(lines) + "\n")
    return folder


@pytest.mark.parametrize(("distro", "exporter"), [("outlay", ""), ("", "none"), ("", "outlay")])
def test_opentelemetrys_launcher_finds_outlay(
    tmp_path: Path, installed: Path, server: Received, provider: FakeProvider, distro: str, exporter: str
) -> None:
    theirs = "from opentelemetry import trace\ntrace.get_tracer('theirs').start_span('theirs').end()\n"
    (tmp_path / "app.py").write_text(ASK + "print(ask() != '')\n" + theirs * (exporter == "outlay"))
    launcher = "from opentelemetry.instrumentation.auto_instrumentation import run; run()"
    others = {entry.name for entry in entry_points(group="opentelemetry_instrumentor")} - {"outlay"}
    # Once beside all that is installed, each of which imports what it instruments.
    more = {} if exporter == "none" else {"OTEL_PYTHON_DISABLED_INSTRUMENTATIONS": ",".join(others)}
    more |= {"OTEL_PYTHON_DISTRO": distro} if distro else {}
    if exporter:
        more |= {"OTEL_TRACES_EXPORTER": exporter, "OTEL_METRICS_EXPORTER": "none", "OTEL_LOGS_EXPORTER": "none"}
    paths = os.pathsep.join([str(installed), str(tmp_path), *(entry for entry in sys.path if entry)])
    command = (sys.executable, "-W", "ignore", "-c", launcher, sys.executable, "app.py")
    code, out, err = start(
        tmp_path,
        *command,
        server=server,
        provider=provider,
        PYTHONPATH=paths,
        OTEL_SERVICE_NAME="shop",
        **more,
    )
    assert (code, out) == (0, "True\n"), err
    # What the exporter gets beside the processor is queued once.
    assert sorted(span.name for span in spans(server)) == ["chat gpt-4o", *["theirs"] * (exporter == "outlay")]
    assert spans(server)[0].resource["service.name"] == "shop"
