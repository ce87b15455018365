// An MCP endpoint and a real authorization server (npm oidc-provider) that are right, until they are told what to do wrong.
//
// The argument is JSON with what to set wrong at the start. Prints one line of JSON with the URLs once it listens; each
// POST of a name to `control` sets that wrong instead, or nothing for an empty one; a GET tells how many requests came to
// the endpoint and its metadata (`mcp`) and to the authorization server (`as`). Ends when its standard input does.
// With the option `bridge` its tools are those of `bridge-server.mjs`.

import http from 'node:http';

import { createRemoteJWKSet, jwtVerify } from 'jose';
import { Provider } from 'oidc-provider';

import { serve as bridged } from './bridge-server.mjs';

const options = {
  registration: true,
  documents: true,
  revocation: true,
  audience: undefined,
  // How long tokens are good, in seconds.
  lifetime: 3600,
  bridge: false,
  ...JSON.parse(process.argv[2] ?? '{}'),
};

const listen = async (server) => {
  await new Promise((done) => server.listen(0, '127.0.0.1', done));
  return `http://127.0.0.1:${server.address().port}`;
};
const mcp = http.createServer();
const as = http.createServer();
const [origin, issuer] = [await listen(mcp), await listen(as)];
const resource = `${origin}/mcp`;
const well = '/.well-known/oauth-protected-resource';
let wrong = '';
const seen = { mcp: 0, as: 0 };

const provider = new Provider(issuer, {
  // Metadata and errors may be read by pages of every origin.
  clientBasedCORS: () => true,
  clientAuthMethods: ['none'],
  cookies: { keys: ['test'] },
  features: {
    clientIdMetadataDocument: { enabled: options.documents, ack: 'draft-02' },
    registration: { enabled: options.registration },
    resourceIndicators: {
      enabled: true,
      getResourceServerInfo: () => ({
        scope: 'mcp:use files:write',
        audience: options.audience ?? resource,
        accessTokenFormat: 'jwt',
        accessTokenTTL: options.lifetime,
      }),
      useGrantedResource: () => true,
    },
    revocation: { enabled: options.revocation },
  },
  findAccount: (_, id) => ({ accountId: id, claims: () => ({ sub: id }) }),
  issueRefreshToken: (_, client) => wrong !== 'no refresh token' && client.grantTypeAllowed('refresh_token'),
  rotateRefreshToken: () => wrong !== 'no rotation',
  scopes: ['openid', 'offline_access', 'mcp:use', 'files:write'],
});

// What is wrong with a document or an answer, by name.
const documents = {
  'other issuer': (document) => { document.issuer += '/'; },
  'no code': (document) => { document.response_types_supported = ['token']; },
  'no pkce': (document) => { delete document.code_challenge_methods_supported; },
  'plain pkce': (document) => { document.code_challenge_methods_supported = ['plain']; },
  'scopes as text': (document) => { document.scopes_supported = 'mcp:use files:write'; },
  'no iss': (document) => { document.authorization_response_iss_parameter_supported = false; },
  'no refresh grant': (document) => {
    document.grant_types_supported = ['authorization_code'];
    document.scopes_supported = ['mcp:use', 'files:write'];
  },
  'no token endpoint': (document) => { delete document.token_endpoint; },
};
const tokens = {
  'expiry as text': (token) => { token.expires_in = String(token.expires_in); },
  'no expiry': (token) => { delete token.expires_in; },
};

provider.use(async (ctx, next) => {
  if (ctx.path.includes('/.well-known/') && wrong === 'no server metadata') { ctx.status = 404; return; }
  if (ctx.path === '/token' && wrong === 'page at the token endpoint') { ctx.status = 500; ctx.body = '<html>'; return; }
  if (ctx.path === '/token/revocation' && wrong === 'no revoking') { ctx.status = 500; return; }
  await next();
  if (ctx.path.includes('/.well-known/')) {
    documents[wrong]?.(ctx.body);
    if (wrong === 'server closed to pages') ctx.remove('access-control-allow-origin');
  }
  if (ctx.path !== '/token') return;
  if (ctx.status === 200) tokens[wrong]?.(ctx.body);
  if (wrong === 'cached tokens') ctx.set('cache-control', 'max-age=60');
  if (wrong === 'no refreshing' && ctx.oidc?.params?.grant_type === 'refresh_token') {
    ctx.status = 400;
    ctx.body = { error: 'invalid_grant' };
  }
  // The second log-in is the step-up.
  const stepsUp = ctx.status === 200 && ctx.body.scope?.includes('files:write') && ctx.body.scope.includes('mcp:use');
  if (wrong === 'no step-up' && stepsUp) {
    ctx.status = 400;
    ctx.body = { error: 'access_denied' };
  }
  if (wrong === 'narrow step-up' && stepsUp) ctx.body.scope = 'files:write';
});
as.on('request', () => { seen.as += 1; });
as.on('request', provider.callback());

const keys = createRemoteJWKSet(new URL(`${issuer}/jwks`));
const isGood = async (token) => {
  if (wrong === 'every token') return true;
  if (wrong === 'no token') return false;
  try {
    const { payload } = await jwtVerify(token, keys, { issuer, audience: options.audience ?? resource });
    return payload;
  } catch {
    return false;
  }
};

const challenge = (params) => `Bearer ${Object.entries(params).map(([name, value]) => `${name}="${value}"`).join(', ')}`;

// What the 401 says.
function demand(token) {
  const params = { resource_metadata: `${origin}${well}/mcp`, scope: 'mcp:use' };
  if (token) params.error = 'invalid_token';
  if (wrong === 'no resource_metadata') delete params.resource_metadata;
  if (wrong === 'resource_metadata without origin') params.resource_metadata = `${well}/mcp`;
  if (wrong === 'metadata elsewhere') params.resource_metadata = `${origin}/metadata`;
  if (wrong === 'no scope') delete params.scope;
  if (wrong === 'no error') delete params.error;
  if (wrong === 'no challenge') return undefined;
  if (wrong === 'another scheme') return 'Basic realm="mcp"';
  if (wrong === 'single quotes' && !token) return challenge(params).replaceAll('"', "'");
  return challenge(params);
}

function metadata(path) {
  const document = { resource, authorization_servers: [issuer], scopes_supported: ['mcp:use'] };
  if (wrong === 'metadata elsewhere') return path === '/metadata' ? document : undefined;
  if (path !== `${well}/mcp` || wrong === 'no metadata') return undefined;
  if (wrong === 'other resource') document.resource = `${origin}/other`;
  if (wrong === 'no server named') document.authorization_servers = [];
  if (wrong === 'name as number') document.resource_name = 7;
  return document;
}

async function bridge(request, response, scope) {
  let body = '';
  for await (const chunk of request) body += chunk;
  const message = body ? JSON.parse(body) : undefined;
  if (message?.params?.name === 'write' && !scope.split(' ').includes('files:write')) {
    const wanted = { error: 'insufficient_scope', scope: 'files:write', resource_metadata: `${origin}${well}/mcp` };
    return response.writeHead(403, { 'www-authenticate': challenge(wanted) }).end();
  }
  return bridged(request, response, message);
}

async function serve(request, response) {
  const url = new URL(request.url, origin);
  if (request.method === 'POST' && url.pathname === '/control') {
    wrong = '';
    for await (const chunk of request) wrong += chunk;
    return response.end();
  }
  const send = (status, headers, body) => {
    const json = body ? { 'content-type': 'application/json' } : {};
    response.writeHead(status, { ...json, ...headers }).end(body && JSON.stringify(body));
  };
  if (url.pathname === '/control') return send(200, {}, seen);
  seen.mcp += 1;
  const open = { 'access-control-allow-origin': '*' };
  if (url.pathname !== '/mcp') {
    const document = metadata(url.pathname);
    return document ? send(200, wrong === 'metadata closed to pages' ? {} : open, document) : send(404, open);
  }
  const exposed = wrong === 'hidden challenge' ? {} : { 'access-control-expose-headers': 'WWW-Authenticate, Mcp-Session-Id' };
  const headers = { ...open, ...exposed };
  if (request.method === 'OPTIONS') {
    if (wrong === 'no preflight') return send(405, {});
    const allowed = wrong === 'half a preflight' ? 'content-type' : 'authorization, content-type, mcp-protocol-version';
    return send(204, { ...headers, 'access-control-allow-headers': allowed });
  }
  if (wrong === 'no endpoint') return send(404, headers);
  if (wrong === 'web page') return send(302, { location: '/login' });
  const [, token] = /^bearer (.+)$/i.exec(request.headers.authorization ?? '') ?? [];
  const asked = url.searchParams.get('access_token');
  const good = wrong === 'open' || (token && await isGood(token)) || (wrong === 'token in the query' && asked);
  if (good && wrong === 'refusal without scopes') return send(403, { ...headers, 'www-authenticate': 'Bearer' });
  if (good && options.bridge) return bridge(request, response, good.scope ?? '');
  if (good) return send(200, headers, { jsonrpc: '2.0', id: 1, result: { protocolVersion: '2025-11-25' } });
  const demanded = demand(token);
  const status = wrong === 'forbidden' && token ? 403 : 401;
  return send(status, demanded ? { ...headers, 'www-authenticate': demanded } : headers);
}

mcp.on('request', (request, response) => {
  serve(request, response).catch((error) => response.writeHead(500).end(String(error.stack)));
});
console.log(JSON.stringify({ resource, issuer, control: `${origin}/control` }));
process.stdin.on('end', () => process.exit()).resume();
