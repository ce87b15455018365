"""Every function of the header, with NULL in every position, wrong lengths, handles of every kind and in every order: a
code, never a crash, no leak, nothing written on failure."""

from __future__ import annotations

import pathlib
import subprocess

import pytest
from abi import HANDLES, Function, Parameter, functions
from conftest import HEADER, SANITIZERS, VALGRIND, Build

# NULL is an answer there, or stands for nothing.
MAY_BE_NULL = {("grantor_guard_check", "body"), ("grantor_store_new_file", "error"), ("grantor_store_new_application", "error")}
# May block for a person, or leave a trace on the machine.
APART = {"grantor_browser_perform", "grantor_store_new_application", "grantor_store_new_file"}

PROLOGUE = r"""
#include <assert.h>
#include <grantor.h>
#include <stdio.h>
#include <stdlib.h>

static const grantor_now NOW = {1000, 1700000000};
static const uint8_t JUNK[64] = {0xff, 0xfe, 0};
static unsigned long calls;

static grantor_str s(const char *text) { return grantor_str_from(text); }

typedef struct {
  grantor_config *configs[7];
  grantor_machine *machines[2];
  grantor_store *store;
  grantor_browser *browser;
  grantor_challenges *challenges;
  grantor_output *outputs[64];
  size_t outputs_len;
} world;

static void keep(world *w, grantor_output *output) {
  if (output != NULL && w->outputs_len < 64) {
    w->outputs[w->outputs_len++] = output;
  } else {
    grantor_output_free(output);
  }
}

/* The answer of a server to a request of this kind. */
static const char *answer_to(grantor_str exchange, grantor_str url) {
  static char wanted[64];
  snprintf(wanted, sizeof wanted, "%.*s", (int)exchange.len, exchange.data);
  if (strstr(wanted, "resource") != NULL) {
    return "{\"resource\":\"http://127.0.0.1:9/mcp\",\"authorization_servers\":[\"http://127.0.0.1:9\"]}";
  }
  if (strstr(wanted, "server") != NULL && url.len > 0) {
    return "{\"issuer\":\"http://127.0.0.1:9\",\"authorization_endpoint\":\"http://127.0.0.1:9/a\","
           "\"token_endpoint\":\"http://127.0.0.1:9/t\",\"registration_endpoint\":\"http://127.0.0.1:9/r\","
           "\"response_types_supported\":[\"code\"],\"code_challenge_methods_supported\":[\"S256\"]}";
  }
  return "{\"client_id\":\"c\",\"token_endpoint_auth_method\":\"none\",\"redirect_uris\":[\"http://127.0.0.1:7000/\"]}";
}

/* Answers whatever is asked for, so that outputs of many kinds come. */
static void answer(world *w, grantor_machine *machine, grantor_output *output) {
  uint64_t op = 0, len = 0, call = 0;
  grantor_output_number(output, GRANTOR_FIELD_OP, &op);
  switch (grantor_output_kind_of(output)) {
    case GRANTOR_OUTPUT_NEED_ENTROPY: {
      uint8_t bytes[512];
      grantor_output_number(output, GRANTOR_FIELD_LENGTH, &len);
      assert(len <= sizeof bytes && grantor_entropy_read(bytes, (size_t)len) == GRANTOR_RESULT_OK);
      grantor_machine_add_entropy(machine, NOW, grantor_bytes_from(bytes, (size_t)len));
      break;
    }
    case GRANTOR_OUTPUT_HTTP:
      {
        grantor_str exchange = {NULL, 0}, url = {NULL, 0};
        grantor_header json = {s("content-type"), s("application/json")};
        const char *body;
        grantor_output_text(output, GRANTOR_FIELD_EXCHANGE, &exchange);
        grantor_output_text(output, GRANTOR_FIELD_URL, &url);
        body = answer_to(exchange, url);
        grantor_complete_http(machine, NOW, op, 200, &json, 1, grantor_bytes_from(body, strlen(body)));
      }
      break;
    case GRANTOR_OUTPUT_APPROVE:
      grantor_complete_approved(machine, NOW, op);
      break;
    case GRANTOR_OUTPUT_LISTEN:
      grantor_complete_listening(machine, NOW, op, s("http://127.0.0.1:7000/"));
      break;
    case GRANTOR_OUTPUT_AUTHORIZE:
      grantor_complete_declined(machine, NOW, op);
      break;
    case GRANTOR_OUTPUT_CALL_SEND:
      grantor_output_number(output, GRANTOR_FIELD_CALL, &call);
      grantor_client_report(machine, NOW, call, 401, NULL, 0);
      break;
    default:
      grantor_store_perform(w->store, machine, NOW, output);
  }
}

static void gather(world *w, grantor_machine *machine) {
  int turn;
  for (turn = 0; turn < 60; turn++) {
    grantor_output *output = NULL;
    if (grantor_machine_poll_output(machine, &output) != GRANTOR_RESULT_OK || output == NULL) {
      return;
    }
    answer(w, machine, output);
    keep(w, output);
  }
}

static world begin(void) {
  static const uint32_t kinds[7] = {1, 2, 3, 4, 5, 6, 7};
  world w;
  uint64_t call;
  size_t at;
  grantor_str line;
  grantor_request request;
  grantor_output *decision = NULL;
  grantor_header authorization;
  memset(&w, 0, sizeof w);
  memset(&request, 0, sizeof request);
  for (at = 0; at < 7; at++) {
    assert(grantor_config_new(kinds[at], &w.configs[at]) == GRANTOR_RESULT_OK);
  }
  grantor_config_set_text(w.configs[0], GRANTOR_OPTION_RESOURCE, s("http://127.0.0.1:9/mcp"));
  grantor_config_set_text(w.configs[0], GRANTOR_OPTION_TRUST, s("ask"));
  grantor_config_set_text(w.configs[5], GRANTOR_OPTION_ISSUER, s("https://as.example.com"));
  grantor_config_set_text(w.configs[5], GRANTOR_OPTION_TOKENS, s("host"));
  grantor_config_set_text(w.configs[1], GRANTOR_OPTION_RESOURCE, s("https://mcp.example.com/mcp"));
  grantor_config_set_config(w.configs[1], GRANTOR_OPTION_AUTHORIZATION_SERVER, s(""), w.configs[5]);
  assert(grantor_machine_new(w.configs[0], &w.machines[0]) == GRANTOR_RESULT_OK);
  assert(grantor_machine_new(w.configs[1], &w.machines[1]) == GRANTOR_RESULT_OK);
  assert(grantor_store_new_memory(&w.store) == GRANTOR_RESULT_OK);
  assert(grantor_browser_new(false, &w.browser) == GRANTOR_RESULT_OK);
  line = s("Bearer scope=\"a b\", DPoP abc=");
  assert(grantor_challenges_parse(&line, 1, &w.challenges) == GRANTOR_RESULT_OK);
  grantor_challenges_get(w.challenges, 0, &decision);
  keep(&w, decision);
  assert(grantor_client_authorize(w.machines[0], NOW, s("POST"), s("http://127.0.0.1:9/mcp"), NULL, 0, &call) == 0);
  gather(&w, w.machines[0]);
  authorization.name = s("authorization");
  authorization.value = s("Bearer opaque");
  request.method = s("GET");
  request.target = s("/mcp");
  request.headers = &authorization;
  request.headers_len = 1;
  assert(grantor_guard_check(w.machines[1], NOW, request, NULL, &decision) == GRANTOR_RESULT_OK);
  keep(&w, decision);
  gather(&w, w.machines[1]);
  request.headers_len = 0;
  assert(grantor_guard_check(w.machines[1], NOW, request, NULL, &decision) == GRANTOR_RESULT_OK);
  keep(&w, decision);
  return w;
}

static void end(world *w) {
  size_t at;
  for (at = 0; at < w->outputs_len; at++) {
    grantor_output_free(w->outputs[at]);
  }
  for (at = 0; at < 7; at++) {
    grantor_config_free(w->configs[at]);
  }
  grantor_machine_free(w->machines[0]);
  grantor_machine_free(w->machines[1]);
  grantor_store_free(w->store);
  grantor_browser_free(w->browser);
  grantor_challenges_free(w->challenges);
}
"""


def handles(kind: str) -> str:
    """Every handle of a kind, as a place and a length."""
    return {
        "browser": "&w.browser, 1",
        "challenges": "&w.challenges, 1",
        "config": "w.configs, 7",
        "machine": "w.machines, 2",
        "output": "w.outputs, w.outputs_len",
        "store": "&w.store, 1",
    }[kind]


def values(parameter: Parameter, function: Function) -> tuple[str, list[str]]:
    """A value that is right in form, and wrong ones."""
    kind = parameter.type.removeprefix("const ").removeprefix("struct ")
    if parameter.handle is not None:
        return "", ["NULL"]
    if kind.endswith("**"):
        return f"&out_{parameter.name}", ["NULL"]
    simple = {
        "grantor_str": ("s(\"x\")", ["(grantor_str){NULL, 5}", "(grantor_str){(const char *)JUNK, SIZE_MAX}",
                                     "(grantor_str){(const char *)JUNK, 64}", "s(\"\")"]),
        "grantor_bytes": ("grantor_bytes_from(JUNK, 64)", ["(grantor_bytes){NULL, 5}", "(grantor_bytes){JUNK, SIZE_MAX}"]),
        "grantor_now": ("NOW", ["(grantor_now){0, 0}", "(grantor_now){UINT64_MAX, UINT64_MAX}"]),
        "grantor_revision": ("(grantor_revision){{0}}", []),
        "grantor_request": ("(grantor_request){{\"GET\", 3}, {\"/mcp\", 4}, NULL, 0}",
                            ["(grantor_request){{NULL, 3}, {\"/mcp\", 4}, NULL, 0}",
                             "(grantor_request){{\"GET\", 3}, {NULL, 4}, NULL, 0}",
                             "(grantor_request){{\"GET\", 3}, {\"/mcp\", 4}, NULL, 7}",
                             "(grantor_request){{\"GET\", 3}, {\"/mcp\", 4}, NULL, SIZE_MAX}"]),
        "grantor_str *": ("text", ["NULL"]), "grantor_header *": ("header", ["NULL"]),
        "grantor_parameter *": ("parameter", ["NULL"]), "grantor_now *": ("now", ["NULL"]),
        "grantor_bytes *": ("bytes", ["NULL"]), "uint8_t *": ("octets", ["NULL"]), "uint64_t *": ("number", ["NULL"]),
        "size_t *": ("length", ["NULL"]), "bool *": ("answered", ["NULL"]),
        "uint32_t": ("1", ["0", "UINT32_MAX", "7", "23"]), "uint16_t": ("200", ["0", "UINT16_MAX"]),
        "uint64_t": ("1", ["0", "UINT64_MAX"]), "bool": ("false", ["true"]),
    }  # fmt: skip
    if kind == "size_t":
        # As many as there are; no more can be said of memory that is there.
        return ("64", ["0"]) if parameter.name in ("len", "capacity") else ("1", ["0"])
    return simple[kind]


def statements(function: Function) -> list[str]:
    """Calls of a function: each handle of each kind, each wrong value in each place."""
    loops, close, arguments, wrong = [], [], [], []
    for number, parameter in enumerate(function.parameters):
        right, others = values(parameter, function)
        if parameter.handle is not None:
            place = f"h{number}"
            loops.append(f"for (size_t {place} = 0; {place} < count({handles(parameter.handle)}); {place}++) {{")
            close.append("}")
            right = f"at({handles(parameter.handle)}, {place})"
        arguments.append(right)
        wrong.append(others)
    made = [p for p in function.parameters if p.type.endswith("**")]
    outs = "".join(f"struct {p.type.removeprefix('struct ').removesuffix('**').strip()} *out_{p.name} = NULL;" for p in made)
    freed = "".join(f"{p.type.removeprefix('struct ').removesuffix('**').strip()}_free(out_{p.name});" for p in made)
    lines = []

    def call(given: list[str], must_fail: bool) -> str:
        expression = f"{function.name}({', '.join(given)})"
        if function.result != "grantor_result":
            return f"(void){expression}; calls++;"
        unwritten = "".join(f"assert(out_{p.name} == NULL);" for p in made if (function.name, p.name) not in MAY_BE_NULL)
        failed = f"assert(result != GRANTOR_RESULT_OK); {unwritten}" if must_fail else f"if (result != 0) {{ {unwritten} }}"
        return f"{{ {outs} grantor_result result = {expression}; calls++; {failed} {freed} }}"

    lines.append(call(arguments, False))
    for number, parameter in enumerate(function.parameters):
        for other in wrong[number]:
            given = [*arguments[:number], other, *arguments[number + 1 :]]
            null = other == "NULL" and (function.name, parameter.name) not in MAY_BE_NULL
            lines.append(call(given, null))
    return ["".join(loops), *lines, "".join(close)]


def program() -> str:
    code = [PROLOGUE]
    code.append("#define count(list, len) ((size_t)(len))\n#define at(list, len, place) ((list)[place])\n")
    code.append("static void every_function(void) {\n  world w = begin();\n")
    code.append(
        "  grantor_str text[1] = {{\"x\", 1}}; grantor_header header[1] = {{{\"x\", 1}, {\"y\", 1}}};\n"
        "  grantor_parameter parameter[1] = {{{\"x\", 1}, {\"y\", 1}}}; grantor_now now[1]; grantor_bytes bytes[1] = {{NULL, 0}};\n"
        "  uint8_t octets[64] = {0}; uint64_t number[1]; size_t length[1]; bool answered[1];\n"
    )
    for function in functions(HEADER):
        if function.name in APART or function.name.endswith("_free"):
            continue
        code.append(f"  /* {function.name} */\n  " + "\n  ".join(statements(function)) + "\n")
    code.append("  end(&w);\n}\n")
    code.append("""
#define KIND(name) ((uint64_t)1 << GRANTOR_OUTPUT_##name)
#define EXPECTED                                                                                          \\
  (KIND(CALL_SEND) | KIND(CALL_FAIL) | KIND(NEED_ENTROPY) | KIND(NOTICE) | KIND(HTTP) | KIND(LOAD) | KIND(SAVE) | \\
   KIND(LISTEN) | KIND(AUTHORIZE) | KIND(CHECK_TOKEN) | KIND(ANSWER) | KIND(WAIT) | KIND(CHALLENGE))

static void every_field(void) {
  world w = begin();
  uint64_t kinds = 0;
  size_t at;
  uint32_t field;
  for (at = 0; at < w.outputs_len; at++) {
    for (field = 0; field < 64; field++) {
      grantor_str text = {NULL, 0}, value;
      grantor_bytes bytes = {NULL, 0};
      uint64_t number;
      size_t place;
      volatile char last = 0;
      if (grantor_output_text(w.outputs[at], field, &text) == GRANTOR_RESULT_OK && text.len > 0) {
        last = text.data[text.len - 1];
      }
      if (grantor_output_bytes(w.outputs[at], field, &bytes) == GRANTOR_RESULT_OK && bytes.len > 0) {
        last = (char)bytes.data[bytes.len - 1];
      }
      grantor_output_number(w.outputs[at], field, &number);
      for (place = 0; grantor_output_header(w.outputs[at], place, &text, &value) == GRANTOR_RESULT_OK; place++) {
        last = value.len > 0 ? value.data[value.len - 1] : text.data[0];
      }
      (void)last;
      calls += 4;
    }
  }
  for (at = 0; at < w.outputs_len; at++) {
    kinds |= (uint64_t)1 << grantor_output_kind_of(w.outputs[at]);
  }
  assert((kinds & EXPECTED) == EXPECTED);
  end(&w);
}

int main(void) {
""")
    for kind in HANDLES:
        code.append(f"  grantor_{kind}_free(NULL);\n")
    code.append('  every_function();\n  every_field();\n  printf("%lu calls\\n", calls);\n  return 0;\n}\n')
    return "".join(code)


@pytest.fixture
def source(tmp_path: pathlib.Path) -> pathlib.Path:
    path = tmp_path / "every_function.c"
    path.write_text(program())
    return path


def calls(output: str) -> int:
    return int(output.split(" calls")[0].split()[-1])


def test_every_function_under_sanitizers(build: Build, source: pathlib.Path) -> None:
    made = subprocess.run([build(source, *SANITIZERS)], check=True, capture_output=True, text=True, timeout=300)
    assert calls(made.stdout) > 3000


def test_every_function_under_valgrind(build: Build, source: pathlib.Path) -> None:
    made = subprocess.run([*VALGRIND, build(source, "-g")], capture_output=True, text=True, timeout=600)
    assert made.returncode == 0, (made.returncode, made.stdout, made.stderr)
