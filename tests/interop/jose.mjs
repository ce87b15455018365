// npm jose as a counterpart: reads one request a line, writes one answer a line, both JSON.

import crypto from 'node:crypto';
import readline from 'node:readline';

import * as jose from 'jose';

// A text, or octets as an array of numbers.
const bytes = (value) => typeof value === 'string' ? new TextEncoder().encode(value) : Uint8Array.from(value);

const publicKey = (jwk) => crypto.createPublicKey({ key: jwk, format: 'jwk' });

const operations = {
  // A new private key: JWK, and PEM, also of its public half; `bits` for RSA keys of any length.
  async generate({ alg, bits }) {
    // The library makes no RSA keys below 2048 bits.
    const { privateKey } = bits
      ? crypto.generateKeyPairSync('rsa', { modulusLength: bits })
      : await jose.generateKeyPair(alg, { extractable: true });
    const jwk = await jose.exportJWK(privateKey);
    return { jwk, pem: await jose.exportPKCS8(privateKey), spki: await jose.exportSPKI(publicKey(jwk)) };
  },
  // What is published of these private keys, with their `kid`, `use`, `key_ops` and `alg`.
  async key_set({ keys }) {
    const published = async ({ kid, use, key_ops, alg, ...jwk }) => (
      { ...await jose.exportJWK(publicKey(jwk)), kid, use, key_ops, alg }
    );
    return { keys: await Promise.all(keys.map(published)) };
  },
  async thumbprint({ jwk }) {
    return { thumbprint: await jose.calculateJwkThumbprint(jwk) };
  },
  // Any header, any payload; `secret` instead of `jwk` for HS256.
  async sign({ header, payload, jwk, secret }) {
    const key = secret === undefined ? await jose.importJWK(jwk, header.alg) : bytes(secret);
    return { token: await new jose.CompactSign(bytes(payload)).setProtectedHeader(header).sign(key) };
  },
  // Claims as the library writes them.
  async jwt({ header, claims, jwk }) {
    const key = await jose.importJWK(jwk, header.alg);
    return { token: await new jose.SignJWT(claims).setProtectedHeader(header).sign(key) };
  },
  // A JWT that nobody signed; with a header, if one is given, that the library would not write.
  unsecured({ header, claims }) {
    const token = new jose.UnsecuredJWT(claims).encode();
    if (!header) return { token };
    return { token: token.replace(/^[^.]*/, jose.base64url.encode(JSON.stringify(header))) };
  },
  // What the library refuses to sign: any text as header, RSA keys of any length, ECDSA signatures in DER.
  sign_raw({ header, payload, jwk }) {
    const input = `${jose.base64url.encode(header)}.${jose.base64url.encode(payload)}`;
    const signature = crypto.sign('sha256', bytes(input), crypto.createPrivateKey({ key: jwk, format: 'jwk' }));
    return { token: `${input}.${jose.base64url.encode(signature)}` };
  },
  // A JWE for the owner of this key.
  async encrypt({ header, plaintext, jwk }) {
    const key = await jose.importJWK(await jose.exportJWK(publicKey(jwk)), header.alg);
    return { token: await new jose.CompactEncrypt(bytes(plaintext)).setProtectedHeader(header).encrypt(key) };
  },
  // base64url.
  decode({ text }) {
    return { octets: [...jose.base64url.decode(text)] };
  },
  encode({ octets }) {
    return { text: jose.base64url.encode(bytes(octets)) };
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
