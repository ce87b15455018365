"""A flow in a third language over the installed library, by ctypes: the ABI needs no shim."""

from __future__ import annotations

import ctypes
import json
import re
import urllib.error
import urllib.parse
import urllib.request
from ctypes import byref, c_bool, c_size_t, c_uint8, c_uint16, c_uint64, c_void_p
from typing import Any

from conftest import HEADER, PREFIX

N = {name: int(number) for name, number in re.findall(r"GRANTOR_(\w+) = (\d+),", HEADER)}


class Str(ctypes.Structure):
    _fields_ = [("data", ctypes.c_char_p), ("len", c_size_t)]


class Bytes(ctypes.Structure):
    _fields_ = [("data", c_void_p), ("len", c_size_t)]


class Header(ctypes.Structure):
    _fields_ = [("name", Str), ("value", Str)]


class Now(ctypes.Structure):
    _fields_ = [("mono_ms", c_uint64), ("unix_s", c_uint64)]


def s(text: str) -> Str:
    data = text.encode()
    return Str(data, len(data))


class Stay(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: Any) -> None:
        return None


def send(method: str, url: str, headers: list[tuple[str, str]], body: bytes) -> tuple[int, list[tuple[str, str]], bytes]:
    """Sends a request with Python's own client; follows nothing."""
    request = urllib.request.Request(url, body or None, method=method)
    for name, value in headers:
        request.add_unredirected_header(name, value)
    try:
        answer = urllib.request.build_opener(Stay).open(request, timeout=10)
    except urllib.error.HTTPError as error:
        answer = error
    return answer.status, list(answer.headers.items()), answer.read()


class Host:
    """A program's loop: outputs are performed, calls are sent."""

    def __init__(self, url: str) -> None:
        self.c = ctypes.CDLL(str(PREFIX / "lib" / "libgrantor.so"))
        config, self.machine, self.store = c_void_p(), c_void_p(), c_void_p()
        self.ok(self.c.grantor_config_new(N["CONFIG_CLIENT"], byref(config)))
        for option, text in (("RESOURCE", url), ("CLIENT_NAME", "ctypes"), ("TRUST", "accept")):
            self.ok(self.c.grantor_config_set_text(config, N[f"OPTION_{option}"], s(text)))
        self.ok(self.c.grantor_machine_new(config, byref(self.machine)))
        self.ok(self.c.grantor_store_new_memory(byref(self.store)))
        self.c.grantor_config_free(config)
        self.pages = 0

    def close(self) -> None:
        self.c.grantor_machine_free(self.machine)
        self.c.grantor_store_free(self.store)

    @staticmethod
    def ok(result: int) -> None:
        assert result == 0, result

    def now(self) -> Now:
        now = Now()
        self.ok(self.c.grantor_now_read(byref(now)))
        return now

    def number(self, output: c_void_p, field: str) -> int:
        number = c_uint64()
        self.ok(self.c.grantor_output_number(output, N[f"FIELD_{field}"], byref(number)))
        return number.value

    def text(self, output: c_void_p, field: str) -> str:
        text = Bytes()
        self.ok(self.c.grantor_output_text(output, N[f"FIELD_{field}"], byref(text)))
        return ctypes.string_at(text.data, text.len).decode()

    def headers(self, output: c_void_p) -> list[tuple[str, str]]:
        lines: list[tuple[str, str]] = []
        name, value = Bytes(), Bytes()
        while self.c.grantor_output_header(output, c_size_t(len(lines)), byref(name), byref(value)) == 0:
            lines.append((ctypes.string_at(name.data, name.len).decode(), ctypes.string_at(value.data, value.len).decode()))
        return lines

    def lines(self, headers: list[tuple[str, str]]) -> tuple[Any, c_size_t]:
        return (Header * len(headers))(*(Header(s(name), s(value)) for name, value in headers)), c_size_t(len(headers))

    def request(self, url: str, headers: list[tuple[str, str]], body: bytes) -> tuple[int, bytes]:
        call = c_uint64()
        self.ok(self.c.grantor_client_authorize(self.machine, self.now(), s("POST"), s(url), None, c_size_t(0), byref(call)))
        answer: tuple[int, list[tuple[str, str]], bytes] = (0, [], b"")
        while True:
            output = c_void_p()
            self.ok(self.c.grantor_machine_poll_output(self.machine, byref(output)))
            assert output, "there is always something to do here"
            kind = self.c.grantor_output_kind_of(output)
            try:
                if kind == N["OUTPUT_CALL_SEND"]:
                    answer = send("POST", url, headers + self.headers(output), body)
                    lines = self.lines(answer[1])
                    self.ok(self.c.grantor_client_report(self.machine, self.now(), call, c_uint16(answer[0]), *lines))
                elif kind == N["OUTPUT_CALL_DELIVER"]:
                    return answer[0], answer[2]
                elif kind == N["OUTPUT_CALL_FAIL"]:
                    raise AssertionError(self.text(output, "MESSAGE"))
                else:
                    self.perform(kind, output)
            finally:
                self.c.grantor_output_free(output)

    def perform(self, kind: int, output: c_void_p) -> None:
        if kind == N["OUTPUT_NEED_ENTROPY"]:
            length = self.number(output, "LENGTH")
            random = (c_uint8 * length)()
            self.ok(self.c.grantor_entropy_read(random, c_size_t(length)))
            self.ok(self.c.grantor_machine_add_entropy(self.machine, self.now(), Bytes(ctypes.addressof(random), length)))
        elif kind == N["OUTPUT_HTTP"]:
            body = Bytes()
            self.ok(self.c.grantor_output_bytes(output, N["FIELD_BODY"], byref(body)))
            sent = ctypes.string_at(body.data, body.len)
            status, headers, got = send(self.text(output, "METHOD"), self.text(output, "URL"), self.headers(output), sent)
            op, held = c_uint64(self.number(output, "OP")), ctypes.create_string_buffer(got, len(got))
            given = Bytes(ctypes.addressof(held), len(got))
            self.ok(
                self.c.grantor_complete_http(self.machine, self.now(), op, c_uint16(status), *self.lines(headers), given)
            )
        elif kind == N["OUTPUT_LISTEN"]:
            op = c_uint64(self.number(output, "OP"))
            self.ok(self.c.grantor_complete_listening(self.machine, self.now(), op, s("http://127.0.0.1:65000/")))
        elif kind == N["OUTPUT_AUTHORIZE"]:
            self.pages += 1
            url = self.text(output, "URL")
            send("GET", url, [], b"")
            status, headers, _ = send("POST", url, [("content-type", "application/x-www-form-urlencoded")], b"decision=agree")
            location = dict((name.lower(), value) for name, value in headers)["location"]
            answered = c_bool()
            self.ok(self.c.grantor_output_is_answered_by(output, s("http://127.0.0.1:65000/?code=1"), byref(answered)))
            assert not answered.value
            self.ok(self.c.grantor_output_is_answered_by(output, s(location), byref(answered)))
            assert status in (302, 303) and answered.value
            op = c_uint64(self.number(output, "OP"))
            self.ok(self.c.grantor_complete_callback(self.machine, self.now(), op, s(location)))
        elif kind in (N["OUTPUT_LOAD"], N["OUTPUT_SAVE"], N["OUTPUT_DELETE"]):
            self.ok(self.c.grantor_store_perform(self.store, self.machine, self.now(), output))
        else:
            assert kind in (N["OUTPUT_NOTICE"], N["OUTPUT_ABANDON"]), kind


def test_a_flow_by_ctypes(server: str) -> None:
    meta = {"io.modelcontextprotocol/protocolVersion": "2026-07-28", "io.modelcontextprotocol/clientCapabilities": {}}
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {"_meta": meta}}).encode()
    headers = [
        ("content-type", "application/json"),
        ("accept", "application/json, text/event-stream"),
        ("mcp-protocol-version", "2026-07-28"),
        ("mcp-method", "tools/list"),
    ]
    host = Host(server)
    for _ in range(3):
        status, answer = host.request(server, headers, body)
        assert (status, host.pages) == (200, 1)
        assert b'"tools"' in answer
    host.close()
