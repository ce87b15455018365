// npm jose as a counterpart: reads one request a line, writes one answer a line, both JSON.

import readline from 'node:readline';

import * as jose from 'jose';

const bytes = (text) => new TextEncoder().encode(text);

const operations = {
  // A new key: private and public JWK, and PEM.
  async generate({ alg }) {
    const { privateKey } = await jose.generateKeyPair(alg, { extractable: true });
    return { jwk: await jose.exportJWK(privateKey), pem: await jose.exportPKCS8(privateKey) };
  },
  async thumbprint({ jwk }) {
    return { thumbprint: await jose.calculateJwkThumbprint(jwk) };
  },
  // Any header, any payload; `secret` instead of `jwk` for HS256.
  async sign({ header, payload, jwk, secret }) {
    const key = secret === undefined ? await jose.importJWK(jwk, header.alg) : bytes(secret);
    return { token: await new jose.CompactSign(bytes(payload)).setProtectedHeader(header).sign(key) };
  },
  // A JWT with all that the library checks by itself.
  async verify({ token, jwk, secret, alg, typ, issuer, audience, now }) {
    const key = secret === undefined ? await jose.importJWK(jwk, alg) : bytes(secret);
    const options = { algorithms: [alg], currentDate: new Date(now * 1000), typ, issuer, audience };
    const { payload, protectedHeader } = await jose.jwtVerify(token, key, options);
    return { claims: payload, header: protectedHeader };
  },
  // A proof, by the key that it carries.
  async proof({ token, alg, now }) {
    const options = { algorithms: [alg], currentDate: new Date(now * 1000), typ: 'dpop+jwt', maxTokenAge: 60 };
    const { payload, protectedHeader } = await jose.jwtVerify(token, jose.EmbeddedJWK, options);
    return { claims: payload, jkt: await jose.calculateJwkThumbprint(protectedHeader.jwk) };
  },
};

for await (const line of readline.createInterface({ input: process.stdin })) {
  const { op, ...request } = JSON.parse(line);
  let answer;
  try {
    answer = await operations[op](request);
  } catch (error) {
    answer = { error: String(error) };
  }
  console.log(JSON.stringify(answer));
}
