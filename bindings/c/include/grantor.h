// Grantor: MCP authorization for C and every language that calls it.
//
// This file is made from the crate in bindings/c; its test says how. The page manual.md beside it states who owns what,
// and which thread may do what. In short: what a function called ..._new writes is yours to free, what an accessor
// hands out is borrowed until its output is freed, and every handle may be used from several threads.
//
// Every pointer to a handle must be NULL or come from this library; every length must be true.

#ifndef GRANTOR_H
#define GRANTOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#define GRANTOR_VERSION "0.1.0"
#define GRANTOR_VERSION_MAJOR 0
#define GRANTOR_VERSION_MINOR 1
#define GRANTOR_VERSION_PATCH 0


// What a function returns. Numbers never change their meaning; later versions add some at the end. On anything but
// `GRANTOR_RESULT_OK` nothing was written and nothing has changed, unless the function says otherwise.
enum grantor_result
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : uint32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
  // It is done.
  GRANTOR_RESULT_OK = 0,
  // A pointer that must not be NULL is NULL, or is not aligned.
  GRANTOR_RESULT_NULL_POINTER = 1,
  // A text is not UTF-8.
  GRANTOR_RESULT_NOT_UTF8 = 2,
  // A length is larger than any object can be.
  GRANTOR_RESULT_TOO_LONG = 3,
  // A fault in Grantor. The machine it came from answers every further call with this; other machines go on.
  GRANTOR_RESULT_PANIC = 4,
  // The handle is of another kind: a guard where a client is needed, a key where a need is.
  GRANTOR_RESULT_WRONG_KIND = 5,
  // The machine was made before the process forked. Make one in each process.
  GRANTOR_RESULT_FORKED = 6,
  // There is no value of this number in the enumeration.
  GRANTOR_RESULT_UNKNOWN_VALUE = 7,
  // Settings of this kind have no such setting.
  GRANTOR_RESULT_NO_SUCH_SETTING = 8,
  // The setting takes a value of another shape: a text, a number, a flag, a pair, or other settings.
  GRANTOR_RESULT_WRONG_SHAPE = 9,
  // The settings cannot work; the error of the handle says which and why.
  GRANTOR_RESULT_UNUSABLE = 10,
  // The output has no such field.
  GRANTOR_RESULT_NO_SUCH_FIELD = 11,
  // A method, request target or header is none of HTTP.
  GRANTOR_RESULT_NOT_HTTP = 12,
  // The method is none of HTTP.
  GRANTOR_RESULT_METHOD = 13,
  // The request's URL is not at or under the resource of this machine.
  GRANTOR_RESULT_OUTSIDE_RESOURCE = 14,
  // The request's query carries an access token; tokens never belong there.
  GRANTOR_RESULT_TOKEN_IN_QUERY = 15,
  // No call with this id awaits a response.
  GRANTOR_RESULT_UNKNOWN_CALL = 16,
  // No effect with this id was ever asked for.
  GRANTOR_RESULT_UNKNOWN_OP = 17,
  // The completion does not fit the effect.
  GRANTOR_RESULT_WRONG_COMPLETION = 18,
  // The output asks for nothing that this helper performs.
  GRANTOR_RESULT_NOT_PERFORMED = 19,
  // The store cannot be opened; the error of the handle says why.
  GRANTOR_RESULT_STORE = 20,
  // The system has no random bytes.
  GRANTOR_RESULT_NO_ENTROPY = 21,
  // A `WWW-Authenticate` line breaks its grammar, or a challenge cannot be written so.
  GRANTOR_RESULT_MALFORMED = 22,
  // The address is not one that the request may be sent to.
  GRANTOR_RESULT_ADDRESS_REFUSED = 23,
  // Called in a way that this version has no number for.
  GRANTOR_RESULT_OTHER = 24,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum grantor_result grantor_result;
#else
typedef uint32_t grantor_result;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

// What an output is. The fields that it has stand in brackets, each a `GRANTOR_FIELD_`; those with a question mark may
// be absent. Answer every effect once (those with `OP`), by `DEADLINE_MS` on the monotonic clock; `WHY` says in words
// what it is for.
//
// Later versions may add kinds. Answer one that you do not know and that has `OP` with
// `grantor_complete_failed(.., GRANTOR_FAILURE_IMPOSSIBLE, ..)`, and pass over the others.
enum grantor_output_kind
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : uint32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
  // Not an output.
  GRANTOR_OUTPUT_NONE = 0,
  // Client. Send the request of `[CALL]` with the output's headers, in place of any of these names, and without
  // `Authorization` and `DPoP` if they are not among them; then report the response, or cancel.
  GRANTOR_OUTPUT_CALL_SEND = 1,
  // Client. The response that was reported is the one for the caller; `[CALL]` is over.
  GRANTOR_OUTPUT_CALL_DELIVER = 2,
  // Client. `[CALL]` is over and did what it should.
  GRANTOR_OUTPUT_CALL_DONE = 3,
  // Client. `[CALL]` is over, for the reason that `[MESSAGE, BLAME, NAME, ERROR_CODE?, EXCHANGE?, URL?, STATUS?,
  // WORDS?]` tell.
  GRANTOR_OUTPUT_CALL_FAIL = 4,
  // Client. `grantor_machine_add_entropy` with at least `[LENGTH]` random bytes.
  GRANTOR_OUTPUT_NEED_ENTROPY = 5,
  // For logs: `[MESSAGE, NAME, WARNING]`.
  GRANTOR_OUTPUT_NOTICE = 6,
  // The answer to the effect `[OP]` is not needed any more; stop performing it if that is possible.
  GRANTOR_OUTPUT_ABANDON = 7,
  // Send a request: `[OP, DEADLINE_MS, WHY, EXCHANGE, METHOD, URL, BODY, MAX_BODY]` and the output's headers. Follow no
  // redirect, add no cookies or credentials, connect only to addresses for which `grantor_output_check_address` says
  // so, and read at most `MAX_BODY` bytes of the body. Answer: `grantor_complete_http` for any response.
  GRANTOR_OUTPUT_HTTP = 8,
  // Load a record: `[OP, DEADLINE_MS, WHY, KEY, KEY_KIND]`. Answer: `grantor_complete_loaded` or
  // `grantor_complete_not_stored`.
  GRANTOR_OUTPUT_LOAD = 9,
  // Store a record if the stored one is of revision `EXPECT`, or there is none and `EXPECT` is absent: `[OP,
  // DEADLINE_MS, WHY, KEY, KEY_KIND, RECORD, EXPECT?, EXPIRES_AT_S?]`. It must be durable before the answer:
  // `grantor_complete_saved` or `grantor_complete_conflict`.
  GRANTOR_OUTPUT_SAVE = 10,
  // Delete a record if it is of revision `EXPECT`: `[OP, DEADLINE_MS, WHY, KEY, KEY_KIND, EXPECT]`. Answer:
  // `grantor_complete_deleted`, also when there is none, or `grantor_complete_conflict`.
  GRANTOR_OUTPUT_DELETE = 11,
  // Ask the user whether to go on, before any browser opens: `[OP, DEADLINE_MS, WHY]` and the summary `[RESOURCE,
  // ISSUER, ACCOUNT, SCOPES, NEW_SCOPES, REASON, CLIENT_NAME?, EARLIER_ISSUER?]`. Answer: `grantor_complete_approved` or
  // `grantor_complete_declined`.
  GRANTOR_OUTPUT_APPROVE = 12,
  // Prepare the place that the browser comes back to: `[OP, DEADLINE_MS, WHY, REDIRECT_URI?]`, the one of an earlier
  // authorization if possible. Answer: `grantor_complete_listening`.
  GRANTOR_OUTPUT_LISTEN = 13,
  // Open a page in the browser and wait for it to come back: `[OP, DEADLINE_MS, WHY, URL, REDIRECT_URI, RESUMED]` and
  // the summary. Answer: `grantor_complete_callback` with what `grantor_output_is_answered_by` says so of, or
  // `grantor_complete_declined`.
  GRANTOR_OUTPUT_AUTHORIZE = 14,
  // Show a code to be typed in on another device: `[OP, DEADLINE_MS, WHY, USER_CODE, VERIFICATION_URI,
  // VERIFICATION_URI_COMPLETE?, EXPIRES_IN_S]` and the summary. It needs no answer, and is abandoned at the end;
  // `grantor_complete_declined` when the user gave up.
  GRANTOR_OUTPUT_SHOW_CODE = 15,
  // Provide an assertion: `[OP, DEADLINE_MS, WHY, ASSERTION_KIND, AUDIENCE, RESOURCE, SCOPES]`. Answer:
  // `grantor_complete_assertion`.
  GRANTOR_OUTPUT_ASSERT = 16,
  // Sign `INPUT`, all of it, with a key that the program keeps: `[OP, DEADLINE_MS, WHY, KEY_REFERENCE, ALGORITHM,
  // INPUT]`. Answer: `grantor_complete_signed`.
  GRANTOR_OUTPUT_SIGN = 17,
  // Guard. Find out what a token is: `[OP, DEADLINE_MS, WHY, TOKEN]`. Answer: `grantor_complete_token_checked` or
  // `grantor_complete_token_not_valid`.
  GRANTOR_OUTPUT_CHECK_TOKEN = 18,
  // An effect that this version of the binding does not know: `[OP, DEADLINE_MS, WHY]`. Answer:
  // `grantor_complete_failed`.
  GRANTOR_OUTPUT_UNKNOWN_EFFECT = 19,
  // Guard. What the check `[CHECK]` waited for is there, or will not come: check the request again.
  GRANTOR_OUTPUT_READY = 20,
  // A decision: let the request through. `[ISSUER?, SUBJECT?, CLIENT_ID?, SCOPES?, EXPIRES_AT_S?, AUTH_TIME_S?, ACR?]` are
  // what its token grants; `ISSUER` is absent where no token is needed and none was sent.
  GRANTOR_OUTPUT_ALLOW = 21,
  // A decision: answer `[STATUS, BODY, REFUSAL?, MESSAGE?]` with the output's headers instead.
  GRANTOR_OUTPUT_ANSWER = 22,
  // A decision: check again with the whole body, which may have `[MAX_BODY]` bytes.
  GRANTOR_OUTPUT_NEED_BODY = 23,
  // A decision: check again when `GRANTOR_OUTPUT_READY` names this `[CHECK]`.
  GRANTOR_OUTPUT_WAIT = 24,
  // Why a call of a function failed: `[MESSAGE, NAME]`.
  GRANTOR_OUTPUT_ERROR = 25,
  // A challenge: `[SCHEME, TOKEN68?]`, and its parameters as the output's headers, in order.
  GRANTOR_OUTPUT_CHALLENGE = 26,
  // Headers to add to the response of a request that was let through.
  GRANTOR_OUTPUT_HEADERS = 27,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum grantor_output_kind grantor_output_kind;
#else
typedef uint32_t grantor_output_kind;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

// What an assertion is.
enum grantor_assertion
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : uint32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
  // An ID token of OpenID Connect.
  GRANTOR_ASSERTION_ID_TOKEN = 1,
  // A JWT of another kind, such as a workload's.
  GRANTOR_ASSERTION_JWT = 2,
  // A refresh token of the identity provider.
  GRANTOR_ASSERTION_REFRESH_TOKEN = 3,
  // A SAML 2.0 assertion, base64url-encoded.
  GRANTOR_ASSERTION_SAML2 = 4,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum grantor_assertion grantor_assertion;
#else
typedef uint32_t grantor_assertion;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

// Who has to do something about an error.
enum grantor_blame
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : uint32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
  // Nobody that this version knows.
  GRANTOR_BLAME_OTHER = 0,
  // Whoever configures: a setting is missing, or does not fit this server.
  GRANTOR_BLAME_CONFIGURATION = 1,
  // The program: an effect could not be performed.
  GRANTOR_BLAME_HOST = 2,
  // A server lacks what is needed.
  GRANTOR_BLAME_PEER_INCOMPATIBLE = 3,
  // A server broke a rule that protects somebody.
  GRANTOR_BLAME_PEER_MISBEHAVED = 4,
  // A server said no.
  GRANTOR_BLAME_PEER_REFUSED = 5,
  // The user said no, or did not say anything in time.
  GRANTOR_BLAME_USER = 6,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum grantor_blame grantor_blame;
#else
typedef uint32_t grantor_blame;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

// What settings are for.
enum grantor_config_kind
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : uint32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
  // A client of one MCP server, for one account.
  GRANTOR_CONFIG_CLIENT = 1,
  // A guard of one MCP server.
  GRANTOR_CONFIG_GUARD = 2,
  // A client that is registered beforehand; for `GRANTOR_OPTION_PREREGISTERED`.
  GRANTOR_CONFIG_PREREGISTERED = 3,
  // The identity provider of an enterprise; for `GRANTOR_OPTION_ENTERPRISE`.
  GRANTOR_CONFIG_ENTERPRISE = 4,
  // A private key; for `GRANTOR_OPTION_KEY` and `GRANTOR_OPTION_DPOP_KEY`.
  GRANTOR_CONFIG_KEY = 5,
  // An authorization server whose tokens a guard accepts; for `GRANTOR_OPTION_AUTHORIZATION_SERVER`.
  GRANTOR_CONFIG_AUTHORIZATION_SERVER = 6,
  // What an operation needs of a token; for rules and `GRANTOR_OPTION_OTHERWISE`.
  GRANTOR_CONFIG_NEED = 7,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum grantor_config_kind grantor_config_kind;
#else
typedef uint32_t grantor_config_kind;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

// Why an effect failed.
enum grantor_failure
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : uint32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
  // Anything else.
  GRANTOR_FAILURE_OTHER = 0,
  // The body was larger than the effect allows.
  GRANTOR_FAILURE_BODY_TOO_LARGE = 1,
  // The connection broke, or the answer was no HTTP or was cut off.
  GRANTOR_FAILURE_BROKEN = 2,
  // The program has no means: no browser, no place for the callback, no store.
  GRANTOR_FAILURE_IMPOSSIBLE = 3,
  // Not done within its deadline.
  GRANTOR_FAILURE_TIMED_OUT = 4,
  // No connection could be made: name, network, TLS.
  GRANTOR_FAILURE_UNREACHABLE = 5,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum grantor_failure grantor_failure;
#else
typedef uint32_t grantor_failure;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

// What an output has. Which have which stands at the kinds.
enum grantor_field
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : uint32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
  // Number: the call, as `grantor_client_authorize` wrote it.
  GRANTOR_FIELD_CALL = 1,
  // Number: the effect, for its answer.
  GRANTOR_FIELD_OP = 2,
  // Number: when to give up, on the monotonic clock.
  GRANTOR_FIELD_DEADLINE_MS = 3,
  // Text: why, in words for a log.
  GRANTOR_FIELD_WHY = 4,
  // Text: in words, for a person; never with a secret.
  GRANTOR_FIELD_MESSAGE = 5,
  // Text: what kind of notice or error it is: `token_issued`, `no_registration`.
  GRANTOR_FIELD_NAME = 6,
  // Number: a `grantor_blame`.
  GRANTOR_FIELD_BLAME = 7,
  // Text: the code of RFC 6749 that a server refused with: `access_denied`.
  GRANTOR_FIELD_ERROR_CODE = 8,
  // Text: what a request is about: `token`.
  GRANTOR_FIELD_EXCHANGE = 9,
  // Text: of a request or page; of an error without its query.
  GRANTOR_FIELD_URL = 10,
  // Number: an HTTP status.
  GRANTOR_FIELD_STATUS = 11,
  // Text: what the server itself said.
  GRANTOR_FIELD_WORDS = 12,
  // Number: how many bytes.
  GRANTOR_FIELD_LENGTH = 13,
  // Number: 1 if a log should warn, or the user should know; else 0.
  GRANTOR_FIELD_WARNING = 14,
  // Text: the HTTP method.
  GRANTOR_FIELD_METHOD = 15,
  // Bytes: a body. It may hold secrets.
  GRANTOR_FIELD_BODY = 16,
  // Number: the most bytes of a body.
  GRANTOR_FIELD_MAX_BODY = 17,
  // Text: the name of a record, different for different records; several lines.
  GRANTOR_FIELD_KEY = 18,
  // Text: what a record holds: `grant`.
  GRANTOR_FIELD_KEY_KIND = 19,
  // Bytes: a record, UTF-8. It holds secrets.
  GRANTOR_FIELD_RECORD = 20,
  // Bytes: the 16 of a `grantor_revision`.
  GRANTOR_FIELD_EXPECT = 21,
  // Number: seconds since 1970.
  GRANTOR_FIELD_EXPIRES_AT_S = 22,
  // Text: the resource, as it names itself.
  GRANTOR_FIELD_RESOURCE = 23,
  // Text: the authorization server.
  GRANTOR_FIELD_ISSUER = 24,
  // Text: the program's name for the account.
  GRANTOR_FIELD_ACCOUNT = 25,
  // Text: scopes, separated by blanks.
  GRANTOR_FIELD_SCOPES = 26,
  // Text: those of them that were not asked for before.
  GRANTOR_FIELD_NEW_SCOPES = 27,
  // Text: why the user is asked: `unauthorized`, `step_up` or `issuer_changed`.
  GRANTOR_FIELD_REASON = 28,
  // Text: the application, by the name that it registers with.
  GRANTOR_FIELD_CLIENT_NAME = 29,
  // Text: the authorization server that was trusted so far.
  GRANTOR_FIELD_EARLIER_ISSUER = 30,
  // Text: where the browser comes back to.
  GRANTOR_FIELD_REDIRECT_URI = 31,
  // Number: 1 if the page was opened before the program was restarted; else 0.
  GRANTOR_FIELD_RESUMED = 32,
  // Text: the code to type in.
  GRANTOR_FIELD_USER_CODE = 33,
  // Text: the page to type it in.
  GRANTOR_FIELD_VERIFICATION_URI = 34,
  // Text: the same page with the code in it.
  GRANTOR_FIELD_VERIFICATION_URI_COMPLETE = 35,
  // Number: for how many seconds it is good.
  GRANTOR_FIELD_EXPIRES_IN_S = 36,
  // Text: whose assertion: `user` or `workload`.
  GRANTOR_FIELD_ASSERTION_KIND = 37,
  // Text: whom the assertion has to name as its audience.
  GRANTOR_FIELD_AUDIENCE = 38,
  // Text: the program's name for a key.
  GRANTOR_FIELD_KEY_REFERENCE = 39,
  // Text: of RFC 7518: `ES256`.
  GRANTOR_FIELD_ALGORITHM = 40,
  // Bytes: what to sign.
  GRANTOR_FIELD_INPUT = 41,
  // Text: an access token, as a client sent it.
  GRANTOR_FIELD_TOKEN = 42,
  // Number: the check that waits.
  GRANTOR_FIELD_CHECK = 43,
  // Text: the user, or the client itself.
  GRANTOR_FIELD_SUBJECT = 44,
  // Text: the client.
  GRANTOR_FIELD_CLIENT_ID = 45,
  // Number: when the user authenticated, in seconds since 1970.
  GRANTOR_FIELD_AUTH_TIME_S = 46,
  // Text: how the user authenticated.
  GRANTOR_FIELD_ACR = 47,
  // Text: why a request is turned away: `no_token`.
  GRANTOR_FIELD_REFUSAL = 48,
  // Text: the scheme of a challenge: `Bearer`.
  GRANTOR_FIELD_SCHEME = 49,
  // Text: what stands in a challenge in place of parameters.
  GRANTOR_FIELD_TOKEN68 = 50,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum grantor_field grantor_field;
#else
typedef uint32_t grantor_field;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

// The settings. Each says of what it is one and what it takes: a *text* (`grantor_config_set_text`), *texts* (the same,
// several times), a *number* (`_set_number`), a *flag* (`_set_flag`), *pairs* (`_set_pair`, several times), *settings*
// (`_set_config`), or a *rule*: the name or pattern of what it is about with scopes (`_set_pair`) or with a need
// (`_set_config`). The crate `grantor` documents them at length.
enum grantor_option
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : uint32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
  // client: text. The program's name for the account; `default` by default.
  GRANTOR_OPTION_ACCOUNT = 1,
  // need: text. How the user must have authenticated, separated by blanks (RFC 9470).
  GRANTOR_OPTION_ACR_VALUES = 2,
  // authorization server: flag. Whether the metadata names it to clients; yes by default.
  GRANTOR_OPTION_ADVERTISED = 3,
  // key: text; authorization server: texts. Of RFC 7518, `ES256` by default for keys, all that are known for
  // tokens.
  GRANTOR_OPTION_ALGORITHM = 4,
  // need: text. All of these scopes, separated by blanks.
  GRANTOR_OPTION_ALL = 5,
  // client, guard: flag. Lets metadata of a public resource point to private hosts.
  GRANTOR_OPTION_ALLOW_PRIVATE_HOSTS = 6,
  // need: text. One of these scopes.
  GRANTOR_OPTION_ANY = 7,
  // need: flag. A token of whatever scope.
  GRANTOR_OPTION_ANY_TOKEN = 8,
  // client: text, `issuer` or `token_endpoint`. Whom a client's assertion names as audience.
  GRANTOR_OPTION_ASSERTION_AUDIENCE = 9,
  // guard, authorization server: texts. Other names of the resource that tokens may carry as `aud`.
  GRANTOR_OPTION_AUDIENCE = 10,
  // authorization server: pairs. In tokens without `aud`, the claim that stands for it, and a value that means
  // this resource.
  GRANTOR_OPTION_AUDIENCE_CLAIM = 11,
  // authorization server: flag. Whether answers about tokens need an `aud`; yes by default.
  GRANTOR_OPTION_AUDIENCE_DEMANDED = 12,
  // client: text. A JSON array (RFC 9396).
  GRANTOR_OPTION_AUTHORIZATION_DETAILS = 13,
  // client: pairs. A parameter of your own for the authorization request.
  GRANTOR_OPTION_AUTHORIZATION_PARAMETER = 14,
  // client: text, the issuer to use where the resource names none; guard: settings of an authorization server.
  GRANTOR_OPTION_AUTHORIZATION_SERVER = 15,
  // authorization server: number. Seconds for which an answer about a token is believed.
  GRANTOR_OPTION_CACHE_S = 16,
  // guard: text, `minimal` or `plus_granted`. Which scopes a challenge names.
  GRANTOR_OPTION_CHALLENGE = 17,
  // guard: text. These scopes are named by every challenge, besides what the operation needs.
  GRANTOR_OPTION_CHALLENGE_SCOPES = 18,
  // enterprise: settings of a pre-registered client, at the identity provider.
  GRANTOR_OPTION_CLIENT = 19,
  // pre-registered client, authorization server (introspection): text.
  GRANTOR_OPTION_CLIENT_ID = 20,
  // client: text. The https URL of the client's own metadata document, its `client_id`.
  GRANTOR_OPTION_CLIENT_ID_METADATA_DOCUMENT = 21,
  // client: text. The application's name, shown to users.
  GRANTOR_OPTION_CLIENT_NAME = 22,
  // authorization server (introspection): text.
  GRANTOR_OPTION_CLIENT_SECRET = 23,
  // client: text. The application's home page.
  GRANTOR_OPTION_CLIENT_URI = 24,
  // guard: flag. Web pages of any origin may read the answers.
  GRANTOR_OPTION_CORS_ANY = 25,
  // guard: texts. Web pages of this origin may.
  GRANTOR_OPTION_CORS_ORIGIN = 26,
  // client, guard: texts. A host to which plain http is allowed.
  GRANTOR_OPTION_DEVELOPMENT_HOST = 27,
  // client: text, `off`, `when_supported` or `required`. Tokens bound to a key (RFC 9449).
  GRANTOR_OPTION_DPOP = 28,
  // guard: texts. Accepted for proofs; all that are known by default.
  GRANTOR_OPTION_DPOP_ALGORITHM = 29,
  // client: settings of a key. What tokens are bound to; made by Grantor by default.
  GRANTOR_OPTION_DPOP_KEY = 30,
  // guard: text. 32 random bytes as text, from which nonces are made; none are demanded without.
  GRANTOR_OPTION_DPOP_NONCE_SEED = 31,
  // guard: flag. Whether tokens that are bound to no key are refused.
  GRANTOR_OPTION_DPOP_REQUIRED = 32,
  // guard: flag. Whether each proof's use is recorded in the program's store.
  GRANTOR_OPTION_DPOP_STORED = 33,
  // client: flag. Whether the client may register itself (RFC 7591); yes by default.
  GRANTOR_OPTION_DYNAMIC_REGISTRATION = 34,
  // client: settings of an enterprise. The identity provider that vouches for the user.
  GRANTOR_OPTION_ENTERPRISE = 35,
  // guard: text. Scopes that every operation needs.
  GRANTOR_OPTION_EVERY = 36,
  // client: text, `authorization_code`, `client_credentials`, `device` or `workload`.
  GRANTOR_OPTION_FLOW = 37,
  // guard: rule. What an HTTP method other than POST needs.
  GRANTOR_OPTION_HTTP = 38,
  // guard: pairs. Whoever has the first scope has the second ones, too.
  GRANTOR_OPTION_IMPLIES = 39,
  // client: pairs of issuer and token. For servers that demand one to register.
  GRANTOR_OPTION_INITIAL_ACCESS_TOKEN = 40,
  // client: number. Seconds that the user has for a page; 600 by default.
  GRANTOR_OPTION_INTERACTION_S = 41,
  // authorization server: text. Where to ask about tokens, if its metadata does not say it.
  GRANTOR_OPTION_INTROSPECTION_ENDPOINT = 42,
  // pre-registered client, enterprise, authorization server: text. The issuer identifier.
  GRANTOR_OPTION_ISSUER = 43,
  // client: pairs. An issuer that the resource names, and what its metadata says instead.
  GRANTOR_OPTION_ISSUER_DIFFERS = 44,
  // authorization server: text. Where its keys are, if its metadata does not say it.
  GRANTOR_OPTION_JWKS_URI = 45,
  // pre-registered client: settings of a key, for private_key_jwt.
  GRANTOR_OPTION_KEY = 46,
  // authorization server: texts. Other names under which its tokens and metadata call it.
  GRANTOR_OPTION_KNOWN_AS = 47,
  // guard: number. How far clocks may be apart.
  GRANTOR_OPTION_LEEWAY_S = 48,
  // client: flag. Whether the account is listed among those of the resource.
  GRANTOR_OPTION_LIST_ACCOUNT = 49,
  // need: number. At most so many seconds since the user authenticated (RFC 9470).
  GRANTOR_OPTION_MAX_AGE_S = 50,
  // guard: number. How large a body may be that has to be read, in bytes.
  GRANTOR_OPTION_MAX_BODY = 51,
  // guard: text, an object in JSON. More members of the metadata (RFC 9728 2).
  GRANTOR_OPTION_METADATA = 52,
  // guard: text. Where else the metadata is.
  GRANTOR_OPTION_METADATA_URL = 53,
  // pre-registered client, authorization server (introspection): text, how the client authenticates; guard: rule,
  // what a JSON-RPC method needs.
  GRANTOR_OPTION_METHOD = 54,
  // guard: text. A name of the resource for people.
  GRANTOR_OPTION_NAME = 55,
  // need: flag. What nobody has.
  GRANTOR_OPTION_NOBODY = 56,
  // guard: pairs. What a scope is for, in the printed table.
  GRANTOR_OPTION_NOTE = 57,
  // client: flag. Whether to ask for a refresh token; yes by default.
  GRANTOR_OPTION_OFFLINE_ACCESS = 58,
  // client: text. Asks for these scopes and no others, whatever the resource names.
  GRANTOR_OPTION_ONLY_SCOPES = 59,
  // need: texts. Or all of these scopes instead.
  GRANTOR_OPTION_OR = 60,
  // guard: settings of a need. What operations without a rule need.
  GRANTOR_OPTION_OTHERWISE = 61,
  // key: text. The private key, PKCS#8 in PEM.
  GRANTOR_OPTION_PEM = 62,
  // client: settings of a pre-registered client; several for several issuers.
  GRANTOR_OPTION_PREREGISTERED = 63,
  // guard: rule. What a prompt needs.
  GRANTOR_OPTION_PROMPT = 64,
  // need: flag. No token at all.
  GRANTOR_OPTION_PUBLIC = 65,
  // key: text. The public half of a key that the program keeps, as a JWK.
  GRANTOR_OPTION_PUBLIC_JWK = 66,
  // guard: texts. A path that needs no token.
  GRANTOR_OPTION_PUBLIC_PATH = 67,
  // client: flag. Whether authorization requests are pushed (RFC 9126) where that is supported.
  GRANTOR_OPTION_PUSHED_REQUESTS = 68,
  // client: text, `auth0`, `cognito`, `entra`, `github`, `google`, `slack` or `slack_bot`. What this provider
  // needs.
  GRANTOR_OPTION_QUIRKS = 69,
  // guard: text. Of the challenges.
  GRANTOR_OPTION_REALM = 70,
  // guard: number. After so many seconds a token that was seen before is checked again.
  GRANTOR_OPTION_RECHECK_S = 71,
  // client: text. A fixed redirect URI; a loopback port by default.
  GRANTOR_OPTION_REDIRECT_URI = 72,
  // key: text. The program's name for a key that it keeps; signatures come as outputs.
  GRANTOR_OPTION_REFERENCE = 73,
  // client: number. So many seconds before it expires a token is renewed.
  GRANTOR_OPTION_REFRESH_EARLY_S = 74,
  // client: text. Scopes to register for.
  GRANTOR_OPTION_REGISTRATION_SCOPES = 75,
  // guard: number. The most that remembered proofs may take.
  GRANTOR_OPTION_REPLAY_CACHE_BYTES = 76,
  // client, guard: text. The URL of the MCP server.
  GRANTOR_OPTION_RESOURCE = 77,
  // client: text. How the resource names itself, where that is not its URL.
  GRANTOR_OPTION_RESOURCE_IDENTIFIER = 78,
  // guard: rule. What a resource of MCP needs, by its URI.
  GRANTOR_OPTION_RESOURCE_URI = 79,
  // client: text. The revision of MCP: `2025-03-26`, `2025-06-18`, `2025-11-25` or `2026-07-28`.
  GRANTOR_OPTION_REVISION = 80,
  // authorization server: texts. Claims that hold scopes.
  GRANTOR_OPTION_SCOPE_CLAIM = 81,
  // client: text. Scopes to ask for besides those that the resource names.
  GRANTOR_OPTION_SCOPES = 82,
  // guard: text. Of the metadata; what the rules need by default.
  GRANTOR_OPTION_SCOPES_SUPPORTED = 83,
  // pre-registered client: text.
  GRANTOR_OPTION_SECRET = 84,
  // client: flag. Whether other processes use the same store; yes by default.
  GRANTOR_OPTION_SHARED_STORE = 85,
  // enterprise: flag. Signs the user on in the browser, instead of asking for an assertion.
  GRANTOR_OPTION_SIGN_ON = 86,
  // client: text (RFC 7591 2).
  GRANTOR_OPTION_SOFTWARE_ID = 87,
  // client: text (RFC 7591 2).
  GRANTOR_OPTION_SOFTWARE_VERSION = 88,
  // client: text, `ask` or `abort`. Whether the user is asked for more scopes.
  GRANTOR_OPTION_STEP_UP = 89,
  // authorization server: texts. Tenants whose tokens are accepted, where the issuer is a template.
  GRANTOR_OPTION_TENANT = 90,
  // guard: number. The most that remembered tokens may take.
  GRANTOR_OPTION_TOKEN_CACHE_BYTES = 91,
  // enterprise: text. For providers that publish no metadata.
  GRANTOR_OPTION_TOKEN_ENDPOINT = 92,
  // client: pairs. A parameter of your own for token requests.
  GRANTOR_OPTION_TOKEN_PARAMETER = 93,
  // authorization server: text, `jwt` by default, `jwt_without_profile`, `introspection` or `host`.
  GRANTOR_OPTION_TOKENS = 94,
  // guard: rule. What a tool needs, by name or pattern.
  GRANTOR_OPTION_TOOL = 95,
  // client: text, `ask` by default, `accept`, `pinned_only` or `same_origin`. Which authorization servers are
  // trusted.
  GRANTOR_OPTION_TRUST = 96,
  // guard: flag. Whether the server behind refuses requests whose Mcp headers contradict the body.
  GRANTOR_OPTION_TRUST_HEADERS = 97,
  // client: texts. An issuer that is trusted without a question.
  GRANTOR_OPTION_TRUSTED_ISSUER = 98,
  // client: text, `start_anew` or `fail`.
  GRANTOR_OPTION_UNREADABLE_RECORDS = 99,
  // client: text. Of the requests to authorization servers.
  GRANTOR_OPTION_USER_AGENT = 100,
  // guard: texts. Lets a token carry this pattern for every scope that it fits.
  GRANTOR_OPTION_WILDCARD = 101,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum grantor_option grantor_option;
#else
typedef uint32_t grantor_option;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

// The user's browser, and a receiver on the loopback interface that it comes back to. Any number of threads may use one
// at a time, for one machine.
typedef struct grantor_browser grantor_browser;

// Challenges that were read. They do not change: any number of threads may read them.
typedef struct grantor_challenges grantor_challenges;

// Settings of a client, a guard, or something that one of them needs. Several threads may use one at a time.
typedef struct grantor_config grantor_config;

// A machine: a client, or a guard. Several threads may use one at a time; each input and each output takes a lock for
// as long as it takes.
typedef struct grantor_machine grantor_machine;

// What a machine says. It does not change: any number of threads may read it. What accessors hand out is borrowed from
// it until it is freed.
typedef struct grantor_output grantor_output;

// A store. Any number of threads, and machines, may use one at a time.
typedef struct grantor_store grantor_store;

// The time of an input. A machine takes the latest of each that it was given.
typedef struct grantor_now {
  // Milliseconds of a clock that only goes forward, from whatever start: the same for all inputs of a machine.
  uint64_t mono_ms;
  // Seconds since 1970.
  uint64_t unix_s;
} grantor_now;

// A text in UTF-8, by pointer and length. It need not end with a NUL. Where Grantor hands one out it is borrowed:
// the function that does says for how long. `data` may be NULL where `len` is 0.
typedef struct grantor_str {
  // The first byte.
  const char *data;
  // How many bytes there are.
  size_t len;
} grantor_str;

// A parameter of a challenge to write.
typedef struct grantor_parameter {
  // Its name.
  struct grantor_str name;
  // Its value, without quotes.
  struct grantor_str value;
} grantor_parameter;

// A header line: name and value. The value may have any bytes that HTTP allows; it need not be UTF-8.
typedef struct grantor_header {
  // The name.
  struct grantor_str name;
  // The value, without the blanks around it.
  struct grantor_str value;
} grantor_header;

// Bytes, by pointer and length. Where Grantor hands some out they are borrowed: the function that does says for how
// long. `data` may be NULL where `len` is 0.
typedef struct grantor_bytes {
  // The first byte.
  const uint8_t *data;
  // How many bytes there are.
  size_t len;
} grantor_bytes;

// A record's revision: 16 bytes that the store chooses, of equal content when they are equal. The first 16 bytes of a
// hash of the content do, and so does a counter that never repeats.
typedef struct grantor_revision {
  // The revision.
  uint8_t bytes[16];
} grantor_revision;

// The head of a request to the protected server.
typedef struct grantor_request {
  // The HTTP method.
  struct grantor_str method;
  // The request target: `/mcp?x=1`, as it was received.
  struct grantor_str target;
  // All header lines.
  const struct grantor_header *headers;
  // How many there are.
  size_t headers_len;
} grantor_request;

#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

// The system's browser, or where `pasted` is true a person who opens the page on whatever machine and pastes the URL
// that it came back to into standard input. The page's address and the codes of devices are told on standard error.
// Free it with `grantor_browser_free`.
//
// It does not know whom to trust: answer `GRANTOR_OUTPUT_APPROVE` yourself, or set `GRANTOR_OPTION_TRUST`.
grantor_result grantor_browser_new(bool pasted,
                                   struct grantor_browser **browser);

// Performs a `GRANTOR_OUTPUT_LISTEN`, `_AUTHORIZE` or `_SHOW_CODE`, and answers it; `GRANTOR_RESULT_NOT_PERFORMED` for
// any other output. With `_AUTHORIZE` it blocks until the browser came back, the deadline has passed, or another thread
// calls `grantor_browser_abandon`: a program with more to do gives it a thread of its own.
grantor_result grantor_browser_perform(const struct grantor_browser *browser,
                                       struct grantor_machine *machine,
                                       struct grantor_now now,
                                       const struct grantor_output *output);

// Stops waiting for the answer to this effect, as `GRANTOR_OUTPUT_ABANDON` asks for.
grantor_result grantor_browser_abandon(const struct grantor_browser *browser, uint64_t op);

// Frees a browser; none of its functions may be running. NULL is nothing.
void grantor_browser_free(struct grantor_browser *browser);

// Reads the values of all `WWW-Authenticate` lines of a response: several challenges in a line, commas inside of quotes.
// `GRANTOR_RESULT_MALFORMED` when one breaks the grammar. Free them with `grantor_challenges_free`.
grantor_result grantor_challenges_parse(const struct grantor_str *lines,
                                        size_t lines_len,
                                        struct grantor_challenges **challenges);

// The challenge at this place, in order, as a `GRANTOR_OUTPUT_CHALLENGE`; NULL past the last one. Its parameters are
// the output's headers, with names in small letters and values without quotes. Free it with `grantor_output_free`.
grantor_result grantor_challenges_get(const struct grantor_challenges *challenges,
                                      size_t place,
                                      struct grantor_output **challenge);

// Frees challenges. NULL is nothing.
void grantor_challenges_free(struct grantor_challenges *challenges);

// Writes a challenge into `buffer`, quoted as need be: `Bearer scope="files:read"`. `len` gets its length, also when
// `capacity` is too small for it; then nothing else is written, and the result is `GRANTOR_RESULT_TOO_LONG`. There is no
// NUL at its end.
grantor_result grantor_challenge_write(struct grantor_str scheme,
                                       const struct grantor_parameter *parameters,
                                       size_t parameters_len,
                                       uint8_t *buffer,
                                       size_t capacity,
                                       size_t *len);

// Begins a call: a request to the MCP server, however often it is sent. `method` is the HTTP method, `url` the absolute
// URL. `lines` need only be the request's `Mcp-Method` and `Mcp-Name` headers, if it has them; NULL for none.
//
// The outputs say what becomes of it: `GRANTOR_OUTPUT_CALL_SEND` with the headers to send it with, after which
// `grantor_client_report` tells the response; `GRANTOR_OUTPUT_CALL_DELIVER` when the response is the one for the caller;
// `GRANTOR_OUTPUT_CALL_FAIL`.
grantor_result grantor_client_authorize(struct grantor_machine *machine,
                                        struct grantor_now now,
                                        struct grantor_str method,
                                        struct grantor_str url,
                                        const struct grantor_header *lines,
                                        size_t lines_len,
                                        uint64_t *call);

// Tells the response that came to a call: its status and all header lines. Its body is the program's alone. When there
// is none, `grantor_client_cancel` ends the call.
grantor_result grantor_client_report(struct grantor_machine *machine,
                                     struct grantor_now now,
                                     uint64_t call,
                                     uint16_t status,
                                     const struct grantor_header *lines,
                                     size_t lines_len);

// Gives up a call. What other calls wait for goes on.
grantor_result grantor_client_cancel(struct grantor_machine *machine, uint64_t call);

// Obtains a token before it is needed. The call ends with `GRANTOR_OUTPUT_CALL_DONE`, or fails.
grantor_result grantor_client_log_in(struct grantor_machine *machine,
                                     struct grantor_now now,
                                     uint64_t *call);

// Revokes the tokens at the authorization server, where it can, and deletes them. The call ends with
// `GRANTOR_OUTPUT_CALL_DONE`, or fails.
grantor_result grantor_client_log_out(struct grantor_machine *machine,
                                      struct grantor_now now,
                                      uint64_t *call);

// Deletes everything that is stored for the account and the resource, and tells nobody. The call ends with
// `GRANTOR_OUTPUT_CALL_DONE`, or fails.
grantor_result grantor_client_forget(struct grantor_machine *machine,
                                     struct grantor_now now,
                                     uint64_t *call);

// Takes a callback that came by another way than an answer to `GRANTOR_OUTPUT_AUTHORIZE`: to a web application's own
// endpoint, or to a program that was restarted meanwhile. `url` is the URL as received. The call ends with
// `GRANTOR_OUTPUT_CALL_DONE`, or fails.
grantor_result grantor_client_callback(struct grantor_machine *machine,
                                       struct grantor_now now,
                                       struct grantor_str url,
                                       uint64_t *call);

// Obtains the scopes that these challenges demand (`lines`, values of `WWW-Authenticate`), for a request that was
// answered outside of HTTP, such as in the result of a tool. The call ends with `GRANTOR_OUTPUT_CALL_DONE`, or fails.
grantor_result grantor_client_step_up(struct grantor_machine *machine,
                                      struct grantor_now now,
                                      struct grantor_str method,
                                      struct grantor_str url,
                                      const struct grantor_str *lines,
                                      size_t lines_len,
                                      uint64_t *call);

// Answers `GRANTOR_OUTPUT_HTTP` with a response of whatever status: all header lines, and the body without any content
// coding. Everything is copied that is needed.
grantor_result grantor_complete_http(struct grantor_machine *machine,
                                     struct grantor_now now,
                                     uint64_t op,
                                     uint16_t status,
                                     const struct grantor_header *lines,
                                     size_t lines_len,
                                     struct grantor_bytes body);

// Answers any effect that could not be performed; `kind` is a `grantor_failure`. `detail` is for a person, without
// secrets, and may be empty.
grantor_result grantor_complete_failed(struct grantor_machine *machine,
                                       struct grantor_now now,
                                       uint64_t op,
                                       uint32_t kind,
                                       struct grantor_str detail);

// Answers `GRANTOR_OUTPUT_LOAD` with what the store holds, whatever it is.
grantor_result grantor_complete_loaded(struct grantor_machine *machine,
                                       struct grantor_now now,
                                       uint64_t op,
                                       struct grantor_bytes record,
                                       struct grantor_revision revision);

// Answers `GRANTOR_OUTPUT_LOAD`: the store holds no such record.
grantor_result grantor_complete_not_stored(struct grantor_machine *machine,
                                           struct grantor_now now,
                                           uint64_t op);

// Answers `GRANTOR_OUTPUT_SAVE`: the record is durable, and of this revision now.
grantor_result grantor_complete_saved(struct grantor_machine *machine,
                                      struct grantor_now now,
                                      uint64_t op,
                                      struct grantor_revision revision);

// Answers `GRANTOR_OUTPUT_SAVE` or `GRANTOR_OUTPUT_DELETE`: another revision is stored, or a record is there although
// none should be. Nothing was changed.
grantor_result grantor_complete_conflict(struct grantor_machine *machine,
                                         struct grantor_now now,
                                         uint64_t op);

// Answers `GRANTOR_OUTPUT_DELETE`: the record is gone.
grantor_result grantor_complete_deleted(struct grantor_machine *machine,
                                        struct grantor_now now,
                                        uint64_t op);

// Answers `GRANTOR_OUTPUT_APPROVE`: the user agreed.
grantor_result grantor_complete_approved(struct grantor_machine *machine,
                                         struct grantor_now now,
                                         uint64_t op);

// Answers `GRANTOR_OUTPUT_APPROVE`, `GRANTOR_OUTPUT_AUTHORIZE` or `GRANTOR_OUTPUT_SHOW_CODE`: the user said no, or gave
// up.
grantor_result grantor_complete_declined(struct grantor_machine *machine,
                                         struct grantor_now now,
                                         uint64_t op);

// Answers `GRANTOR_OUTPUT_LISTEN`: the browser can come back to this URI, exactly as it will be registered and sent.
grantor_result grantor_complete_listening(struct grantor_machine *machine,
                                          struct grantor_now now,
                                          uint64_t op,
                                          struct grantor_str redirect_uri);

// Answers `GRANTOR_OUTPUT_AUTHORIZE`: the browser came back with this URL, or request target, as received. What does
// not answer the prompt is ignored, and the prompt stays open.
grantor_result grantor_complete_callback(struct grantor_machine *machine,
                                         struct grantor_now now,
                                         uint64_t op,
                                         struct grantor_str url);

// Answers `GRANTOR_OUTPUT_ASSERT` with an assertion; `kind` is a `grantor_assertion`.
grantor_result grantor_complete_assertion(struct grantor_machine *machine,
                                          struct grantor_now now,
                                          uint64_t op,
                                          uint32_t kind,
                                          struct grantor_str token);

// Answers `GRANTOR_OUTPUT_SIGN` with a signature: for ECDSA r and s, each of fixed length (RFC 7518 3.4).
grantor_result grantor_complete_signed(struct grantor_machine *machine,
                                       struct grantor_now now,
                                       uint64_t op,
                                       struct grantor_bytes signature);

// Answers `GRANTOR_OUTPUT_CHECK_TOKEN`: what the token is, an object in JSON with the members of an introspection
// answer (RFC 7662 2.2).
grantor_result grantor_complete_token_checked(struct grantor_machine *machine,
                                              struct grantor_now now,
                                              uint64_t op,
                                              struct grantor_str claims);

// Answers `GRANTOR_OUTPUT_CHECK_TOKEN`: the token is not valid.
grantor_result grantor_complete_token_not_valid(struct grantor_machine *machine,
                                                struct grantor_now now,
                                                uint64_t op);

// Empty settings of this kind, a `grantor_config_kind`. Free them with `grantor_config_free`; machines keep none of
// them.
grantor_result grantor_config_new(uint32_t kind,
                                  struct grantor_config **config);

// Frees settings. NULL is nothing.
void grantor_config_free(struct grantor_config *config);

// Sets a text, or adds one. The text is copied.
grantor_result grantor_config_set_text(struct grantor_config *config,
                                       uint32_t option,
                                       struct grantor_str text);

// Sets a number.
grantor_result grantor_config_set_number(struct grantor_config *config,
                                         uint32_t option,
                                         uint64_t number);

// Sets a flag.
grantor_result grantor_config_set_flag(struct grantor_config *config, uint32_t option, bool on);

// Adds a pair: a name and its value, both copied. For rules, what it is about and the scopes that it needs.
grantor_result grantor_config_set_pair(struct grantor_config *config,
                                       uint32_t option,
                                       struct grantor_str name,
                                       struct grantor_str value);

// Adds other settings, of something by this name where it has one. They are copied: free them afterwards.
grantor_result grantor_config_set_config(struct grantor_config *config,
                                         uint32_t option,
                                         struct grantor_str name,
                                         const struct grantor_config *value);

// Why the last call on these settings failed, `grantor_machine_new` included, as an output of kind
// `GRANTOR_OUTPUT_ERROR`; NULL if none did since it was asked last. Free it with `grantor_output_free`.
grantor_result grantor_config_last_error(struct grantor_config *config,
                                         struct grantor_output **error);

// Decides about a request. `body` is NULL at first, and the whole body when `GRANTOR_OUTPUT_NEED_BODY` asked for it.
//
// The decision is one of `GRANTOR_OUTPUT_ALLOW`, `_ANSWER`, `_NEED_BODY` and `_WAIT`. After the last two check again, with
// the same head; nothing is remembered of a request. Free it with `grantor_output_free`. Then ask for outputs: a check
// may have led to effects.
grantor_result grantor_guard_check(struct grantor_machine *machine,
                                   struct grantor_now now,
                                   struct grantor_request request,
                                   const struct grantor_bytes *body,
                                   struct grantor_output **decision);

// What answers a request whose body is larger than the guard reads: a `GRANTOR_OUTPUT_ANSWER`.
grantor_result grantor_guard_too_large(struct grantor_machine *machine,
                                       struct grantor_request request,
                                       struct grantor_output **answer);

// The headers that the response to a request that was let through gets besides its own, as a `GRANTOR_OUTPUT_HEADERS`:
// what lets web pages read it, and nonces.
grantor_result grantor_guard_answer_headers(struct grantor_machine *machine,
                                            struct grantor_now now,
                                            struct grantor_request request,
                                            struct grantor_output **answer_headers);

// A machine from settings: a client from those of `GRANTOR_CONFIG_CLIENT`, a guard from those of
// `GRANTOR_CONFIG_GUARD`. The settings can be freed. Free the machine with `grantor_machine_free`.
//
// `GRANTOR_RESULT_UNUSABLE` when they cannot work; `grantor_config_last_error` says why.
grantor_result grantor_machine_new(struct grantor_config *config, struct grantor_machine **machine);

// Frees a machine; nothing is sent or stored any more. NULL is nothing.
void grantor_machine_free(struct grantor_machine *machine);

// The next output, or NULL when there is none before the next input. Ask until it is NULL after every input. Free each
// with `grantor_output_free`.
grantor_result grantor_machine_poll_output(struct grantor_machine *machine,
                                           struct grantor_output **output);

// When to call `grantor_machine_handle_timeout`, on the monotonic clock, if no input comes before; `UINT64_MAX` for
// never. Every input can change it.
grantor_result grantor_machine_poll_timeout(struct grantor_machine *machine,
                                            uint64_t *mono_ms);

// Tells a machine that time has passed.
grantor_result grantor_machine_handle_timeout(struct grantor_machine *machine,
                                              struct grantor_now now);

// Gives a client random bytes, as `GRANTOR_OUTPUT_NEED_ENTROPY` asks for. They must be of a source that is good for
// keys, such as `grantor_entropy_read`, and are copied.
grantor_result grantor_machine_add_entropy(struct grantor_machine *machine,
                                           struct grantor_now now,
                                           struct grantor_bytes bytes);

// Why the last call on this machine failed, as an output of kind `GRANTOR_OUTPUT_ERROR`; NULL if none did since it was
// asked last. Free it with `grantor_output_free`. What went wrong between a client and the servers is no such error: it
// comes with `GRANTOR_OUTPUT_CALL_FAIL`.
grantor_result grantor_machine_last_error(struct grantor_machine *machine,
                                          struct grantor_output **error);

// What an output is; `GRANTOR_OUTPUT_NONE` for NULL.
grantor_output_kind grantor_output_kind_of(const struct grantor_output *output);

// Frees an output, and with it all that was borrowed from it. NULL is nothing.
void grantor_output_free(struct grantor_output *output);

// Reads a field that is a text. It is borrowed from the output. `GRANTOR_RESULT_NO_SUCH_FIELD` when the output does not
// have it.
grantor_result grantor_output_text(const struct grantor_output *output,
                                   uint32_t field,
                                   struct grantor_str *text);

// Reads a field that is bytes. They are borrowed from the output. `GRANTOR_RESULT_NO_SUCH_FIELD` when the output does
// not have it.
grantor_result grantor_output_bytes(const struct grantor_output *output,
                                    uint32_t field,
                                    struct grantor_bytes *bytes);

// Reads a field that is a number. `GRANTOR_RESULT_NO_SUCH_FIELD` when the output does not have it.
grantor_result grantor_output_number(const struct grantor_output *output,
                                     uint32_t field,
                                     uint64_t *number);

// Reads a header line, by its place: name and value. They are borrowed from the output. `GRANTOR_RESULT_NO_SUCH_FIELD`
// past the last one.
grantor_result grantor_output_header(const struct grantor_output *output,
                                     size_t place,
                                     struct grantor_str *name,
                                     struct grantor_str *value);

// Writes whether a request to the redirect URI answers a `GRANTOR_OUTPUT_AUTHORIZE`: it carries the `state` that was
// sent. Anything else, such as a favicon or a guess, is no answer. `url` is a URL, a request target or a query.
grantor_result grantor_output_is_answered_by(const struct grantor_output *output,
                                             struct grantor_str url,
                                             bool *answered);

// Whether the request of a `GRANTOR_OUTPUT_HTTP` may be sent to this address, 4 or 16 bytes in network order: ask for
// every address before connecting to it. `GRANTOR_RESULT_OK`, or `GRANTOR_RESULT_ADDRESS_REFUSED`: a URL that came from
// a public server must not lead into the client's own network.
//
// Behind a proxy, the proxy sees to that. It may resolve the resource's own host, and block while it does.
grantor_result grantor_output_check_address(const struct grantor_output *output,
                                            const uint8_t *address,
                                            size_t address_len);

// The name of a result, such as `unknown_op`, for logs; `unknown` for numbers that this version does not know. It ends
// with a NUL and is good for ever.
const char *grantor_result_name(uint32_t result);

// What a result says, in words. It ends with a NUL and is good for ever.
const char *grantor_result_message(uint32_t result);

// A store in this directory, which is made if it does not exist: a file for each record, readable for this user alone,
// and shared with every program that uses Grantor's file store. Give an absolute path.
//
// `GRANTOR_RESULT_STORE` when the directory cannot be made or used, or others may write or replace it; `error` then gets
// an output of kind `GRANTOR_OUTPUT_ERROR`, unless it is NULL. Free the store with `grantor_store_free`.
grantor_result grantor_store_new_file(struct grantor_str directory,
                                      struct grantor_store **store,
                                      struct grantor_output **error);

// The same in the platform's directory for the state of the application of this name.
grantor_result grantor_store_new_application(struct grantor_str name,
                                             struct grantor_store **store,
                                             struct grantor_output **error);

// A store that is gone with the process. Free it with `grantor_store_free`.
grantor_result grantor_store_new_memory(struct grantor_store **store);

// Performs a `GRANTOR_OUTPUT_LOAD`, `_SAVE` or `_DELETE`, and answers it; `GRANTOR_RESULT_NOT_PERFORMED` for any other
// output. It may block: on a disk, and while another process writes.
grantor_result grantor_store_perform(const struct grantor_store *store,
                                     struct grantor_machine *machine,
                                     struct grantor_now now,
                                     const struct grantor_output *output);

// Frees a store. NULL is nothing.
void grantor_store_free(struct grantor_store *store);

// Reads the system's clocks. The monotonic one counts from the first call in the process.
grantor_result grantor_now_read(struct grantor_now *now);

// Fills `len` bytes with random ones of the system, good for keys.
grantor_result grantor_entropy_read(uint8_t *bytes, size_t len);

// The version of the library that runs, such as `0.1.0`. It ends with a NUL and is good for ever.
const char *grantor_version(void);

// Whether the library that runs has everything that a program compiled with this version of the header may use.
// `GRANTOR_VERSION_IS_COMPATIBLE()` asks it with the header's own numbers.
bool grantor_version_is_compatible(uint32_t major,
                                   uint32_t minor,
                                   uint32_t patch);

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

/* A text that ends with a NUL, as Grantor takes it. It is not copied. */
static inline grantor_str grantor_str_from(const char *text) {
  grantor_str made;
  made.data = text;
  made.len = text == NULL ? 0 : strlen(text);
  return made;
}

/* Bytes, as Grantor takes them. They are not copied. */
static inline grantor_bytes grantor_bytes_from(const void *data, size_t len) {
  grantor_bytes made;
  made.data = (const uint8_t *)data;
  made.len = len;
  return made;
}

/* Whether the library that runs has everything that this header declares. */
#define GRANTOR_VERSION_IS_COMPATIBLE()                                                          \
  grantor_version_is_compatible(GRANTOR_VERSION_MAJOR, GRANTOR_VERSION_MINOR, GRANTOR_VERSION_PATCH)

#endif /* GRANTOR_H */
