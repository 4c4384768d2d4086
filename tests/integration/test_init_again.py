"""`init()` again, after a start by the environment and in a child: the first values stay, and that is said once."""

from __future__ import annotations

import os
from pathlib import Path

import httpx
from tests import warm_python
from tests.receiver import receiver
from tests.sdk_programs import calls

from outlay.testing import capture

FIRST = "outlay: init() was already called; the settings of the first call stay, other "
PROGRAM = """
import logging, os, sys
import outlay
from outlay.tracing.lifecycle import get_client

class Rules:
    def redact(self, text): return text

def record(name):
    outlay.record(usage={"input_tokens": 1}, model="gpt-4o", provider="openai", feature=name)

def redact(text): return text

logging.basicConfig(stream=sys.stdout, format="%(message)s")
rules = Rules()
record("before")  # starts with what the environment says, as `outlay run` does
outlay.init("shop", redact=rules.redact, headers={"X-Team": "a"})
record("first")
outlay.init("shop", redact=rules.redact, headers={"x-team": "a"})
outlay.init()
print("quiet", get_client().settings.service, flush=True)
outlay.init("books", "prod", redact=redact)
outlay.init("books")
outlay.init(environment="staging")
record("second")
sys.stdout.flush()
child = os.fork()
if not child:
    outlay.init("shop")
    outlay.init("books", service_version="2")
    record("child")
    outlay.flush()
    sys.stdout.flush()
    os._exit(0)
os.waitpid(child, 0)
outlay.init("books", service_version="2")
outlay.shutdown()
outlay.init("papers", disabled=True)
record("after the end")
print(get_client().settings.service)
"""


def test_the_first_init_wins_and_what_others_want_is_said_once(tmp_path: Path) -> None:
    with receiver() as server:
        environ = {
            **{name: value for name, value in os.environ.items() if not name.startswith(("OUTLAY_", "OTEL_"))},
            "OUTLAY_ENDPOINT": server.url.removesuffix("/hook"),
            "OUTLAY_EXIT_TIMEOUT_S": "60",
            "OUTLAY_SERVICE": "env",
            "HOME": str(tmp_path),
        }
        done = warm_python.run(PROGRAM, environ)
        assert done.stdout.splitlines() == [
            "quiet shop",
            f"{FIRST}redact, service, environment is not taken",
            f"{FIRST}service, service_version is not taken",  # the child
            f"{FIRST}service, service_version is not taken",  # its parent, which knows nothing of what it said
            f"{FIRST}service, disabled is not taken",
            "shop",
        ], done
        assert not done.stderr
        sent = calls(server)
        assert sorted(call.attributes["outlay.feature"] for call in sent) == [
            *("after the end", "before", "child", "first", "second")
        ]
        # What came before is written down at once, under the name that it has then.
        named = {call.resource["service.name"] for call in sent if call.attributes["outlay.feature"] != "before"}
        assert named == {"shop"}


def test_hooks_of_an_earlier_start_keep_quiet_once_init_wants_none() -> None:
    transport = httpx.MockTransport(lambda request: httpx.Response(200, json={"usage": {"prompt_tokens": 3}}))
    asked = {"model": "m", "messages": [], "stream": True}
    with httpx.Client(transport=transport) as client:
        with capture() as sent:
            client.post("http://x/v1/chat/completions", json=asked)
        with capture(wire=False) as unmetered:
            answer = client.post("http://x/v1/chat/completions", json=asked)
    assert len(sent.calls) == 1
    assert unmetered.calls == []
    assert b"stream_options" not in answer.request.content
