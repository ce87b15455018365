"""The client under test of the official MCP conformance suite, in Python.

`client.py --adapter NAME URL`: lists the tools of the MCP server at URL, calls them, and exits with 0 if every request was
answered. The suite tells the protocol version and, for some scenarios, credentials, which decide the grant (environment
variables `MCP_CONFORMANCE_*`).
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import urllib.error
import urllib.request
from collections.abc import Callable
from typing import Any

import grantor
from grantor import Config, Enterprise, Preregistered

REDIRECT_URI = "http://localhost:3000/callback"
NAME = "grantor-conformance"
CLIENT_ID_DOCUMENT = "https://conformance-test.local/client-metadata.json"
CONTEXT: dict[str, Any] = json.loads(os.environ.get("MCP_CONFORMANCE_CONTEXT", "{}"))
VERSION = os.environ.get("MCP_CONFORMANCE_PROTOCOL_VERSION", "2026-07-28")
STATELESS = VERSION >= "2026-07-28"

Post = Callable[[dict[str, str], bytes], Any]


def visit(page: str) -> str:
    """Where the page leads: the suite's authorization servers redirect at once."""

    class Stay(urllib.request.HTTPRedirectHandler):
        def redirect_request(self, *_: Any) -> None:
            return None

    try:
        urllib.request.build_opener(Stay).open(page, timeout=10)
    except urllib.error.HTTPError as answer:
        if (location := answer.headers.get("location")) is not None:
            return str(location)
    raise grantor.HostError("the page does not redirect", kind="impossible")


class Suite:
    """The user, who agrees to everything."""

    def listen(self, preferred: str | None) -> str:
        raise grantor.HostError("the redirect URI is fixed", kind="impossible")

    def approve(self, summary: grantor.Summary) -> bool:
        return True

    def authorize(self, prompt: grantor.AuthorizationPrompt, wait: grantor.Wait) -> grantor.Callback:
        return grantor.Callback(visit(prompt.url))

    def show_code(self, prompt: grantor.DevicePrompt, wait: grantor.Wait) -> None:
        raise grantor.HostError("there is no other device", kind="impossible")


def settings() -> dict[str, Any]:
    options: dict[str, Any] = {}
    if client_id := CONTEXT.get("client_id"):
        options["preregistered"] = Preregistered(
            client_id,
            secret=CONTEXT.get("client_secret"),
            key_pem=CONTEXT.get("private_key_pem"),
            algorithm=CONTEXT.get("signing_algorithm") or "ES256",
        )
        if "valid_jwt" in CONTEXT:
            options["flow"] = "workload"
        elif "idp_issuer" in CONTEXT and "idp_client_id" in CONTEXT:
            issuer = CONTEXT["idp_issuer"]
            options["flow"] = Enterprise(issuer, Preregistered(CONTEXT["idp_client_id"], issuer=issuer))
        elif "client-credentials" in os.environ.get("MCP_CONFORMANCE_SCENARIO", ""):
            options["flow"] = "client_credentials"
    return {"revision": VERSION, "trust": "accept", "dpop": "when_supported", **options}


def config(url: str) -> Config:
    at: dict[str, Any] = {"redirect_uri": REDIRECT_URI, "client_id_metadata_document": CLIENT_ID_DOCUMENT}
    return Config(url, NAME, **at, **settings())


def assertion(request: grantor.Assert) -> grantor.Assertion:
    if request.kind == "user":
        return grantor.Assertion(CONTEXT["idp_id_token"], "id_token")
    return grantor.Assertion(CONTEXT["valid_jwt"], "jwt")


class Client:
    """As much of an MCP client as authorization needs."""

    def __init__(self, post: Post) -> None:
        self.post, self.id, self.session = post, 0, ""

    def use_tools(self) -> None:
        if not STATELESS:
            info = {"name": NAME, "version": "0.1.0"}
            self.request("initialize", {"protocolVersion": VERSION, "capabilities": {}, "clientInfo": info})
            self.send("notifications/initialized", {"jsonrpc": "2.0", "method": "notifications/initialized"})
        listed = self.request("tools/list", {})
        calls = CONTEXT.get("toolCalls") or [{"name": tool["name"]} for tool in listed["tools"][:1]]
        for call in calls:
            self.request("tools/call", {"name": call["name"], "arguments": call.get("arguments", {})})

    def request(self, method: str, params: dict[str, Any]) -> Any:
        if STATELESS:
            params["_meta"] = {
                "io.modelcontextprotocol/protocolVersion": VERSION,
                "io.modelcontextprotocol/clientCapabilities": {},
            }
        self.id += 1
        answer = self.send(method, {"jsonrpc": "2.0", "id": self.id, "method": method, "params": params})
        return answer["result"]

    def send(self, method: str, message: dict[str, Any]) -> Any:
        headers = {"content-type": "application/json", "accept": "application/json, text/event-stream"}
        if STATELESS or method != "initialize":
            headers["mcp-protocol-version"] = VERSION
        if STATELESS:
            headers["mcp-method"] = method
            if name := message["params"].get("name"):
                headers["mcp-name"] = name
        if self.session:
            headers["mcp-session-id"] = self.session
        response = self.post(headers, json.dumps(message).encode())
        self.session = response.headers.get("mcp-session-id", self.session)
        if not 200 <= response.status_code < 300:
            raise SystemExit(f"{method}: status {response.status_code}: {response.text}")
        texts = [response.text]
        if response.headers.get("content-type", "").startswith("text/event"):
            texts = [line[5:] for line in response.text.splitlines() if line.startswith("data:")]
        answers = [json.loads(text) for text in texts if text.strip()]
        return next((answer for answer in answers if answer.get("id") == message.get("id")), {})


def blocking(stack: Any, auth: Any, url: str) -> Post:
    client = stack.Client(auth=auth)
    return lambda headers, body: client.post(url, headers=headers, content=body)


def on_asyncio(stack: Any, auth: Any, url: str) -> Post:
    loop = asyncio.new_event_loop()
    client = stack.AsyncClient(auth=auth)
    return lambda headers, body: loop.run_until_complete(client.post(url, headers=headers, content=body))


def with_sdk(url: str) -> None:
    """The MCP SDK's own client."""
    from sdk import provider, use_tools

    from grantor.httpx2 import Auth

    at = settings()
    if "flow" in at:
        auth: Any = Auth(config(url), assertions=assertion)  # the SDK's provider is for users with a browser
    else:
        known: dict[str, Any] = {name: CONTEXT[name] for name in ("client_id", "client_secret") if name in CONTEXT}
        at.pop("preregistered", None)
        auth = provider(url, NAME, REDIRECT_URI, CLIENT_ID_DOCUMENT, visit, known, **at)
    asyncio.run(use_tools(url, auth, VERSION, CONTEXT.get("toolCalls", [])))


def main() -> None:
    _, flag, adapter, url = sys.argv
    assert flag == "--adapter"
    options: dict[str, Any] = {"user_agent": Suite(), "assertions": assertion}
    match adapter:
        case "httpx" | "httpx-async":
            import httpx

            from grantor.httpx import Auth

            make = on_asyncio if adapter.endswith("async") else blocking
            post = make(httpx, Auth(config(url), **options), url)
        case "httpx2" | "httpx2-async":
            import httpx2

            from grantor.httpx2 import Auth as Auth2

            make = on_asyncio if adapter.endswith("async") else blocking
            post = make(httpx2, Auth2(config(url), **options), url)
        case "requests":
            import requests

            from grantor.requests import Auth as RequestsAuth

            session = requests.Session()
            session.auth = RequestsAuth(config(url), **options)
            post = lambda headers, body: session.post(url, headers=headers, data=body)  # noqa: E731
        case "mcp":
            return with_sdk(url)
        case _:
            raise SystemExit(f"there is no adapter {adapter}")
    try:
        Client(post).use_tools()
    except grantor.GrantorError as error:
        raise SystemExit(str(error)) from None


if __name__ == "__main__":
    main()
