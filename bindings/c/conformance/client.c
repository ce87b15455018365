/*
 * The client under test of the official MCP conformance suite, in C on libcurl.
 *
 * `client --adapter curl URL`: lists the tools of the MCP server at URL, calls them, and exits with 0 if every request was
 * answered. The suite tells the protocol version and, for some scenarios, credentials, which decide the grant
 * (environment variables MCP_CONFORMANCE_*).
 */
#include <cjson/cJSON.h>
#include <grantor.h>
#include <grantor_curl.h>

static const char *REDIRECT_URI = "http://localhost:3000/callback";
static const char *CLIENT_ID_DOCUMENT = "https://conformance-test.local/client-metadata.json";

static const char *environment(const char *name, const char *otherwise) {
  const char *value = getenv(name);
  return value != NULL ? value : otherwise;
}

/* What the suite says. */
typedef struct {
  const char *url, *version;
  bool stateless;
  cJSON *context;
} suite;

static const char *told(const suite *suite, const char *name) {
  return cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(suite->context, name));
}

/* Settings. */

static void set(grantor_config *config, grantor_option option, const char *text) {
  if (text != NULL && grantor_config_set_text(config, option, grantor_str_from(text)) != GRANTOR_RESULT_OK) {
    fprintf(stderr, "option %u cannot be %s\n", (unsigned)option, text);
    exit(2);
  }
}

static grantor_config *settings(grantor_config_kind kind) {
  grantor_config *config = NULL;
  grantor_config_new(kind, &config);
  return config;
}

static void add(grantor_config *config, grantor_option option, grantor_config *value) {
  grantor_config_set_config(config, option, grantor_str_from(NULL), value);
  grantor_config_free(value);
}

static grantor_config *preregistered(const suite *suite) {
  grantor_config *client = settings(GRANTOR_CONFIG_PREREGISTERED);
  const char *pem = told(suite, "private_key_pem");
  set(client, GRANTOR_OPTION_CLIENT_ID, told(suite, "client_id"));
  set(client, GRANTOR_OPTION_SECRET, told(suite, "client_secret"));
  if (pem != NULL) {
    grantor_config *key = settings(GRANTOR_CONFIG_KEY);
    set(key, GRANTOR_OPTION_PEM, pem);
    set(key, GRANTOR_OPTION_ALGORITHM, told(suite, "signing_algorithm"));
    add(client, GRANTOR_OPTION_KEY, key);
  }
  return client;
}

static grantor_config *enterprise(const suite *suite) {
  grantor_config *enterprise = settings(GRANTOR_CONFIG_ENTERPRISE);
  grantor_config *client = settings(GRANTOR_CONFIG_PREREGISTERED);
  set(client, GRANTOR_OPTION_CLIENT_ID, told(suite, "idp_client_id"));
  set(client, GRANTOR_OPTION_ISSUER, told(suite, "idp_issuer"));
  add(enterprise, GRANTOR_OPTION_CLIENT, client);
  set(enterprise, GRANTOR_OPTION_ISSUER, told(suite, "idp_issuer"));
  return enterprise;
}

static grantor_machine *machine(const suite *suite) {
  grantor_config *config = settings(GRANTOR_CONFIG_CLIENT);
  grantor_machine *machine;
  set(config, GRANTOR_OPTION_RESOURCE, suite->url);
  set(config, GRANTOR_OPTION_CLIENT_NAME, "grantor-conformance");
  set(config, GRANTOR_OPTION_REVISION, suite->version);
  set(config, GRANTOR_OPTION_TRUST, "accept");
  set(config, GRANTOR_OPTION_DPOP, "when_supported");
  set(config, GRANTOR_OPTION_REDIRECT_URI, REDIRECT_URI);
  set(config, GRANTOR_OPTION_CLIENT_ID_METADATA_DOCUMENT, CLIENT_ID_DOCUMENT);
  if (told(suite, "client_id") != NULL) {
    add(config, GRANTOR_OPTION_PREREGISTERED, preregistered(suite));
    if (told(suite, "valid_jwt") != NULL) {
      set(config, GRANTOR_OPTION_FLOW, "workload");
    } else if (told(suite, "idp_issuer") != NULL && told(suite, "idp_client_id") != NULL) {
      add(config, GRANTOR_OPTION_ENTERPRISE, enterprise(suite));
    } else if (strstr(environment("MCP_CONFORMANCE_SCENARIO", ""), "client-credentials") != NULL) {
      set(config, GRANTOR_OPTION_FLOW, "client_credentials");
    }
  }
  machine = grantor_curl_machine(config);
  grantor_config_free(config);
  return machine;
}

/* The suite's authorization servers redirect at once, so a GET of the page is the answer. */
static void visit(grantor_machine *machine, const grantor_output *prompt) {
  uint64_t op = grantor_curl_number(prompt, GRANTOR_FIELD_OP);
  char *url = grantor_curl_text(prompt, GRANTOR_FIELD_URL);
  grantor_curl browser;
  grantor_curl_response page;
  const char *location;
  bool answered = false;
  grantor_now now;
  memset(&browser, 0, sizeof browser);
  grantor_curl_send(&browser, "GET", url, NULL, NULL, 0, NULL, 1 << 20, 10000, &page);
  grantor_now_read(&now);
  location = grantor_curl_header(&page, "location");
  grantor_output_is_answered_by(prompt, grantor_str_from(location), &answered);
  if (answered) {
    grantor_complete_callback(machine, now, op, grantor_str_from(location));
  } else {
    grantor_complete_failed(machine, now, op, GRANTOR_FAILURE_IMPOSSIBLE,
                            grantor_str_from("the page does not redirect"));
  }
  grantor_curl_response_free(&page);
  free(url);
}

static bool perform(void *context, grantor_machine *machine, grantor_now now, const grantor_output *effect) {
  uint64_t op = grantor_curl_number(effect, GRANTOR_FIELD_OP);
  switch (grantor_output_kind_of(effect)) {
    case GRANTOR_OUTPUT_AUTHORIZE:
      visit(machine, effect);
      return true;
    case GRANTOR_OUTPUT_ASSERT: {
      char *kind = grantor_curl_text(effect, GRANTOR_FIELD_ASSERTION_KIND);
      bool user = kind != NULL && strcmp(kind, "user") == 0;
      grantor_complete_assertion(machine, now, op, user ? GRANTOR_ASSERTION_ID_TOKEN : GRANTOR_ASSERTION_JWT,
                                 grantor_str_from(told((const suite *)context, user ? "idp_id_token" : "valid_jwt")));
      free(kind);
      return true;
    }
    default:
      return false;
  }
}

/* As much of an MCP client as authorization needs. */
typedef struct {
  grantor_curl host;
  const suite *suite;
  char *session;
  int id;
} client;

static void header(struct curl_slist **headers, const char *name, const char *value) {
  char line[1024];
  snprintf(line, sizeof line, "%s: %s", name, value);
  *headers = curl_slist_append(*headers, line);
}

/* The message with this id in a body of JSON or of server-sent events. */
static cJSON *answer(const grantor_curl_response *response, int id) {
  const char *type = grantor_curl_header(response, "content-type");
  bool events = type != NULL && strncmp(type, "text/event", 10) == 0;
  const char *text = response->body;
  while (text != NULL && *text != '\0') {
    const char *start = events ? strstr(text, "data:") : text;
    cJSON *message = start == NULL ? NULL : cJSON_Parse(start + (events ? 5 : 0));
    const cJSON *own = cJSON_GetObjectItemCaseSensitive(message, "id");
    if (cJSON_IsNumber(own) && own->valueint == id) {
      return message;
    }
    cJSON_Delete(message);
    text = events && start != NULL ? start + 5 : NULL;
  }
  return NULL;
}

static cJSON *post(client *client, const char *method, cJSON *message, int id) {
  const suite *suite = client->suite;
  struct curl_slist *headers = NULL;
  char *body = cJSON_PrintUnformatted(message);
  const cJSON *params = cJSON_GetObjectItemCaseSensitive(message, "params");
  const char *name = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(params, "name"));
  grantor_curl_response response;
  cJSON *found = NULL;
  header(&headers, "content-type", "application/json");
  header(&headers, "accept", "application/json, text/event-stream");
  if (suite->stateless || strcmp(method, "initialize") != 0) {
    header(&headers, "mcp-protocol-version", suite->version);
  }
  if (suite->stateless) {
    header(&headers, "mcp-method", method);
    if (name != NULL) {
      header(&headers, "mcp-name", name);
    }
  }
  if (client->session != NULL) {
    header(&headers, "mcp-session-id", client->session);
  }
  if (!grantor_curl_request(&client->host, "POST", suite->url, headers, body, strlen(body), &response)) {
    fprintf(stderr, "%s\n", response.error != NULL ? response.error : "no answer");
    exit(1);
  }
  if (response.status < 200 || response.status > 299) {
    fprintf(stderr, "%s: status %ld: %s\n", method, response.status, response.body != NULL ? response.body : "");
    exit(1);
  }
  if (grantor_curl_header(&response, "mcp-session-id") != NULL) {
    const char *session = grantor_curl_header(&response, "mcp-session-id");
    free(client->session);
    client->session = grantor_curl_copy(session, strlen(session));
  }
  if (id != 0 && (found = answer(&response, id)) == NULL) {
    fprintf(stderr, "%s: no answer in: %s\n", method, response.body != NULL ? response.body : "");
    exit(1);
  }
  grantor_curl_response_free(&response);
  curl_slist_free_all(headers);
  cJSON_free(body);
  cJSON_Delete(message);
  return found;
}

/* Sends a request; `params` become its own. Its answer is the caller's. */
static cJSON *request(client *client, const char *method, cJSON *params) {
  cJSON *message = cJSON_CreateObject();
  if (client->suite->stateless) {
    cJSON *meta = cJSON_AddObjectToObject(params, "_meta");
    cJSON_AddStringToObject(meta, "io.modelcontextprotocol/protocolVersion", client->suite->version);
    cJSON_AddObjectToObject(meta, "io.modelcontextprotocol/clientCapabilities");
  }
  cJSON_AddStringToObject(message, "jsonrpc", "2.0");
  cJSON_AddNumberToObject(message, "id", ++client->id);
  cJSON_AddStringToObject(message, "method", method);
  cJSON_AddItemToObject(message, "params", params);
  return post(client, method, message, client->id);
}

static void initialize(client *client) {
  cJSON *params = cJSON_CreateObject(), *info, *message = cJSON_CreateObject();
  cJSON_AddStringToObject(params, "protocolVersion", client->suite->version);
  cJSON_AddObjectToObject(params, "capabilities");
  info = cJSON_AddObjectToObject(params, "clientInfo");
  cJSON_AddStringToObject(info, "name", "grantor-conformance");
  cJSON_AddStringToObject(info, "version", GRANTOR_VERSION);
  cJSON_Delete(request(client, "initialize", params));
  cJSON_AddStringToObject(message, "jsonrpc", "2.0");
  cJSON_AddStringToObject(message, "method", "notifications/initialized");
  post(client, "notifications/initialized", message, 0);
}

static void call(client *client, const cJSON *name, const cJSON *arguments) {
  cJSON *params = cJSON_CreateObject();
  cJSON_AddItemToObject(params, "name", cJSON_Duplicate(name, true));
  cJSON_AddItemToObject(params, "arguments",
                        arguments != NULL ? cJSON_Duplicate(arguments, true) : cJSON_CreateObject());
  cJSON_Delete(request(client, "tools/call", params));
}

static void use_tools(client *client) {
  const cJSON *calls = cJSON_GetObjectItemCaseSensitive(client->suite->context, "toolCalls"), *one;
  cJSON *listed;
  if (!client->suite->stateless) {
    initialize(client);
  }
  listed = request(client, "tools/list", cJSON_CreateObject());
  if (calls != NULL) {
    cJSON_ArrayForEach(one, calls) {
      call(client, cJSON_GetObjectItemCaseSensitive(one, "name"), cJSON_GetObjectItemCaseSensitive(one, "arguments"));
    }
  } else {
    const cJSON *result = cJSON_GetObjectItemCaseSensitive(listed, "result");
    const cJSON *first = cJSON_GetArrayItem(cJSON_GetObjectItemCaseSensitive(result, "tools"), 0);
    if (first != NULL) {
      call(client, cJSON_GetObjectItemCaseSensitive(first, "name"), NULL);
    }
  }
  cJSON_Delete(listed);
}

int main(int argc, char **argv) {
  suite suite;
  client client;
  grantor_store *store = NULL;
  if (argc != 4 || strcmp(argv[1], "--adapter") != 0) {
    fprintf(stderr, "usage: client --adapter curl URL\n");
    return 2;
  }
  memset(&suite, 0, sizeof suite);
  memset(&client, 0, sizeof client);
  suite.url = argv[3];
  suite.version = environment("MCP_CONFORMANCE_PROTOCOL_VERSION", "2026-07-28");
  suite.stateless = strcmp(suite.version, "2026-07-28") >= 0;
  suite.context = cJSON_Parse(environment("MCP_CONFORMANCE_CONTEXT", "{}"));
  curl_global_init(CURL_GLOBAL_DEFAULT);
  grantor_store_new_memory(&store);
  client.suite = &suite;
  client.host.machine = machine(&suite);
  client.host.store = store;
  client.host.perform = perform;
  client.host.context = &suite;
  if (client.host.machine != NULL) {
    use_tools(&client);
  }
  free(client.session);
  grantor_machine_free(client.host.machine);
  grantor_store_free(store);
  cJSON_Delete(suite.context);
  curl_global_cleanup();
  return client.id == 0;
}
