"""A FastMCP server with the authorization server that FastMCP has for tests: `fastmcp_server.py PORT`."""

import sys

from fastmcp import FastMCP
from fastmcp.server.auth.providers.in_memory import InMemoryOAuthProvider
from mcp.server.auth.settings import ClientRegistrationOptions, RevocationOptions

url = f"http://127.0.0.1:{sys.argv[1]}"
auth = InMemoryOAuthProvider(
    base_url=url,
    client_registration_options=ClientRegistrationOptions(enabled=True),
    revocation_options=RevocationOptions(enabled=True),
)
FastMCP("examined", auth=auth).run(transport="http", host="127.0.0.1", port=int(sys.argv[1]), show_banner=False)
