// A real authorization server (npm oidc-provider) and an MCP endpoint that accepts its tokens, which it
// introspects.
//
// The argument is JSON: see `options`. Prints one line of JSON with the URLs once it listens, and ends when its
// standard input does.

import crypto from 'node:crypto';
import http from 'node:http';

import { interactionPolicy, Provider } from 'oidc-provider';

import { Proofs } from './proofs.mjs';

const options = {
  // What clients may sign their assertions with.
  algorithms: ['ES256', 'ES384', 'RS256', 'PS256', 'EdDSA'],
  // What the client assertions' audience must be: `issuer`, `token_endpoint`; either by itself.
  assertionAudience: undefined,
  // Pre-registered clients.
  clients: [],
  // How long device codes are good, in seconds.
  deviceCodeTTL: 600,
  // Whether tokens can be bound to keys, and whether its own proofs need nonces.
  dpop: true,
  nonces: false,
  // Whether authorization requests have to be pushed.
  pushed: false,
  // Whether the MCP endpoint demands tokens that are bound, and nonces.
  resourceDpop: false,
  resourceNonces: false,
  // The resource, when it lives elsewhere, its scopes, and the format of its tokens: `opaque` or `jwt`.
  resource: undefined,
  scopes: ['mcp:use', 'files:write'],
  format: 'opaque',
  // Whether a second factor is asked for when `acr_values` demand it.
  secondFactor: true,
  ...JSON.parse(process.argv[2] ?? '{}'),
};

const mcp = http.createServer();
await new Promise((done) => mcp.listen(0, '127.0.0.1', done));
// Connections outlive the pauses between polls: by itself Node ends them after six seconds, which is the
// interval after `slow_down`.
const as = http.createServer({ keepAliveTimeout: 60_000 });
await new Promise((done) => as.listen(0, '127.0.0.1', done));

const resource = options.resource ?? `http://127.0.0.1:${mcp.address().port}/mcp`;
const metadataUrl = `http://127.0.0.1:${mcp.address().port}/.well-known/oauth-protected-resource/mcp`;
const issuer = `http://127.0.0.1:${as.address().port}`;
const { scopes } = options;
const guard = { client_id: 'mcp-server', client_secret: crypto.randomUUID() };
// What tests change on the way.
let accessTokenTTL = 3600;
let loginsBackdated = 0;

const policy = interactionPolicy.base();
if (options.secondFactor) {
  const missing = ({ oidc }) => Boolean(oidc.params.acr_values) && !oidc.params.acr_values.split(' ').includes(oidc.acr);
  policy.get('login').checks.add(new interactionPolicy.Check('second_factor', 'one more factor is needed', missing));
}

const provider = new Provider(issuer, {
  acrValues: ['mfa'],
  assertJwtClientAuthClaimsAndHeader(ctx, claims) {
    const token = `${issuer}/token`;
    const expected = { issuer, token_endpoint: token }[options.assertionAudience];
    if (expected && claims.aud !== expected) throw new Error(`the audience is ${claims.aud}`);
  },
  claims: { openid: ['sub'], email: ['email'] },
  clientAuthMethods: ['none', 'client_secret_basic', 'client_secret_post', 'client_secret_jwt', 'private_key_jwt'],
  clients: [
    { ...guard, grant_types: [], redirect_uris: [], response_types: [] },
    // A resource that lives elsewhere introspects as this one.
    { client_id: 'mcp', client_secret: 'a secret for introspection', grant_types: [], redirect_uris: [], response_types: [] },
    ...options.clients,
  ],
  cookies: { keys: ['test'] },
  enabledJWA: { clientAuthSigningAlgValues: ['HS256', ...options.algorithms], dPoPSigningAlgValues: ['ES256', 'EdDSA'] },
  // Some clients register with the scopes of their first challenge; that must not bind them for good.
  extraClientMetadata: { properties: ['any_scope'], validator: (_, __, ___, metadata) => { delete metadata.scope; } },
  extraTokenClaims({ oidc }) {
    const { acr, authTime } = oidc.entities.AuthorizationCode ?? oidc.entities.RefreshToken ?? {};
    return { acr, auth_time: authTime };
  },
  features: {
    clientCredentials: { enabled: true },
    deviceFlow: { enabled: true },
    dPoP: options.dpop
      ? { enabled: true, nonceSecret: crypto.randomBytes(32), requireNonce: () => options.nonces }
      : { enabled: false },
    introspection: { enabled: true },
    pushedAuthorizationRequests: { enabled: true, requirePushedAuthorizationRequests: options.pushed },
    registration: { enabled: true },
    resourceIndicators: {
      enabled: true,
      getResourceServerInfo: (_, indicator) => {
        if (indicator !== resource) throw new Error('unknown resource');
        return { scope: scopes.join(' '), audience: resource, accessTokenTTL, accessTokenFormat: options.format };
      },
      useGrantedResource: () => true,
    },
    revocation: { enabled: true },
    richAuthorizationRequests: {
      enabled: true,
      authorizationDetailsForAccessToken: (_, token, source) => source?.rar,
      authorizationDetailsForGrantSource: (ctx) => JSON.parse(ctx.oidc.params.authorization_details),
      authorizationDetailsForIntrospection: (_, token) => token.rar,
      types: { tool: { validate() {} } },
    },
  },
  findAccount: (_, id) => ({ accountId: id, claims: () => ({ sub: id, email: `${id}@example.com` }) }),
  interactions: { policy },
  issueRefreshToken: (_, client) => client.grantTypeAllowed('refresh_token'),
  pkce: { required: (_, client) => client.grantTypeAllowed('authorization_code') },
  rotateRefreshToken: true,
  scopes: ['openid', 'email', 'offline_access', ...scopes],
  ttl: {
    AccessToken: () => accessTokenTTL,
    ClientCredentials: () => accessTokenTTL,
    DeviceCode: options.deviceCodeTTL,
    Grant: 86400,
    Interaction: 600,
    RefreshToken: 86400,
    Session: 86400,
  },
});

// The login page knows a second factor, and people who have logged in long ago.
const { interactionFinished } = provider;
provider.interactionFinished = async function finished(request, response, result, ...rest) {
  if (result.login) {
    const { params } = await this.interactionDetails(request, response);
    result.login.ts = Math.floor(Date.now() / 1000) - loginsBackdated;
    if (options.secondFactor && params.acr_values) [result.login.acr] = params.acr_values.split(' ');
  }
  return interactionFinished.call(this, request, response, result, ...rest);
};

// What clients have asked the authorization server for.
let exchanges = [];
// When a device code was polled for last, and how far apart polls have to be, in milliseconds.
const polls = new Map();

provider.use(async (ctx, next) => {
  await next();
  if (ctx.path === '/device/auth' && ctx.status === 200) ctx.body.interval = 1;
  const { params, client } = ctx.oidc ?? {};
  // Patience is not oidc-provider's business; here it is: the first poll is told to slow down.
  if (params?.device_code && ctx.body?.error === 'authorization_pending') {
    const [last, apart] = polls.get(params.device_code) ?? [Date.now(), Infinity];
    const early = Date.now() - last < apart - 50; // two clocks
    const slower = apart === Infinity ? 1000 + 5000 : apart + 5000;
    polls.set(params.device_code, [Date.now(), early ? slower : apart]);
    if (early) ctx.body.error = 'slow_down';
  }
  const path = ctx.path.split('/').slice(0, 3).join('/');
  if (client?.clientId === guard.client_id || !['/token', '/request', '/token/revocation', '/device/auth'].includes(path)) return;
  exchanges.push({
    path,
    grant: params?.grant_type,
    client_auth: client?.clientAuthMethod,
    proof: Boolean(ctx.get('dpop')),
    error: ctx.body?.error,
    description: ctx.body?.error_description,
  });
});
as.on('request', provider.callback());

// The last token that the resource has seen, to be revoked by a test.
let seen;
const proofs = new Proofs({ nonces: options.resourceNonces });

async function introspect(token) {
  const basic = Buffer.from(`${guard.client_id}:${guard.client_secret}`).toString('base64');
  const answer = await fetch(`${issuer}/token/introspection`, {
    method: 'POST',
    headers: { authorization: `Basic ${basic}` },
    body: new URLSearchParams({ token }),
  });
  return answer.json();
}

async function control(body) {
  const order = body ? JSON.parse(body) : {};
  if (order.accessTokenTTL) ({ accessTokenTTL } = order);
  if (order.loginsBackdated !== undefined) ({ loginsBackdated } = order);
  const token = seen && (await provider.AccessToken.find(seen) ?? await provider.ClientCredentials.find(seen));
  if (order.destroyAccessToken) await token.destroy();
  if (order.revokeGrant) {
    await token.destroy();
    const { revokeByGrantId } = provider.RefreshToken;
    await revokeByGrantId.call(provider.RefreshToken, token.grantId);
    await (await provider.Grant.find(token.grantId))?.destroy();
  }
  const taken = exchanges;
  exchanges = [];
  return { exchanges: taken };
}

// Why the request may not have what it asks for: status, and parameters of the challenge.
async function refusal(request, access, scheme, token, tool) {
  const scope = 'mcp:use';
  if (!access.active || access.aud !== resource) return [401, { error: 'invalid_token', scope }];
  if (access.token_type.toLowerCase() !== scheme || Boolean(access.cnf?.jkt) !== (scheme === 'dpop')) {
    return [401, { error: 'invalid_token', scope }];
  }
  if (scheme === 'dpop') {
    try {
      await proofs.check(request, resource, token, access.cnf.jkt);
    } catch (error) {
      return [401, { error, scope }];
    }
  }
  const needed = tool === 'write' ? 'files:write' : 'mcp:use';
  if (!access.scope?.split(' ').includes(needed)) return [403, { error: 'insufficient_scope', scope: needed }];
  const error = 'insufficient_user_authentication';
  if (tool === 'recent' && access.auth_time < Date.now() / 1000 - 600) return [401, { error, max_age: 600 }];
  if (tool === 'strong' && access.acr !== 'mfa') return [401, { error, acr_values: 'mfa' }];
  return undefined;
}

async function serve(request, response) {
  let body = '';
  for await (const chunk of request) body += chunk;
  const json = (value) => response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(value));
  if (request.url === '/.well-known/oauth-protected-resource/mcp') {
    const bound = options.resourceDpop ? { dpop_bound_access_tokens_required: true } : {};
    return json({ resource, authorization_servers: [issuer], scopes_supported: ['mcp:use'], ...bound });
  }
  if (request.url === '/control') return json(await control(body));
  if (request.url !== '/mcp') return response.writeHead(404).end();

  const [, scheme, token] = /^(bearer|dpop) (.+)$/i.exec(request.headers.authorization ?? '') ?? [];
  const message = JSON.parse(body);
  const access = token && await introspect(token);
  const refused = token
    ? await refusal(request, access, scheme.toLowerCase(), token, message.params?.name)
    : [401, { scope: 'mcp:use' }];
  const nonce = proofs.nonce();
  if (nonce) response.setHeader('dpop-nonce', nonce);
  if (refused) {
    const [status, params] = refused;
    const all = Object.entries({ resource_metadata: metadataUrl, ...params });
    const text = all.map(([name, value]) => `${name}="${value}"`).join(', ');
    const own = options.resourceDpop || scheme?.toLowerCase() === 'dpop' ? 'DPoP' : 'Bearer';
    return response.writeHead(status, { 'www-authenticate': `${own} ${text}` }).end();
  }
  if (options.resourceDpop && !access.cnf?.jkt) return response.writeHead(401, { 'www-authenticate': `DPoP error="invalid_token"` }).end();
  seen = token;
  const { scope, sub, cnf, auth_time, acr, authorization_details } = access;
  const result = { scope, sub, bound: Boolean(cnf?.jkt), auth_time, acr, authorization_details };
  return json({ jsonrpc: '2.0', id: message.id, result });
}

mcp.on('request', (request, response) => {
  serve(request, response).catch((error) => response.writeHead(500).end(String(error.stack)));
});

console.log(JSON.stringify({ resource, issuer, control: resource.replace(/mcp$/, 'control') }));
process.stdin.on('end', () => process.exit()).resume();
