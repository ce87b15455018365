"""The Guard: the machine, the ASGI middleware, and what the MCP SDK takes."""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import json
import os
import pathlib
import re
import subprocess
import sys
import threading
from collections.abc import Callable
from typing import Any

import httpx2
import pytest
from mcp.server.auth.provider import AccessToken

import grantor
import grantor.httpx2
from grantor import Allow, Answer, AuthorizationServer, CheckAgain, CheckToken, Config, GuardConfig, Need, NeedBody
from grantor.asgi import Checks, Guarded
from grantor.mcp import TokenVerifier

ROOT = pathlib.Path(__file__).resolve().parents[3]
RESOURCE = "https://mcp.example.com/mcp"
HEADERS = {"content-type": "application/json", "accept": "application/json, text/event-stream"}
BEARER = [("authorization", "Bearer opaque")]


def host_checked(**options: Any) -> GuardConfig:
    return GuardConfig(RESOURCE, AuthorizationServer("https://as.example.com", tokens="host"), **options)


def call(tool: str) -> bytes:
    params = {"name": tool, "arguments": {}}
    return json.dumps({"jsonrpc": "2.0", "id": 7, "method": "tools/call", "params": params}).encode()


async def check(token: str) -> str | None:
    scopes = {"reader": "files:read", "writer": "files:read files:write"}.get(token)
    return scopes and json.dumps({"sub": "alice", "client_id": "c1", "aud": RESOURCE, "scope": scopes})


def test_a_request_without_a_token_is_challenged() -> None:
    guard = grantor.Guard(host_checked(every="files:read", realm="files"))
    match guard.check("POST", "/mcp", []):
        case Answer(401, headers, body, "no_token", _):
            challenge = dict(headers)["www-authenticate"]
            assert 'realm="files"' in challenge and 'scope="files:read"' in challenge
            assert "resource_metadata=" in challenge and json.loads(body)["error"]
        case other:
            raise AssertionError(other)
    metadata = guard.check("GET", guard.metadata_path, [])
    assert isinstance(metadata, Answer) and metadata.status == 200
    assert json.loads(metadata.body)["authorization_servers"] == ["https://as.example.com"]


def test_effects_go_out_and_answers_come_in() -> None:
    guard = grantor.Guard(host_checked())
    waiting = guard.check("GET", "/mcp", BEARER)
    assert isinstance(waiting, CheckAgain)
    (perform,) = [output for output in guard if isinstance(output, grantor.Perform)]
    assert isinstance(perform.effect, CheckToken) and perform.effect.token == "opaque"
    assert "opaque" not in repr(perform)
    guard.complete(perform.op, grantor.TokenChecked(json.dumps({"sub": "alice", "scope": "a b", "aud": RESOURCE})))
    assert [output for output in guard if isinstance(output, grantor.Ready)] == [grantor.Ready(waiting.check)]
    match guard.check("GET", "/mcp", BEARER):
        case Allow(grantor.Grant(issuer="https://as.example.com", subject="alice", scopes=("a", "b"))):
            pass
        case other:
            raise AssertionError(other)


def test_wrong_configurations_are_told() -> None:
    wrong: list[Callable[[], object]] = [
        lambda: GuardConfig("nowhere", "https://as.example.com"),
        lambda: GuardConfig(RESOURCE, []),
        lambda: host_checked(tools={"x": ""}),
        lambda: host_checked(tools={"x": Need(["a"], any_of="b")}),
        lambda: host_checked(challenge="most"),
    ]
    for make in wrong:
        with pytest.raises(grantor.ConfigurationError):
            make()
    with pytest.raises(grantor.MisuseError):
        grantor.Guard(host_checked()).complete(7, grantor.TokenChecked(None))
    with pytest.raises(ValueError):
        grantor.Guard(host_checked()).check("G T", "/mcp", [])


def test_rules_are_printed() -> None:
    tools = {"write_*": "files:write", "drop": Need(any_of="admin root", max_age_s=60), "ping": Need.public()}
    printed = grantor.Guard(host_checked(every="mcp:use", tools=tools, otherwise=Need.nobody())).policy
    assert "| tool `write_*` | `mcp:use` and `files:write` |" in printed
    assert "authenticated at most 60 s ago" in printed and "no token suffices" in printed


# ASGI.


async def app(scope: Any, receive: Any, send: Any) -> None:
    """Says whose request it is, and what was in it."""
    body, more = b"", True
    while more:
        message = await receive()
        body, more = body + message.get("body", b""), message.get("more_body", False)
    grant = scope["state"]["grant"]
    said = json.dumps({"subject": grant and grant.subject, "body": body.decode()}).encode()
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"application/json")]})
    await send({"type": "http.response.body", "body": said})


def post(guarded: Guarded, token: str | None, body: bytes, **headers: str) -> httpx2.Response:
    async def go() -> httpx2.Response:
        transport = httpx2.ASGITransport(app=guarded)
        async with httpx2.AsyncClient(transport=transport) as client:
            authorization = {"authorization": f"Bearer {token}"} if token else {}
            return await client.post(RESOURCE, content=body, headers=HEADERS | authorization | headers)

    return asyncio.run(go())


def test_scopes_for_each_tool() -> None:
    config = host_checked(tools={"read_*": "files:read", "write_*": "files:write"})
    guarded = Guarded(app, Checks(config, check_token=check))
    read = post(guarded, "reader", call("read_it"))
    assert (read.status_code, read.json()["subject"]) == (200, "alice")
    assert read.json()["body"] == call("read_it").decode(), "the application reads the body as if nobody had"
    denied = post(guarded, "reader", call("write_it"))
    assert denied.status_code == 403
    assert 'error="insufficient_scope"' in denied.headers["www-authenticate"]
    assert post(guarded, "writer", call("write_it")).status_code == 200
    assert post(guarded, "stranger", call("read_it")).status_code == 401
    assert post(guarded, None, call("read_it")).status_code == 401


def test_bad_input_gets_an_answer() -> None:
    guarded = Guarded(app, Checks(host_checked(tools={"x": "a"}, max_body=100), check_token=check))
    assert post(guarded, "reader", b"x" * 101).status_code == 413
    assert post(guarded, "reader", b"no json").status_code == 400
    assert post(guarded, "reader", b"", authorization="Basic eDp5").status_code in (400, 401)
    nobody = Guarded(app, host_checked())
    assert post(nobody, "reader", call("x")).status_code == 503, "nothing can check the token"


def test_a_wrong_answer_of_the_host_is_no_hang() -> None:
    async def wrong(token: str) -> Any:
        return {"sub": token}

    async def broken(token: str) -> str | None:
        raise RuntimeError("planted")

    for answering in (wrong, broken):
        answer = post(Guarded(app, Checks(host_checked(), check_token=answering)), "reader", call("x"))
        assert answer.status_code == 503 and "planted" not in answer.text


def test_many_requests_share_one_check() -> None:
    asked = []

    async def slow(token: str) -> str | None:
        asked.append(token)
        await asyncio.sleep(0.05)
        return await check(token)

    async def go() -> list[Any]:
        checks = Checks(host_checked(), check_token=slow)
        decisions = (checks.decide("GET", "/mcp", [(b"authorization", b"Bearer reader")]) for _ in range(200))
        return await asyncio.gather(*decisions)

    assert all(isinstance(decision, Allow) for decision in asyncio.run(go()))
    assert asked == ["reader"]


# With a real authorization server, and real connections.


def test_grantor_on_all_sides(serving: Callable[[Callable[[str], Any]], str]) -> None:
    """Client and guard in Python, the authorization server is Grantor's: log-in, step-up, and what the SDK's verifier says."""
    own, User = importlib.import_module("server"), importlib.import_module("user").User

    seen: list[str] = []

    async def recording(scope: Any, receive: Any, send: Any) -> None:
        seen.append(dict(scope["headers"])[b"authorization"].decode().split(" ")[1])
        await app(scope, receive, send)

    verifiers: list[TokenVerifier] = []
    started: dict[str, str] = {}

    with contextlib.ExitStack() as stack:

        def make(url: str) -> Guarded:
            issuer = started["issuer"] = stack.enter_context(own.running(resource=url))
            verifiers.append(TokenVerifier(GuardConfig(url, issuer)))
            return Guarded(recording, GuardConfig(url, issuer, every="notes:use", tools={"write": "notes:write"}))

        url = serving(make)
        alice = User(own.USER, own.PASSWORD)
        pages: list[str] = []

        def agree(page: str) -> None:
            pages.append(page)
            threading.Thread(target=lambda: alice.fetch(alice.authorize(page)), daemon=True).start()

        auth = grantor.httpx2.Auth(Config(url, "test", trust="accept"), user_agent=grantor.Browser(agree))
        with httpx2.Client(auth=auth, timeout=30) as client:
            read = client.post(url, content=call("read"), headers=HEADERS)
            assert (read.status_code, read.json()["subject"] is not None, len(pages)) == (200, True, 1)
            assert client.post(url, content=call("write"), headers=HEADERS).status_code == 200
            assert len(pages) == 2, "one page more for the scope that was missing"
        found = asyncio.run(verifiers[0].verify_token(seen[-1]))
        assert isinstance(found, AccessToken) and "notes:write" in found.scopes
        assert (found.claims, found.resource) == ({"iss": started["issuer"]}, url)
        assert asyncio.run(verifiers[0].verify_token("e30.e30.e30")) is None


def test_the_readme_s_server_and_client(serving: Callable[[Callable[[str], Any]], str], tmp_path: pathlib.Path) -> None:
    """Both programs as printed, but for the addresses; the user agrees in the browser that the system names."""
    own = importlib.import_module("server")
    readme = (ROOT / "bindings" / "python" / "README.md").read_text()
    client, _, _, server = re.findall(r"```python\n(.*?)```", readme, re.S)
    browser, program = tmp_path / "browser", tmp_path / "client.py"
    browser.write_text(
        f"#!{sys.executable}\n"
        f"import sys\nsys.path.insert(0, {str(ROOT / 'tests' / 'authorization_server')!r})\n"
        f"from user import User\nalice = User({own.USER!r}, {own.PASSWORD!r})\nalice.fetch(alice.authorize(sys.argv[1]))\n"
    )
    browser.chmod(0o755)
    with contextlib.ExitStack() as stack:

        def make(url: str) -> Any:
            issuer = stack.enter_context(own.running(resource=url))
            space: dict[str, Any] = {"__name__": "server"}
            exec(server.replace("https://mcp.example.com/mcp", url).replace("https://as.example.com", issuer), space)
            return space["app"]

        url = serving(make)
        program.write_text(client.replace("https://mcp.example.com/mcp", url))
        environment = os.environ | {"BROWSER": str(browser)}
        ran = subprocess.run(
            [sys.executable, program], env=environment, input="y\n", text=True, capture_output=True, timeout=60
        )
        assert ran.returncode == 0 and "capabilities" in ran.stdout, (ran.stdout, ran.stderr)
        assert httpx2.post(url, content=call("write_note"), headers=HEADERS).status_code == 401
