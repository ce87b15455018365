// npm openid-client against an authorization server: `openid-client.mjs ISSUER RESOURCE SECRET [nonces]`, where the client
// `job` has that secret and may have tokens of its own.
//
// What it needs of others leaves as a line of JSON: {"authorize": URL} and {"connect": URL} for the user, with "deny" if
// they are to refuse; {"verify": token, ...} for another JOSE implementation. The answer is read as the next line. Each
// case leaves as {"passed": name} or {"failed": name, "why": text}.

import assert from 'node:assert/strict';
import { createInterface } from 'node:readline';

import * as jose from 'jose';
import * as oauth from 'openid-client';

const [issuer, resource, secret, nonces] = process.argv.slice(2);
const REDIRECT = 'http://127.0.0.1:7777/callback';
const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
const keys = jose.createRemoteJWKSet(new URL(`${issuer}/jwks`));
const options = { algorithm: 'oauth2', execute: [oauth.allowInsecureRequests] };

async function ask(what) {
  console.log(JSON.stringify(what));
  return (await lines.next()).value;
}

// A client that registers itself.
async function register(metadata, authentication) {
  const config = await oauth.dynamicClientRegistration(new URL(issuer), {
    client_name: 'openid-client',
    redirect_uris: [REDIRECT],
    application_type: 'native',
    grant_types: ['authorization_code', 'refresh_token', 'urn:ietf:params:oauth:grant-type:device_code'],
    response_types: ['code'],
    ...metadata,
  }, authentication, options);
  // The signature of ID tokens, too.
  oauth.enableNonRepudiationChecks(config);
  return config;
}

const publicClient = (metadata) => register({ token_endpoint_auth_method: 'none', ...metadata }, oauth.None());

// Both verify: npm jose here, and whoever reads what this prints.
async function verified(token, audience, typ) {
  const { payload, protectedHeader } = await jose.jwtVerify(token, keys, { issuer, audience, typ });
  const other = JSON.parse(await ask({ verify: token, audience, typ }));
  assert.deepEqual(other, payload);
  assert.ok(protectedHeader.kid);
  return payload;
}

async function checkAccess(config, tokens, sub = 'alice') {
  const claims = await verified(tokens.access_token, resource, 'at+jwt');
  assert.equal(claims.sub, sub);
  assert.equal(claims.client_id, config.clientMetadata().client_id);
  // RFC 9068 2.2.3: scopes that mean something to the resource.
  const own = tokens.scope.split(' ').filter((scope) => !['openid', 'offline_access'].includes(scope));
  assert.equal(claims.scope, own.join(' '));
  assert.ok(claims.jti && claims.exp - claims.iat === tokens.expires_in);
  return claims;
}

// A request with all that a careful client sends, and what is needed for its answer.
async function request(change) {
  const verifier = oauth.randomPKCECodeVerifier();
  const checks = { pkceCodeVerifier: verifier, expectedState: oauth.randomState(), expectedNonce: oauth.randomNonce() };
  const parameters = {
    redirect_uri: REDIRECT,
    scope: 'openid offline_access notes:read',
    resource,
    state: checks.expectedState,
    nonce: checks.expectedNonce,
    code_challenge: await oauth.calculatePKCECodeChallenge(verifier),
    code_challenge_method: 'S256',
    ...change,
  };
  return { parameters, checks };
}

async function code(config, { pushed = false, dpop, change } = {}) {
  const { parameters, checks } = await request(change);
  if (!parameters.scope.includes('openid')) delete checks.expectedNonce;
  const handle = dpop ? { DPoP: dpop } : undefined;
  const url = pushed
    ? await oauth.buildAuthorizationUrlWithPAR(config, parameters, handle)
    : oauth.buildAuthorizationUrl(config, parameters);
  const back = new URL(await ask({ authorize: url.href }));
  assert.equal(back.searchParams.get('iss'), issuer);
  const tokens = await oauth.authorizationCodeGrant(config, back, checks, { resource }, handle);
  await checkAccess(config, tokens);
  if (parameters.scope.includes('openid')) {
    const id = await verified(tokens.id_token, config.clientMetadata().client_id);
    assert.equal(id.sub, 'alice');
    assert.equal(id.nonce, checks.expectedNonce);
  }
  return { tokens, back, checks, url };
}

async function refresh(config, tokens, handle) {
  const next = await oauth.refreshTokenGrant(config, tokens.refresh_token, { resource }, handle);
  assert.notEqual(next.refresh_token, tokens.refresh_token);
  await checkAccess(config, next);
  return next;
}

// What a request ends with that the server refuses.
async function error(outcome, code, status = 400) {
  const found = await outcome.then(() => assert.fail(`no ${code}`), (problem) => problem);
  assert.equal(found.error ?? found.cause?.error, code, found.stack);
  assert.equal(found.status, status);
  assert.ok(found.error_description?.length > 5);
}

// The same for what comes back with the browser.
async function redirected(config, change, expected, more = {}) {
  const { parameters, checks } = await request(change);
  const url = oauth.buildAuthorizationUrl(config, parameters);
  const back = new URL(await ask({ authorize: url.href, ...more }));
  assert.equal(back.searchParams.get('iss'), issuer);
  assert.equal(back.searchParams.get('state'), checks.expectedState);
  assert.ok(back.searchParams.get('error_description'));
  const outcome = oauth.authorizationCodeGrant(config, back, checks);
  const found = await outcome.then(() => assert.fail(`no ${expected}`), (problem) => problem);
  assert.equal(found.error, expected, found.stack);
}

// A token's end, as the server says it.
async function ended(config, tokens) {
  await error(oauth.refreshTokenGrant(config, tokens.refresh_token), 'invalid_grant');
}

const isActive = async (config, token) => (await oauth.tokenIntrospection(config, token)).active;

const job = (password = secret, how = oauth.ClientSecretBasic) => (
  oauth.discovery(new URL(issuer), 'job', { client_secret: password }, how(password), options)
);

const methods = {
  client_secret_basic: () => register({ token_endpoint_auth_method: 'client_secret_basic' }, oauth.ClientSecretBasic()),
  client_secret_post: () => register({ token_endpoint_auth_method: 'client_secret_post' }, oauth.ClientSecretPost()),
};
for (const alg of ['ES256', 'Ed25519', 'RS256', 'PS256']) {
  methods[`private_key_jwt, ${alg}`] = async () => {
    const { publicKey, privateKey } = await jose.generateKeyPair(alg, { extractable: true });
    const jwk = { ...await jose.exportJWK(publicKey), kid: 'one', use: 'sig', alg };
    return register(
      { token_endpoint_auth_method: 'private_key_jwt', jwks: { keys: [jwk] } },
      oauth.PrivateKeyJwt({ key: privateKey, kid: 'one' }),
    );
  };
}

const cases = {
  async 'both metadata documents say the same'() {
    const documents = ['oauth2', 'oidc'].map((algorithm) => (
      oauth.discovery(new URL(issuer), 'x', undefined, oauth.None(), { ...options, algorithm })
    ));
    const [one, other] = (await Promise.all(documents)).map((config) => config.serverMetadata());
    assert.deepEqual({ ...one }, { ...other });
    assert.ok(one.supportsPKCE());
  },
  async 'a public client: code with PKCE, refresh with rotation, revocation'() {
    const config = await publicClient();
    const { tokens } = await code(config);
    const second = await refresh(config, tokens);
    const third = await refresh(config, second);
    await oauth.tokenRevocation(config, third.refresh_token);
    await ended(config, third);
  },
  async 'a lost answer is given again, and an old token ends the grant'() {
    const config = await publicClient();
    const { tokens } = await code(config);
    const second = await refresh(config, tokens);
    const again = await oauth.refreshTokenGrant(config, tokens.refresh_token, { resource });
    assert.equal(again.refresh_token, second.refresh_token);
    await checkAccess(config, again);
    const third = await refresh(config, second);
    await ended(config, tokens);
    await ended(config, third);
  },
  async 'scopes are narrowed by refreshing, and never widened'() {
    const config = await publicClient();
    const { tokens } = await code(config, { change: { scope: 'offline_access notes:read notes:write' } });
    const narrow = await oauth.refreshTokenGrant(config, tokens.refresh_token, { scope: 'notes:read' });
    assert.equal(narrow.scope, 'notes:read');
    await checkAccess(config, narrow);
    const wide = oauth.refreshTokenGrant(config, narrow.refresh_token, { scope: 'notes:admin' });
    await error(wide, 'invalid_scope');
  },
  async 'tokens of client_credentials, by header and body'() {
    for (const how of [oauth.ClientSecretBasic, oauth.ClientSecretPost]) {
      const config = await job(secret, how);
      const tokens = await oauth.clientCredentialsGrant(config, { scope: 'notes:read', resource });
      assert.equal(tokens.refresh_token, undefined);
      await checkAccess(config, tokens, 'job');
      assert.ok(await isActive(config, tokens.access_token));
    }
  },
  async 'tokens bound to a key (DPoP)'() {
    for (const alg of ['ES256', 'Ed25519']) {
      const config = await publicClient({ dpop_bound_access_tokens: true });
      const [own, others] = [await oauth.randomDPoPKeyPair(alg), await oauth.randomDPoPKeyPair(alg)];
      const handle = oauth.getDPoPHandle(config, own);
      const { tokens } = await code(config, { pushed: true, dpop: handle });
      assert.equal(tokens.token_type.toLowerCase(), 'dpop');
      const jkt = await jose.calculateJwkThumbprint(await jose.exportJWK(own.publicKey));
      assert.equal((await checkAccess(config, tokens)).cnf.jkt, jkt);
      const next = await refresh(config, tokens, { DPoP: handle });
      assert.equal((await checkAccess(config, next)).cnf.jkt, jkt);
      const stolen = { DPoP: oauth.getDPoPHandle(config, others) };
      const outcome = oauth.refreshTokenGrant(config, next.refresh_token, undefined, stolen);
      await assert.rejects(outcome, (problem) => ['invalid_grant', 'invalid_dpop_proof'].includes(problem.error));
      await refresh(config, next, { DPoP: handle });
    }
  },
  async 'a pushed request, which is good for its client alone'() {
    const config = await publicClient();
    const { url } = await code(config, { pushed: true });
    assert.deepEqual([...url.searchParams.keys()].sort(), ['client_id', 'request_uri']);
    const stolen = new URL(url);
    stolen.searchParams.set('client_id', (await publicClient({ client_name: 'other' })).clientMetadata().client_id);
    assert.match(await ask({ authorize: stolen.href, shown: true }), /status 400.*invalid_request_uri/s);
    const other = oauth.buildAuthorizationUrlWithPAR(config, { redirect_uri: 'https://evil.example/cb' });
    await error(other, 'invalid_request');
  },
  async 'a device'() {
    const config = await publicClient();
    for (const deny of [false, true]) {
      const device = await oauth.initiateDeviceAuthorization(config, { scope: 'notes:read offline_access', resource });
      const once = oauth.genericGrantRequest(config, 'urn:ietf:params:oauth:grant-type:device_code', { device_code: device.device_code });
      await error(once, 'authorization_pending');
      const page = await ask({ connect: device.verification_uri_complete, deny });
      const outcome = oauth.pollDeviceAuthorizationGrant(config, device);
      if (deny) {
        assert.match(page, /turned away/);
        await error(outcome, 'access_denied');
      } else {
        assert.match(page, /connected/);
        const tokens = await outcome;
        await checkAccess(config, tokens);
        await refresh(config, tokens);
      }
    }
  },
  async 'what the browser brings back when it does not work'() {
    const config = await publicClient();
    await redirected(config, { prompt: 'none' }, 'login_required', { stranger: true });
    await redirected(config, {}, 'access_denied', { deny: true });
    await redirected(config, { scope: 'unheard-of' }, 'invalid_scope');
    await redirected(config, { resource: 'https://elsewhere.example/mcp' }, 'invalid_target');
    await redirected(config, { response_type: 'token' }, 'unsupported_response_type');
    await redirected(config, { code_challenge_method: 'plain' }, 'invalid_request');
    await redirected(config, { code_challenge: undefined, code_challenge_method: undefined }, 'invalid_request');
  },
  async 'nobody is sent to a redirect URI that is not the client\'s'() {
    const config = await publicClient();
    const { parameters } = await request({ redirect_uri: 'https://evil.example/cb' });
    const url = oauth.buildAuthorizationUrl(config, parameters);
    assert.match(await ask({ authorize: url.href, shown: true }), /status 400.*redirect_uri/s);
  },
  async 'a wrong verifier, and a code that is used again'() {
    const config = await publicClient();
    const { parameters, checks } = await request({});
    const back = new URL(await ask({ authorize: oauth.buildAuthorizationUrl(config, parameters).href }));
    const wrong = { ...checks, pkceCodeVerifier: oauth.randomPKCECodeVerifier() };
    await error(oauth.authorizationCodeGrant(config, back, wrong), 'invalid_grant');
    const used = await code(config);
    await error(oauth.authorizationCodeGrant(config, used.back, used.checks), 'invalid_grant');
    await ended(config, used.tokens);
  },
  async 'wrong secrets, unknown clients, grants that a client does not have'() {
    const grant = async (config) => oauth.clientCredentialsGrant(config, { resource });
    const header = await grant(await job('wrong')).then(() => assert.fail(), (problem) => problem);
    const challenge = header.cause?.[0] ?? header;
    assert.equal(challenge.scheme ?? challenge.error, 'basic', header.stack);
    assert.equal(header.status, 401);
    await error(grant(await job('wrong', oauth.ClientSecretPost)), 'invalid_client', 401);
    const nobody = await oauth.discovery(new URL(issuer), 'nobody', undefined, oauth.None(), options);
    await error(grant(nobody), 'invalid_client', 401);
    await error(grant(await publicClient()), 'unauthorized_client');
    const unknown = oauth.genericGrantRequest(await job(), 'urn:example:unknown', {});
    await error(unknown, 'unsupported_grant_type');
  },
  async 'clients with the tokens of others'() {
    const [one, other] = [await methods.client_secret_basic(), await methods.client_secret_post()];
    const { tokens } = await code(one);
    assert.equal(await isActive(other, tokens.access_token), false);
    assert.equal(await isActive(other, tokens.refresh_token), false);
    await error(oauth.refreshTokenGrant(other, tokens.refresh_token), 'invalid_grant');
    await refresh(one, tokens);
  },
};
for (const [method, open] of Object.entries(methods)) {
  cases[`client authentication: ${method}`] = async () => {
    const config = await open();
    const { tokens } = await code(config, { pushed: true });
    const next = await refresh(config, tokens);
    for (const token of [next.access_token, next.refresh_token]) assert.ok(await isActive(config, token));
    await oauth.tokenRevocation(config, next.refresh_token);
    assert.equal(await isActive(config, next.refresh_token), false);
    await ended(config, next);
    await oauth.tokenRevocation(config, 'what nobody issued');
  };
}

for (const [name, run] of Object.entries(cases)) {
  if (nonces && !name.includes('DPoP')) continue;
  try {
    await run();
    console.log(JSON.stringify({ passed: name + (nonces ? ', with nonces' : '') }));
  } catch (problem) {
    console.log(JSON.stringify({ failed: name, why: `${problem.stack}\n${JSON.stringify(problem.cause ?? {})}` }));
  }
}
process.exit();
