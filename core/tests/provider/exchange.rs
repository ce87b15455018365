//! Tokens that a protected server exchanges to call another for its user (RFC 8693).

use crate::world::*;
use grantor::server::{
    Answer, Downstream, ProtectedResource, ProviderConfig, ProviderConfigError, RegisteredClient, TokenFormat,
};
use serde_json::Value;

const GRANT: &str = "urn:ietf:params:oauth:grant-type:token-exchange";
const ACCESS_TOKEN: &str = "urn:ietf:params:oauth:token-type:access_token";
const MAIL: &str = "https://mail.example.com/";
const CALENDAR: &str = "https://calendar.example.com/";

/// A token, what is asked for with it, and the error.
type Refused<'a> = (&'a str, &'a [(&'a str, &'a str)], &'a str);

fn servers() -> ProviderConfig {
    let mail = ProtectedResource::new(MAIL).scope("mail:read", "Read your mail").unwrap();
    let mail = mail.scope("mail:send", "Send mail").unwrap();
    let calendar = ProtectedResource::new(CALENDAR).scope("calendar:read", "Read your calendar").unwrap();
    let to_mail = Downstream::new(RESOURCE, MAIL, scopes("mail:read")).needs(scopes("files:read"));
    let to_calendar = Downstream::new(MAIL, CALENDAR, scopes("calendar:read"));
    config()
        .resource(mail)
        .resource(calendar)
        .client(RegisteredClient::with_secret("files", "f1les").downstream(to_mail))
        .client(RegisteredClient::with_secret("mail", "ma1l").downstream(to_calendar))
}

fn exchange(world: &World, token: &str, more: &[(&str, &str)]) -> Answer {
    let mut form = vec![
        ("client_id", "files"),
        ("client_secret", "f1les"),
        ("grant_type", GRANT),
        ("subject_token", token),
        ("subject_token_type", ACCESS_TOKEN),
    ];
    for (name, value) in more {
        form.retain(|(own, _)| own != name);
        form.push((name, value));
    }
    form.retain(|(_, value)| !value.is_empty());
    world.token(&form)
}

fn access(world: &World) -> String {
    world.tokens()["access_token"].as_str().unwrap().to_owned()
}

fn token(answer: &Answer) -> String {
    assert_eq!(answer.status, 200, "{}", answer.body.expose());
    json(answer)["access_token"].as_str().unwrap().to_owned()
}

#[test]
fn rfc8693_2_2_1_a_server_gets_a_token_for_its_user_with_which_it_calls_another() {
    let world = World::new(servers());
    let subject = access(&world);
    world.pass(60);
    let answer = exchange(&world, &subject, &[]);
    let body = json(&answer);
    assert_eq!(body["issued_token_type"], ACCESS_TOKEN);
    assert_eq!((&body["token_type"], &body["scope"]), (&"Bearer".into(), &"mail:read".into()));
    assert_eq!(body["expires_in"], 540, "no longer than the token that it is exchanged for");
    assert_eq!(body.get("refresh_token"), None);
    let claims = claims(&token(&answer));
    assert_eq!((&claims["sub"], &claims["aud"]), (&"alice".into(), &MAIL.into()));
    assert_eq!((&claims["client_id"], &claims["auth_time"]), (&"files".into(), &(START - 60).into()));
    // RFC 8693 4.1: whoever acts is told from whoever they act for.
    assert_eq!(claims["act"], serde_json::json!({ "sub": "files" }));
    for named in [[("resource", MAIL)], [("audience", MAIL)], [("scope", "mail:read")]] {
        assert_eq!(exchange(&world, &subject, &named).status, 200, "{named:?}");
    }
}

#[test]
fn rfc8693_4_1_servers_call_each_other_in_a_row() {
    for format in [TokenFormat::Jwt, TokenFormat::Opaque] {
        let world = World::new(servers().token_format(format));
        let given = access(&world);
        let first = token(&exchange(&world, &given, &[]));
        let by_mail = [("client_id", "mail"), ("client_secret", "ma1l")];
        let second = token(&exchange(&world, &first, &by_mail));
        let found = world.introspect(&second);
        assert_eq!(found["act"], serde_json::json!({ "sub": "mail", "act": { "sub": "files" } }));
        assert_eq!((&found["sub"], &found["client_id"]), (&"alice".into(), &"mail".into()));
        assert_eq!(found["aud"], serde_json::json!([CALENDAR]));
        // A token goes to the server that it is for: that one alone exchanges it.
        assert_eq!(error(&exchange(&world, &second, &by_mail)), (400, "invalid_request".into()));
        assert_eq!(world.post("/revoke", &[("client_id", "app"), ("token", &*given)]).status, 200);
        assert_eq!(world.introspect(&second)["active"], false, "what comes of a grant ends with it");
    }
}

#[test]
fn rfc8693_2_2_2_what_cannot_be_exchanged_is_told() {
    let world = World::new(servers());
    let subject = access(&world);
    let tokens = world.tokens();
    let refresh = tokens["refresh_token"].as_str().unwrap();
    let widest = world.tokens_for(&[("scope", "files:write")]);
    let own = world.token(&[
        ("client_id", "web"),
        ("client_secret", "s3cret"),
        ("grant_type", "client_credentials"),
        ("resource", RESOURCE),
    ]);
    let own = token(&own);
    let elsewhere = token(&exchange(&world, &subject, &[]));
    let no_read = widest["access_token"].as_str().unwrap();
    let wrong: [Refused<'_>; 16] = [
        ("e30.e30.e30", &[], "invalid_request"),
        (refresh, &[], "invalid_request"),
        (&own, &[], "invalid_request"),
        (&elsewhere, &[], "invalid_request"),
        (no_read, &[], "invalid_target"),
        (&subject, &[("scope", "mail:read mail:send")], "invalid_scope"),
        (&subject, &[("scope", "files:read")], "invalid_scope"),
        (&subject, &[("scope", "mail:read offline_access")], "invalid_scope"),
        (&subject, &[("resource", CALENDAR)], "invalid_target"),
        (&subject, &[("resource", MAIL), ("audience", CALENDAR)], "invalid_target"),
        (&subject, &[("audience", "mail")], "invalid_target"),
        (&subject, &[("actor_token", "x")], "invalid_request"),
        (&subject, &[("subject_token_type", "urn:ietf:params:oauth:token-type:id_token")], "invalid_request"),
        (
            &subject,
            &[("requested_token_type", "urn:ietf:params:oauth:token-type:refresh_token")],
            "invalid_request",
        ),
        (&subject, &[("subject_token_type", "")], "invalid_request"),
        (&subject, &[("client_id", "resource"), ("client_secret", "r3source")], "unauthorized_client"),
    ];
    for (token, more, code) in wrong {
        assert_eq!(error(&exchange(&world, token, more)), (400, code.into()), "{more:?}");
    }
    assert_eq!(
        error(&exchange(&world, &subject, &[("client_secret", "wrong")])),
        (401, "invalid_client".into())
    );
    world.pass(601);
    assert_eq!(error(&exchange(&world, &subject, &[])), (400, "invalid_request".into()));
}

#[test]
fn rfc8693_a_client_that_nobody_vouches_for_exchanges_nothing() {
    let world = World::new(servers());
    let metadata =
        format!(r#"{{"redirect_uris":["{REDIRECT}"],"grant_types":["authorization_code","{GRANT}"]}}"#);
    let registered = json(&world.answer(register(&metadata)));
    assert_eq!(registered["grant_types"], serde_json::json!(["authorization_code"]));
    let (id, secret) =
        (registered["client_id"].as_str().unwrap(), registered["client_secret"].as_str().unwrap());
    let by_it = [("client_id", id), ("client_secret", secret)];
    assert_eq!(error(&exchange(&world, &access(&world), &by_it)), (400, "unauthorized_client".into()));
}

#[test]
fn rfc7009_2_1_an_exchanged_token_ends_with_the_grant_and_not_the_other_way_round() {
    for format in [TokenFormat::Jwt, TokenFormat::Opaque] {
        let world = World::new(servers().token_format(format));
        let is_active = |token: &str| world.introspect(token)["active"] == Value::Bool(true);
        let subject = access(&world);
        let exchanged = token(&exchange(&world, &subject, &[]));
        assert!(is_active(&exchanged));
        let given_back = [("client_id", "files"), ("client_secret", "f1les"), ("token", &*exchanged)];
        assert_eq!(world.post("/revoke", &given_back).status, 200);
        assert!(is_active(&subject), "the user took nothing back");
        assert_eq!(is_active(&exchanged), format == TokenFormat::Jwt);
        let exchanged = token(&exchange(&world, &subject, &[]));
        assert_eq!(world.post("/revoke", &[("client_id", "app"), ("token", &*subject)]).status, 200);
        assert!(!is_active(&exchanged) && !is_active(&subject));
        assert_eq!(error(&exchange(&world, &subject, &[])), (400, "invalid_request".into()));
    }
}

#[test]
fn exchanges_that_cannot_work_are_told_beforehand() {
    let web = || RegisteredClient::with_secret("x", "s3cret");
    let wrong = [
        RegisteredClient::public("x").downstream(Downstream::new(RESOURCE, RESOURCE, scopes("files:read"))),
        web().downstream(Downstream::new(MAIL, RESOURCE, scopes("files:read"))),
        web().downstream(Downstream::new(RESOURCE, MAIL, scopes(""))),
        web().downstream(Downstream::new(RESOURCE, RESOURCE, scopes("mail:read"))),
    ];
    for client in wrong {
        let made = grantor::server::Provider::new(config().client(client));
        assert_eq!(made.unwrap_err(), ProviderConfigError::Downstream("x".into()));
    }
}
