"""Network settings of the machine: proxies and certificates, from the environment.

HTTP clients read them when they are made, and say what they dislike by a traceback, or
after half a minute of retries. So they are looked at before the hub is asked.
"""

from __future__ import annotations

import os
import ssl
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import getproxies_environment

from langneurons.config.errors import DataError

SCHEMES = ("http", "https", "socks5", "socks5h")
"""Proxies that httpx, the hub's HTTP client, knows."""

PROXIES = ("https", "http", "all")
READ = ("SSL_CERT_FILE", "SSL_CERT_DIR")
"""Variables that name certificates to the hub's client."""

UNREAD = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
"""Variables that name certificates to other programs, and to older clients."""


def check() -> None:
    """Refuse settings with which no request can be made.

    Raises:
        DataError: names the variable, its value without a password, and the remedy.
    """
    for variable, value in _proxies().items():
        _check_proxy(variable, value)
    for variable in READ:
        if fault := _certificate_fault(variable):
            raise DataError(fault)


def hints() -> str:
    """Say which settings a failed request went by; ``""`` if there are none."""
    found = [f"{k}={_without_password(v)}" for k, v in _proxies().items()]
    said = f" The proxy of {', '.join(found)} was used; does it answer?" * bool(found)
    for variable in UNREAD:
        if fault := _certificate_fault(variable):
            said += f" {fault}."
        elif os.environ.get(variable) and not os.environ.get("SSL_CERT_FILE"):
            said += (
                f" The hub's client does not read {variable}; if certificates are the "
                "fault, set SSL_CERT_FILE to the same file."
            )
    return said


def _proxies() -> dict[str, str]:
    """Return the proxies that are set: name of the variable -> its value."""
    given = getproxies_environment()
    if "*" in [host.strip() for host in given.get("no", "").split(",")]:
        return {}
    found = {}
    for kind in PROXIES:
        if value := given.get(kind):
            lower = f"{kind}_proxy"
            found[lower if os.environ.get(lower) else lower.upper()] = value
    return found


def _check_proxy(variable: str, value: str) -> None:
    # Without a scheme, clients take it for http.
    address = value if "://" in value else f"http://{value}"
    said = f"proxy setting {variable}={_without_password(value)}"
    try:
        parts = urlsplit(address)
        scheme, host, _ = parts.scheme.lower(), parts.hostname, parts.port
    except ValueError as error:
        raise DataError(f"{said}: not an address ({error})") from error
    if scheme == "socks":
        raise DataError(f"{said}: 'socks' is no scheme of a proxy; write socks5://")
    if scheme not in SCHEMES:
        raise DataError(
            f"{said}: a proxy of scheme {scheme!r} cannot be used; allowed: "
            f"{', '.join(SCHEMES)}"
        )
    if not host:
        raise DataError(f"{said}: no host is named; write for example http://host:3128")
    if scheme.startswith("socks") and find_spec("socksio") is None:
        raise DataError(
            f"{said}: a SOCKS proxy needs the Python package 'socksio', which is not "
            "installed; try: pip install socksio"
        )


def _without_password(value: str) -> str:
    """Hide user and password of a proxy's address."""
    start, scheme, rest = value.rpartition("://")
    _, at, host = rest.rpartition("@")
    return f"{start}{scheme}***@{host}" if at else value


def _certificate_fault(variable: str) -> str:
    """Say what is wrong with the certificates that a variable names, or ``""``."""
    value = os.environ.get(variable)
    if not value or (variable == READ[1] and os.environ.get(READ[0])):
        return ""  # the folder counts only where no file is named
    said = f"certificate setting {variable}={value}"
    folders = variable == READ[1]
    for part in value.split(os.pathsep) if folders else [value]:
        if not Path(part).exists():
            return f"{said}: there is no such path; correct it, or unset it"
    if folders or (Path(value).is_dir() and variable in UNREAD):
        return ""
    try:
        ssl.create_default_context(cafile=value)
    except OSError as error:  # ssl.SSLError is one
        reason = error.strerror or error
        return (
            f"{said}: cannot be read as a file of PEM certificates ({reason}); correct "
            "it, or unset it"
        )
    return ""
