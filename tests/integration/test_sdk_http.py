"""What the SDK asks servers with: proxies of the environment, whom it trusts, and what it says where it cannot ask."""

from __future__ import annotations

import base64
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.certificates import certificate
from tests.receiver import Received, receiver

from outlay._http import Http, Reply, proxy_for, trust
from outlay.errors import NoAnswer
from outlay.settings import Settings

PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY")
AUTHORITIES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE", "SSL_CERT_DIR")


@pytest.fixture(autouse=True)
def plain(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the variables of whoever runs the tests."""
    for name in (*PROXIES, *map(str.lower, PROXIES), *AUTHORITIES):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def served() -> Iterator[Received]:
    with receiver() as server:
        yield server


def settings(**environ: str) -> Settings:
    return Settings.from_env(environ)


def post(url: str, http: Http | None = None, **headers: str) -> Reply:
    return (http or Http(settings())).request("POST", url, headers, b"body", timeout_s=60)


def basic(words: str) -> str:
    return "Basic " + base64.b64encode(words.encode()).decode()


@pytest.mark.parametrize(
    ("url", "no_proxy", "proxy"),
    [
        ("http://outlay.test:4318/v1/traces", "", "http://plain.test:3128"),  # without a scheme, as curl takes it, too
        ("https://outlay.test/v1/traces", "", "http://safe.test:3128"),
        ("https://outlay.test/v1/traces", "outlay.test", ""),
        ("https://api.outlay.test/v1/traces", ".outlay.test", ""),
        ("https://outlay.test:8443/v1/traces", "outlay.test:8443", ""),
        ("https://outlay.test:8443/v1/traces", "outlay.test:443", "http://safe.test:3128"),
        ("https://10.1.2.3/v1/traces", "localhost, 10.0.0.0/8", ""),
        ("https://10.1.2.3/v1/traces", "no/network, 10.0.0.0/8", ""),
        ("https://11.1.2.3/v1/traces", "localhost, 10.0.0.0/8", "http://safe.test:3128"),
        ("https://user:secret@outlay.test/v1/traces", "outlay.test", ""),
        ("https://outlay.test/v1/traces", "*", ""),
        ("http://localhost:4318/v1/traces", "", ""),
        ("http://127.0.0.1:4318/v1/traces", "", ""),
        ("http://[::1]:4318/v1/traces", "", ""),
    ],
)
def test_the_way_leads_over_the_proxy_that_the_environment_names(
    url: str, no_proxy: str, proxy: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", "plain.test:3128")
    monkeypatch.setenv("HTTPS_PROXY", "http://safe.test:3128")
    monkeypatch.setenv("NO_PROXY", no_proxy)
    assert proxy_for(url) == proxy


def test_one_proxy_may_be_for_everything_and_says_who_asks(served: Received, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALL_PROXY", f"http://me:p%40ss@127.0.0.1:{served.port}")
    assert post("http://outlay.test:4318/v1/traces", authorization="Bearer key").status == 200
    assert served.paths == ["http://outlay.test:4318/v1/traces"]
    (said,) = served.headers
    assert (said["proxy-authorization"], said["authorization"]) == (basic("me:p@ss"), "Bearer key")


def test_a_proxy_that_refuses_or_needs_a_package_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    with receiver() as refusing:  # answers CONNECT with 501
        monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{refusing.port}")
        with pytest.raises(NoAnswer, match=r"outlay.test: Tunnel connection failed: 501"):
            post("https://outlay.test/v1/traces")
    monkeypatch.setenv("HTTPS_PROXY", "socks5://127.0.0.1:1080")
    monkeypatch.setitem(sys.modules, "socks", None)
    monkeypatch.delitem(sys.modules, "urllib3.contrib.socks", raising=False)
    with pytest.raises(NoAnswer, match=r"127.0.0.1 speaks SOCKS: pip install pysocks"), pytest.warns(match="SOCKS"):
        post("https://outlay.test/v1/traces")


def test_a_key_is_not_sent_on_to_where_a_server_points(served: Received) -> None:
    with receiver() as elsewhere:
        served.status, served.location = 307, elsewhere.url
        assert post(served.url, authorization="Bearer key").status == 307
        assert elsewhere.headers == []


def test_a_name_and_password_in_the_url_are_said_unless_a_header_says_who_asks(served: Received) -> None:
    url = f"http://me:p%40ss@127.0.0.1:{served.port}/hook"
    post(url)
    post(url, authorization="Bearer key")
    assert [one["authorization"] for one in served.headers] == [basic("me:p@ss"), "Bearer key"]


def test_a_server_that_is_gone_is_told() -> None:
    with receiver() as server:
        assert post(server.url).status == 200
    with pytest.raises(NoAnswer, match=r"127.0.0.1: .*refused"):
        post(server.url)


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("localhost:4318/v1/traces", "localhost:4318/v1/traces: its URL begins with neither http:// nor https://"),
        ("http://[bad/v1/traces", "Invalid IPv6 URL"),
        ("http://my host/v1/traces", "my host: Failed to parse"),
    ],
)
def test_what_is_no_url_is_told(url: str, why: str) -> None:
    with pytest.raises(NoAnswer, match=why):
        post(url)


def test_a_system_without_authorities_trusts_those_of_certifi_or_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "empty").mkdir()
    monkeypatch.setenv("SSL_CERT_DIR", str(tmp_path / "empty"))
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "none.pem"))
    assert trust(settings()).cert_store_stats()["x509_ca"] > 10
    monkeypatch.setitem(sys.modules, "certifi", None)
    with pytest.raises(NoAnswer, match=r"install ca-certificates, or `pip install certifi`, or .* OUTLAY_CERTIFICATE"):
        trust(settings())


@pytest.mark.parametrize(
    ("environ", "named"),
    [
        ({"OUTLAY_CERTIFICATE": "/none.pem"}, "OUTLAY_CERTIFICATE=/none.pem: no certificates there .No such file"),
        ({"REQUESTS_CA_BUNDLE": "/none.pem"}, "REQUESTS_CA_BUNDLE=/none.pem: no certificates there"),
        ({"OUTLAY_CLIENT_CERTIFICATE": "/none.pem"}, "OUTLAY_CLIENT_CERTIFICATE=/none.pem, .*No such file"),
    ],
)
def test_a_file_of_certificates_that_is_not_there_is_named(
    environ: dict[str, str], named: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(NoAnswer, match=named) as told:
        trust(settings(**environ))
    assert told.value.is_trust


def test_an_encrypted_key_does_not_make_the_application_wait_at_a_terminal(tmp_path: Path) -> None:
    certificate(tmp_path, "own", password=b"secret")
    own = {"OUTLAY_CLIENT_CERTIFICATE": str(tmp_path / "own.pem"), "OUTLAY_CLIENT_KEY": str(tmp_path / "own.key")}
    with pytest.raises(NoAnswer, match=r"own.key: the key is encrypted, and there is nobody to ask"):
        trust(settings(**own))
