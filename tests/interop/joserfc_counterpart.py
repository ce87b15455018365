"""Python joserfc as a counterpart: reads one request a line, writes one answer a line, both JSON."""

import json
import sys
import warnings

from joserfc import jwk as keys
from joserfc import jws, jwt

warnings.simplefilter("ignore")

# An RSA key in a proof's header is longer than the library expects by itself.
jws.JWSRegistry.max_header_length = 8192

KINDS = {"EdDSA": ("OKP", "Ed25519"), "ES256": ("EC", "P-256"), "ES384": ("EC", "P-384")}


def key_of(request):
    if "secret" in request:
        return keys.OctKey.import_key(request["secret"])
    return keys.import_key(request["jwk"])


def generate(request):
    """A new key: private and public JWK, and PEM."""
    kind, size = KINDS.get(request["alg"], ("RSA", 2048))
    key = keys.generate_key(kind, size, private=True)
    return {"jwk": key.as_dict(private=True), "pem": key.as_pem(private=True).decode()}


def thumbprint(request):
    return {"thumbprint": keys.import_key(request["jwk"]).thumbprint()}


def sign(request):
    """Any header, any payload; `secret` instead of `jwk` for HS256."""
    header = request["header"]
    registry = jws.JWSRegistry(algorithms=[header["alg"]], strict_check_header=False)
    token = jws.serialize_compact(header, request["payload"], key_of(request), registry=registry)
    return {"token": token}


def checked(request, key, **claims):
    registry = jws.JWSRegistry(algorithms=[request["alg"]], strict_check_header=False)
    token = jwt.decode(request["token"], key, registry=registry)
    jwt.JWTClaimsRegistry(now=request["now"], leeway=60, **claims).validate(token.claims)
    if request.get("typ") and token.header.get("typ") != request["typ"]:
        raise ValueError("typ")
    return token


def verify(request):
    """A JWT with all that the library checks by itself."""
    issuer, audience = ({"essential": True, "value": request[name]} for name in ("issuer", "audience"))
    token = checked(request, key_of(request), iss=issuer, aud=audience, exp={"essential": True})
    return {"claims": token.claims, "header": token.header}


def proof(request):
    """A proof, by the key that it carries."""
    header = jws.extract_compact(request["token"].encode()).headers()
    key = keys.import_key(header["jwk"])
    if key.is_private:
        raise ValueError("a private key")
    token = checked(request | {"typ": "dpop+jwt"}, key, iat={"essential": True}, jti={"essential": True})
    return {"claims": token.claims, "jkt": key.thumbprint()}


OPERATIONS = {"generate": generate, "thumbprint": thumbprint, "sign": sign, "verify": verify, "proof": proof}

for line in sys.stdin:
    asked = json.loads(line)
    try:
        answer = OPERATIONS[asked["op"]](asked)
    except Exception as error:  # whatever the library throws is its answer
        answer = {"error": f"{type(error).__name__}: {error}"}
    print(json.dumps(answer), flush=True)
