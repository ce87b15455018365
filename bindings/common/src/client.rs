//! A client's configuration.

use grantor::client::{self, Config, ConfigError, Flow, KnownServer, Redirect};
use grantor::jose::{Algorithm, PublicKey, SigningKey};
use grantor::wire::client_auth::ClientAuthMethod;
use grantor::wire::client_metadata::ClientMetadata;
use grantor::{
    AssertionAudience, DpopPolicy, Key, Quirks, RecordPolicy, Revision, StepUpPolicy, TrustPolicy, UrlPolicy,
};

use crate::settings::{Kind, Problem, Settings, Value, choice, scopes};

const TRUST: [(&str, TrustPolicy); 4] = [
    ("ask", TrustPolicy::Ask),
    ("accept", TrustPolicy::Accept),
    ("pinned_only", TrustPolicy::PinnedOnly),
    ("same_origin", TrustPolicy::SameOrigin),
];
const STEP_UP: [(&str, StepUpPolicy); 2] = [("ask", StepUpPolicy::Ask), ("abort", StepUpPolicy::Abort)];
const DPOP: [(&str, DpopPolicy); 3] = [
    ("off", DpopPolicy::Off),
    ("when_supported", DpopPolicy::WhenSupported),
    ("required", DpopPolicy::Required),
];
const AUDIENCE: [(&str, AssertionAudience); 2] =
    [("issuer", AssertionAudience::Issuer), ("token_endpoint", AssertionAudience::TokenEndpoint)];
const UNREADABLE: [(&str, RecordPolicy); 2] =
    [("start_anew", RecordPolicy::StartAnew), ("fail", RecordPolicy::Fail)];

/// Makes what is no constant.
type Make<T> = fn() -> T;

const QUIRKS: [(&str, Make<Quirks>); 7] = [
    ("auth0", Quirks::auth0),
    ("cognito", Quirks::cognito),
    ("entra", Quirks::entra),
    ("github", Quirks::github),
    ("google", Quirks::google),
    ("slack", Quirks::slack),
    ("slack_bot", Quirks::slack_bot),
];
const FLOWS: [(&str, Make<Flow>); 4] = [
    ("authorization_code", || Flow::AuthorizationCode),
    ("client_credentials", || Flow::ClientCredentials),
    ("device", || Flow::Device),
    ("workload", || Flow::Workload),
];

/// The configuration of a client.
///
/// # Errors
/// [`Problem`].
pub fn client(settings: &Settings) -> Result<Config, Problem> {
    debug_assert_eq!(settings.kind(), Kind::Client);
    let mut metadata = ClientMetadata::default();
    metadata.client_name = settings.text("client_name").map(Into::into);
    metadata.client_uri = url("client_uri", settings.text("client_uri"))?;
    metadata.software_id = settings.text("software_id").map(Into::into);
    metadata.software_version = settings.text("software_version").map(Into::into);
    if settings.text("scopes").is_some() && settings.text("only_scopes").is_some() {
        return Err(Problem::whole("scopes and only_scopes exclude each other"));
    }
    let config = Config::with_urls(settings.needed("resource")?, metadata, urls(settings));
    let mut config = config.map_err(Problem::whole)?;
    for (name, value) in settings.iter() {
        config = match value {
            Value::Flag(on) => with_flag(config, name, *on)?,
            Value::Number(number) => with_number(config, name, *number)?,
            Value::Pair(key, value) => with_pair(config, name, key, value)?,
            Value::Settings(_, settings) => with_settings(config, name, settings)?,
            Value::Text(text) => with_text(config, name, text.expose())?,
        };
    }
    Ok(config)
}

/// Which URLs from outside are used.
pub(crate) fn urls(settings: &Settings) -> UrlPolicy {
    let mut urls = settings.texts("development_host").fold(UrlPolicy::default(), UrlPolicy::development_host);
    urls.allow_private_hosts = settings.flag("allow_private_hosts").unwrap_or(false);
    urls
}

fn with_flag(config: Config, name: &str, on: bool) -> Result<Config, Problem> {
    Ok(match name {
        "dynamic_registration" => config.dynamic_registration(on),
        "list_account" => config.list_account(on),
        "offline_access" => config.offline_access(on),
        "pushed_requests" => config.pushed_requests(on),
        "shared_store" => config.shared_store(on),
        "allow_private_hosts" => config, // read with the URLs
        _ => return Err(Problem::unread(name)),
    })
}

fn with_number(config: Config, name: &str, number: u64) -> Result<Config, Problem> {
    let seconds = u32::try_from(number).map_err(|_| Problem::of(name, "is too large"))?;
    Ok(match name {
        "refresh_early_s" => config.refresh_early_s(seconds),
        "interaction_s" => config.interaction_ms(u64::from(seconds) * 1000),
        _ => return Err(Problem::unread(name)),
    })
}

fn with_pair(config: Config, name: &str, key: &str, value: &grantor::Secret) -> Result<Config, Problem> {
    let wrong = |error: ConfigError| Problem::of(name, error);
    Ok(match name {
        "authorization_parameter" => config.authorization_parameter(key, value.expose()).map_err(wrong)?,
        "initial_access_token" => config.initial_access_token(key, value.clone()),
        "issuer_differs" => config.issuer_differs(key, value.expose()),
        "token_parameter" => config.token_parameter(key, value.expose()).map_err(wrong)?,
        _ => return Err(Problem::unread(name)),
    })
}

fn with_settings(config: Config, name: &str, settings: &Settings) -> Result<Config, Problem> {
    Ok(match name {
        "dpop_key" => config.dpop_key(key(settings)?),
        "enterprise" => config.flow(Flow::Enterprise(Box::new(enterprise(settings)?))),
        "preregistered" => config.preregistered(preregistered(settings)?),
        _ => return Err(Problem::unread(name)),
    })
}

fn with_text(config: Config, name: &str, text: &str) -> Result<Config, Problem> {
    let wrong = |error: ConfigError| Problem::of(name, error);
    Ok(match name {
        "account" => config.account(text),
        "assertion_audience" => config.assertion_audience(choice(name, text, &AUDIENCE)?),
        "authorization_details" => config.authorization_details(text).map_err(wrong)?,
        "authorization_server" => config.authorization_server(KnownServer::new(text)),
        "client_id_metadata_document" => config.client_id_metadata_document(text).map_err(wrong)?,
        "dpop" => config.dpop(choice(name, text, &DPOP)?),
        "flow" => config.flow(choice(name, text, &FLOWS)?()),
        "only_scopes" => config.only_scopes(scopes(name, text)?),
        "quirks" => config.quirks(choice(name, text, &QUIRKS)?()),
        "redirect_uri" => config.redirect(Redirect::Fixed(text.into())).map_err(wrong)?,
        "registration_scopes" => config.registration_scopes(scopes(name, text)?),
        "resource_identifier" => config.resource_identifier(text).map_err(wrong)?,
        "revision" => {
            let revision = Revision::from_name(text);
            config.revision(revision.ok_or_else(|| Problem::of(name, format_args!("{text:?} is not known")))?)
        }
        "scopes" => config.scopes(scopes(name, text)?),
        "step_up" => config.step_up(choice(name, text, &STEP_UP)?),
        "trust" => config.trust(choice(name, text, &TRUST)?),
        "trusted_issuer" => config.trusted_issuer(text),
        "unreadable_records" => config.unreadable_records(choice(name, text, &UNREADABLE)?),
        "user_agent" => config.user_agent(text).map_err(wrong)?,
        // Read before.
        "client_name" | "client_uri" | "development_host" | "resource" | "software_id"
        | "software_version" => config,
        _ => return Err(Problem::unread(name)),
    })
}

fn url<T: std::str::FromStr<Err: std::fmt::Display>>(
    name: &str,
    text: Option<&str>,
) -> Result<Option<T>, Problem> {
    text.map(|text| text.parse().map_err(|error| Problem::of(name, error))).transpose()
}

/// A client that is registered beforehand.
///
/// # Errors
/// [`Problem`].
pub fn preregistered(settings: &Settings) -> Result<client::Preregistered, Problem> {
    let client_id = settings.needed("client_id")?;
    let mut client = match settings.text("issuer") {
        Some(issuer) => client::Preregistered::new(issuer, client_id),
        None => client::Preregistered::bound_on_first_use(client_id),
    };
    if let Some(secret) = settings.text("secret") {
        client = client.secret(secret.into());
    }
    if let Some(settings) = settings.settings("key") {
        client = client.key(key(settings)?);
    }
    if let Some(name) = settings.text("method") {
        let method = ClientAuthMethod::from_name(name);
        client = client
            .method(method.ok_or_else(|| Problem::of("method", format_args!("{name:?} is not known")))?);
    }
    Ok(client)
}

/// A key, here or where the host keeps it.
fn key(settings: &Settings) -> Result<Key, Problem> {
    let algorithm = algorithm("algorithm", settings.text("algorithm").unwrap_or("ES256"))?;
    if let Some(pem) = settings.text("pem") {
        let key = SigningKey::from_pem(pem, algorithm).map_err(|error| Problem::of("pem", error))?;
        return Ok(Key::local(key));
    }
    let public = PublicKey::from_jwk(settings.needed("public_jwk")?);
    let public = public.map_err(|error| Problem::of("public_jwk", error))?;
    Ok(Key::external(settings.needed("reference")?, algorithm, public))
}

pub(crate) fn algorithm(option: &str, name: &str) -> Result<Algorithm, Problem> {
    Algorithm::from_name(name).ok_or_else(|| Problem::of(option, format_args!("{name:?} is not known")))
}

/// The identity provider of an enterprise.
///
/// # Errors
/// [`Problem`].
pub fn enterprise(settings: &Settings) -> Result<client::Enterprise, Problem> {
    let client = preregistered(settings.settings("client").ok_or(Problem::Missing("client"))?)?;
    let mut enterprise = client::Enterprise::new(settings.needed("issuer")?, client);
    if settings.flag("sign_on") == Some(true) {
        enterprise = enterprise.sign_on();
    }
    if let Some(endpoint) = url("token_endpoint", settings.text("token_endpoint"))? {
        enterprise = enterprise.token_endpoint(endpoint);
    }
    Ok(enterprise)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client_with(all: &[(&str, Value)]) -> Result<Config, Problem> {
        let mut settings = Settings::new(Kind::Client);
        for (name, value) in all {
            settings.set(name, value.clone())?;
        }
        client(&settings)
    }

    fn text(text: &str) -> Value {
        Value::Text(text.into())
    }

    #[test]
    fn every_setting_of_a_client_is_read() {
        let resource = ("resource", text("https://mcp.example.com/mcp"));
        for (name, shape) in Kind::Client.settings() {
            let wrong = match shape {
                crate::Shape::Number => Value::Number(u64::MAX),
                crate::Shape::Pair => Value::Pair("state".into(), "\u{0}".into()),
                crate::Shape::Text if *name != "resource" => text("\u{0}"),
                _ => continue,
            };
            let free = ["account", "authorization_server", "client_name", "software_id", "software_version"];
            let deferred = ["initial_access_token", "issuer_differs"];
            let made = client_with(&[resource.clone(), (name, wrong)]);
            let taken = free.contains(name) || deferred.contains(name);
            assert_eq!(made.is_ok(), taken, "{name}: {:?}", made.err());
        }
    }

    #[test]
    fn what_is_missing_or_unknown_is_told() {
        assert_eq!(client_with(&[]).unwrap_err().to_string(), "resource is missing");
        let resource = ("resource", text("https://mcp.example.com/mcp"));
        let error = client_with(&[resource, ("trust", text("all"))]).unwrap_err();
        let told = r#"trust is one of "ask", "accept", "pinned_only", "same_origin", not "all""#;
        assert_eq!(error.to_string(), told);
    }
}
