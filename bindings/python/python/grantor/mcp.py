"""Grantor where the MCP Python SDK (version 2) takes its own classes.

A client that has an `OAuthClientProvider` of the SDK's imports the one that is here; a new one gives `grantor.httpx2.Auth` as
the `auth` of the HTTP client for its transport. A server gives `TokenVerifier` where the SDK takes one; `grantor.asgi.Guarded`
around its application does more: scopes for each tool, proofs of possession, and the metadata.
"""

from __future__ import annotations

from mcp.server.auth.provider import AccessToken

from grantor import _types as t
from grantor._mcp_client import OAuthClientProvider
from grantor._native import GuardConfig
from grantor.asgi import Checks

__all__ = ["OAuthClientProvider", "TokenVerifier"]


class TokenVerifier:
    """Verifies tokens for the SDK's own middleware, which demands scopes and answers itself."""

    def __init__(self, checks: GuardConfig | Checks) -> None:
        """The configuration says what the server is and whose tokens it accepts; give it no rules, since the SDK demands
        scopes itself."""
        self._checks = Checks(checks) if isinstance(checks, GuardConfig) else checks

    async def verify_token(self, token: str) -> AccessToken | None:
        """What the token grants; `None` when it is no good, or cannot be checked for now. A token that is bound to a key is
        none without its proof, which the SDK does not pass on."""
        try:
            headers = [(b"authorization", b"Bearer " + token.encode("latin-1"))]
            decision = await self._checks.decide("GET", "/", headers)
        except ValueError:
            return None
        if not isinstance(decision, t.Allow) or (grant := decision.grant) is None:
            return None
        return AccessToken(
            token=token,
            client_id=grant.client_id or grant.subject or "",
            scopes=list(grant.scopes),
            expires_at=grant.expires_at_s,
            resource=self._checks.config.resource,
            subject=grant.subject,
            claims={"iss": grant.issuer},
        )
