"""An MCP client of the Python SDK, of either generation: `mcp_client.py SERVER REDIRECT_URI [CLIENT_METADATA_URL]`.

Reads names of tools, one a line, and calls them. Pages to open leave as {"authorize": URL}; the URL that the browser
came back to is read as the next line. Results leave as {"result": text} or {"error": text}.
"""

import asyncio
import json
import sys
import traceback
from urllib.parse import parse_qs, urlparse

from mcp import ClientSession
from mcp.client.auth import OAuthClientProvider
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.auth import OAuthClientMetadata

try:
    import httpx2 as httpx
    from mcp.shared.auth import AuthorizationCodeResult
except ImportError:  # the first generation
    import httpx

    AuthorizationCodeResult = None

SERVER, REDIRECT_URI = sys.argv[1:3]
DOCUMENT = sys.argv[3] if len(sys.argv) > 3 else None


def say(**value):
    print(json.dumps(value), flush=True)


async def line():
    return (await asyncio.to_thread(sys.stdin.readline)).strip()


class Storage:
    tokens = client = None

    async def get_tokens(self):
        return self.tokens

    async def set_tokens(self, tokens):
        self.tokens = tokens

    async def get_client_info(self):
        return self.client

    async def set_client_info(self, client):
        self.client = client


async def show(url):
    say(authorize=url)


async def callback():
    back = parse_qs(urlparse(await line()).query)
    one = lambda name: back.get(name, [None])[0]
    if AuthorizationCodeResult is None:
        return one("code"), one("state")
    return AuthorizationCodeResult(code=one("code"), state=one("state"), iss=one("iss"))


async def main():
    metadata = OAuthClientMetadata(
        client_name="A client of the Python SDK",
        redirect_uris=[REDIRECT_URI],
        application_type="native",
        token_endpoint_auth_method="none",
        grant_types=["authorization_code", "refresh_token"],
        response_types=["code"],
    )
    provider = OAuthClientProvider(SERVER, metadata, Storage(), show, callback, client_metadata_url=DOCUMENT)
    async with httpx.AsyncClient(auth=provider, timeout=60) as http:
        first = await line()
        async with streamable_http_client(SERVER, http_client=http) as streams:
            async with ClientSession(streams[0], streams[1]) as session:
                await session.initialize()
                tool = first
                while tool:
                    result = await session.call_tool(tool, {})
                    say(result=result.content[0].text)
                    tool = await line()


try:
    asyncio.run(main())
except BaseException:
    say(error=traceback.format_exc())
