"""Calls in any order and from several threads: a code, never a crash."""

from __future__ import annotations

import pathlib
import subprocess

import pytest
from conftest import SANITIZERS, Build

PROGRAM = r"""
#include <assert.h>
#include <grantor.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

static const grantor_now NOW = {1000, 1700000000};
static grantor_str s(const char *text) { return grantor_str_from(text); }

static grantor_machine *client(void) {
  grantor_config *config = NULL;
  grantor_machine *machine = NULL;
  assert(grantor_config_new(GRANTOR_CONFIG_CLIENT, &config) == GRANTOR_RESULT_OK);
  grantor_config_set_text(config, GRANTOR_OPTION_RESOURCE, s("http://127.0.0.1:9/mcp"));
  grantor_config_set_text(config, GRANTOR_OPTION_DPOP, s("when_supported"));
  assert(grantor_machine_new(config, &machine) == GRANTOR_RESULT_OK);
  grantor_config_free(config);
  return machine;
}

static grantor_machine *guard(void) {
  grantor_config *config = NULL, *server = NULL;
  grantor_machine *machine = NULL;
  grantor_config_new(GRANTOR_CONFIG_AUTHORIZATION_SERVER, &server);
  grantor_config_set_text(server, GRANTOR_OPTION_ISSUER, s("https://as.example.com"));
  grantor_config_new(GRANTOR_CONFIG_GUARD, &config);
  grantor_config_set_text(config, GRANTOR_OPTION_RESOURCE, s("https://mcp.example.com/mcp"));
  grantor_config_set_config(config, GRANTOR_OPTION_AUTHORIZATION_SERVER, s(NULL), server);
  assert(grantor_machine_new(config, &machine) == GRANTOR_RESULT_OK);
  grantor_config_free(server);
  grantor_config_free(config);
  return machine;
}

static void out_of_order(void) {
  grantor_machine *machine = client(), *other = guard();
  grantor_request request = {{"GET", 3}, {"/mcp", 4}, NULL, 0};
  grantor_output *output = NULL, *error = NULL;
  grantor_str name;
  uint64_t call = 77;
  /* Answers to nothing, and reports of nothing. */
  assert(grantor_complete_approved(machine, NOW, 1) == GRANTOR_RESULT_UNKNOWN_OP);
  assert(grantor_client_report(machine, NOW, 5, 200, NULL, 0) == GRANTOR_RESULT_UNKNOWN_CALL);
  assert(grantor_client_cancel(machine, 5) == GRANTOR_RESULT_OK);
  /* What is for another kind of machine. */
  assert(grantor_client_log_in(other, NOW, &call) == GRANTOR_RESULT_WRONG_KIND && call == 77);
  assert(grantor_guard_check(machine, NOW, request, NULL, &output) == GRANTOR_RESULT_WRONG_KIND && output == NULL);
  assert(grantor_machine_last_error(machine, &error) == GRANTOR_RESULT_OK && error != NULL);
  assert(grantor_output_text(error, GRANTOR_FIELD_NAME, &name) == GRANTOR_RESULT_OK);
  assert(name.len == 10 && memcmp(name.data, "wrong_kind", 10) == 0);
  grantor_output_free(error);
  assert(grantor_machine_last_error(machine, &error) == GRANTOR_RESULT_OK && error == NULL);
  /* Where the token must not go. */
  assert(grantor_client_authorize(machine, NOW, s("GET"), s("http://127.0.0.1:9/other"), NULL, 0, &call) ==
         GRANTOR_RESULT_OUTSIDE_RESOURCE);
  assert(grantor_client_authorize(machine, NOW, s("G T"), s("http://127.0.0.1:9/mcp"), NULL, 0, &call) ==
         GRANTOR_RESULT_METHOD);
  assert(grantor_client_authorize(machine, NOW, s("GET"), s("http://127.0.0.1:9/mcp?access_token=x"), NULL, 0, &call) ==
         GRANTOR_RESULT_TOKEN_IN_QUERY);
  /* An answer of the wrong kind changes nothing. */
  assert(grantor_client_authorize(machine, NOW, s("GET"), s("http://127.0.0.1:9/mcp"), NULL, 0, &call) == 0);
  while (grantor_machine_poll_output(machine, &output) == GRANTOR_RESULT_OK && output != NULL) {
    uint64_t op;
    if (grantor_output_kind_of(output) == GRANTOR_OUTPUT_LOAD) {
      grantor_output_number(output, GRANTOR_FIELD_OP, &op);
      assert(grantor_complete_deleted(machine, NOW, op) == GRANTOR_RESULT_WRONG_COMPLETION);
      assert(grantor_complete_not_stored(machine, NOW, op) == GRANTOR_RESULT_OK);
      assert(grantor_complete_not_stored(machine, NOW, op) == GRANTOR_RESULT_OK); /* settled: ignored */
    }
    grantor_output_free(output);
  }
  grantor_machine_free(other);
  grantor_machine_free(machine);
}

static void settings(void) {
  grantor_config *config = NULL;
  grantor_output *error = NULL;
  grantor_machine *machine = NULL;
  grantor_str text = {NULL, 0};
  assert(grantor_config_new(99, &config) == GRANTOR_RESULT_UNKNOWN_VALUE && config == NULL);
  assert(grantor_config_new(GRANTOR_CONFIG_CLIENT, &config) == GRANTOR_RESULT_OK);
  assert(grantor_config_set_text(config, 9999, s("x")) == GRANTOR_RESULT_UNKNOWN_VALUE);
  assert(grantor_config_set_text(config, GRANTOR_OPTION_TOOL, s("x")) == GRANTOR_RESULT_NO_SUCH_SETTING);
  assert(grantor_config_set_number(config, GRANTOR_OPTION_RESOURCE, 1) == GRANTOR_RESULT_WRONG_SHAPE);
  assert(grantor_config_set_config(config, GRANTOR_OPTION_PREREGISTERED, s(NULL), config) ==
         GRANTOR_RESULT_WRONG_SHAPE);
  assert(grantor_machine_new(config, &machine) == GRANTOR_RESULT_UNUSABLE && machine == NULL);
  assert(grantor_config_last_error(config, &error) == GRANTOR_RESULT_OK);
  assert(grantor_output_kind_of(error) == GRANTOR_OUTPUT_ERROR);
  assert(grantor_output_text(error, GRANTOR_FIELD_MESSAGE, &text) == GRANTOR_RESULT_OK);
  assert(text.len == 19 && memcmp(text.data, "resource is missing", 19) == 0);
  grantor_output_free(error);
  grantor_config_free(config);
  assert(grantor_config_new(GRANTOR_CONFIG_NEED, &config) == GRANTOR_RESULT_OK);
  assert(grantor_machine_new(config, &machine) == GRANTOR_RESULT_WRONG_KIND);
  grantor_config_free(config);
}

static void challenges(void) {
  grantor_str lines[2] = {{"Bearer a=\"x, y\", b=z", 20}, {"DPoP abc==", 10}}, name, value, scheme;
  grantor_parameter parameters[1] = {{{"scope", 5}, {"a \"b\"", 5}}};
  grantor_challenges *read = NULL;
  grantor_output *challenge = NULL;
  uint8_t buffer[32];
  size_t len = 0;
  assert(grantor_challenges_parse(lines, 2, &read) == GRANTOR_RESULT_OK);
  assert(grantor_challenges_get(read, 0, &challenge) == GRANTOR_RESULT_OK);
  assert(grantor_output_header(challenge, 0, &name, &value) == GRANTOR_RESULT_OK);
  assert(value.len == 4 && memcmp(value.data, "x, y", 4) == 0);
  grantor_output_free(challenge);
  assert(grantor_challenges_get(read, 1, &challenge) == GRANTOR_RESULT_OK);
  assert(grantor_output_text(challenge, GRANTOR_FIELD_TOKEN68, &scheme) == GRANTOR_RESULT_OK && scheme.len == 5);
  grantor_output_free(challenge);
  assert(grantor_challenges_get(read, 2, &challenge) == GRANTOR_RESULT_OK && challenge == NULL);
  grantor_challenges_free(read);
  lines[0].len = 10;
  assert(grantor_challenges_parse(lines, 1, &read) == GRANTOR_RESULT_MALFORMED);
  assert(grantor_challenge_write(s("Bearer"), parameters, 1, buffer, 3, &len) == GRANTOR_RESULT_TOO_LONG && len == 22);
  assert(grantor_challenge_write(s("Bearer"), parameters, 1, buffer, sizeof buffer, &len) == GRANTOR_RESULT_OK);
  assert(len == 22 && memcmp(buffer, "Bearer scope=\"a \\\"b\\\"\"", 22) == 0);
  assert(grantor_challenge_write(s("B r"), NULL, 0, buffer, sizeof buffer, &len) == GRANTOR_RESULT_MALFORMED);
}

static void forked(void) {
  grantor_machine *machine = client();
  pid_t child = fork();
  int status = 0;
  if (child == 0) {
    uint64_t call;
    _exit(grantor_client_log_in(machine, NOW, &call) == GRANTOR_RESULT_FORKED ? 0 : 1);
  }
  assert(waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 0);
  grantor_machine_free(machine);
}

static void *busy(void *context) {
  grantor_machine *machine = (grantor_machine *)context;
  int turn;
  for (turn = 0; turn < 2000; turn++) {
    grantor_output *output = NULL, *error = NULL;
    uint64_t call = 0, op = 0, timeout;
    grantor_client_authorize(machine, NOW, s("GET"), s("http://127.0.0.1:9/mcp"), NULL, 0, &call);
    grantor_machine_poll_output(machine, &output);
    grantor_output_number(output, GRANTOR_FIELD_OP, &op);
    grantor_complete_not_stored(machine, NOW, op);
    grantor_client_report(machine, NOW, call, 200, NULL, 0);
    grantor_machine_poll_timeout(machine, &timeout);
    grantor_client_cancel(machine, call);
    grantor_machine_last_error(machine, &error);
    grantor_output_free(error);
    grantor_output_free(output);
  }
  return NULL;
}

static void from_two_threads(void) {
  grantor_machine *machine = client();
  pthread_t threads[4];
  int at;
  for (at = 0; at < 4; at++) {
    assert(pthread_create(&threads[at], NULL, busy, machine) == 0);
  }
  for (at = 0; at < 4; at++) {
    assert(pthread_join(threads[at], NULL) == 0);
  }
  grantor_machine_free(machine);
}

int main(void) {
  assert(GRANTOR_VERSION_IS_COMPATIBLE());
  assert(!grantor_version_is_compatible(GRANTOR_VERSION_MAJOR + 1, 0, 0));
  assert(strcmp(grantor_version(), GRANTOR_VERSION) == 0);
  assert(strcmp(grantor_result_name(17), "unknown_op") == 0 && strcmp(grantor_result_name(9999), "unknown") == 0);
  settings();
  out_of_order();
  challenges();
  forked();
  from_two_threads();
  printf("done\n");
  return 0;
}
"""


@pytest.fixture
def source(tmp_path: pathlib.Path) -> pathlib.Path:
    path = tmp_path / "misuse.c"
    path.write_text(PROGRAM)
    return path


def test_misuse_is_told(build: Build, source: pathlib.Path) -> None:
    subprocess.run([build(source, "-lpthread", *SANITIZERS)], check=True, timeout=120)
