"""The examples, as a user builds and runs them."""

from __future__ import annotations

import os
import pathlib
import re
import socket
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator

import pytest
from conftest import BINDING, SANITIZERS, VALGRIND, Build

CLIENT, GUARDED = BINDING / "examples" / "client.c", BINDING / "examples" / "server.c"


def run(
    *command: str | pathlib.Path, home: pathlib.Path, browser: pathlib.Path, **more: str
) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"HOME": str(home), "BROWSER": str(browser)} | more
    environment.pop("XDG_STATE_HOME", None)
    return subprocess.run(
        [*map(str, command)], env=environment, input="y\n", capture_output=True, text=True, timeout=120
    )


def pages(browser: pathlib.Path) -> int:
    path = browser.parent / "pages"
    return len(path.read_text().splitlines()) if path.exists() else 0


@pytest.fixture
def home(tmp_path: pathlib.Path) -> pathlib.Path:
    home = tmp_path / "home"
    home.mkdir(mode=0o700)
    return home


@pytest.mark.parametrize("static", [False, True])
def test_a_client_logs_in_once(
    build: Build, server: str, browser: pathlib.Path, home: pathlib.Path, static: bool
) -> None:
    client = build(CLIENT, "-lcurl", static=static)
    first = run(client, server, home=home, browser=browser)
    assert (first.returncode, pages(browser)) == (0, 1), first.stderr
    assert '"tools"' in first.stdout
    again = run(client, server, home=home, browser=browser)
    assert (again.returncode, pages(browser)) == (0, 1), "the token is in the store"


def test_a_client_under_sanitizers(build: Build, server: str, browser: pathlib.Path, home: pathlib.Path) -> None:
    client = build(CLIENT, "-lcurl", *SANITIZERS)
    for url, code in ((server, 0), (server, 0), ("http://127.0.0.1:9/mcp", 1), ("nonsense", 1), ("https://a/#b", 1)):
        made = run(client, url, home=home, browser=browser)
        assert made.returncode == code, made.stderr
    assert run(client, home=home, browser=browser).returncode == 2


def test_a_client_under_valgrind(build: Build, server: str, browser: pathlib.Path, home: pathlib.Path) -> None:
    client = build(CLIENT, "-lcurl", "-g")
    for url, code in ((server, 0), ("http://127.0.0.1:9/mcp", 1)):
        made = run(*VALGRIND, client, url, home=home, browser=browser)
        assert made.returncode == code, made.stderr


def test_a_client_whose_user_declines(build: Build, server: str, home: pathlib.Path, tmp_path: pathlib.Path) -> None:
    nobody = tmp_path / "nobody"
    nobody.write_text('#!/bin/sh\nexit 1\n')
    nobody.chmod(0o755)
    made = run(build(CLIENT, "-lcurl", *SANITIZERS), "http://127.0.0.1:9/mcp", home=home, browser=nobody)
    assert made.returncode == 1
    assert re.search(r"not reachable|refused|connect", made.stderr), made.stderr


@pytest.fixture(params=["sanitizers", "valgrind"])
def guarded(build: Build, server: str, request: pytest.FixtureRequest) -> Iterator[str]:
    """The example's URL; its authorization server is that of the repository's example."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    issuer = authorization_server(server)
    sanitized = request.param == "sanitizers"
    program = build(GUARDED, "-lcurl", "-lmicrohttpd", *(SANITIZERS if sanitized else ("-g",)))
    command = [*(() if sanitized else VALGRIND), str(program), str(port), issuer, "files:read"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield process.stdout.readline().strip()
        finally:
            process.terminate()
            assert process.wait(30) == 0, "no error, no leak"


def authorization_server(resource: str) -> str:
    origin = re.match(r"http://[^/]+", resource)
    assert origin is not None
    with urllib.request.urlopen(f"{origin[0]}/.well-known/oauth-protected-resource/mcp", timeout=10) as answer:
        import json

        return str(json.load(answer)["authorization_servers"][0])


def test_a_guarded_server(
    build: Build, guarded: str, browser: pathlib.Path, home: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(guarded, timeout=10)
    assert refused.value.status == 401
    assert "resource_metadata=" in refused.value.headers["www-authenticate"]
    forged = urllib.request.Request(guarded, headers={"authorization": "Bearer e30.e30.e30"})
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(forged, timeout=10)
    assert refused.value.status == 401
    made = run(build(CLIENT, "-lcurl"), guarded, home=home, browser=browser)
    assert (made.returncode, pages(browser)) == (0, 1), made.stderr
    assert made.stdout == "200 hello\n\n"
