/*
 * A protected server: `server PORT ISSUER SCOPE` answers "hello" to whoever brings a token of ISSUER with this scope, and
 * tells everybody else what is needed. On libmicrohttpd; keys are fetched by libcurl.
 */
#include <grantor.h>
#include <grantor_curl.h>
#include <microhttpd.h>
#include <signal.h>

enum { MAX_HEADERS = 100 };

/* The guard, and what fetches keys for it. */
static grantor_curl host;

static grantor_machine *guard_of(const char *resource, const char *issuer, const char *scope) {
  grantor_config *config = NULL, *server = NULL;
  grantor_machine *machine;
  grantor_config_new(GRANTOR_CONFIG_AUTHORIZATION_SERVER, &server);
  grantor_config_set_text(server, GRANTOR_OPTION_ISSUER, grantor_str_from(issuer));
  grantor_config_new(GRANTOR_CONFIG_GUARD, &config);
  grantor_config_set_text(config, GRANTOR_OPTION_RESOURCE, grantor_str_from(resource));
  grantor_config_set_text(config, GRANTOR_OPTION_EVERY, grantor_str_from(scope));
  grantor_config_set_config(config, GRANTOR_OPTION_AUTHORIZATION_SERVER, grantor_str_from(NULL), server);
  machine = grantor_curl_machine(config);
  grantor_config_free(server);
  grantor_config_free(config);
  return machine;
}

/* Performs what the guard asks for. */
static void work(void) {
  grantor_output *output = NULL;
  while (grantor_machine_poll_output(host.machine, &output) == GRANTOR_RESULT_OK && output != NULL) {
    if (grantor_output_kind_of(output) == GRANTOR_OUTPUT_HTTP) {
      grantor_curl_perform(&host, output);
    } else if (grantor_output_kind_of(output) == GRANTOR_OUTPUT_NOTICE) {
      grantor_curl_notice(&host, output);
    }
    grantor_output_free(output);
    output = NULL;
  }
}

/* Decides about a request; the decision is GRANTOR_OUTPUT_ALLOW or GRANTOR_OUTPUT_ANSWER, and NULL in a fault. */
static grantor_output *decide(grantor_request request, const grantor_bytes *body) {
  for (;;) {
    grantor_output *decision = NULL;
    grantor_output_kind kind;
    grantor_now now;
    grantor_now_read(&now);
    if (grantor_guard_check(host.machine, now, request, body, &decision) != GRANTOR_RESULT_OK) {
      return NULL;
    }
    work();
    kind = grantor_output_kind_of(decision);
    if (kind == GRANTOR_OUTPUT_ALLOW || kind == GRANTOR_OUTPUT_ANSWER) {
      return decision;
    }
    grantor_output_free(decision);
    if (kind != GRANTOR_OUTPUT_WAIT) {
      return NULL; /* every operation needs the same here, so no body is asked for */
    }
  }
}

/* Gathers header lines. */
typedef struct {
  grantor_header lines[MAX_HEADERS];
  size_t len;
} gathered;

static enum MHD_Result gather(void *context, enum MHD_ValueKind kind, const char *name, const char *value) {
  gathered *headers = (gathered *)context;
  (void)kind;
  if (headers->len < MAX_HEADERS) {
    headers->lines[headers->len].name = grantor_str_from(name);
    headers->lines[headers->len].value = grantor_str_from(value);
    headers->len++;
  }
  return MHD_YES;
}

static enum MHD_Result respond(struct MHD_Connection *connection, const grantor_output *decision) {
  bool allowed = grantor_output_kind_of(decision) == GRANTOR_OUTPUT_ALLOW;
  unsigned status = allowed ? 200 : (unsigned)grantor_curl_number(decision, GRANTOR_FIELD_STATUS);
  grantor_bytes body = grantor_bytes_from("hello\n", 6);
  struct MHD_Response *response;
  enum MHD_Result queued;
  grantor_str name, value;
  size_t place;
  if (!allowed) {
    grantor_output_bytes(decision, GRANTOR_FIELD_BODY, &body);
  }
  response = MHD_create_response_from_buffer(body.len, (void *)(uintptr_t)body.data, MHD_RESPMEM_MUST_COPY);
  for (place = 0; grantor_output_header(decision, place, &name, &value) == GRANTOR_RESULT_OK; place++) {
    char *header = grantor_curl_copy(name.data, name.len), *text = grantor_curl_copy(value.data, value.len);
    if (header != NULL && text != NULL) {
      MHD_add_response_header(response, header, text);
    }
    free(header);
    free(text);
  }
  queued = MHD_queue_response(connection, status == 0 ? 500 : status, response);
  MHD_destroy_response(response);
  return queued;
}

static enum MHD_Result handle(void *context, struct MHD_Connection *connection, const char *path, const char *method,
                              const char *version, const char *upload, size_t *upload_len, void **seen) {
  static int once;
  gathered headers;
  grantor_request request;
  grantor_output *decision;
  enum MHD_Result result;
  (void)context;
  (void)version;
  (void)upload;
  if (*seen == NULL || *upload_len > 0) {
    *seen = &once; /* the head, and then the body, which nobody needs here */
    *upload_len = 0;
    return MHD_YES;
  }
  headers.len = 0;
  MHD_get_connection_values(connection, MHD_HEADER_KIND, gather, &headers);
  request.method = grantor_str_from(method);
  request.target = grantor_str_from(path);
  request.headers = headers.lines;
  request.headers_len = headers.len;
  decision = decide(request, NULL);
  result = respond(connection, decision);
  grantor_output_free(decision);
  return result;
}

int main(int argc, char **argv) {
  struct MHD_Daemon *daemon;
  char resource[64];
  sigset_t signals;
  int signal;
  if (argc != 4) {
    fprintf(stderr, "usage: server PORT ISSUER SCOPE\n");
    return 2;
  }
  sigemptyset(&signals);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGTERM);
  sigprocmask(SIG_BLOCK, &signals, NULL);
  curl_global_init(CURL_GLOBAL_DEFAULT);
  snprintf(resource, sizeof resource, "http://127.0.0.1:%s/mcp", argv[1]);
  host.machine = guard_of(resource, argv[2], argv[3]);
  if (host.machine == NULL) {
    return 1;
  }
  /* One thread: a guard that is shared by several is to be asked for outputs by one of them. */
  daemon = MHD_start_daemon(MHD_USE_INTERNAL_POLLING_THREAD, (uint16_t)atoi(argv[1]), NULL, NULL, handle, NULL,
                            MHD_OPTION_END);
  if (daemon != NULL) {
    printf("%s\n", resource);
    fflush(stdout);
    sigwait(&signals, &signal);
    MHD_stop_daemon(daemon);
  }
  grantor_machine_free(host.machine);
  curl_global_cleanup();
  return daemon == NULL;
}
