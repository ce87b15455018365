/*
 * Grantor on libcurl: sends the requests of a client, performs what the client asks for, and sends the program's own
 * requests with its tokens. Header-only; link with grantor and libcurl.
 *
 * One grantor_curl is used by one thread at a time. Several threads have one each, with a machine each, on the same
 * store: they share the tokens.
 */
#ifndef GRANTOR_CURL_H
#define GRANTOR_CURL_H

#include <curl/curl.h>
#include <grantor.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#ifdef _WIN32
#include <winsock2.h>
#include <ws2tcpip.h>
#else
#include <netinet/in.h>
#include <sys/socket.h>
#endif

/* What a program has a client of Grantor performed with. Set everything else to 0. */
typedef struct grantor_curl {
  /* A client. */
  grantor_machine *machine;
  /* Where records are kept; NULL if `perform` keeps them. */
  const grantor_store *store;
  /* The user's browser; NULL for none. */
  const grantor_browser *browser;
  /* Whether to go on: a `GRANTOR_OUTPUT_APPROVE`. NULL asks on the terminal. */
  bool (*approve)(void *context, const grantor_output *question);
  /* Whether it performed and answered this effect, which is then performed by nobody else. NULL for none. */
  bool (*perform)(void *context, grantor_machine *machine, grantor_now now, const grantor_output *effect);
  /* Takes what a log would have. NULL writes warnings to standard error. */
  void (*notice)(void *context, const char *text, bool warning);
  /* Sets options on the handle of every request, such as a proxy or CURLOPT_CAINFO. NULL for none. */
  void (*configure)(void *context, CURL *curl);
  /* How long a request of the program's own may take; 0 for five minutes. */
  uint64_t timeout_ms;
  /* The longest body of its responses, in bytes; 0 for 64 MiB. */
  size_t max_body;
  /* What the functions above are given. */
  void *context;
} grantor_curl;

/* A response. Free it with grantor_curl_response_free. */
typedef struct grantor_curl_response {
  /* The HTTP status, or 0 when there was none; then `error` says why. */
  long status;
  /* The header lines, whose texts end with a NUL. */
  grantor_header *headers;
  size_t headers_len;
  /* The body, with a NUL behind it. */
  char *body;
  size_t body_len;
  /* Why there is no response, in words; NULL when there is one. */
  char *error;
} grantor_curl_response;

static inline void grantor_curl_response_free(grantor_curl_response *response) {
  size_t place;
  for (place = 0; place < response->headers_len; place++) {
    free((void *)(uintptr_t)response->headers[place].name.data);
  }
  free(response->headers);
  free(response->body);
  free(response->error);
  memset(response, 0, sizeof *response);
}

/* The value of a header, in small letters; NULL if there is none. */
static inline const char *grantor_curl_header(const grantor_curl_response *response, const char *name) {
  size_t place;
  for (place = 0; place < response->headers_len; place++) {
    if (strcmp(response->headers[place].name.data, name) == 0) {
      return response->headers[place].value.data;
    }
  }
  return NULL;
}

static inline char *grantor_curl_copy(const char *data, size_t len) {
  char *copy = (char *)malloc(len + 1);
  if (copy != NULL) {
    if (len > 0) {
      memcpy(copy, data, len);
    }
    copy[len] = '\0';
  }
  return copy;
}

static inline uint64_t grantor_curl_number(const grantor_output *output, grantor_field field) {
  uint64_t number = 0;
  grantor_output_number(output, field, &number);
  return number;
}

/* A text with a NUL behind it, to be freed; empty if the output has none. */
static inline char *grantor_curl_text(const grantor_output *output, grantor_field field) {
  grantor_str text = {NULL, 0};
  grantor_output_text(output, field, &text);
  return grantor_curl_copy(text.data, text.len);
}

/* A machine from settings, which can be freed then; NULL when they cannot work, and standard error says why. */
static inline grantor_machine *grantor_curl_machine(grantor_config *config) {
  grantor_machine *machine = NULL;
  grantor_result result = grantor_machine_new(config, &machine);
  if (result != GRANTOR_RESULT_OK) {
    grantor_output *error = NULL;
    char *why;
    grantor_config_last_error(config, &error);
    why = grantor_curl_text(error, GRANTOR_FIELD_MESSAGE);
    fprintf(stderr, "%s\n", why != NULL && *why != '\0' ? why : grantor_result_message(result));
    free(why);
    grantor_output_free(error);
  }
  return machine;
}

/* One exchange of libcurl. */
typedef struct grantor_curl_exchange {
  grantor_curl_response *response;
  /* The request that it is for; NULL for the program's own. */
  const grantor_output *request;
  size_t max_body;
  bool too_large, refused;
} grantor_curl_exchange;

static inline size_t grantor_curl_on_body(char *data, size_t size, size_t count, void *context) {
  grantor_curl_exchange *exchange = (grantor_curl_exchange *)context;
  grantor_curl_response *response = exchange->response;
  size_t len = size * count;
  char *body;
  if (len > exchange->max_body - response->body_len) {
    exchange->too_large = true;
    return 0;
  }
  body = (char *)realloc(response->body, response->body_len + len + 1);
  if (body == NULL) {
    return 0;
  }
  memcpy(body + response->body_len, data, len);
  response->body = body;
  response->body_len += len;
  body[response->body_len] = '\0';
  return len;
}

static inline size_t grantor_curl_on_header(char *data, size_t size, size_t count, void *context) {
  grantor_curl_exchange *exchange = (grantor_curl_exchange *)context;
  grantor_curl_response *response = exchange->response;
  size_t len = size * count, name_len, place;
  char *line, *value;
  grantor_header *headers;
  if (len >= 5 && memcmp(data, "HTTP/", 5) == 0) {
    grantor_curl_response_free(response); /* what came before was provisional */
    return len;
  }
  while (len > 0 && strchr(" \t\r\n", data[len - 1]) != NULL) {
    len--;
  }
  for (name_len = 0; name_len < len && data[name_len] != ':'; name_len++) {
  }
  if (name_len == 0 || name_len == len) {
    return size * count; /* the line between head and body */
  }
  line = grantor_curl_copy(data, len);
  headers = (grantor_header *)realloc(response->headers, (response->headers_len + 1) * sizeof *headers);
  if (headers != NULL) {
    response->headers = headers;
  }
  if (line == NULL || headers == NULL) {
    free(line);
    return 0;
  }
  line[name_len] = '\0';
  for (place = 0; place < name_len; place++) {
    line[place] = (char)(line[place] >= 'A' && line[place] <= 'Z' ? line[place] + 32 : line[place]);
  }
  for (value = line + name_len + 1; *value == ' ' || *value == '\t'; value++) {
  }
  headers[response->headers_len].name = grantor_str_from(line);
  headers[response->headers_len].value = grantor_str_from(value);
  response->headers_len++;
  return size * count;
}

/* Connects only to where the request may be sent. */
static inline curl_socket_t grantor_curl_on_socket(void *context, curlsocktype purpose, struct curl_sockaddr *address) {
  grantor_curl_exchange *exchange = (grantor_curl_exchange *)context;
  const void *ip = NULL;
  size_t len = 0;
  if (purpose != CURLSOCKTYPE_IPCXN) {
    return CURL_SOCKET_BAD;
  }
  if (address->family == AF_INET) {
    ip = &((const struct sockaddr_in *)(const void *)&address->addr)->sin_addr;
    len = 4;
  } else if (address->family == AF_INET6) {
    ip = &((const struct sockaddr_in6 *)(const void *)&address->addr)->sin6_addr;
    len = 16;
  }
  if (grantor_output_check_address(exchange->request, (const uint8_t *)ip, len) != GRANTOR_RESULT_OK) {
    exchange->refused = true;
    return CURL_SOCKET_BAD;
  }
  return socket(address->family, address->socktype, address->protocol);
}

/* Sends a request. Follows no redirect. `request` is the GRANTOR_OUTPUT_HTTP that it is for, NULL for the program's own. */
static inline grantor_failure grantor_curl_send(grantor_curl *host, const char *method, const char *url,
                                                struct curl_slist *headers, const void *body, size_t body_len,
                                                const grantor_output *request, size_t max_body, uint64_t timeout_ms,
                                                grantor_curl_response *response) {
  grantor_curl_exchange exchange = {response, request, max_body, false, false};
  char words[CURL_ERROR_SIZE] = "";
  CURL *curl = curl_easy_init();
  CURLcode code = CURLE_FAILED_INIT;
  memset(response, 0, sizeof *response);
  if (curl != NULL) {
    if (host->configure != NULL) {
      host->configure(host->context, curl);
    }
    curl_easy_setopt(curl, CURLOPT_URL, url);
    curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, method);
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
    if (body != NULL && body_len > 0) {
      curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)body_len);
      curl_easy_setopt(curl, CURLOPT_POSTFIELDS, body);
    }
    curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, (long)(timeout_ms > 3600000 ? 3600000 : timeout_ms));
    curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, words);
    curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, grantor_curl_on_header);
    curl_easy_setopt(curl, CURLOPT_HEADERDATA, &exchange);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, grantor_curl_on_body);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, &exchange);
    if (request != NULL) {
      curl_easy_setopt(curl, CURLOPT_OPENSOCKETFUNCTION, grantor_curl_on_socket);
      curl_easy_setopt(curl, CURLOPT_OPENSOCKETDATA, &exchange);
    }
#if LIBCURL_VERSION_NUM >= 0x075500
    curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
#else
    curl_easy_setopt(curl, CURLOPT_PROTOCOLS, (long)(CURLPROTO_HTTP | CURLPROTO_HTTPS));
#endif
    code = curl_easy_perform(curl);
    if (code == CURLE_OK) {
      curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &response->status);
    }
    curl_easy_cleanup(curl);
  }
  if (code == CURLE_OK) {
    return GRANTOR_FAILURE_OTHER; /* not looked at */
  }
  grantor_curl_response_free(response);
  {
    const char *why = words[0] != '\0' ? words : curl_easy_strerror(code);
    if (exchange.refused) {
      why = "the name leads into a private network, where the resource does not live";
    } else if (exchange.too_large) {
      why = "the body is longer than it may be";
    }
    response->error = grantor_curl_copy(why, strlen(why));
  }
  if (exchange.too_large) {
    return GRANTOR_FAILURE_BODY_TOO_LARGE;
  }
  switch (code) {
    case CURLE_OPERATION_TIMEDOUT:
      return GRANTOR_FAILURE_TIMED_OUT;
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_RESOLVE_PROXY:
    case CURLE_COULDNT_CONNECT:
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_PEER_FAILED_VERIFICATION:
      return GRANTOR_FAILURE_UNREACHABLE;
    default:
      return GRANTOR_FAILURE_BROKEN;
  }
}

/* The headers of an output as lines of libcurl, behind those that are there; NULL when memory runs out. */
static inline struct curl_slist *grantor_curl_lines(struct curl_slist *list, const grantor_output *output) {
  grantor_str name, value;
  size_t place;
  for (place = 0; grantor_output_header(output, place, &name, &value) == GRANTOR_RESULT_OK; place++) {
    char *line = (char *)malloc(name.len + value.len + 3);
    struct curl_slist *longer = NULL;
    if (line != NULL) {
      memcpy(line, name.data, name.len);
      memcpy(line + name.len, value.len == 0 ? ";" : ": ", value.len == 0 ? 1 : 2);
      memcpy(line + name.len + (value.len == 0 ? 1 : 2), value.data, value.len);
      line[name.len + value.len + (value.len == 0 ? 1 : 2)] = '\0';
      longer = curl_slist_append(list, line);
      free(line);
    }
    if (longer == NULL) {
      curl_slist_free_all(list);
      return NULL;
    }
    list = longer;
  }
  return list;
}

static inline void grantor_curl_http(grantor_curl *host, grantor_now now, const grantor_output *request) {
  uint64_t op = grantor_curl_number(request, GRANTOR_FIELD_OP);
  uint64_t deadline = grantor_curl_number(request, GRANTOR_FIELD_DEADLINE_MS);
  size_t max_body = (size_t)grantor_curl_number(request, GRANTOR_FIELD_MAX_BODY);
  char *method = grantor_curl_text(request, GRANTOR_FIELD_METHOD);
  char *url = grantor_curl_text(request, GRANTOR_FIELD_URL);
  struct curl_slist *lines = curl_slist_append(NULL, "Expect:");
  grantor_bytes body = {NULL, 0};
  grantor_curl_response response;
  grantor_failure failure = GRANTOR_FAILURE_OTHER;
  memset(&response, 0, sizeof response);
  grantor_output_bytes(request, GRANTOR_FIELD_BODY, &body);
  lines = lines == NULL ? NULL : grantor_curl_lines(lines, request);
  if (method != NULL && url != NULL && lines != NULL) {
    uint64_t left = deadline > now.mono_ms ? deadline - now.mono_ms : 1;
    failure = grantor_curl_send(host, method, url, lines, body.data, body.len, request, max_body, left, &response);
  }
  grantor_now_read(&now);
  if (response.status != 0) {
    grantor_result result =
        grantor_complete_http(host->machine, now, op, (uint16_t)response.status, response.headers,
                              response.headers_len, grantor_bytes_from(response.body, response.body_len));
    if (result != GRANTOR_RESULT_OK) {
      grantor_complete_failed(host->machine, now, op, GRANTOR_FAILURE_BROKEN,
                              grantor_str_from(grantor_result_message(result)));
    }
  } else {
    grantor_complete_failed(host->machine, now, op, failure, grantor_str_from(response.error));
  }
  grantor_curl_response_free(&response);
  curl_slist_free_all(lines);
  free(method);
  free(url);
}

/* Asks on the terminal. */
static inline bool grantor_curl_ask(const grantor_output *question) {
  char *issuer = grantor_curl_text(question, GRANTOR_FIELD_ISSUER);
  char *resource = grantor_curl_text(question, GRANTOR_FIELD_RESOURCE);
  char *scopes = grantor_curl_text(question, GRANTOR_FIELD_SCOPES);
  char answer[8] = "";
  fprintf(stderr, "%s wants you to log in at %s%s%s. Go on? [y/N] ", resource != NULL ? resource : "",
          issuer != NULL ? issuer : "", scopes != NULL && *scopes != '\0' ? " for: " : "", scopes != NULL ? scopes : "");
  free(issuer);
  free(resource);
  free(scopes);
  return fgets(answer, sizeof answer, stdin) != NULL && (answer[0] == 'y' || answer[0] == 'Y');
}

/* Performs an effect, or has it performed. */
static inline void grantor_curl_perform(grantor_curl *host, const grantor_output *effect) {
  grantor_output_kind kind = grantor_output_kind_of(effect);
  uint64_t op = grantor_curl_number(effect, GRANTOR_FIELD_OP);
  grantor_result result = GRANTOR_RESULT_NOT_PERFORMED;
  grantor_now now;
  grantor_now_read(&now);
  if (host->perform != NULL && host->perform(host->context, host->machine, now, effect)) {
    return;
  }
  if (kind == GRANTOR_OUTPUT_HTTP) {
    grantor_curl_http(host, now, effect);
    return;
  }
  if (kind == GRANTOR_OUTPUT_APPROVE) {
    bool agreed = host->approve != NULL ? host->approve(host->context, effect) : grantor_curl_ask(effect);
    grantor_now_read(&now);
    if (agreed) {
      grantor_complete_approved(host->machine, now, op);
    } else {
      grantor_complete_declined(host->machine, now, op);
    }
    return;
  }
  if (host->store != NULL) {
    result = grantor_store_perform(host->store, host->machine, now, effect);
  }
  if (result == GRANTOR_RESULT_NOT_PERFORMED && host->browser != NULL) {
    result = grantor_browser_perform(host->browser, host->machine, now, effect);
  }
  if (result != GRANTOR_RESULT_OK) {
    grantor_str why = grantor_str_from(grantor_result_message(result));
    grantor_complete_failed(host->machine, now, op, GRANTOR_FAILURE_IMPOSSIBLE, why);
  }
}

static inline void grantor_curl_entropy(grantor_curl *host, const grantor_output *output) {
  size_t len = (size_t)grantor_curl_number(output, GRANTOR_FIELD_LENGTH);
  uint8_t *bytes = (uint8_t *)malloc(len);
  grantor_now now;
  grantor_now_read(&now);
  if (bytes != NULL && grantor_entropy_read(bytes, len) == GRANTOR_RESULT_OK) {
    grantor_machine_add_entropy(host->machine, now, grantor_bytes_from(bytes, len));
    memset(bytes, 0, len);
  }
  free(bytes);
}

static inline void grantor_curl_notice(grantor_curl *host, const grantor_output *output) {
  bool warning = grantor_curl_number(output, GRANTOR_FIELD_WARNING) == 1;
  char *text = grantor_curl_text(output, GRANTOR_FIELD_MESSAGE);
  if (text != NULL && host->notice != NULL) {
    host->notice(host->context, text, warning);
  } else if (text != NULL && warning) {
    fprintf(stderr, "%s\n", text);
  }
  free(text);
}

static inline void grantor_curl_sleep(uint64_t ms) {
#ifdef _WIN32
  Sleep((DWORD)ms);
#else
  struct timespec left;
  left.tv_sec = (time_t)(ms / 1000);
  left.tv_nsec = (long)(ms % 1000) * 1000000;
  while (nanosleep(&left, &left) != 0) {
  }
#endif
}

/* Goes on until there is a verdict about this call, performing all effects. The verdict is the caller's to free; NULL
   when the machine cannot go on: it is broken, of another process, or the call was never made. */
static inline grantor_output *grantor_curl_verdict(grantor_curl *host, uint64_t call) {
  for (;;) {
    grantor_output *output = NULL;
    uint64_t timeout = 0;
    grantor_now now;
    if (grantor_machine_poll_output(host->machine, &output) != GRANTOR_RESULT_OK) {
      return NULL;
    }
    if (output == NULL) {
      /* Everything that was asked for is done: it is time that has to pass. */
      grantor_now_read(&now);
      grantor_machine_poll_timeout(host->machine, &timeout);
      if (timeout == UINT64_MAX) {
        return NULL;
      }
      grantor_curl_sleep(timeout > now.mono_ms ? timeout - now.mono_ms : 0);
      grantor_now_read(&now);
      grantor_machine_handle_timeout(host->machine, now);
      continue;
    }
    switch (grantor_output_kind_of(output)) {
      case GRANTOR_OUTPUT_CALL_SEND:
      case GRANTOR_OUTPUT_CALL_DELIVER:
      case GRANTOR_OUTPUT_CALL_DONE:
      case GRANTOR_OUTPUT_CALL_FAIL:
        if (grantor_curl_number(output, GRANTOR_FIELD_CALL) == call) {
          return output;
        }
        break;
      case GRANTOR_OUTPUT_NEED_ENTROPY:
        grantor_curl_entropy(host, output);
        break;
      case GRANTOR_OUTPUT_NOTICE:
        grantor_curl_notice(host, output);
        break;
      case GRANTOR_OUTPUT_ABANDON:
        break; /* nothing is performed beside this */
      default:
        grantor_curl_perform(host, output);
    }
    grantor_output_free(output);
  }
}

/* Why there is no good end, in words to be freed. */
static inline char *grantor_curl_why(grantor_curl *host, const grantor_output *verdict) {
  char *why = grantor_curl_text(verdict, GRANTOR_FIELD_MESSAGE);
  if (why == NULL || *why == '\0') {
    grantor_output *error = NULL;
    free(why);
    grantor_machine_last_error(host->machine, &error);
    why = grantor_curl_text(error, GRANTOR_FIELD_MESSAGE);
    grantor_output_free(error);
  }
  if (why != NULL && *why == '\0') {
    const char *words = "nothing is under way for this call";
    free(why);
    why = grantor_curl_copy(words, strlen(words));
  }
  return why;
}

/* Waits for a call that sends nothing, such as grantor_client_log_in, and writes into `error` why it failed, in words to
   be freed; NULL if it did what it should. */
static inline bool grantor_curl_wait(grantor_curl *host, uint64_t call, char **error) {
  grantor_output *verdict = grantor_curl_verdict(host, call);
  bool done = verdict != NULL && grantor_output_kind_of(verdict) == GRANTOR_OUTPUT_CALL_DONE;
  *error = done ? NULL : grantor_curl_why(host, verdict);
  grantor_output_free(verdict);
  return done;
}

/* Sends a request to the MCP server, with a token as soon as it wants one: the user is asked, tokens are renewed and
   scopes added on the way. `headers` stay the caller's. False when there is no response; its `error` says why. */
static inline bool grantor_curl_request(grantor_curl *host, const char *method, const char *url,
                                        struct curl_slist *headers, const void *body, size_t body_len,
                                        grantor_curl_response *response) {
  const size_t max_body = host->max_body != 0 ? host->max_body : (size_t)64 << 20;
  const uint64_t timeout_ms = host->timeout_ms != 0 ? host->timeout_ms : 300000;
  grantor_header own[2];
  size_t own_len = 0;
  struct curl_slist *line;
  uint64_t call = 0;
  grantor_result result;
  grantor_now now;
  memset(response, 0, sizeof *response);
  /* What tells operations apart. */
  for (line = headers; line != NULL && own_len < 2; line = line->next) {
    const char *colon = strchr(line->data, ':');
    if (colon != NULL && (curl_strnequal(line->data, "mcp-method:", 11) || curl_strnequal(line->data, "mcp-name:", 9))) {
      own[own_len].name.data = line->data;
      own[own_len].name.len = (size_t)(colon - line->data);
      own[own_len].value = grantor_str_from(colon + 1 + strspn(colon + 1, " \t"));
      own_len++;
    }
  }
  grantor_now_read(&now);
  result = grantor_client_authorize(host->machine, now, grantor_str_from(method), grantor_str_from(url), own, own_len,
                                    &call);
  if (result != GRANTOR_RESULT_OK) {
    const char *why = grantor_result_message(result);
    response->error = grantor_curl_copy(why, strlen(why));
    return false;
  }
  for (;;) {
    grantor_output *verdict = grantor_curl_verdict(host, call);
    grantor_output_kind kind = grantor_output_kind_of(verdict);
    struct curl_slist *lines = NULL, *theirs;
    bool complete = true;
    if (kind == GRANTOR_OUTPUT_CALL_DELIVER) {
      grantor_output_free(verdict);
      return true;
    }
    grantor_curl_response_free(response);
    if (kind != GRANTOR_OUTPUT_CALL_SEND) {
      response->error = grantor_curl_why(host, verdict);
      grantor_output_free(verdict);
      return false;
    }
    for (theirs = headers; theirs != NULL; theirs = theirs->next) {
      struct curl_slist *longer;
      if (curl_strnequal(theirs->data, "authorization:", 14) || curl_strnequal(theirs->data, "dpop:", 5)) {
        continue; /* not meant for this server, or of an earlier try */
      }
      longer = curl_slist_append(lines, theirs->data);
      complete = complete && longer != NULL;
      lines = longer != NULL ? longer : lines;
    }
    lines = grantor_curl_lines(lines, verdict);
    grantor_output_free(verdict);
    if (!complete || grantor_curl_send(host, method, url, lines, body, body_len, NULL, max_body, timeout_ms, response) !=
                         GRANTOR_FAILURE_OTHER) {
      curl_slist_free_all(lines);
      grantor_client_cancel(host->machine, call);
      return false;
    }
    curl_slist_free_all(lines);
    grantor_now_read(&now);
    result = grantor_client_report(host->machine, now, call, (uint16_t)response->status, response->headers,
                                   response->headers_len);
    if (result != GRANTOR_RESULT_OK) {
      const char *why = grantor_result_message(result);
      grantor_client_cancel(host->machine, call);
      grantor_curl_response_free(response);
      response->error = grantor_curl_copy(why, strlen(why));
      return false;
    }
  }
}

#endif /* GRANTOR_CURL_H */
