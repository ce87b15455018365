//! Proofs of possession that several processes share by a store (RFC 9449 11.1).

use std::collections::BTreeMap;

use crate::bench::*;
use grantor::jose::dpop::{ProofKey, ProofRequest};
use grantor::resource::*;
use grantor::{ApiMisuse, Completion, Effect, OpId, RecordKind, RecordRevision};
use http::Method;
use serde_json::json;

/// Records that must not exist yet, with when they expire.
#[derive(Default)]
struct Shared(BTreeMap<String, u64>);

impl Shared {
    fn save(&mut self, effect: &Effect) -> Completion<'static> {
        let Effect::Save { key, record, expect, expires_at_s } = effect else { panic!("{effect:?}") };
        assert_eq!((key.kind, expect), (RecordKind::Proof, &None));
        assert!(record.expose().len() < 32, "nothing of the proof or the token");
        match self.0.insert(key.to_string(), expires_at_s.expect("it expires")) {
            Some(_) => Completion::Conflict,
            None => Completion::Saved(RecordRevision::from_counter(1)),
        }
    }
}

fn bench() -> Bench {
    let mut config = config();
    config.dpop.stored = true;
    let mut bench = Bench::with(config);
    bench.allow(&Request::list().bearer(&token(json!({})))).unwrap(); // its keys are there
    bench
}

fn request(id: u8) -> Request {
    let token = token(json!({ "cnf": { "jkt": key(5).public().thumbprint() } }));
    let own = ProofKey::new(key(5).public(), key(5).algorithm()).unwrap();
    let url = RESOURCE.parse().unwrap();
    let mut request = ProofRequest::new(&Method::POST, &url);
    request.access_token = Some(&token);
    let proof = own.proof(&request, START, &[id; 16]).sign(&key(5)).unwrap().expose().to_owned();
    Request::list().header("authorization", &format!("DPoP {token}")).header("dpop", &proof)
}

fn check(bench: &mut Bench, request: &Request) -> Decision {
    let head = RequestHead::new(&request.method, &request.uri, &request.headers);
    bench.guard.check(bench.now, &head, Some(&request.body))
}

/// What the Guard asks for; each check that is ready.
fn outputs(bench: &mut Bench) -> (Vec<(OpId, Effect)>, usize) {
    let (mut effects, mut ready) = (Vec::new(), 0);
    while let Some(output) = bench.guard.poll_output() {
        match output {
            Output::Perform { op, effect, .. } => effects.push((op, effect)),
            Output::Ready { .. } => ready += 1,
            Output::Notice(notice) => bench.notices.push(notice),
            other => panic!("{other:?}"),
        }
    }
    (effects, ready)
}

/// Decides with this store at hand.
fn decide(bench: &mut Bench, request: &Request, store: &mut Shared) -> Decision {
    for _ in 0..3 {
        match check(bench, request) {
            Decision::Wait(_) => {
                for (op, effect) in outputs(bench).0 {
                    bench.guard.complete(bench.now, op, store.save(&effect)).unwrap();
                }
                assert_eq!(outputs(bench).1, 1);
            }
            other => return other,
        }
    }
    panic!("it waits and waits");
}

fn why(decision: Decision) -> (u16, Refusal) {
    let Decision::Answer(answer) = decision else { panic!("{decision:?}") };
    (answer.status, answer.refusal.unwrap())
}

#[test]
fn rfc9449_11_1_of_two_guards_on_one_store_one_accepts_a_proof() {
    let (mut one, mut two, mut store) = (bench(), bench(), Shared::default());
    for id in 0..20 {
        let request = request(id);
        let (first, second) = if id % 2 == 0 { (&mut one, &mut two) } else { (&mut two, &mut one) };
        assert!(matches!(decide(first, &request, &mut store), Decision::Allow(Some(_))));
        for guard in [second, first] {
            for _ in 0..3 {
                assert_eq!(why(decide(guard, &request, &mut store)), (401, Refusal::ProofReplayed));
            }
        }
    }
    assert_eq!(store.0.len(), 20);
    assert!(store.0.values().all(|until| (START + 300..=START + 600).contains(until)), "{:?}", store.0);
}

#[test]
fn both_at_once() {
    let (mut one, mut two, mut store) = (bench(), bench(), Shared::default());
    let request = request(1);
    assert!(matches!(check(&mut one, &request), Decision::Wait(_)));
    assert!(matches!(check(&mut two, &request), Decision::Wait(_)));
    // The same to one of them, while that one asks the store.
    assert_eq!(why(check(&mut one, &request)), (401, Refusal::ProofReplayed));
    let ([(op_one, effect_one)], [(op_two, effect_two)]) =
        (&outputs(&mut one).0[..], &outputs(&mut two).0[..])
    else {
        panic!()
    };
    two.guard.complete(two.now, *op_two, store.save(effect_two)).unwrap();
    one.guard.complete(one.now, *op_one, store.save(effect_one)).unwrap();
    assert_eq!(why(check(&mut one, &request)), (401, Refusal::ProofReplayed));
    assert!(matches!(check(&mut two, &request), Decision::Allow(Some(_))));
    for guard in [&mut one, &mut two] {
        assert_eq!(why(check(guard, &request)), (401, Refusal::ProofReplayed));
    }
}

#[test]
fn a_store_that_does_not_work_is_503_and_the_next_proof_is_good() {
    use grantor::error::{Failure, FailureKind};
    let (mut bench, mut store) = (bench(), Shared::default());
    assert!(matches!(check(&mut bench, &request(1)), Decision::Wait(_)));
    let [(op, _)] = outputs(&mut bench).0[..] else { panic!() };
    for wrong in [Completion::TokenChecked(None), Completion::Deleted, Completion::Loaded(None)] {
        assert_eq!(bench.guard.complete(bench.now, op, wrong), Err(ApiMisuse::WrongCompletion));
    }
    let failed = Completion::Failed(Failure::new(FailureKind::Other, "disk full"));
    bench.guard.complete(bench.now, op, failed).unwrap();
    let answer = check(&mut bench, &request(1));
    assert!(matches!(&answer, Decision::Answer(answer) if answer.headers.contains_key("retry-after")));
    assert_eq!(why(answer), (503, Refusal::Unavailable));
    outputs(&mut bench);
    assert!(bench.notices.iter().any(|notice| matches!(notice, Notice::StoreFailed { .. })));
    // It may have been stored: the proof is spent, another is not.
    assert_eq!(why(check(&mut bench, &request(1))), (401, Refusal::ProofReplayed));
    assert!(matches!(decide(&mut bench, &request(2), &mut store), Decision::Allow(Some(_))));
    // One that hangs.
    assert!(matches!(check(&mut bench, &request(3)), Decision::Wait(_)));
    bench.pass_s(10);
    bench.guard.handle_timeout(bench.now);
    assert_eq!(why(check(&mut bench, &request(3))), (503, Refusal::Unavailable));
}

/// Hosts that give up waiting.
#[test]
fn what_nobody_comes_back_for_is_bounded_and_never_good_twice() {
    let (mut bench, mut store) = (bench(), Shared::default());
    let many: Vec<Request> = (0..=255).map(request).collect();
    for request in &many {
        assert!(matches!(check(&mut bench, request), Decision::Wait(_)));
    }
    for (op, effect) in outputs(&mut bench).0 {
        bench.guard.complete(bench.now, op, store.save(&effect)).unwrap();
    }
    for request in &many {
        assert!(matches!(check(&mut bench, request), Decision::Allow(Some(_))));
        assert_eq!(why(check(&mut bench, request)), (401, Refusal::ProofReplayed));
    }
}
