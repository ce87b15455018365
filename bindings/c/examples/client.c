/* Lists the tools of a protected MCP server: `client https://mcp.example.com/mcp`. */
#include <grantor.h>
#include <grantor_curl.h>

static grantor_machine *client_of(const char *url) {
  grantor_config *config = NULL;
  grantor_machine *machine;
  grantor_config_new(GRANTOR_CONFIG_CLIENT, &config);
  grantor_config_set_text(config, GRANTOR_OPTION_RESOURCE, grantor_str_from(url));
  grantor_config_set_text(config, GRANTOR_OPTION_CLIENT_NAME, grantor_str_from("Example in C"));
  machine = grantor_curl_machine(config);
  grantor_config_free(config);
  return machine;
}

/* Sends one request; whether there was a response. */
static bool list_tools(grantor_curl *host, const char *url) {
  const char *body = "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/list\",\"params\":{\"_meta\":{"
                     "\"io.modelcontextprotocol/protocolVersion\":\"2026-07-28\","
                     "\"io.modelcontextprotocol/clientCapabilities\":{}}}}";
  struct curl_slist *headers = NULL;
  grantor_curl_response response;
  bool answered;
  headers = curl_slist_append(headers, "Content-Type: application/json");
  headers = curl_slist_append(headers, "Accept: application/json, text/event-stream");
  headers = curl_slist_append(headers, "Mcp-Protocol-Version: 2026-07-28");
  headers = curl_slist_append(headers, "Mcp-Method: tools/list");
  answered = grantor_curl_request(host, "POST", url, headers, body, strlen(body), &response);
  if (answered) {
    printf("%ld %s\n", response.status, response.body != NULL ? response.body : "");
  } else {
    fprintf(stderr, "%s\n", response.error != NULL ? response.error : "no answer");
  }
  grantor_curl_response_free(&response);
  curl_slist_free_all(headers);
  return answered;
}

int main(int argc, char **argv) {
  grantor_store *store = NULL;
  grantor_browser *browser = NULL;
  grantor_machine *machine = NULL;
  bool done = false;
  if (argc != 2 || !GRANTOR_VERSION_IS_COMPATIBLE()) {
    fprintf(stderr, "usage: client URL, with libgrantor " GRANTOR_VERSION "\n");
    return 2;
  }
  curl_global_init(CURL_GLOBAL_DEFAULT);
  machine = client_of(argv[1]);
  grantor_browser_new(false, &browser);
  if (grantor_store_new_application(grantor_str_from("grantor-example-c"), &store, NULL) != GRANTOR_RESULT_OK) {
    fprintf(stderr, "there is no place for credentials\n");
  } else if (machine != NULL) {
    grantor_curl host;
    memset(&host, 0, sizeof host);
    host.machine = machine;
    host.store = store;
    host.browser = browser;
    done = list_tools(&host, argv[1]);
  }
  grantor_machine_free(machine);
  grantor_browser_free(browser);
  grantor_store_free(store);
  curl_global_cleanup();
  return done ? 0 : 1;
}
