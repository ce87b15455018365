#!/usr/bin/env python3
"""The official suite's scenarios for authorization servers, completed without a screen.

The suite's second scenario takes the metadata of its first, so both run in one process; each is judged by its own checks.
The client is a public one: of a server that has such clients, the suite sends no secret of any."""

import json
import pathlib
import re
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
sys.path += [str(HERE), str(HERE.parent / "conformance")]
from report import report  # noqa: E402
from run import SUITE, node  # noqa: E402
from server import PASSWORD, RESOURCE, USER, free_port, running  # noqa: E402
from user import User  # noqa: E402

SCENARIOS = ["authorization-server-metadata-endpoint", "authorization-code-grant"]


def outcomes(node):
    """What is wrong with each scenario; nothing if it passed."""
    port = free_port()
    options = ["--client", "suite", "--redirect-uri", f"http://127.0.0.1:{port}/callback"]
    with running(*options) as issuer, tempfile.TemporaryDirectory() as results:
        command = [node, SUITE, "authorization", "--url", issuer, "--client-id", "suite", "--resource", RESOURCE]
        command += ["--port", str(port), "-o", results]
        suite = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        output = []
        try:
            for line in suite.stdout:
                output.append(line)
                if re.match(rf"{re.escape(issuer)}/authorize\?", line):
                    user = User(USER, PASSWORD)
                    user.fetch(user.authorize(line.strip()))
            suite.wait(30)
        finally:
            suite.kill()
            suite.wait()
        for scenario in SCENARIOS:
            checks = [json.loads(path.read_text()) for path in pathlib.Path(results).rglob("checks.json") if scenario in str(path)]
            statuses = [check["status"] for found in checks for check in found]
            words = [check["errorMessage"] for found in checks for check in found if "errorMessage" in check]
            passed = len(checks) == 1 and "SUCCESS" in statuses and set(statuses) <= {"SUCCESS", "INFO"}
            yield scenario, None if passed else f"{statuses} {words}\n{''.join(output)}"


if __name__ == "__main__":
    report(outcomes(node()))
