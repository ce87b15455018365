#!/usr/bin/env python3
"""CPU of the example authorization server per token request, with records in memory and in SQLite, beside npm oidc-provider
with records in memory, in one run: refresh with rotation in 32 chains, and client_credentials. ES256 JWTs, loopback.

Fails where Grantor takes more than 40 µs in memory, or more than a tenth of the other; what is below that is printed, too."""

import contextlib
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import urllib.parse
import urllib.request

HERE = pathlib.Path(__file__).resolve().parent
sys.path += [str(HERE), str(HERE.parent / "conformance")]
from run import node  # noqa: E402
from server import PASSWORD, RESOURCE, ROOT, USER  # noqa: E402
from user import User  # noqa: E402

BINARY = ROOT / "target" / "release" / "grantor-authorization-server"
INTEROP, SECRET, REDIRECT = HERE.parent / "interop", "s3cret", "http://127.0.0.1:7777/callback"
CHAINS, SECONDS, ROUNDS = 32, 3, 3
BOUND_US, PART = 40, 1 / 10
VERIFIER = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
CHALLENGE = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
CLIENT = {"client_id": "load", "client_secret": SECRET}


@contextlib.contextmanager
def started(*command):
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        yield process.pid, process.stdout.readline()
    finally:
        process.terminate()
        process.wait(10)


def refresh_token(issuer, user):
    """Of a new grant."""
    asked = {"response_type": "code", "client_id": "load", "redirect_uri": REDIRECT, "scope": "notes:read offline_access"}
    asked |= {"code_challenge": CHALLENGE, "code_challenge_method": "S256"}
    back = user.authorize(f"{issuer}/authorize?{urllib.parse.urlencode(asked)}")
    code = urllib.parse.parse_qs(urllib.parse.urlparse(back).query)["code"][0]
    form = CLIENT | {"grant_type": "authorization_code", "code": code, "redirect_uri": REDIRECT, "code_verifier": VERIFIER}
    with urllib.request.urlopen(f"{issuer}/token", urllib.parse.urlencode(form).encode(), timeout=30) as answer:
        return json.load(answer)["refresh_token"]


@contextlib.contextmanager
def grantor(*options):
    """Process, issuer and refresh tokens."""
    with tempfile.TemporaryDirectory() as directory:
        data = [BINARY, "--data", directory]
        subprocess.run([*data, "--add-user", USER], input=PASSWORD, text=True, check=True, capture_output=True)
        client = ["--client", "load", "--client-secret", SECRET, "--client-credentials", "--redirect-uri", REDIRECT]
        with started(*data, "--port", "0", "--resource", RESOURCE, *client, *options) as (pid, line):
            issuer = re.fullmatch(r"Authorization server: (\S+)\n", line)[1]
            user = User(USER, PASSWORD)
            yield pid, issuer, [refresh_token(issuer, user) for _ in range(CHAINS)]


@contextlib.contextmanager
def other():
    command = [node(), INTEROP / "oidc-provider-load.mjs", RESOURCE, "load", SECRET, str(CHAINS)]
    with started(*command) as (pid, line):
        said = json.loads(line)
        yield pid, said["issuer"], said["tokens"]


def cpu_s(pid):
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def load(pid, url, form, chains=None, seconds=SECONDS):
    """CPU in µs for each request, requests a second, the slowest hundredth in ms, and the newest tokens."""
    request = json.dumps({"url": url, "seconds": seconds, "form": CLIENT | form, "chains": chains})
    before = cpu_s(pid)
    done = subprocess.run([node(), INTEROP / "provider-load.mjs"], input=request, capture_output=True, text=True)
    if done.returncode != 0:
        raise RuntimeError(done.stderr)
    said = json.loads(done.stdout)
    cost = (cpu_s(pid) - before) / said["requests"] * 1e6
    return cost, said["requests"] / seconds, said["p99_ms"], said["chains"]


def measured(servers):
    """The least CPU of each request at each server; in turns, so that what else the machine does falls on all."""
    found, chains = {}, {name: tokens for name, (_, _, tokens) in servers.items()}
    for _ in range(ROUNDS):
        for name, (pid, issuer, _) in servers.items():
            *figures, chains[name] = load(pid, f"{issuer}/token", {"grant_type": "refresh_token"}, chains[name])
            keep(found, ("refresh", name), figures)
            *figures, _ = load(pid, f"{issuer}/token", {"grant_type": "client_credentials", "scope": "notes:read"})
            keep(found, ("client_credentials", name), figures)
    return found


def keep(found, key, figures):
    found[key] = min(found.get(key, figures), figures)


def main():
    build = ["cargo", "build", "--quiet", "--release", "--package", "grantor-authorization-server"]
    subprocess.run(build, cwd=ROOT, check=True)
    with grantor("--memory") as memory, grantor() as sqlite, other() as compared:
        found = measured({"memory": memory, "SQLite": sqlite, "oidc-provider": compared})
    passed, failed = 0, 0
    print(f"{'':<20}{'':<15}{'CPU, µs':>9}{'a second':>10}{'p99, ms':>9}")
    for (what, name), (cost, rate, slow) in found.items():
        print(f"{what:<20}{name:<15}{cost:>9.1f}{rate:>10,.0f}{slow:>9.1f}")
    for what in ("refresh", "client_credentials"):
        cost, sqlite, peer = (found[what, name][0] for name in ("memory", "SQLite", "oidc-provider"))
        for holds, said in (
            (cost <= BOUND_US, f"{what}: {cost:.1f} µs in memory, at most {BOUND_US}"),
            (cost <= peer * PART, f"{what}: {cost / peer:.3f} of oidc-provider, at most {PART}"),
            (sqlite < peer, f"{what}: {sqlite / peer:.3f} of oidc-provider with SQLite, less than 1"),
        ):
            print(f"{said}{'' if holds else '  BROKEN'}")
            passed, failed = passed + holds, failed + (not holds)
    print(f"{passed} passed, {failed} failed")
    sys.exit(failed > 0)


if __name__ == "__main__":
    main()
