//! The command itself, as a process, against the example's protected server.

mod common;

use std::net::TcpListener;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::Duration;

use grantor_world::Consent;
use grantor_world::grants::Device;
use serde_json::{Value, json};

use crate::common::{Place, raw};

#[test]
fn from_the_log_in_to_the_log_out() {
    let place = Place::new();
    let server = &*place.resource;
    let before = place.run(&["token", server]);
    assert_eq!((before.code, before.out.as_str()), (1, ""));
    assert!(
        before.err.contains(&format!("not logged in to {server}; run: grantor login {server}")),
        "{}",
        before.err
    );

    let login = place.must(&["login", server]);
    assert_eq!(login.out, "", "standard output is for pipes");
    assert!(
        login.err.contains(&format!("Logged in to {server}")) && login.err.contains("notes:use"),
        "{}",
        login.err
    );

    let token = place.must(&["token", server]).out;
    assert_eq!(token.lines().count(), 1);
    assert!(token.starts_with("eyJ"), "the token alone");
    assert_eq!(place.must(&["token", "--header", server]).out, format!("Authorization: Bearer {token}"));

    let status: Value = serde_json::from_str(&place.must(&["status", "--json"]).out).unwrap();
    assert_eq!(status[0]["server"], server);
    assert_eq!(status[0]["scopes"], json!(["notes:use"]));
    assert_eq!((&status[0]["usable"], &status[0]["renewable"]), (&json!(true), &json!(true)));
    assert!(!status.to_string().contains("eyJ"));
    assert!(place.must(&["status"]).out.contains(" min, renewed by itself"));

    let tools = place.must(&["tools", server]).out;
    assert!(tools.contains("write_note\n    Writes a note\n"), "{tools}");
    let tools: Value = serde_json::from_str(&place.must(&["tools", "--json", server]).out).unwrap();
    assert_eq!(tools.as_array().unwrap().len(), 6);

    // A step-up on the way.
    let issued = place.issuer.world().server().issued;
    assert_eq!(place.must(&["call", server, "write_note"]).out, "write_note done for planted-user\n");
    assert_eq!(place.issuer.world().server().issued, issued + 1);
    assert_eq!(place.must(&["call", server, "write_note"]).out, "write_note done for planted-user\n");
    assert_eq!(place.issuer.world().server().issued, issued + 1, "the store has the wider token");
    let result: Value =
        serde_json::from_str(&place.must(&["call", server, "write_note", "--json"]).out).unwrap();
    assert_eq!(result["content"][0]["type"], "text");

    let refused = place.run(&["call", server, "nothing"]);
    assert_eq!((refused.code, refused.out.as_str()), (1, ""));
    assert!(refused.err.contains("there is no such tool"), "{}", refused.err);

    assert!(place.must(&["logout", server]).err.contains("Logged out"));
    assert_eq!(place.must(&["status", "--json"]).out, "[]\n");
    assert_eq!(place.run(&["token", server]).code, 1);
}

#[test]
fn a_token_is_renewed_without_the_user() {
    let place = Place::new();
    let server = &*place.resource;
    place.issuer.world().server().lifetime_s = 1;
    place.must(&["login", server]);
    let first = place.must(&["token", server]).out;
    thread::sleep(Duration::from_millis(2100));
    let second = place.must(&["token", server]);
    assert_ne!(first, second.out);
    assert!(!second.err.contains("/authorize"), "{}", second.err);
    // When it cannot be renewed, nobody is asked: this command runs in scripts.
    place.issuer.world().server().revoke_all();
    thread::sleep(Duration::from_millis(2100));
    let refused = place.run(&["token", server]);
    assert_eq!((refused.code, refused.out.as_str()), (1, ""), "{}", refused.err);
    assert!(refused.err.contains("grantor login"), "{}", refused.err);
}

#[test]
fn accounts_are_kept_apart() {
    let place = Place::new();
    let server = &*place.resource;
    place.must(&["login", server, "--account", "work"]);
    assert_eq!(place.run(&["token", server]).code, 1);
    assert_eq!(place.must(&["token", server, "--account", "work"]).code, 0);
    place.must(&["login", server]);
    let status: Value = serde_json::from_str(&place.must(&["status", "--json"]).out).unwrap();
    assert_eq!(status.as_array().unwrap().len(), 2);
    place.must(&["logout", server, "--account", "work"]);
    assert_eq!(place.must(&["token", server]).code, 0);
    place.must(&["logout", server, "--forget"]);
    assert_eq!(place.must(&["status", "--json"]).out, "[]\n");
}

#[test]
fn a_code_for_another_device() {
    let place = Place::new();
    place.issuer.world().server().devices = true;
    place.issuer.world().server().offers.device = Device::Agreed;
    let login = place.must(&["login", "--device", &place.resource]);
    assert!(login.err.contains("WXYZ-") && login.err.contains("/activate"), "{}", login.err);
    assert!(!login.err.contains("/authorize?"), "{}", login.err);
    place.must(&["token", &place.resource]);
}

#[test]
fn a_user_who_declines() {
    let place = Place::new();
    place.issuer.world().server().consent = Consent::Deny;
    let login = place.run(&["login", &place.resource]);
    assert_eq!((login.code, login.out.as_str()), (1, ""));
    assert!(login.err.contains("grantor: "), "{}", login.err);
    assert_eq!(place.must(&["status", "--json"]).out, "[]\n");
}

#[test]
fn wrong_command_lines_are_told() {
    let place = Place::new();
    for (arguments, words) in [
        (&["login"][..], "<SERVER>"),
        (&["frobnicate"], "unrecognized subcommand"),
        (&["login", "https://h/mcp", "--device", "--no-browser"], "cannot be used with"),
    ] {
        let done = place.run(arguments);
        assert_eq!((done.code, done.out.as_str()), (2, ""));
        assert!(done.err.contains(words), "{}", done.err);
    }
    for (server, words) in [("mcp.example.com", "mcp.example.com"), ("http://mcp.example.com/mcp", "https")] {
        let done = place.run(&["token", server]);
        assert_eq!((done.code, done.out.as_str()), (1, ""));
        assert!(done.err.contains(words), "{}", done.err);
    }
    let done = place.run(&["call", &place.resource, "list_notes", "nothing"]);
    assert!(done.code == 1 && done.err.contains("key=value"), "{}", done.err);
}

#[test]
fn the_doctor_says_what_is_wrong_and_how_to_mend_it() {
    let place = Place::new();
    let server = &*place.resource;
    // Every rule is tested in the core; here is what a person and a pipeline see.
    let seen = place.run(&["doctor", server]);
    assert_eq!(seen.code, 3, "warnings alone: {}{}", seen.out, seen.err);
    assert!(seen.out.contains("note     client-document\n"), "{}", seen.out);
    assert!(seen.out.contains(" ok, 0 errors, "), "{}", seen.out);
    assert!(!seen.out.contains("ok       challenge"), "what is right is not shown: {}", seen.out);
    assert!(
        place
            .run(&["doctor", "--all", server])
            .out
            .contains("ok       challenge The 401 has a Bearer challenge")
    );

    let (report, sarif) = (place.store.with_extension("xml"), place.store.with_extension("sarif"));
    let files = ["--junit", report.to_str().unwrap(), "--sarif", sarif.to_str().unwrap()];
    let told = place.run(&[&["doctor", "--json"], &files[..], &[server]].concat());
    let told: Value = serde_json::from_str(&told.out).unwrap();
    let checks = told["checks"].as_array().unwrap();
    assert!(
        checks.iter().any(|check| check["code"] == "pkce" && check["outcome"] == "passed"),
        "{checks:#?}"
    );
    let junit = std::fs::read_to_string(&report).unwrap();
    std::fs::remove_file(&report).unwrap();
    assert!(junit.contains(&format!("tests=\"{}\"", checks.len())) && junit.contains("<failure "), "{junit}");
    let log: Value = serde_json::from_str(&std::fs::read_to_string(&sarif).unwrap()).unwrap();
    std::fs::remove_file(&sarif).unwrap();
    assert_eq!(codes(&log["runs"][0]["results"], "ruleId"), codes(&told["checks"], "code"));
    assert_eq!(place.issuer.world().server().issued, 0);

    place.issuer.world().intercept = Some(Box::new(|request| {
        request
            .uri()
            .path()
            .contains("well-known")
            .then(|| grantor_world::text(http::StatusCode::NOT_FOUND, ""))
    }));
    let broken = place.run(&["doctor", server]);
    assert_eq!(broken.code, 1, "{}", broken.out);
    assert!(broken.out.contains("error    server-metadata") && broken.out.contains("404"), "{}", broken.out);

    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let nowhere = format!("http://{}/mcp", listener.local_addr().unwrap());
    drop(listener);
    let unreachable = place.run(&["doctor", &nowhere]);
    assert!(unreachable.code == 1 && unreachable.out.contains("error    reachable"), "{}", unreachable.out);

    let explained = place.must(&["explain", "pkce"]).out;
    assert!(
        explained.starts_with("pkce (error): ") && explained.contains("code_challenge_methods_supported"),
        "{explained}"
    );
    assert!(place.must(&["explain"]).out.lines().count() > 25);
    assert_eq!(place.run(&["explain", "nothing"]).code, 1);
}

/// The codes of what is broken, in order.
fn codes(list: &Value, name: &str) -> Vec<String> {
    let broken = list.as_array().unwrap().iter().filter(|one| one["outcome"] != "passed");
    broken.map(|one| one[name].as_str().unwrap().to_owned()).collect()
}

#[test]
fn codes_are_stable_and_each_is_explained() {
    let place = Place::new();
    let listed = place.must(&["explain"]).out;
    // A long title goes on in the next line.
    let listed = listed.lines().filter_map(|line| line.split(' ').next());
    let listed: Vec<&str> = listed.filter(|code| !code.is_empty()).collect();
    // Pipelines know them: new ones may come, and none goes or changes its name.
    assert_eq!(listed, CODES.split_whitespace().collect::<Vec<_>>());
    for code in listed {
        let explained = place.must(&["explain", code]).out;
        assert!(explained.starts_with(&format!("{code} (")), "{explained}");
        for part in ["\ndemanded by", "\nsuffers", "\nto do"] {
            assert!(explained.contains(part), "{explained}");
        }
    }
}

const CODES: &str = "
    reachable https endpoint protected challenge challenge-syntax challenge-metadata challenge-scope
    bad-token invalid-token query-token cors cors-challenge resource-metadata well-known
    resource-identity authorization-servers resource-document resource-cors server-metadata
    server-identity server-usable pkce server-document iss registration client-document refresh
    revocation server-cors token-error log-in token-document token-cache token-expiry token-audience
    token-accepted insufficient-scope refresh-token refreshed refresh-rotation step-up
    step-up-scopes revoked";

/// The codes of the rules that `doctor --login` found broken and kept.
fn doctor_login(place: &Place) -> (Vec<String>, Vec<String>) {
    let done = place.run(&["doctor", "--json", "--login", "--scope", "notes:write", &place.resource]);
    assert!(!done.out.contains("eyJ") && !done.err.contains("eyJ"), "a token is told");
    let report: Value = serde_json::from_str(&done.out).unwrap();
    let codes = |outcome: &str| {
        let checks = report["checks"].as_array().unwrap().iter();
        let of = checks.filter(|check| check["outcome"] == outcome && check["severity"] != "note");
        of.map(|check| check["code"].as_str().unwrap().to_owned()).collect()
    };
    (codes("failed"), codes("passed"))
}

#[test]
fn the_doctor_goes_through_log_in_refresh_and_step_up() {
    let place = Place::new();
    let (failed, passed) = doctor_login(&place);
    let of_log_ins =
        ["log-in", "token-audience", "token-accepted", "refreshed", "refresh-rotation", "step-up"];
    for code in of_log_ins {
        assert!(passed.iter().any(|passed| passed == code), "{code}: {passed:?} {failed:?}");
        assert!(!failed.iter().any(|failed| failed == code), "{failed:?}");
    }
    assert_eq!(place.pages.load(Ordering::Relaxed), 2, "a log-in and a step-up");
    assert_eq!(place.must(&["status", "--json"]).out, "[]\n", "nothing is kept");

    place.issuer.world().bend = Some(Box::new(|request, answer| match request.uri().path() {
        "/token" => {
            let mut token: Value = serde_json::from_slice(answer.body()).unwrap_or_default();
            token["access_token"] =
                "eyJhbGciOiJub25lIn0.eyJhdWQiOiJodHRwczovL290aGVyLmV4YW1wbGUuY29tIn0.c2ln".into();
            answer.map(|_| token.to_string().into_bytes())
        }
        _ => answer,
    }));
    let (failed, _) = doctor_login(&place);
    for code in ["token-audience", "token-accepted"] {
        assert!(failed.iter().any(|failed| failed == code), "{code}: {failed:?}");
    }

    place.issuer.world().bend = None;
    place.issuer.world().server().consent = Consent::Deny;
    let (failed, passed) = doctor_login(&place);
    assert!(failed.iter().any(|failed| failed == "log-in"), "{failed:?}");
    assert!(!passed.iter().any(|passed| passed == "token-accepted"));
}

#[test]
fn a_hostile_server_reaches_no_terminal() {
    let place = Place::new();
    let server = raw(|request| {
        let message: Value = serde_json::from_str(&request.body).unwrap_or_default();
        let answer = json!({ "jsonrpc": "2.0", "id": message["id"],
            "error": { "code": -32000, "message": "\u{1b}]0;owned\u{7}\u{202e}no" } });
        ("200 OK\r\ncontent-type: application/json".into(), answer.to_string())
    });
    let done = place.run(&["tools", &server]);
    assert_eq!((done.code, done.out.as_str()), (1, ""));
    assert!(
        done.err.contains("owned") && !done.err.contains(['\u{1b}', '\u{7}', '\u{202e}']),
        "{}",
        done.err
    );
}
