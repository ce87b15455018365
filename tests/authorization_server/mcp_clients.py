#!/usr/bin/env python3
"""The MCP SDKs' clients, TypeScript and Python, of both generations each, at the example MCP server, whose tokens come from
the example authorization server: registration or client metadata document, login and consent, calls, refresh after expiry,
step-up.

Runs with the Python that has cryptography, `tests/.tools/python`."""

import contextlib
import datetime
import http.server
import json
import pathlib
import ssl
import subprocess
import sys
import tempfile
import threading
import time
import urllib.parse

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

HERE = pathlib.Path(__file__).resolve().parent
sys.path += [str(HERE), str(HERE.parent / "conformance")]
from report import report  # noqa: E402
from run import node  # noqa: E402
from server import PASSWORD, USER, protected  # noqa: E402
from user import User  # noqa: E402

INTEROP, TOOLS = HERE.parent / "interop", HERE.parent / ".tools"
REDIRECT_URI = "http://127.0.0.1:7777/callback"
EXPIRES_S = 2
# The paths of two client metadata documents.
REFRESH, NO_REFRESH = "/client.json", "/client-without-refresh.json"


def certificate(directory):
    """A file with a key and its certificate for localhost, which whoever knows the file can trust."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.timezone.utc)
    made = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
    made = made.not_valid_before(now - datetime.timedelta(hours=1)).not_valid_after(now + datetime.timedelta(days=1))
    made = made.add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
    made = made.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
    signed = made.sign(key, hashes.SHA256())
    pem, form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    path = pathlib.Path(directory) / "localhost.pem"
    secret = key.private_bytes(pem, form, serialization.NoEncryption())
    path.write_bytes(secret + signed.public_bytes(pem))
    return path


@contextlib.contextmanager
def documents():
    """Where client metadata documents are, and the file of the certificate that their server has."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            body = json.dumps(
                {
                    "client_id": f"https://localhost:{self.server.server_port}{self.path}",
                    "client_name": "A client with a document",
                    "redirect_uris": [REDIRECT_URI],
                    "grant_types": ["authorization_code", *([] if self.path == NO_REFRESH else ["refresh_token"])],
                    "response_types": ["code"],
                    "token_endpoint_auth_method": "none",
                }
            ).encode()
            self.send_response(200)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    with tempfile.TemporaryDirectory() as directory:
        trusted = certificate(directory)
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(trusted)
        server.socket = context.wrap_socket(server.socket, server_side=True)
        base = f"https://localhost:{server.server_port}"
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield base, trusted
        finally:
            server.shutdown()
            server.server_close()


class Client:
    """A client that runs, with its user."""

    def __init__(self, command, server, *document):
        command = [*command, server, REDIRECT_URI, *document]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        self.user, self.ids = User(USER, PASSWORD), set()

    def call(self, tool):
        """Calls a tool; how often the user has been asked by then."""
        self.tell(tool)
        for line in self.process.stdout:
            said = json.loads(line)
            if "authorize" in said:
                query = urllib.parse.parse_qs(urllib.parse.urlparse(said["authorize"]).query)
                self.ids.add(query["client_id"][0])
                self.tell(self.user.authorize(said["authorize"]))
            elif said.get("result") in (f"{tool} done for {USER}", "6 tools"):
                return self.user.asked
            else:
                raise AssertionError(said.get("error") or said)
        raise AssertionError("the client has ended")

    def tell(self, line):
        print(line, file=self.process.stdin, flush=True)

    def stop(self):
        self.process.kill()
        self.process.wait()


def expect(found, wanted, what):
    if found != wanted:
        raise AssertionError(f"{what}: {found} instead of {wanted}")


def refreshes(client, tool="read_note"):
    asked = client.call(tool)
    for _ in range(2):
        time.sleep(EXPIRES_S + 0.5)
        expect(client.call(tool), asked, "consents after expiry")


def refreshes_only(client):
    refreshes(client, "tools/list")


def steps_up(client):
    asked = client.call("read_note")
    expect(client.call("list_notes"), asked, "consents for what is granted")
    expect(client.call("write_note"), asked + 1, "consents for the step-up")
    expect(client.call("read_note"), asked + 1, "consents for what was granted before")


def typescript(kind):
    return [node(), INTEROP / "mcp-client.mjs", kind]


def python(tools):
    return [TOOLS / tools / "bin" / "python", INTEROP / "mcp_client.py"]


# The first generation of TypeScript refreshes where it should step up, and gives up (typescript-sdk#2255): with a refresh
# token it is seen refreshing, without one stepping up.
CLIENTS = {
    "TypeScript": (typescript("v2"), [refreshes, steps_up]),
    "TypeScript with DPoP": (typescript("dpop"), [refreshes, steps_up]),
    "TypeScript, first generation": (typescript("v1"), [steps_up]),
    "TypeScript, first generation, with refresh tokens": (typescript("v1-refresh"), [refreshes_only]),
    "Python": (python("python"), [refreshes, steps_up]),
    "Python, first generation": (python("python-mcp1"), [refreshes, steps_up]),
}


def problem(run, command, server, *document):
    """What is wrong; nothing if it passed."""
    client = Client(command, server, *document)
    try:
        run(client)
        expect(len(client.ids), 1, "client ids")
        if document and client.ids != set(document):
            return f"the client calls itself {client.ids}"
        return None
    except (AssertionError, RuntimeError, OSError) as error:
        return str(error) or type(error).__name__
    finally:
        client.stop()


def outcomes():
    with documents() as (base, trusted):
        for lifetime, leeway, possible in ((EXPIRES_S, 0, {refreshes, refreshes_only}), (600, 60, {steps_up})):
            options = ["--access-token", str(lifetime)]
            with protected(*options, leeway=leeway, SSL_CERT_FILE=str(trusted)) as (server, _):
                for name, (command, runs) in CLIENTS.items():
                    for run in set(runs) & possible:
                        url = base + (NO_REFRESH if "v1" in command else REFRESH)
                        what = run.__name__.replace("_", " ")
                        yield f"{name} {what}, registered", problem(run, command, server)
                        yield f"{name} {what}, by its document", problem(run, command, server, url)


if __name__ == "__main__":
    report(outcomes())
