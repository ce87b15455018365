"""The client and the guard in C with authorization servers that others wrote, and with Grantor's own."""

from __future__ import annotations

import json
import os
import pathlib
import re
import socket
import subprocess
import sys
from collections.abc import Iterator

import pytest
from conftest import BINDING, ROOT, Build

CLIENT, GUARDED = BINDING / "examples" / "client.c", BINDING / "examples" / "server.c"


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def browser(at: pathlib.Path, code: str) -> str:
    """A program for `$BROWSER` that is given the page's URL as `page`."""
    path = str(ROOT / "tests" / "authorization_server")
    told = f"import sys\nsys.stderr = open({str(at)!r} + '.log', 'w')\nsys.path.insert(0, {path!r})\npage = sys.argv[1]\n"
    at.write_text(f"#!{sys.executable}\n{told}{code}")
    at.chmod(0o755)
    return str(at)


def list_tools(client: pathlib.Path, url: str, browser: str, home: pathlib.Path) -> subprocess.CompletedProcess[str]:
    home.mkdir(mode=0o700, exist_ok=True)
    environment = os.environ | {"HOME": str(home), "BROWSER": browser}
    environment.pop("XDG_STATE_HOME", None)
    try:
        return subprocess.run([client, url], env=environment, input="y\n", capture_output=True, text=True, timeout=60)
    except subprocess.TimeoutExpired as expired:
        raise AssertionError(f"{expired.stderr!r}; the browser: {pathlib.Path(f'{browser}.log').read_text()}") from expired


def test_grantors_own_authorization_server(build: Build, tmp_path: pathlib.Path) -> None:
    """The client, the guard and the authorization server are all Grantor's; two of them are in C."""
    import server as own

    port = free_port()
    resource = f"http://127.0.0.1:{port}/mcp"
    guarded = build(GUARDED, "-lcurl", "-lmicrohttpd")
    guarded = guarded.rename(tmp_path / "guarded")
    client = build(CLIENT, "-lcurl")
    code = f"from user import User\nuser = User({own.USER!r}, {own.PASSWORD!r})\nuser.fetch(user.authorize(page))\n"
    user = browser(tmp_path / "browser", code)
    with own.running(resource=resource) as issuer:
        with subprocess.Popen([guarded, str(port), issuer, "notes:read"], stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            try:
                assert process.stdout.readline().strip() == resource
                for _ in range(2):
                    made = list_tools(client, resource, user, tmp_path / "home")
                    assert (made.returncode, made.stdout) == (0, "200 hello\n\n"), made.stderr
            finally:
                process.terminate()
                assert process.wait(10) == 0


@pytest.fixture
def oidc_provider() -> Iterator[str]:
    """The URL of an MCP server behind npm oidc-provider."""
    command = ["node", str(ROOT / "tests" / "interop" / "oidc-provider.mjs"), "{}"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None and process.stdin is not None
        try:
            yield str(json.loads(process.stdout.readline())["resource"])
        finally:
            process.stdin.close()
            process.wait(10)


AGREE = """
import http.cookiejar, re, urllib.parse, urllib.request
jar = urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar())
opener = urllib.request.build_opener(jar)
answer = opener.open(page, timeout=10)
for _ in range(6):
    body = answer.read().decode()
    form = re.search(r'<form[^>]*action="([^"]+)"', body)
    if form is None:
        break
    fields = dict(re.findall(r'<input[^>]*name="([^"]+)"[^>]*value="([^"]*)"', body))
    fields |= {"login": "alice", "password": "secret"} if 'name="login"' in body else {}
    action = urllib.parse.urljoin(answer.url, form[1])
    answer = opener.open(action, urllib.parse.urlencode(fields).encode(), timeout=10)
"""


def test_oidc_provider(build: Build, oidc_provider: str, tmp_path: pathlib.Path) -> None:
    client = build(CLIENT, "-lcurl")
    user = browser(tmp_path / "browser", AGREE)
    for _ in range(2):
        made = list_tools(client, oidc_provider, user, tmp_path / "home")
        assert made.returncode == 0, made.stderr
        assert re.match(r"200 ", made.stdout), made.stdout
