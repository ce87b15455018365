"""What could go wrong in an interpreter: its end, others beside it, and a thousand tasks at once."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import urllib.parse
import httpx2
import pytest

import grantor
from grantor.httpx2 import Auth

ORIGIN = "http://127.0.0.1:9"
SERVER = f"{ORIGIN}/mcp"


def python(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)


def test_the_interpreter_ends_with_live_machines() -> None:
    made = python(
        "import grantor, threading\n"
        "engine = grantor.Engine(grantor.Config('https://mcp.example.com/mcp'))\n"
        "guard = grantor.Guard(grantor.GuardConfig('https://mcp.example.com/mcp', 'https://as.example.com'))\n"
        "engine.log_in()\n"
        "outputs = [output for output in engine]\n"
        "browser = grantor.Browser(lambda url: None)\n"
        "cycle = [engine, guard, outputs, browser]; cycle.append(cycle)\n"
        "threading.Thread(target=lambda: [engine.now() for _ in range(100000)], daemon=True).start()\n"
        "print('done')\n"
    )
    assert (made.returncode, made.stdout, made.stderr) == (0, "done\n", "")


@pytest.mark.skipif(sys.version_info >= (3, 13), reason="the module has another name from there on")
def test_a_sub_interpreter_is_refused() -> None:
    made = python(
        "import _xxsubinterpreters as interpreters, grantor\n"
        "other = interpreters.create()\n"
        "try:\n"
        "    interpreters.run_string(other, 'import grantor')\n"
        "except Exception as error:\n"
        "    print(error)\n"
    )
    assert made.returncode == 0, made.stderr
    assert "ImportError" in made.stdout and "interpreter" in made.stdout


class World:
    """A resource and its authorization server, in memory. The first token is to be renewed at once."""

    def __init__(self) -> None:
        self.grants: list[str] = []

    async def __call__(self, request: httpx2.Request) -> httpx2.Response:
        await asyncio.sleep(0)
        match request.url.path:
            case "/mcp":
                token = request.headers.get("authorization")
                return httpx2.Response(200 if token == f"Bearer t{len(self.grants)}" else 401)
            case "/.well-known/oauth-protected-resource/mcp":
                return httpx2.Response(200, json={"resource": SERVER, "authorization_servers": [ORIGIN]})
            case "/.well-known/oauth-authorization-server":
                metadata: dict[str, object] = {
                    "issuer": ORIGIN,
                    "authorization_endpoint": f"{ORIGIN}/authorization",
                    "token_endpoint": f"{ORIGIN}/token",
                    "response_types_supported": ["code"],
                    "code_challenge_methods_supported": ["S256"],
                }
                return httpx2.Response(200, json=metadata)
            case "/token":
                form = urllib.parse.parse_qs(request.content.decode())
                self.grants.append(form["grant_type"][0])
                lifetime = 1 if len(self.grants) == 1 else 3600
                issued = {"access_token": f"t{len(self.grants)}", "token_type": "Bearer", "refresh_token": "r"}
                return httpx2.Response(200, json={**issued, "expires_in": lifetime})
            case _:
                return httpx2.Response(404)


class User:
    """Agrees without a page."""

    def listen(self, preferred: str | None) -> str:
        return "http://127.0.0.1:7000/"

    def approve(self, summary: grantor.Summary) -> bool:
        return True

    def authorize(self, prompt: grantor.AuthorizationPrompt, wait: grantor.Wait) -> grantor.Callback:
        state = urllib.parse.parse_qs(urllib.parse.urlsplit(prompt.url).query)["state"][0]
        return grantor.Callback(f"{prompt.redirect_uri}?code=c&state={state}")

    def show_code(self, prompt: grantor.DevicePrompt, wait: grantor.Wait) -> None:
        raise AssertionError


def test_a_thousand_requests_on_an_expired_token_refresh_once() -> None:
    world = World()
    client_id = grantor.Preregistered("c", issuer=ORIGIN)
    auth = Auth(grantor.Config(SERVER, preregistered=client_id), user_agent=User())

    async def go() -> list[int]:
        async with httpx2.AsyncClient(transport=httpx2.MockTransport(world), auth=auth) as client:
            assert (await client.get(SERVER)).status_code == 200
            await asyncio.sleep(1.1)
            responses = await asyncio.gather(*(client.get(SERVER) for _ in range(1000)))
            return [response.status_code for response in responses]

    assert asyncio.run(go()) == [200] * 1000
    assert world.grants == ["authorization_code", "refresh_token"]


def test_a_connection_that_was_closed_while_idle_costs_nothing() -> None:
    world, closed = World(), []

    async def closing(request: httpx2.Request) -> httpx2.Response:
        if "well-known" in request.url.path and request.url.path not in closed:
            closed.append(request.url.path)
            raise httpx2.RemoteProtocolError("Server disconnected without sending a response.")
        return await world(request)

    auth = Auth(grantor.Config(SERVER, preregistered=grantor.Preregistered("c", issuer=ORIGIN)), user_agent=User())

    async def go() -> int:
        async with httpx2.AsyncClient(transport=httpx2.MockTransport(closing), auth=auth) as client:
            return (await client.get(SERVER)).status_code

    assert asyncio.run(go()) == 200
    assert len(closed) == 2
