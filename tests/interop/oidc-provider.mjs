// A real authorization server (npm oidc-provider) and an MCP endpoint that accepts its tokens.
//
// With GRANTOR_RESOURCE it is the authorization server of that resource, which lives elsewhere: its tokens are in
// the format GRANTOR_FORMAT, `jwt` or `opaque`, and `mcp` may introspect them.
//
// Prints one line of JSON with the URLs once it listens, and ends when its standard input does.

import http from 'node:http';

import { Provider } from 'oidc-provider';

const mcp = http.createServer();
await new Promise((done) => mcp.listen(0, '127.0.0.1', done));
const as = http.createServer();
await new Promise((done) => as.listen(0, '127.0.0.1', done));

const resource = process.env.GRANTOR_RESOURCE ?? `http://127.0.0.1:${mcp.address().port}/mcp`;
const metadataUrl = `http://127.0.0.1:${mcp.address().port}/.well-known/oauth-protected-resource/mcp`;
const issuer = `http://127.0.0.1:${as.address().port}`;
const scopes = process.env.GRANTOR_SCOPES?.split(' ') ?? ['mcp:use', 'files:write'];
const accessTokenFormat = process.env.GRANTOR_FORMAT ?? 'opaque';
const control = `http://127.0.0.1:${mcp.address().port}/control`;
let accessTokenTTL = 3600;

const provider = new Provider(issuer, {
  cookies: { keys: ['test'] },
  clients: [{
    client_id: 'mcp', client_secret: 'a secret for introspection', redirect_uris: [], response_types: [], grant_types: [],
  }],
  // Clients register with the scopes of their first challenge; that must not bind them for good.
  extraClientMetadata: { properties: ['any_scope'], validator: (_, __, ___, metadata) => { delete metadata.scope; } },
  features: {
    dPoP: { enabled: true },
    registration: { enabled: true },
    introspection: { enabled: true },
    revocation: { enabled: true },
    resourceIndicators: {
      enabled: true,
      getResourceServerInfo: (_, indicator) => {
        if (indicator !== resource) throw new Error('unknown resource');
        return { scope: scopes.join(' '), audience: resource, accessTokenTTL, accessTokenFormat };
      },
      useGrantedResource: () => true,
    },
  },
  scopes: ['openid', 'offline_access', ...scopes],
  pkce: { required: () => true },
  rotateRefreshToken: true,
  issueRefreshToken: (_, client) => client.grantTypeAllowed('refresh_token'),
  ttl: { AccessToken: () => accessTokenTTL, Grant: 86400, Interaction: 600, RefreshToken: 86400, Session: 86400 },
});
as.on('request', provider.callback());

// The last tokens that the resource has seen, to be revoked by a test.
let seen;

function challenge(response, status, error, scope) {
  const params = [`resource_metadata="${metadataUrl}"`, `scope="${scope}"`];
  if (error) params.push(`error="${error}"`);
  response.writeHead(status, { 'www-authenticate': `Bearer ${params.join(', ')}` }).end();
}

async function serve(request, response) {
  let body = '';
  for await (const chunk of request) body += chunk;
  const json = (value) => response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(value));
  if (request.url === '/.well-known/oauth-protected-resource/mcp') {
    return json({ resource, authorization_servers: [issuer], scopes_supported: ['mcp:use'] });
  }
  if (request.url === '/control') {
    const control = JSON.parse(body);
    if (control.accessTokenTTL) ({ accessTokenTTL } = control);
    if (control.destroyAccessToken) await seen.destroy();
    if (control.revokeGrant) {
      await seen.destroy();
      const { revokeByGrantId } = provider.RefreshToken;
      await revokeByGrantId.call(provider.RefreshToken, seen.grantId);
      await (await provider.Grant.find(seen.grantId))?.destroy();
    }
    return json({});
  }
  if (request.url !== '/mcp') return response.writeHead(404).end();
  const token = /^Bearer (.+)$/.exec(request.headers.authorization ?? '')?.[1];
  if (!token) return challenge(response, 401, undefined, 'mcp:use');
  const access = await provider.AccessToken.find(token);
  if (!access || access.isExpired || access.aud !== resource) {
    return challenge(response, 401, 'invalid_token', 'mcp:use');
  }
  seen = access;
  const message = JSON.parse(body);
  const needed = message.params?.name === 'write' ? 'files:write' : 'mcp:use';
  if (!access.scope.split(' ').includes(needed)) return challenge(response, 403, 'insufficient_scope', needed);
  return json({ jsonrpc: '2.0', id: message.id, result: { scope: access.scope } });
}

mcp.on('request', (request, response) => {
  serve(request, response).catch((error) => response.writeHead(500).end(String(error.stack)));
});

console.log(JSON.stringify({ resource, issuer, control }));
process.stdin.on('end', () => process.exit()).resume();
