"""The authorization server of the MCP Python SDK, of both generations, in front of an MCP endpoint.

The handlers are the SDK's own; what it leaves to its users, the provider that keeps clients and tokens, is here, in
memory. The argument is JSON: see `OPTIONS`. Prints one line of JSON with the URLs once it listens, and ends when its
standard input does. `/control` takes orders and tells what clients have asked for.
"""

import asyncio
import json
import os
import secrets
import socket
import sys
import threading
import time
from urllib.parse import parse_qs

import uvicorn
from mcp.server.auth.middleware.bearer_auth import BearerAuthBackend, RequireAuthMiddleware
from mcp.server.auth.provider import AccessToken, AuthorizationCode, RefreshToken, construct_redirect_uri
from mcp.server.auth.routes import create_auth_routes, create_protected_resource_routes
from mcp.server.auth.settings import ClientRegistrationOptions, RevocationOptions
from mcp.shared.auth import OAuthToken
from pydantic import AnyHttpUrl
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.authentication import AuthenticationMiddleware
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

OPTIONS = {
    # `token_endpoint_auth_methods_supported`, where that is not what the SDK says.
    "methods": None,
    # The scopes that clients may register for, and those that they get when they name none.
    "valid_scopes": None,
    "default_scopes": None,
    # How long access tokens are good, in seconds.
    "access_token_seconds": 3600,
    # Whether 403 names the scope that is missing; the SDK's own middleware does not.
    "names_scope": True,
} | json.loads(sys.argv[1] if len(sys.argv) > 1 else "{}")

USE, WRITE = "mcp:use", "files:write"


class Provider:
    """Clients, codes and tokens in memory; everybody consents at once."""

    def __init__(self):
        self.clients, self.codes, self.access, self.refresh = {}, {}, {}, {}

    async def get_client(self, client_id):
        return self.clients.get(client_id)

    async def register_client(self, client):
        self.clients[client.client_id] = client

    async def authorize(self, client, params):
        code = AuthorizationCode(
            code=secrets.token_urlsafe(32),
            scopes=params.scopes or [USE],
            expires_at=time.time() + 300,
            client_id=client.client_id,
            code_challenge=params.code_challenge,
            redirect_uri=params.redirect_uri,
            redirect_uri_provided_explicitly=params.redirect_uri_provided_explicitly,
            resource=params.resource,
        )
        self.codes[code.code] = code
        return construct_redirect_uri(str(params.redirect_uri), code=code.code, state=params.state)

    async def load_authorization_code(self, client, code):
        return self.codes.get(code)

    async def exchange_authorization_code(self, client, code):
        del self.codes[code.code]
        return self.issue(client, code.scopes, code.resource)

    async def load_refresh_token(self, client, token):
        return self.refresh.get(token)

    async def exchange_refresh_token(self, client, token, scopes):
        del self.refresh[token.token]
        return self.issue(client, scopes, token.resource)

    async def load_access_token(self, token):
        return self.access.get(token)

    async def revoke_token(self, token):
        for tokens in (self.access, self.refresh):
            for text in [text for text, one in tokens.items() if one.client_id == token.client_id]:
                del tokens[text]

    # What the SDK's middleware asks for an access token.
    async def verify_token(self, token):
        return self.access.get(token)

    def issue(self, client, scopes, resource):
        access, refresh = secrets.token_urlsafe(32), secrets.token_urlsafe(32)
        seconds = OPTIONS["access_token_seconds"]
        common = {"client_id": client.client_id, "scopes": scopes, "resource": resource}
        self.access[access] = AccessToken(token=access, expires_at=int(time.time()) + seconds, **common)
        self.refresh[refresh] = RefreshToken(token=refresh, **common)
        return OAuthToken(
            access_token=access, expires_in=seconds, refresh_token=refresh, scope=" ".join(scopes)
        )


def listen():
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen(128)
    return listener, f"http://127.0.0.1:{listener.getsockname()[1]}"


AS_SOCKET, ISSUER = listen()
MCP_SOCKET, ORIGIN = listen()
RESOURCE = f"{ORIGIN}/mcp"
PROVIDER = Provider()
EXCHANGES = []


class Recorder:
    """Notes what clients ask the authorization server for, and changes the metadata where a test says so."""

    def __init__(self, app):
        self.app = app

    async def __call__(self, scope, receive, send):
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        path, request, answer, start = scope["path"], b"", b"", {}
        while True:
            message = await receive()
            request += message.get("body", b"")
            if not message.get("more_body"):
                break
        sent = False

        async def replay():
            nonlocal sent
            if sent:
                return await receive()
            sent = True
            return {"type": "http.request", "body": request}

        async def collect(message):
            nonlocal answer
            if message["type"] == "http.response.start":
                start.update(message)
            else:
                answer += message.get("body", b"")

        await self.app(scope, replay, collect)
        if OPTIONS["methods"] and path.startswith("/.well-known/"):
            document = json.loads(answer) | {"token_endpoint_auth_methods_supported": OPTIONS["methods"]}
            answer = json.dumps(document).encode()
            start["headers"] = [pair for pair in start["headers"] if pair[0] != b"content-length"]
        if path in ("/token", "/register", "/revoke", "/authorize"):
            note(scope, request, start["status"], answer)
        await send(start)
        await send({"type": "http.response.body", "body": answer})


def note(scope, request, status, answer):
    def parsed(text):
        try:
            return json.loads(text)
        except ValueError:
            return {}

    form = {} if scope["path"] == "/register" else parse_qs(request.decode())
    one = lambda name: form.get(name, [""])[0]
    basic = any(name == b"authorization" for name, _ in scope["headers"])
    secret = "post" if one("client_secret") else "none"
    failed = status >= 400
    EXCHANGES.append({
        "path": scope["path"],
        "grant": one("grant_type"),
        "client_auth": "basic" if basic else secret,
        "client_id_in_body": bool(one("client_id")),
        "error": parsed(answer).get("error", str(status)) if failed else "",
        "description": parsed(answer).get("error_description") or "" if failed else "",
        "registered": parsed(request) if scope["path"] == "/register" else None,
    })


async def mcp(request):
    """Answers each message with what its token grants."""
    message = await request.json()
    granted = request.auth.scopes
    if message.get("params", {}).get("name") == "write" and WRITE not in granted:
        challenge = f'Bearer error="insufficient_scope", resource_metadata="{metadata_url()}"'
        if OPTIONS["names_scope"]:
            challenge += f', scope="{WRITE}"'
        return Response(status_code=403, headers={"www-authenticate": challenge})
    result = {"scope": " ".join(granted), "client": request.user.username}
    return JSONResponse({"jsonrpc": "2.0", "id": message.get("id"), "result": result})


async def control(request):
    order = json.loads(await request.body() or b"{}")
    if order.get("forget_clients"):
        for kept in (PROVIDER.clients, PROVIDER.codes, PROVIDER.access, PROVIDER.refresh):
            kept.clear()
    if order.get("expire_access_tokens"):
        PROVIDER.access.clear()
    known = {"access": list(PROVIDER.access), "refresh": list(PROVIDER.refresh), "clients": list(PROVIDER.clients)}
    exchanges = EXCHANGES.copy()
    EXCHANGES.clear()
    return JSONResponse({"exchanges": exchanges, **known})


def metadata_url():
    return f"{ORIGIN}/.well-known/oauth-protected-resource/mcp"


def authorization_server():
    registration = ClientRegistrationOptions(
        enabled=True, valid_scopes=OPTIONS["valid_scopes"], default_scopes=OPTIONS["default_scopes"]
    )
    routes = create_auth_routes(
        PROVIDER,
        AnyHttpUrl(ISSUER),
        client_registration_options=registration,
        revocation_options=RevocationOptions(enabled=True),
    )
    return Starlette(routes=routes, middleware=[Middleware(Recorder)])


def resource_server():
    routes = create_protected_resource_routes(AnyHttpUrl(RESOURCE), [AnyHttpUrl(ISSUER)], [USE])
    guarded = RequireAuthMiddleware(
        Starlette(routes=[Route("/mcp", mcp, methods=["POST"])]), [USE], AnyHttpUrl(metadata_url())
    )
    routes += [Route("/control", control, methods=["POST"]), Route("/mcp", guarded)]
    backend = BearerAuthBackend(PROVIDER)
    return Starlette(routes=routes, middleware=[Middleware(AuthenticationMiddleware, backend=backend)])


async def serve(app, listener):
    config = uvicorn.Config(app, log_level="error", lifespan="off")
    await uvicorn.Server(config).serve(sockets=[listener])


def end_with_input():
    sys.stdin.read()
    # There is nothing to tidy up, and connections that are open must not keep it alive.
    os._exit(0)


async def main():
    threading.Thread(target=end_with_input, daemon=True).start()
    servers = asyncio.gather(serve(authorization_server(), AS_SOCKET), serve(resource_server(), MCP_SOCKET))
    print(json.dumps({"resource": RESOURCE, "issuer": ISSUER, "control": f"{ORIGIN}/control"}), flush=True)
    await servers


if __name__ == "__main__":
    asyncio.run(main())
