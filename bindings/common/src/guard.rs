//! A guard's configuration.

use grantor::Secret;
use grantor::resource::{
    AuthorizationServer, ChallengeScopes, Cors, Guard, GuardConfig, Need, Policy, Tokens,
};
use grantor::wire::client_auth::{Client, ClientAuthMethod};

use crate::client::{algorithm, urls};
use crate::settings::{Kind, Problem, Settings, Value, choice, scopes};

/// A guard.
///
/// # Errors
/// [`Problem`].
pub fn guard(settings: &Settings) -> Result<Guard, Problem> {
    debug_assert_eq!(settings.kind(), Kind::Guard);
    let mut config = GuardConfig::new(settings.needed("resource")?, policy(settings)?);
    for (name, value) in settings.iter() {
        match value {
            Value::Flag(on) => set_flag(&mut config, name, *on)?,
            Value::Number(number) => set_number(&mut config, name, *number)?,
            Value::Settings(_, settings) if settings.kind() == Kind::AuthorizationServer => {
                config = config.server(authorization_server(settings)?);
            }
            Value::Pair(..) | Value::Settings(..) => {} // of the policy
            Value::Text(text) => set_text(&mut config, name, text)?,
        }
    }
    config.urls = urls(settings);
    Guard::new(config).map_err(Problem::whole)
}

fn set_flag(config: &mut GuardConfig, name: &str, on: bool) -> Result<(), Problem> {
    match name {
        "cors_any" if on => config.cors = Cors::Any,
        "cors_any" => {}
        "dpop_required" => config.dpop.required = on,
        "dpop_stored" => config.dpop.stored = on,
        "trust_headers" => config.trust_headers = on,
        "allow_private_hosts" => {} // read with the URLs
        _ => return Err(Problem::unread(name)),
    }
    Ok(())
}

fn set_number(config: &mut GuardConfig, name: &str, number: u64) -> Result<(), Problem> {
    let size = || usize::try_from(number).map_err(|_| Problem::of(name, "is too large"));
    match name {
        "leeway_s" => config.leeway_s = number,
        "max_body" => config.max_body = size()?,
        "recheck_s" => config.recheck_s = number,
        "replay_cache_bytes" => config.replay_cache_bytes = size()?,
        "token_cache_bytes" => config.token_cache_bytes = size()?,
        _ => return Err(Problem::unread(name)),
    }
    Ok(())
}

fn set_text(config: &mut GuardConfig, name: &str, secret: &Secret) -> Result<(), Problem> {
    let text = secret.expose();
    match name {
        "audience" => config.audiences.push(text.into()),
        "challenge" => {
            let plus_granted = choice(name, text, &[("minimal", false), ("plus_granted", true)])?;
            config.challenge =
                if plus_granted { ChallengeScopes::PlusGranted } else { ChallengeScopes::Minimal };
        }
        "challenge_scopes" => config.challenge = ChallengeScopes::Configured(scopes(name, text)?),
        "cors_origin" => match &mut config.cors {
            Cors::Origins(origins) => origins.push(text.into()),
            cors => *cors = Cors::Origins(vec![text.into()]),
        },
        "dpop_algorithm" => config.dpop.algorithms.push(algorithm(name, text)?),
        "dpop_nonce_seed" => config.dpop.nonce_seed = Some(secret.clone()),
        "metadata" => {
            config.metadata = serde_json::from_str(text)
                .map_err(|error| Problem::of(name, format_args!("is no object in JSON: {error}")))?;
        }
        "metadata_url" => config.metadata_url = Some(text.into()),
        "name" => config.name = Some(text.into()),
        "public_path" => config.public_paths.push(text.into()),
        "realm" => config.realm = Some(text.into()),
        "scopes_supported" => config.scopes_supported = Some(scopes(name, text)?),
        "development_host" | "every" | "resource" | "wildcard" => {} // read with the policy and the URLs
        _ => return Err(Problem::unread(name)),
    }
    Ok(())
}

fn policy(settings: &Settings) -> Result<Policy, Problem> {
    let mut policy = Policy::new();
    for (name, value) in settings.iter() {
        let wrong = |error: grantor::ScopeError| Problem::of(name, error);
        policy = match (name, value) {
            ("every", Value::Text(scopes)) => policy.every(scopes.expose()).map_err(wrong)?,
            ("wildcard", Value::Text(pattern)) => policy.wildcard(pattern.expose()).map_err(wrong)?,
            ("implies", Value::Pair(scope, implied)) => {
                policy.implies(scope, implied.expose()).map_err(wrong)?
            }
            ("note", Value::Pair(scope, text)) => policy.note(scope, text.expose()),
            ("otherwise", Value::Settings(_, settings)) => policy.otherwise(need(settings)?),
            (rule, Value::Pair(target, scopes)) => {
                with_rule(policy, rule, target, Need::all(scopes.expose()).map_err(wrong)?)?
            }
            (rule, Value::Settings(target, settings)) if settings.kind() == Kind::Need => {
                with_rule(policy, rule, target, need(settings)?)?
            }
            _ => policy, // not of the policy
        };
    }
    Ok(policy)
}

fn with_rule(policy: Policy, rule: &str, target: &str, need: Need) -> Result<Policy, Problem> {
    Ok(match rule {
        "http" => policy.http(target, need),
        "method" => policy.method(target, need),
        "prompt" => policy.prompt(target, need),
        "resource_uri" => policy.resource(target, need),
        "tool" => policy.tool(target, need),
        _ => return Err(Problem::unread(rule)),
    })
}

fn need(settings: &Settings) -> Result<Need, Problem> {
    let kinds = ["all", "any"].into_iter().filter(|name| settings.text(name).is_some());
    let flags =
        ["any_token", "nobody", "public"].into_iter().filter(|name| settings.flag(name) == Some(true));
    let kinds: Vec<_> = kinds.chain(flags).collect();
    let [kind] = kinds[..] else {
        return Err(Problem::whole("a need has one of all, any, any_token, nobody and public"));
    };
    let wrong = |error| Problem::of(kind, error);
    let scopes = settings.text(kind).unwrap_or_default();
    let mut need = match kind {
        "all" => Need::all(scopes).map_err(wrong)?,
        "any" => Need::any(scopes).map_err(wrong)?,
        "any_token" => Need::any_token(),
        "nobody" => Need::nobody(),
        _ => Need::public(),
    };
    for scopes in settings.texts("or") {
        need = need.or(scopes).map_err(|error| Problem::of("or", error))?;
    }
    if let Some(seconds) = settings.number("max_age_s") {
        need = need.max_age_s(seconds);
    }
    if let Some(values) = settings.text("acr_values") {
        need = need.acr(values);
    }
    Ok(need)
}

fn authorization_server(settings: &Settings) -> Result<AuthorizationServer, Problem> {
    let issuer = settings.needed("issuer")?;
    let kinds = ["jwt", "jwt_without_profile", "introspection", "host"].map(|name| (name, name));
    let mut server = match choice("tokens", settings.text("tokens").unwrap_or("jwt"), &kinds)? {
        "jwt_without_profile" => AuthorizationServer::jwt_without_profile(issuer),
        "introspection" => AuthorizationServer::introspection(issuer, introspecting(settings)?),
        "host" => AuthorizationServer::verified_by_host(issuer),
        _ => AuthorizationServer::jwt(issuer),
    };
    for (name, value) in settings.iter() {
        server = match (name, value) {
            ("audience", Value::Text(text)) => server.audience(text.expose()),
            ("known_as", Value::Text(text)) => server.known_as(text.expose()),
            _ => server,
        };
    }
    server.tenants = settings.texts("tenant").map(Into::into).collect();
    server.scope_claims = settings.texts("scope_claim").map(Into::into).collect();
    server.advertised = settings.flag("advertised").unwrap_or(true);
    let claims: Vec<_> = settings.iter().filter_map(pair).collect();
    if let Some((claim, _)) = claims.first() {
        if claims.iter().any(|(other, _)| other != claim) {
            return Err(Problem::of("audience_claim", "is one claim, with one value or several"));
        }
        server = server.audience_by(claim, claims.iter().map(|(_, value)| *value));
    }
    set_tokens(&mut server.tokens, settings)?;
    Ok(server)
}

fn pair<'a>((_, value): (&'static str, &'a Value)) -> Option<(&'a str, &'a str)> {
    match value {
        Value::Pair(name, value) => Some((name, value.expose())),
        _ => None,
    }
}

fn set_tokens(tokens: &mut Tokens, settings: &Settings) -> Result<(), Problem> {
    let url = |name: &str| {
        let url = settings.text(name).map(str::parse).transpose();
        url.map_err(|error| Problem::of(name, error))
    };
    let chosen: Vec<_> =
        settings.texts("algorithm").map(|name| algorithm("algorithm", name)).collect::<Result<_, _>>()?;
    match tokens {
        Tokens::Jwt { algorithms, jwks_uri, .. } => {
            if !chosen.is_empty() {
                *algorithms = chosen;
            }
            *jwks_uri = url("jwks_uri")?;
        }
        Tokens::Introspection { endpoint, audience_demanded, cache_s, .. } => {
            *endpoint = url("introspection_endpoint")?;
            *audience_demanded = settings.flag("audience_demanded").unwrap_or(true);
            *cache_s = settings.number("cache_s").unwrap_or(*cache_s);
        }
        Tokens::Host { audience_demanded, cache_s } => {
            *audience_demanded = settings.flag("audience_demanded").unwrap_or(true);
            *cache_s = settings.number("cache_s").unwrap_or(*cache_s);
        }
        _ => {}
    }
    Ok(())
}

/// Who asks about tokens.
fn introspecting(settings: &Settings) -> Result<Client, Problem> {
    let name = settings.text("method").unwrap_or("client_secret_basic");
    let method = ClientAuthMethod::from_name(name)
        .ok_or_else(|| Problem::of("method", format_args!("{name:?} is not known")))?;
    let secret = settings.needed("client_secret")?;
    Ok(Client::confidential(settings.needed("client_id")?, secret.into(), method))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::client;
    use crate::settings::Shape;

    fn settings(kind: Kind, all: &[(&str, &str)]) -> Settings {
        let mut settings = Settings::new(kind);
        for (name, text) in all {
            settings.set(name, Value::Text((*text).into())).unwrap();
        }
        settings
    }

    fn with_server() -> Settings {
        let mut guard =
            settings(Kind::Guard, &[("resource", "https://mcp.example.com/mcp"), ("every", "mcp:use")]);
        let server = settings(Kind::AuthorizationServer, &[("issuer", "https://as.example.com")]);
        guard.set("authorization_server", Value::Settings("".into(), server)).unwrap();
        guard
    }

    #[test]
    fn rules_take_scopes_or_a_need() {
        let mut with_rules = with_server();
        with_rules.set("tool", Value::Pair("write_*".into(), "files:write".into())).unwrap();
        let mut need = settings(Kind::Need, &[("any", "admin root"), ("or", "audit all")]);
        need.set("max_age_s", Value::Number(300)).unwrap();
        with_rules.set("tool", Value::Settings("drop_*".into(), need)).unwrap();
        let printed = guard(&with_rules).unwrap().policy().to_markdown();
        assert!(printed.contains("| tool `write_*` | `mcp:use` and `files:write` |"), "{printed}");
        assert!(printed.contains("authenticated at most 300 s ago"), "{printed}");
    }

    #[test]
    fn a_need_is_of_one_kind() {
        for all in [vec![], vec![("all", "a"), ("any", "b")]] {
            let mut guarded = with_server();
            guarded.set("tool", Value::Settings("x".into(), settings(Kind::Need, &all))).unwrap();
            let told = guard(&guarded).unwrap_err().to_string();
            assert_eq!(told, "a need has one of all, any, any_token, nobody and public");
        }
    }

    #[test]
    fn every_setting_is_read() {
        for kind in [Kind::Client, Kind::Guard] {
            for (name, shape) in kind.settings() {
                let mut all = match kind {
                    Kind::Client => settings(kind, &[("resource", "https://mcp.example.com/mcp")]),
                    _ => with_server(),
                };
                let value = match shape {
                    Shape::Flag => Value::Flag(true),
                    Shape::Number => Value::Number(1),
                    Shape::Pair | Shape::Rule(_) => Value::Pair("a".into(), "b".into()),
                    Shape::Settings(kind) => Value::Settings("".into(), Settings::new(*kind)),
                    Shape::Text | Shape::Texts => Value::Text("a".into()),
                };
                all.set(name, value).unwrap();
                let made = match kind {
                    Kind::Client => client(&all).err(),
                    _ => guard(&all).err(),
                };
                assert_ne!(made, Some(Problem::unread(name)));
            }
        }
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (name, text) in [
            ("challenge", "most"),
            ("challenge_scopes", "\""),
            ("cors_origin", "https://a.example/"),
            ("dpop_algorithm", "HS256"),
            ("metadata", "[]"),
            ("metadata_url", "x"),
            ("scopes_supported", "\u{0}"),
            ("every", "\u{0}"),
        ] {
            let mut wrong = with_server();
            wrong.set(name, Value::Text(text.into())).unwrap();
            assert!(guard(&wrong).is_err(), "{name}");
        }
    }
}
