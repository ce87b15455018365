#!/usr/bin/env python3
"""npm openid-client through all its flows; npm jose and Python joserfc verify each token from the published keys.

Runs with the Python that has joserfc, `tests/.tools/python`."""

import json
import pathlib
import subprocess
import sys
import urllib.request

from joserfc import jwk, jwt

HERE = pathlib.Path(__file__).resolve().parent
sys.path += [str(HERE), str(HERE.parent / "conformance")]
from report import report  # noqa: E402
from run import node  # noqa: E402
from server import PASSWORD, RESOURCE, USER, running  # noqa: E402
from user import User  # noqa: E402

CLIENT = HERE.parent / "interop" / "openid-client.mjs"
SECRET = "a secret that is: 100% odd + \"quoted\" & säfe"


def verified(issuer, request):
    """The claims of a token, after the checks that joserfc has for them."""
    with urllib.request.urlopen(f"{issuer}/jwks", timeout=30) as answer:
        keys = jwk.KeySet.import_key_set(json.load(answer))
    token = jwt.decode(request["verify"], keys, algorithms=["ES256"])
    if "typ" in request and token.header["typ"] != request["typ"]:
        raise ValueError(f"typ is {token.header['typ']}")
    essential = {name: {"essential": True} for name in ("sub", "exp", "iat")}
    named = {"iss": issuer, "aud": request["audience"]}
    claims = {name: {"essential": True, "value": value} for name, value in named.items()}
    jwt.JWTClaimsRegistry(**essential, **claims).validate(token.claims)
    return token.claims


class Peer:
    """The user and the verifier that the client asks."""

    def __init__(self, issuer):
        self.issuer, self.user = issuer, User(USER, PASSWORD)

    def answer(self, request):
        if "verify" in request:
            return json.dumps(verified(self.issuer, request))
        user = User(USER, PASSWORD) if request.get("stranger") else self.user
        user.agrees = not request.get("deny")
        if "connect" in request or request.get("shown"):
            return user.connect(request.get("connect") or request["authorize"]).replace("\n", " ")
        return user.authorize(request["authorize"])


def outcomes(node, *nonces):
    """Each case and what is wrong with it; nothing if it passed."""
    options = ["--client", "job", "--client-secret", SECRET, "--client-credentials"]
    with running(*options, *(f"--dpop-{word}" for word in nonces)) as issuer:
        command = [node, CLIENT, issuer, RESOURCE, SECRET, *nonces]
        client = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        peer = Peer(issuer)
        try:
            for line in client.stdout:
                said = json.loads(line)
                if "passed" in said:
                    yield said["passed"], None
                elif "failed" in said:
                    yield said["failed"], said["why"]
                else:
                    try:
                        answer = peer.answer(said)
                    except Exception as problem:
                        answer = f"{type(problem).__name__}: {problem}".replace("\n", " ")
                    print(answer, file=client.stdin, flush=True)
            if client.wait(30) != 0:
                yield "openid-client ends well", f"exit code {client.returncode}"
        finally:
            client.kill()
            client.wait()


def both():
    for nonces in ([], ["nonces"]):
        for name, problem in outcomes(node(), *nonces):
            yield f"openid-client: {name}", problem


if __name__ == "__main__":
    report(both())
