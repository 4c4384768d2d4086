"""HTTP to a server of ours: connections that are kept, trust and proxies as the settings and the environment have them.

On urllib3, which most applications have. Its own retries and redirects are off: who sends decides what is tried
again, and a key goes nowhere but where it was meant to. All of it is imported by the thread that sends first.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from ipaddress import ip_address, ip_network
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import unquote, urlsplit

from outlay.errors import NoAnswer
from outlay.settings import Settings

if TYPE_CHECKING:
    from ssl import SSLContext

CONNECT_TIMEOUT_S = 3.0
BUNDLES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
"""Variables that name certificates to trust; `SSL_CERT_FILE` and `SSL_CERT_DIR` are read by OpenSSL itself."""


class Reply(NamedTuple):
    """What a server said; the names of its headers in any case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Http:
    """Keeps connections, and may be asked from several threads."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._pools: dict[tuple[str, bool], Any] = {}
        self._context: SSLContext | None = None

    def request(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes | None = None, *, timeout_s: float
    ) -> Reply:
        """One request, tried once.

        Raises:
            NoAnswer: Where nobody answers, or who does is not trusted.
        """
        import urllib3

        host = url.rpartition("@")[2]
        timeout = urllib3.Timeout(connect=min(timeout_s, CONNECT_TIMEOUT_S), read=timeout_s)
        try:
            host = urlsplit(url).hostname or host
            sent = {"user-agent": "outlay-python", **_authorization(url), **headers}
            how: Any = {"timeout": timeout, "retries": False, "redirect": False}
            answer = self._pool(url).urlopen(method, url, body=body, headers=sent, **how)
        except NoAnswer:
            raise
        except urllib3.exceptions.SSLError as error:
            raise NoAnswer(_distrust(host, error), is_trust=True) from error
        except (urllib3.exceptions.HTTPError, OSError, ValueError) as error:
            raise NoAnswer(f"{host}: {error.__cause__ or error}") from error
        return Reply(answer.status, answer.headers, answer.data)

    def _pool(self, url: str) -> Any:
        """What makes and keeps the connections on the way to `url`."""
        import urllib3

        schemes = {urlsplit(url).scheme}
        if not schemes <= {"http", "https"}:
            raise ValueError("its URL begins with neither http:// nor https://")
        proxy = proxy_for(url)
        schemes.add(urlsplit(proxy).scheme)
        is_safe = "https" in schemes
        if (proxy, is_safe) not in self._pools:
            own: dict[str, Any] = {"ssl_context": self._trust()} if is_safe else {}
            if not proxy:
                pool: Any = urllib3.PoolManager(**own)
            elif proxy.startswith("socks"):
                pool = _socks(proxy, own)
            else:
                more = {"proxy_ssl_context": own["ssl_context"]} if own else {}
                pool = urllib3.ProxyManager(proxy, proxy_headers=_proxy_headers(proxy), **own, **more)
            self._pools[proxy, is_safe] = pool
        return self._pools[proxy, is_safe]

    def _trust(self) -> SSLContext:
        if self._context is None:
            self._context = trust(self._settings)
        return self._context


def prepare() -> None:
    """Import what a request needs."""
    import ssl  # noqa: F401

    import urllib3  # noqa: F401


def trust(settings: Settings) -> SSLContext:
    """Whom we trust, and by what we are known ourselves.

    Trusted are the settings' certificates alone, else those that a variable of `BUNDLES` names, else the system's. A
    system without any, as slim containers and some Pythons of macOS are, has those of certifi where that is installed.

    Raises:
        NoAnswer: If a file cannot be read, or there is nobody to trust.
    """
    import ssl

    named = next((name for name in BUNDLES if os.environ.get(name)), "")
    bundle = settings.certificate or os.environ.get(named, "")
    try:
        if bundle and os.path.isdir(bundle):
            context = ssl.create_default_context(capath=bundle)
        else:
            context = ssl.create_default_context(cafile=bundle or None)
    except OSError as error:
        what = "OUTLAY_CERTIFICATE" if settings.certificate else named
        raise NoAnswer(f"{what}={bundle}: no certificates there ({_reason(error)})", is_trust=True) from error
    if not bundle and not _has_authorities(context):
        context.load_verify_locations(cafile=_of_certifi())
    if settings.client_certificate:
        own = settings.client_certificate, settings.client_key or None
        try:
            context.load_cert_chain(*own, password=_no_password)
        except OSError as error:
            message = f"OUTLAY_CLIENT_CERTIFICATE={own[0]}, OUTLAY_CLIENT_KEY={own[1] or ''}: {_reason(error)}"
            raise NoAnswer(message, is_trust=True) from error
    return context


def _has_authorities(context: SSLContext) -> bool:
    """Whether the system has certificates of authorities; those of a folder are read when they are looked for."""
    import ssl

    if context.cert_store_stats()["x509_ca"]:
        return True
    folder = ssl.get_default_verify_paths().capath
    try:
        return bool(folder and os.listdir(folder))
    except OSError:
        return False


def _of_certifi() -> str:
    try:
        import certifi
    except ImportError:
        raise NoAnswer(
            "this system has no certificates of authorities, so that no https server can be trusted: install "
            "ca-certificates, or `pip install certifi`, or name the server's in OUTLAY_CERTIFICATE",
            is_trust=True,
        ) from None
    return certifi.where()


def _no_password() -> str:
    """OpenSSL would ask for it on the terminal."""
    raise OSError("the key is encrypted, and there is nobody to ask for its password")


def _reason(error: OSError) -> str:
    return error.strerror or str(error)


def _distrust(host: str, error: Exception) -> str:
    why = getattr(error.args[0] if error.args else None, "verify_message", "") or str(error)
    return f"{host} is not trusted ({why}); name the file with its authority's certificate in OUTLAY_CERTIFICATE"


def proxy_for(url: str) -> str:
    """The proxy on the way to `url` by the environment (`HTTPS_PROXY`, `ALL_PROXY`, `NO_PROXY` …); empty for none.

    `NO_PROXY` may name networks, too (`10.0.0.0/8`). A server on this machine is asked directly, always.
    """
    from urllib.request import getproxies, proxy_bypass

    found = getproxies()
    parts = urlsplit(url)
    if _is_here(parts.hostname or ""):
        return ""
    proxy = found.get(parts.scheme) or found.get("all") or ""
    if not proxy or proxy_bypass(parts.netloc.rpartition("@")[2]) or _in_networks(parts.hostname, found.get("no", "")):
        return ""
    return proxy if "://" in proxy else f"http://{proxy}"


def _is_here(host: str) -> bool:
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def _in_networks(host: str | None, names: str) -> bool:
    return any(_is_in(host or "", name.strip()) for name in names.split(",") if "/" in name)


def _is_in(host: str, network: str) -> bool:
    """Whether an address lies in a network; a name does not, and nothing lies in what is none."""
    try:
        return ip_address(host) in ip_network(network, strict=False)
    except ValueError:
        return False


def _authorization(url: str) -> dict[str, str]:
    from urllib3.util import make_headers

    user, password = urlsplit(url).username, urlsplit(url).password
    return make_headers(basic_auth=f"{unquote(user)}:{unquote(password or '')}") if user else {}


def _proxy_headers(proxy: str) -> dict[str, str]:
    return {f"proxy-{name}": value for name, value in _authorization(proxy).items()}


def _socks(proxy: str, own: dict[str, Any]) -> Any:
    try:
        from urllib3.contrib.socks import SOCKSProxyManager
    except ImportError:
        raise NoAnswer(f"the proxy {urlsplit(proxy).hostname} speaks SOCKS: pip install pysocks") from None
    return SOCKSProxyManager(proxy, **own)
