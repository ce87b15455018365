// npm oidc-provider with its records in memory, to compare with: `oidc-provider-load.mjs RESOURCE ID SECRET CHAINS`. Prints
// its issuer and so many refresh tokens as a line of JSON.

import crypto from 'node:crypto';
import http from 'node:http';

import { exportJWK, generateKeyPair } from 'jose';
import { Provider } from 'oidc-provider';

const [resource, id, secret, chains] = process.argv.slice(2);
const server = http.createServer();
await new Promise((done) => { server.listen(0, '127.0.0.1', done); });
const issuer = `http://127.0.0.1:${server.address().port}`;
const { privateKey } = await generateKeyPair('ES256', { extractable: true });
const scope = 'notes:read';
// Its own store in memory forgets after a thousand records.
const records = new Map();
class Adapter {
  constructor(model) { this.model = model; }

  async upsert(key, payload) { records.set(`${this.model}:${key}`, payload); }

  async find(key) { return records.get(`${this.model}:${key}`); }

  async findByUid() {}

  async findByUserCode() {}

  async consume(key) { records.get(`${this.model}:${key}`).consumed = Math.floor(Date.now() / 1000); }

  async destroy(key) { records.delete(`${this.model}:${key}`); }

  async revokeByGrantId() {}
}
const provider = new Provider(issuer, {
  adapter: Adapter,
  clients: [{
    client_id: id,
    client_secret: secret,
    token_endpoint_auth_method: 'client_secret_post',
    grant_types: ['authorization_code', 'refresh_token', 'client_credentials'],
    redirect_uris: ['http://127.0.0.1:7777/callback'],
    application_type: 'native',
    id_token_signed_response_alg: 'ES256',
  }],
  cookies: { keys: [crypto.randomUUID()] },
  features: {
    clientCredentials: { enabled: true },
    devInteractions: { enabled: false },
    resourceIndicators: {
      enabled: true,
      defaultResource: () => resource,
      getResourceServerInfo: () => ({ scope, audience: resource, accessTokenTTL: 600, accessTokenFormat: 'jwt', jwt: { sign: { alg: 'ES256' } } }),
      useGrantedResource: () => true,
    },
  },
  findAccount: (_, accountId) => ({ accountId, claims: () => ({ sub: accountId }) }),
  jwks: { keys: [{ ...await exportJWK(privateKey), alg: 'ES256', use: 'sig' }] },
  rotateRefreshToken: true,
  scopes: ['offline_access', scope],
  ttl: { AccessToken: 600, ClientCredentials: 600, Grant: 86400, RefreshToken: 86400 },
});
server.on('request', provider.callback());

const client = await provider.Client.find(id);
const tokens = [];
for (let index = 0; index < Number(chains); index += 1) {
  const grant = new provider.Grant({ accountId: 'alice', clientId: id });
  grant.addResourceScope(resource, scope);
  grant.addOIDCScope('offline_access');
  const grantId = await grant.save();
  const token = new provider.RefreshToken({
    accountId: 'alice', client, grantId, scope: `offline_access ${scope}`, resource, gty: 'authorization_code', rotations: 0,
  });
  tokens.push(await token.save());
}
console.log(JSON.stringify({ issuer, tokens }));
