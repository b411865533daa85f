"""Proxies and certificates that no request can be made with are named at once."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from langneurons.config.errors import DataError
from langneurons.text import hub, network

VARIABLES = (*network.READ, *network.UNREAD)


@pytest.fixture(autouse=True)
def bare(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take all settings of this machine away."""
    for name in (*os.environ,):
        if name.lower().endswith("_proxy") or name in VARIABLES:
            monkeypatch.delenv(name)
    monkeypatch.setattr(network, "find_spec", lambda name: None)


@pytest.mark.parametrize(
    ("variable", "value", "message"),
    [
        ("ALL_PROXY", "socks://127.0.0.1:9/", "ALL_PROXY=socks://.*write socks5://"),
        ("all_proxy", "socks5://127.0.0.1:9", "all_proxy=.*pip install socksio"),
        ("HTTPS_PROXY", "socks5h://h:1", "pip install socksio"),
        ("HTTPS_PROXY", "ftp://h:1", "scheme 'ftp'.*allowed: http, https, socks5"),
        ("https_proxy", "http://h:port", "not an address"),
        ("http_proxy", "http://:3128", "no host is named"),
        ("SSL_CERT_FILE", "/nowhere.pem", "SSL_CERT_FILE=/nowhere.pem: there is no"),
        ("SSL_CERT_DIR", "/nowhere", "SSL_CERT_DIR=/nowhere: there is no"),
    ],
)
@pytest.mark.parametrize("kind", ["model", "dataset"])
def test_what_no_request_can_be_made_with(
    variable: str,
    value: str,
    message: str,
    kind: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.raises(DataError, match=message), hub.explained(kind, "a/b", "r"):
        pytest.fail("a request was made")


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("HTTPS_PROXY", "proxy.example:3128"),  # taken for http
        ("https_proxy", "http://me:secret@proxy.example:3128"),
        ("HTTP_PROXY", "https://proxy.example"),
        ("ALL_PROXY", ""),
        ("SSL_CERT_FILE", ""),
    ],
)
def test_usual_settings_are_used(
    variable: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, value)
    network.check()


def test_a_socks_proxy_is_used_where_its_package_is_installed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("ALL_PROXY", "socks5://127.0.0.1:9")
    monkeypatch.setattr(network, "find_spec", lambda name: name == "socksio" or None)
    network.check()


def test_proxies_that_are_switched_off_do_not_matter(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("ALL_PROXY", "socks://127.0.0.1:9")
    monkeypatch.setenv("NO_PROXY", "*")
    network.check()


def test_certificates_that_are_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    garbage = tmp_path / "ca.pem"
    garbage.write_text("no certificate\n")
    for path in (garbage, tmp_path):
        monkeypatch.setenv("SSL_CERT_FILE", str(path))
        with pytest.raises(DataError, match=r"SSL_CERT_FILE=.*PEM certificates"):
            network.check()


def test_a_password_is_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "socks://me:secret@h:1")
    with pytest.raises(DataError, match=r"HTTPS_PROXY=socks://\*\*\*@h:1") as told:
        network.check()
    assert "secret" not in str(told.value)
    monkeypatch.setenv("HTTPS_PROXY", "http://me:secret@h:1")
    assert "HTTPS_PROXY=http://***@h:1" in network.hints()
    assert "secret" not in network.hints()


def test_a_failed_request_tells_the_settings_it_went_by(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/nowhere.pem")
    with (
        pytest.raises(DataError) as told,
        hub.explained("model", "a/b", "r"),
    ):
        raise ConnectionError("Connection refused")
    message = str(told.value)
    assert "The proxy of HTTPS_PROXY=http://127.0.0.1:9 was used" in message
    assert "REQUESTS_CA_BUNDLE=/nowhere.pem: there is no such path" in message
    monkeypatch.delenv("HTTPS_PROXY")
    monkeypatch.delenv("REQUESTS_CA_BUNDLE")
    assert network.hints() == ""
    # The hub's client reads another variable than curl.
    monkeypatch.setenv("CURL_CA_BUNDLE", __file__)
    assert "CURL_CA_BUNDLE" in network.hints()
