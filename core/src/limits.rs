//! Every bound in one place.
//!
//! What comes from outside is cut off, counted or refused here, before it can cost more than it should.
//! Sizes are in bytes unless a name says otherwise; times in milliseconds (`_MS`) or seconds (`_S`).

/// A metadata document or registration answer.
pub const DOCUMENT_BODY: usize = 256 * 1024;
/// A token answer, an ID token or two included.
pub const TOKEN_BODY: usize = 128 * 1024;
/// All `WWW-Authenticate` lines of one response together.
pub const CHALLENGE_HEADER: usize = 64 * 1024;
/// A JSON-RPC result that is searched for challenges.
pub const RESULT_BODY: usize = 4 * 1024 * 1024;
/// Challenges in one response.
pub const CHALLENGES: usize = 32;
/// Parameters in one challenge.
pub const CHALLENGE_PARAMS: usize = 64;
/// A URL, from wherever it comes.
pub const URL: usize = 4096;
/// A URL for the browser: an endpoint, and all that an authorization request can say.
pub const AUTHORIZATION_URL: usize = 64 * 1024;
/// The query of a callback.
pub const CALLBACK_QUERY: usize = 16 * 1024;
/// Parameters of a callback or a form-encoded answer.
pub const FORM_PARAMS: usize = 64;
/// A scope token (RFC 6749 3.3).
pub const SCOPE_TOKEN: usize = 256;
/// Scope tokens in one set.
pub const SCOPES: usize = 512;
/// Scope tokens read for one set, repetitions included.
pub const SCOPES_READ: usize = 4 * SCOPES;
/// Entries of a list in a metadata document (`authorization_servers`, `scopes_supported`, …).
pub const LIST: usize = 512;
/// Findings that one answer leaves, and that an engine or a Guard keeps.
pub const FINDINGS: usize = 64;
/// Members of a document that nothing reads, of which so many are compared to find repeated ones.
pub const NAMES_COMPARED: usize = 64;
/// A string in a metadata document that is neither a URL nor a token.
pub const STRING: usize = 1024;
/// An access or refresh token, an authorization code or a client secret.
pub const CREDENTIAL: usize = 32 * 1024;
/// The details of a rich authorization request or answer (RFC 9396), as JSON.
pub const AUTHORIZATION_DETAILS: usize = 16 * 1024;
/// The names and values of a caller's own parameters, together.
pub const EXTRA_PARAMETERS: usize = 8 * 1024;
/// A `User-Agent` header.
pub const USER_AGENT: usize = 256;
/// A code that a user reads from one screen and types into another (RFC 8628).
pub const USER_CODE: usize = 64;
/// How long device codes count where the server does not say.
pub const DEVICE_CODE_S: u64 = 10 * 60;
/// The longest time between two polls that a server can demand.
pub const POLL_S: u64 = 300;
/// How long a pushed request counts where the server does not say.
pub const PUSHED_S: u64 = 60;
/// Accounts in the list of a resource.
pub const ACCOUNTS: usize = 256;
/// Origins whose `DPoP` nonces are remembered.
pub const NONCES: usize = 8;
/// Text of a peer that is quoted in errors and notices, in characters.
pub const PEER_TEXT_CHARS: usize = 300;
/// An answer that is searched for its server's words.
pub const WORDS_BODY: usize = 64 * 1024;
/// Words of a server, before what was sent is removed and the rest is cut at [`PEER_TEXT_CHARS`].
pub const WORDS: usize = 8 * 1024;
/// A stored record.
pub const RECORD: usize = 256 * 1024;
/// A signed token in compact form; the same as any other [`CREDENTIAL`].
pub const JWS: usize = CREDENTIAL;
/// A token's header, before it is decoded.
pub const JWS_HEADER: usize = 8 * 1024;
/// A `DPoP` proof.
pub const DPOP_PROOF: usize = 16 * 1024;
/// The `jti` of a `DPoP` proof, which a replay cache has to keep.
pub const DPOP_JTI: usize = 256;
/// Members of one JSON object in a token: a header, its claims, a key.
pub const JSON_MEMBERS: usize = 256;
/// Audiences of one token.
pub const AUDIENCES: usize = 64;
/// A set of keys.
pub const KEY_SET_BODY: usize = 256 * 1024;
/// Keys in one set.
pub const KEY_SET_KEYS: usize = 128;
/// Keys of a set that are tried for a token that names none.
pub const KEYS_TRIED: usize = 4;
/// A private key as PEM or JWK.
pub const PRIVATE_KEY: usize = 32 * 1024;
/// The smallest RSA modulus, in bits (RFC 7518 3.3).
pub const RSA_BITS_MIN: usize = 2048;
/// The largest RSA modulus, in bits.
pub const RSA_BITS_MAX: usize = 8192;
/// How far the clocks of issuer and reader may be apart, unless configured otherwise.
pub const CLOCK_LEEWAY_S: u64 = 60;
/// The last time that is believed of a token: the end of the year 9999.
pub const LATEST_TIME_S: u64 = 253_402_300_799;
/// How long a client assertion is valid.
pub const CLIENT_ASSERTION_S: u64 = 60;
/// How old a `DPoP` proof may be, unless configured otherwise.
pub const DPOP_AGE_S: u64 = 300;

/// A header or body member that names an operation.
pub const OPERATION_NAME: usize = 8 * 1024;
/// A resource URI with a part that some readers leave out: user, port, query, fragment. Others may be as long
/// as any [`URL`].
pub const URI_WITH_PARTS: usize = 1024;
/// So many such parts may be in one; each doubles the readings.
pub const URI_PARTS: usize = 3;
/// Messages in one JSON-RPC batch, and resources that one body names.
pub const BATCH: usize = 256;
/// A body that the Guard reads to know the operation, unless configured otherwise.
pub const MESSAGE_BODY: usize = 4 * 1024 * 1024;
/// Scopes in a challenge that the operation itself does not need, with those that it needs.
pub const CHALLENGE_SCOPE: usize = 4 * 1024;
/// What remembered tokens take, unless configured otherwise.
pub const TOKEN_CACHE: usize = 32 * 1024 * 1024;
/// The name of an `Mcp-Param-` header that a web page may send.
pub const PARAM_HEADER: usize = 128;
/// So many of them are named in the answer to a preflight.
pub const PARAM_HEADERS: usize = 32;
/// A message that has to be read of somebody without a token, because some operations are public.
pub const ANONYMOUS_BODY: usize = 64 * 1024;
/// A token that an authorization server or the host is asked about; in a form it can take three times that.
pub const TOKEN_ASKED: usize = 16 * 1024;
/// The least that remembered tokens must be allowed to take where the server or the host is asked about
/// tokens: what one says about the largest.
pub const TOKEN_CACHE_ASKED: usize = 512 * 1024;
/// What remembered `DPoP` proofs take, unless configured otherwise.
pub const REPLAY_CACHE: usize = 32 * 1024 * 1024;
/// After this time a token that was seen before is checked again, unless configured otherwise.
pub const TOKEN_RECHECK_S: u64 = 5 * 60;
/// How long an introspection answer is believed, unless configured otherwise.
pub const INTROSPECTION_CACHE_S: u64 = 60;
/// How long it is believed that a token is not valid.
pub const INACTIVE_CACHE_S: u64 = 10;
/// How long a nonce for `DPoP` proofs is handed out; it is accepted for twice as long.
pub const DPOP_NONCE_S: u64 = 5 * 60;
/// How long keys are used without asking again, when their server does not say.
pub const KEYS_FRESH_MS: u64 = 10 * 60 * 1000;
/// The same, at least, whatever the server says.
pub const KEYS_FRESH_MIN_MS: u64 = 60 * 1000;
/// The same, at most.
pub const KEYS_FRESH_MAX_MS: u64 = 24 * 60 * 60 * 1000;
/// How much longer keys are used while they cannot be had anew.
pub const KEYS_STALE_MS: u64 = 60 * 60 * 1000;
/// An unknown key is asked for at most this often.
pub const KEYS_REFETCH_MS: u64 = 30 * 1000;
/// Time for a request that checks of tokens wait for.
pub const CHECK_MS: u64 = 10 * 1000;
/// An authorization server that failed is left alone for this long.
pub const SERVER_PAUSE_MS: u64 = 5 * 1000;
/// The same where it says when to ask again, at most.
pub const SERVER_PAUSE_MAX_MS: u64 = 5 * 60 * 1000;
/// So many different tokens in a row about which an authorization server could not answer mean that it fails.
pub const SERVER_FAILURES: usize = 3;
/// Questions about tokens that are open at once to a server that fails.
pub const FAILING_ASKED: usize = 32;
/// Checks that wait for one answer.
pub const WAITING_CHECKS: usize = 16 * 1024;
/// Questions about tokens that are open at once.
pub const CHECKS_ASKED: usize = 1024;

/// Redirects followed for one metadata document, all within its origin.
pub const REDIRECTS: u8 = 3;
/// Times that one call is sent: at first, after a refresh, after an authorization, after step-ups.
pub const SENDS_PER_CALL: u8 = 6;
/// Registrations for one call, or for one authorization.
pub const REGISTRATIONS_PER_CALL: u16 = 4;
/// Pages that open for one call, or for one authorization.
pub const PAGES_PER_CALL: u16 = 6;
/// Questions of the host and requests for assertions, receivers or codes to show, for one call.
pub const QUESTIONS_PER_CALL: u16 = 32;
/// Metadata documents that are fetched for one call, candidates and redirects included.
pub const DOCUMENTS_PER_CALL: u16 = 96;
/// Requests with a refresh token for one call, or for one refresh.
pub const REFRESHES_PER_CALL: u16 = 12;
/// Other token requests for one call; polls for a device code are bounded by its lifetime instead.
pub const TOKEN_REQUESTS_PER_CALL: u16 = 16;
/// Device codes that are asked for, for one call.
pub const DEVICE_CODES_PER_CALL: u16 = 8;
/// Authorization requests that are pushed for one call.
pub const PUSHES_PER_CALL: u16 = 16;
/// Revocation requests for one log-out.
pub const REVOCATIONS_PER_CALL: u16 = 32;
/// Signatures by a key held elsewhere, for one call.
pub const SIGNATURES_PER_CALL: u16 = 96;
/// Reads and writes of the store for one call; waiting for another process's refresh reads every
/// [`LEASE_POLL_MS`].
pub const STORE_OPERATIONS_PER_CALL: u16 = 1024;
/// Step-ups for one operation before further challenges are passed on as errors.
pub const STEP_UPS_PER_OPERATION: u8 = 3;
/// How long a spent step-up attempt counts.
pub const STEP_UP_WINDOW_MS: u64 = 10 * 60 * 1000;
/// Operations whose step-ups are remembered at once.
pub const STEP_UP_OPERATIONS: usize = 64;
/// A signature by a key held elsewhere.
pub const SIGN_MS: u64 = 5 * 1000;
/// How much further apart polls have to be after `slow_down` (RFC 8628 3.5).
pub const SLOW_DOWN_MS: u64 = 5 * 1000;
/// After a new token was rejected, no browser opens for this long.
pub const REJECTED_PAUSE_MS: u64 = 30 * 1000;
/// After a refresh failed for now, a token that is valid still is used this long without another try.
pub const REFRESH_PAUSE_MS: u64 = 10 * 1000;
/// The same where the server says when to ask again, at most.
pub const REFRESH_PAUSE_MAX_MS: u64 = 5 * 60 * 1000;
/// A server that is busy (429 or 503 with `Retry-After`) is waited for this long at most, and asked the same
/// once more.
pub const RETRY_AFTER_S: u32 = 30;
/// Such waits in one authorization, refresh or log-out; each exchange is waited for once.
pub const WAITS: u8 = 4;
/// Pending authorizations kept in one record.
pub const PENDING: usize = 8;
/// A client that was registered this short a time ago is not registered again when the server says that it
/// does not know it.
pub const REGISTERED_JUST_NOW_MS: u64 = 60 * 1000;
/// Records beside the tokens that one log-out clears.
pub const LOG_OUT: usize = 24;
/// Records that were loaded this long ago are looked at again before the user is asked.
pub const RELOAD_MS: u64 = 1000;
/// Issuers that a resource was bound to before and whose records may be stored still.
pub const FORMER_ISSUERS: usize = 8;
/// Rounds of load and save when other processes write the same record.
pub const STORE_ROUNDS: u8 = 8;
/// Entropy held ahead of need.
pub const ENTROPY_POOL: usize = 1024;

/// Time for a metadata or registration request.
pub const HTTP_MS: u64 = 30 * 1000;
/// Time for a token request. Callers give up earlier ([`TOKEN_WAIT_MS`]); the request itself is waited
/// for this long, since its late answer may hold the only refresh token.
pub const TOKEN_MS: u64 = 2 * 60 * 1000;
/// How long calls wait for a token request.
pub const TOKEN_WAIT_MS: u64 = 45 * 1000;
/// Time for a store operation.
pub const STORE_MS: u64 = 10 * 1000;
/// Time to prepare the place that a browser returns to.
pub const LISTEN_MS: u64 = 10 * 1000;
/// A refresh token is leased to one process for this long, unless it renews the lease.
pub const LEASE_S: u64 = 10;
/// How often a process renews its lease while the token request is under way.
pub const LEASE_RENEW_MS: u64 = 4 * 1000;
/// How often a process looks whether another one's refresh has ended.
pub const LEASE_POLL_MS: u64 = 200;
/// The longest lifetime believed of a token: a year.
pub const LIFETIME_S: u64 = 365 * 24 * 60 * 60;

/// Time for a request of the provider: a client's document, a key set.
pub const PROVIDER_HTTP_MS: u64 = 5 * 1000;
/// A client's metadata, in a registration or at its URL
/// (draft-ietf-oauth-client-id-metadata-document 6.6).
pub const CLIENT_DOCUMENT: usize = 5 * 1024;
/// Redirect URIs of a client.
pub const REDIRECT_URIS: usize = 16;
/// Resources of one request.
pub const RESOURCES: usize = 8;
/// The body of a request to the provider.
pub const PROVIDER_BODY: usize = 64 * 1024;
/// The parameters of an authorization request, which are kept until the user has answered.
pub const AUTHORIZATION_REQUEST: usize = 16 * 1024;
/// New clients that register themselves in an hour, unless configured otherwise; copies of known ones are none.
pub const REGISTRATIONS_PER_HOUR: u32 = 4096;
/// The time in which they are counted.
pub const REGISTRATIONS_S: u64 = 60 * 60;
/// Records that count them, so that no two requests wait for one.
pub const REGISTRATION_COUNTERS: u32 = 16;
/// Grants of one user: the oldest is revoked for one more.
pub const USER_GRANTS: usize = 128;
/// User codes that one user may type in within [`USER_CODE_ATTEMPTS_S`] (RFC 8628 5.1).
pub const USER_CODE_ATTEMPTS: u32 = 10;
/// How long they count, in seconds.
pub const USER_CODE_ATTEMPTS_S: u64 = 10 * 60;
/// Passwords that may be tried for one name within [`PASSWORD_ATTEMPTS_S`]: in a browser where the user has signed in
/// before, and in all others together (RFC 6749 10.10).
pub const PASSWORD_ATTEMPTS: u32 = 10;
/// How long they count, in seconds.
pub const PASSWORD_ATTEMPTS_S: u64 = 15 * 60;
/// How long a browser is known in which a user has signed in, in seconds.
pub const KNOWN_BROWSER_S: u64 = 180 * 24 * 60 * 60;
/// How many access tokens of one grant the store knows by themselves.
pub const OPAQUE_TOKENS: usize = 16;
/// How many may act for a user, one for the other (RFC 8693 4.1).
pub const ACTORS: usize = 8;
/// How far ahead an assertion may end that is to be redeemed, in seconds.
pub const ASSERTION_S: u64 = 60 * 60;
