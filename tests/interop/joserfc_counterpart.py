"""Python joserfc as a counterpart: reads one request a line, writes one answer a line, both JSON."""

import json
import sys
import warnings

from cryptography.hazmat.primitives.asymmetric import ec, padding
from cryptography.hazmat.primitives.hashes import SHA256
from joserfc import jwe, jws, jwt, util
from joserfc import jwk as keys

warnings.simplefilter("ignore")

# An RSA key in a proof's header is longer than the library expects by itself.
jws.JWSRegistry.max_header_length = 8192

KINDS = {
    "Ed25519": ("OKP", "Ed25519"),
    "EdDSA": ("OKP", "Ed25519"),
    "ES256": ("EC", "P-256"),
    "ES384": ("EC", "P-384"),
}


def key_of(request):
    if "secret" in request:
        # Not by `import_key`, which refuses public keys as secrets: some tests are the attacker.
        secret = request["secret"].encode()
        return keys.OctKey(secret, secret)
    return keys.import_key(request["jwk"])


def octets(value):
    """Of a text, or of an array of numbers."""
    return value.encode() if isinstance(value, str) else bytes(value)


def base64url(value):
    return util.urlsafe_b64encode(octets(value)).decode()


def generate(request):
    """A new private key: JWK, and PEM, also of its public half; `bits` for RSA keys of any length."""
    kind, size = KINDS.get(request["alg"], ("RSA", request.get("bits", 2048)))
    key = keys.generate_key(kind, size, private=True)
    pem, spki = (key.as_pem(private=private).decode() for private in (True, False))
    return {"jwk": key.as_dict(private=True), "pem": pem, "spki": spki}


def key_set(request):
    """What is published of these private keys, with their `kid`, `use`, `key_ops` and `alg`."""
    return keys.KeySet([keys.import_key(jwk) for jwk in request["keys"]]).as_dict(private=False)


def thumbprint(request):
    return {"thumbprint": keys.import_key(request["jwk"]).thumbprint()}


def sign(request):
    """Any header, any payload; `secret` instead of `jwk` for HS256."""
    header = request["header"]
    registry = jws.JWSRegistry(algorithms=[header["alg"]], strict_check_header=False)
    token = jws.serialize_compact(header, octets(request["payload"]), key_of(request), registry=registry)
    return {"token": token}


def claims_set(request):
    """Claims as the library writes them."""
    header = request["header"]
    registry = jws.JWSRegistry(algorithms=[header["alg"]], strict_check_header=False)
    token = jwt.encode(header, request["claims"], key_of(request), registry=registry, default_type=None)
    return {"token": token}


def unsecured(request):
    """A JWT that nobody signed; with a header, if one is given, that the library would not write."""
    registry = jws.JWSRegistry(algorithms=["none"])
    token = jwt.encode({"alg": "none"}, request["claims"], None, registry=registry)
    if "header" in request:
        token = ".".join([base64url(json.dumps(request["header"])), *token.split(".")[1:]])
    return {"token": token}


def sign_raw(request):
    """What the library refuses to sign: any text as header, RSA keys of any length, ECDSA signatures in DER."""
    token = f"{base64url(request['header'])}.{base64url(request['payload'])}"
    key = keys.import_key(request["jwk"]).private_key
    how = [ec.ECDSA(SHA256())] if isinstance(key, ec.EllipticCurvePrivateKey) else [padding.PKCS1v15(), SHA256()]
    return {"token": f"{token}.{base64url(key.sign(token.encode(), *how))}"}


def encrypt(request):
    """A JWE for the owner of this key."""
    header = request["header"]
    algorithms = [header["alg"], header["enc"]]
    return {"token": jwe.encrypt_compact(header, request["plaintext"], key_of(request), algorithms)}


def decode(request):
    return {"octets": list(util.urlsafe_b64decode(request["text"].encode()))}


def encode(request):
    return {"text": base64url(request["octets"])}


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


OPERATIONS = {
    "decode": decode,
    "encode": encode,
    "encrypt": encrypt,
    "generate": generate,
    "jwt": claims_set,
    "key_set": key_set,
    "proof": proof,
    "sign": sign,
    "sign_raw": sign_raw,
    "thumbprint": thumbprint,
    "unsecured": unsecured,
    "verify": verify,
}

for line in sys.stdin:
    asked = json.loads(line)
    try:
        answer = OPERATIONS[asked["op"]](asked)
    except Exception as error:  # whatever the library throws is its answer
        answer = {"error": f"{type(error).__name__}: {error}"}
    print(json.dumps(answer), flush=True)
