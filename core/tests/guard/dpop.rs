use crate::bench::*;
use grantor::jose::dpop::{DpopError, ProofKey, ProofRequest};
use grantor::resource::*;
use http::Method;
use serde_json::json;

fn bound() -> String {
    token(json!({ "cnf": { "jkt": key(5).public().thumbprint() } }))
}

fn proof(token: &str, url: &str, at: u64, id: u8, nonce: Option<&str>) -> String {
    let own = ProofKey::new(key(5).public(), key(5).algorithm()).unwrap();
    let url = url.parse().unwrap();
    let mut request = ProofRequest::new(&Method::POST, &url);
    request.access_token = Some(token);
    request.nonce = nonce;
    own.proof(&request, at, &[id; 16]).sign(&key(5)).unwrap().expose().to_owned()
}

fn request(token: &str, proof: &str) -> Request {
    Request::list().header("authorization", &format!("DPoP {token}")).header("dpop", proof)
}

#[test]
fn rfc9449_7_1_a_good_proof() {
    let mut bench = Bench::new();
    let token = bound();
    bench.allow(&request(&token, &proof(&token, RESOURCE, START, 1, None))).unwrap();
    bench.allow(&request(&token, &proof(&token, RESOURCE, START, 2, None))).unwrap();
}

#[test]
fn rfc9449_4_3_bad_proofs() {
    let mut bench = Bench::new();
    let token = bound();
    let other = crate::bench::token(json!({ "jti": "2" }));
    let good = || proof(&token, RESOURCE, START, 9, None);
    for (request, error) in [
        (request(&token, &proof(&token, "https://mcp.example.com/other", START, 1, None)), DpopError::Url),
        (request(&token, &proof(&token, RESOURCE, START - 301, 2, None)), DpopError::TooOld),
        (request(&token, &proof(&token, RESOURCE, START + 61, 3, None)), DpopError::TooNew),
        (request(&token, &proof(&other, RESOURCE, START, 4, None)), DpopError::AccessToken),
        (request(&token, &good()).header("dpop", &good()), DpopError::Multiple),
        (
            Request::list().header("authorization", &format!("DPoP {token}")),
            DpopError::Missing { claim: "proof" },
        ),
    ] {
        let answer = bench.refuse(&request);
        assert_eq!((answer.status, answer.refusal), (401, Some(Refusal::Proof(error))));
        assert_eq!(challenge(&answer, "error").unwrap(), "invalid_dpop_proof");
        assert!(answer.headers["www-authenticate"].to_str().unwrap().starts_with("DPoP "));
        assert!(challenge(&answer, "algs").unwrap().contains("ES256"));
    }
    let stranger = crate::bench::token(json!({ "cnf": { "jkt": key(6).public().thumbprint() } }));
    let why = bench.why(&request(&stranger, &proof(&stranger, RESOURCE, START, 5, None)));
    assert_eq!(why, (401, Refusal::Proof(DpopError::Binding)));
}

#[test]
fn rfc9449_11_1_a_proof_is_good_once() {
    let mut bench = Bench::new();
    let token = bound();
    let request = request(&token, &proof(&token, RESOURCE, START, 1, None));
    bench.allow(&request).unwrap();
    assert_eq!(bench.why(&request), (401, Refusal::ProofReplayed));
}

#[test]
fn rfc9449_7_2_no_downgrade_to_bearer() {
    let mut bench = Bench::new();
    let why = bench.why(&Request::list().bearer(&bound()));
    assert_eq!(why, (401, Refusal::Token(TokenProblem::DowngradedToBearer)));
    let plain = token(json!({}));
    let why = bench.why(&request(&plain, &proof(&plain, RESOURCE, START, 1, None)));
    assert_eq!(why, (401, Refusal::Token(TokenProblem::NotBound)));
}

#[test]
fn rfc9449_9_nonces() {
    let mut config = config();
    config.dpop.nonce_seed = Some("a seed of thirty-two random bytes".into());
    let mut bench = Bench::with(config);
    let token = bound();
    let answer = bench.refuse(&request(&token, &proof(&token, RESOURCE, START, 1, None)));
    assert_eq!(answer.refusal, Some(Refusal::Proof(DpopError::Nonce)));
    assert_eq!(challenge(&answer, "error").unwrap(), "use_dpop_nonce");
    let nonce = answer.headers["dpop-nonce"].to_str().unwrap().to_owned();
    bench.allow(&request(&token, &proof(&token, RESOURCE, START, 2, Some(&nonce)))).unwrap();
    bench.pass_s(300);
    let before = request(&token, &proof(&token, RESOURCE, START + 300, 3, Some(&nonce)));
    bench.allow(&before).unwrap();
    // RFC 9449 8.2: the next one comes with the answer, so that no request has to be sent twice.
    let head = RequestHead::new(&before.method, &before.uri, &before.headers);
    let next = bench.guard.answer_headers(bench.now, &head)["dpop-nonce"].to_str().unwrap().to_owned();
    bench.pass_s(300);
    bench.allow(&request(&token, &proof(&token, RESOURCE, START + 600, 5, Some(&next)))).unwrap();
    let answer = bench.refuse(&request(&token, &proof(&token, RESOURCE, START + 600, 4, Some(&nonce))));
    assert_eq!(answer.refusal, Some(Refusal::Proof(DpopError::Nonce)));
    assert_ne!(answer.headers["dpop-nonce"], nonce);
}

#[test]
fn bound_tokens_demanded() {
    let mut config = config();
    config.dpop.required = true;
    let mut bench = Bench::with(config);
    let answer = bench.refuse(&Request::list());
    assert!(answer.headers["www-authenticate"].to_str().unwrap().starts_with("DPoP "));
    let why = bench.why(&Request::list().bearer(&token(json!({}))));
    assert_eq!(why, (401, Refusal::Token(TokenProblem::Unbound)));
    let token = bound();
    bench.allow(&request(&token, &proof(&token, RESOURCE, START, 1, None))).unwrap();
    let document = bench.refuse(&Request::get("/.well-known/oauth-protected-resource/mcp")).json();
    assert_eq!(document["dpop_bound_access_tokens_required"], true);
}

#[test]
fn rfc9449_11_1_what_remembers_a_proof_reads_no_body_and_asks_no_function_again() {
    let asked = std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let count = std::sync::Arc::clone(&asked);
    let policy = Policy::new().tool_by_arguments("query", "", move |arguments| {
        count.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        if arguments.json.contains("money") { Need::nobody() } else { Need::any_token() }
    });
    let mut bench = Bench::with(GuardConfig::new(RESOURCE, policy).server(AuthorizationServer::jwt(ISSUER)));
    let token = bound();
    bench.allow(&request(&token, &proof(&token, RESOURCE, START, 1, None))).unwrap();
    for (id, table, allowed) in [(2, "users", true), (3, "money", false)] {
        let body = json!({ "id": 1, "method": "tools/call", "params": {
            "name": "query", "arguments": { "table": table } } });
        let body = body.to_string();
        let request = request(&token, &proof(&token, RESOURCE, START, id, None));
        let head = RequestHead::new(&request.method, &request.uri, &request.headers);
        let read = Body::new(body.as_bytes());
        asked.store(0, std::sync::atomic::Ordering::Relaxed);
        let examined = bench.guard.examine(bench.now, &head, Some(&read)).unwrap_err();
        assert_eq!(asked.load(std::sync::atomic::Ordering::Relaxed), 1);
        // The lock is held alone from here on.
        let decision = bench.guard.conclude(bench.now, examined, None);
        assert_eq!(matches!(decision, Decision::Allow(Some(_))), allowed, "{decision:?}");
        assert_eq!(asked.load(std::sync::atomic::Ordering::Relaxed), 1);
        let examined = bench.guard.examine(bench.now, &head, Some(&read)).unwrap_err();
        let Decision::Answer(answer) = bench.guard.conclude(bench.now, examined, Some(&read)) else {
            panic!()
        };
        assert_eq!((answer.refusal, &answer.json()["id"]), (Some(Refusal::ProofReplayed), &json!(1)));
    }
}
