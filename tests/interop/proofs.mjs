// What a protected resource checks of DPoP proofs (RFC 9449 4.3, 7.1, 9), with npm jose.

import crypto from 'node:crypto';

import * as jose from 'jose';

// A resource's checks; `nonces` says whether it demands nonces of its own, each good for some requests.
export class Proofs {
  #seen = new Set();
  #nonce = crypto.randomUUID();
  #uses = 0;

  constructor({ nonces }) {
    this.nonces = nonces;
  }

  // The nonce for the next request.
  nonce() {
    if (!this.nonces) return undefined;
    this.#uses += 1;
    if (this.#uses % 3 === 0) this.#nonce = crypto.randomUUID();
    return this.#nonce;
  }

  // Throws the error code for the challenge.
  async check(request, url, token, jkt) {
    const proofs = request.rawHeaders.filter((name, index) => index % 2 === 0 && /^dpop$/i.test(name));
    if (proofs.length !== 1) throw 'invalid_dpop_proof';
    let verified;
    try {
      verified = await jose.jwtVerify(request.headers.dpop, jose.EmbeddedJWK, {
        algorithms: ['ES256', 'ES384', 'PS256', 'EdDSA', 'Ed25519'],
        typ: 'dpop+jwt',
        maxTokenAge: 60,
        requiredClaims: ['jti', 'htm', 'htu', 'iat', 'ath'],
      });
    } catch {
      throw 'invalid_dpop_proof';
    }
    const { payload, protectedHeader } = verified;
    const ath = crypto.createHash('sha256').update(token).digest('base64url');
    if (
      protectedHeader.jwk.d !== undefined
      || payload.htm !== request.method
      || payload.htu !== url
      || payload.ath !== ath
      || this.#seen.has(payload.jti)
    ) throw 'invalid_dpop_proof';
    if (this.nonces && payload.nonce !== this.#nonce) throw 'use_dpop_nonce';
    if (!this.nonces && payload.nonce !== undefined) throw 'invalid_dpop_proof';
    this.#seen.add(payload.jti);
    if (await jose.calculateJwkThumbprint(protectedHeader.jwk) !== jkt) throw 'invalid_token';
  }
}
