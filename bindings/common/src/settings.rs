//! Settings by name, as a caller gives them, one after the other.

use std::fmt;

use grantor::{ScopeSet, Secret};

/// What settings are for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Kind {
    /// An authorization server whose tokens a guard accepts.
    AuthorizationServer,
    /// A client: [`grantor::client::Config`].
    Client,
    /// The identity provider of an enterprise: [`grantor::client::Enterprise`].
    Enterprise,
    /// A protected server: [`grantor::resource::GuardConfig`].
    Guard,
    /// A private key, here or where the host keeps it: [`grantor::Key`].
    Key,
    /// What an operation needs of a token: [`grantor::resource::Need`].
    Need,
    /// A client that is registered beforehand: [`grantor::client::Preregistered`].
    Preregistered,
}

/// What a setting takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Shape {
    /// Yes or no.
    Flag,
    /// A whole number.
    Number,
    /// A name and its value; several add up.
    Pair,
    /// A name and scopes, or a name and settings of this kind; several add up.
    Rule(Kind),
    /// Settings of this kind; several add up where several make sense.
    Settings(Kind),
    /// A text.
    Text,
    /// A text; several add up.
    Texts,
}

/// The value of a setting.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Value {
    /// Yes or no.
    Flag(bool),
    /// A whole number.
    Number(u64),
    /// A name and its value.
    Pair(Box<str>, Secret),
    /// Settings, of something by this name where it has one.
    Settings(Box<str>, Settings),
    /// A text.
    Text(Secret),
}

/// Why settings cannot be taken, or cannot work.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Problem {
    /// A text that has to be there is not.
    #[error("{0} is missing")]
    Missing(&'static str),
    /// Settings of this kind have none by this name.
    #[error("there is no setting {name:?} of a {kind}")]
    NoSuchSetting {
        /// The kind.
        kind: Kind,
        /// The name.
        name: Box<str>,
    },
    /// The value cannot be used, or the whole cannot work.
    #[error("{0}")]
    Unusable(Box<str>),
    /// The setting takes a value of another shape.
    #[error("{name} takes {takes}")]
    WrongShape {
        /// The setting.
        name: &'static str,
        /// What it takes.
        takes: Shape,
    },
}

impl Problem {
    /// What is wrong with this setting, in words.
    pub(crate) fn of(name: &str, problem: impl fmt::Display) -> Self {
        Self::Unusable(format!("{name}: {problem}").into())
    }

    /// Nothing is made of this setting, which [`Kind::settings`] offers: a fault in here, never of the caller.
    pub(crate) fn unread(name: &str) -> Self {
        Self::of(name, "is offered, and not read")
    }

    /// What is wrong with the whole.
    pub(crate) fn whole(problem: impl fmt::Display) -> Self {
        Self::Unusable(problem.to_string().into())
    }
}

/// Settings of one kind.
#[derive(Clone)]
pub struct Settings {
    kind: Kind,
    all: Vec<(&'static str, Value)>,
}

impl Settings {
    /// None yet.
    pub fn new(kind: Kind) -> Self {
        Self { kind, all: Vec::new() }
    }

    /// What they are for.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// Adds one.
    ///
    /// # Errors
    /// When there is none of this name, or it takes another shape. Whether the value can be used shows when the
    /// machine is made.
    pub fn set(&mut self, name: &str, value: Value) -> Result<(), Problem> {
        let known = self.kind.settings().iter().find(|(known, _)| *known == name);
        let Some((name, shape)) = known else {
            return Err(Problem::NoSuchSetting { kind: self.kind, name: name.into() });
        };
        let fits = match (&value, shape) {
            (Value::Flag(_), Shape::Flag)
            | (Value::Number(_), Shape::Number)
            | (Value::Pair(..), Shape::Pair | Shape::Rule(_))
            | (Value::Text(_), Shape::Text | Shape::Texts) => true,
            (Value::Settings(_, settings), Shape::Rule(kind) | Shape::Settings(kind)) => {
                settings.kind == *kind
            }
            _ => false,
        };
        if !fits {
            return Err(Problem::WrongShape { name, takes: *shape });
        }
        self.all.push((name, value));
        Ok(())
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&'static str, &Value)> {
        self.all.iter().map(|(name, value)| (*name, value))
    }

    /// The last text of this name.
    pub(crate) fn text(&self, wanted: &str) -> Option<&str> {
        self.texts(wanted).last()
    }

    /// The texts of this name.
    pub(crate) fn texts(&self, wanted: &str) -> impl Iterator<Item = &str> {
        self.all.iter().filter(move |(name, _)| *name == wanted).filter_map(|(_, value)| match value {
            Value::Text(text) => Some(text.expose()),
            _ => None,
        })
    }

    /// The text that has to be there.
    pub(crate) fn needed(&self, name: &'static str) -> Result<&str, Problem> {
        self.text(name).ok_or(Problem::Missing(name))
    }

    /// The last settings of this name.
    pub(crate) fn settings(&self, wanted: &str) -> Option<&Self> {
        self.all.iter().rev().find_map(|(name, value)| match value {
            Value::Settings(_, settings) if *name == wanted => Some(settings),
            _ => None,
        })
    }

    pub(crate) fn flag(&self, wanted: &str) -> Option<bool> {
        self.all.iter().rev().find_map(|(name, value)| match value {
            Value::Flag(on) if *name == wanted => Some(*on),
            _ => None,
        })
    }

    pub(crate) fn number(&self, wanted: &str) -> Option<u64> {
        self.all.iter().rev().find_map(|(name, value)| match value {
            Value::Number(number) if *name == wanted => Some(*number),
            _ => None,
        })
    }
}

/// The values may be secrets.
impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.all.iter().map(|(name, _)| name).collect();
        f.debug_struct("Settings").field("kind", &self.kind).field("names", &names).finish()
    }
}

/// What this word of an option stands for.
pub(crate) fn choice<T: Copy>(name: &str, text: &str, all: &[(&str, T)]) -> Result<T, Problem> {
    let found = all.iter().find(|(one, _)| *one == text).map(|(_, value)| *value);
    found.ok_or_else(|| {
        let names: Vec<_> = all.iter().map(|(name, _)| format!("{name:?}")).collect();
        Problem::whole(format_args!("{name} is one of {}, not {text:?}", names.join(", ")))
    })
}

pub(crate) fn scopes(name: &str, text: &str) -> Result<ScopeSet, Problem> {
    ScopeSet::parse(text).map_err(|error| Problem::of(name, error))
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 7] = [
        Self::AuthorizationServer,
        Self::Client,
        Self::Enterprise,
        Self::Guard,
        Self::Key,
        Self::Need,
        Self::Preregistered,
    ];

    /// The settings of this kind, and what each takes.
    pub fn settings(self) -> &'static [(&'static str, Shape)] {
        use Shape::{Flag, Number, Pair, Rule, Text, Texts};
        match self {
            Self::AuthorizationServer => &[
                ("advertised", Flag),
                ("algorithm", Texts),
                ("audience", Texts),
                ("audience_claim", Pair),
                ("audience_demanded", Flag),
                ("cache_s", Number),
                ("client_id", Text),
                ("client_secret", Text),
                ("introspection_endpoint", Text),
                ("issuer", Text),
                ("jwks_uri", Text),
                ("known_as", Texts),
                ("method", Text),
                ("scope_claim", Texts),
                ("tenant", Texts),
                ("tokens", Text),
            ],
            Self::Client => &[
                ("account", Text),
                ("allow_private_hosts", Flag),
                ("assertion_audience", Text),
                ("authorization_details", Text),
                ("authorization_parameter", Pair),
                ("authorization_server", Text),
                ("client_id_metadata_document", Text),
                ("client_name", Text),
                ("client_uri", Text),
                ("development_host", Texts),
                ("dpop", Text),
                ("dpop_key", Shape::Settings(Self::Key)),
                ("dynamic_registration", Flag),
                ("enterprise", Shape::Settings(Self::Enterprise)),
                ("flow", Text),
                ("initial_access_token", Pair),
                ("interaction_s", Number),
                ("issuer_differs", Pair),
                ("list_account", Flag),
                ("offline_access", Flag),
                ("only_scopes", Text),
                ("preregistered", Shape::Settings(Self::Preregistered)),
                ("pushed_requests", Flag),
                ("quirks", Text),
                ("redirect_uri", Text),
                ("refresh_early_s", Number),
                ("registration_scopes", Text),
                ("resource", Text),
                ("resource_identifier", Text),
                ("revision", Text),
                ("scopes", Text),
                ("shared_store", Flag),
                ("software_id", Text),
                ("software_version", Text),
                ("step_up", Text),
                ("token_parameter", Pair),
                ("trust", Text),
                ("trusted_issuer", Texts),
                ("unreadable_records", Text),
                ("user_agent", Text),
            ],
            Self::Enterprise => &[
                ("client", Shape::Settings(Self::Preregistered)),
                ("issuer", Text),
                ("sign_on", Flag),
                ("token_endpoint", Text),
            ],
            Self::Guard => &[
                ("allow_private_hosts", Flag),
                ("audience", Texts),
                ("authorization_server", Shape::Settings(Self::AuthorizationServer)),
                ("challenge", Text),
                ("challenge_scopes", Text),
                ("cors_any", Flag),
                ("cors_origin", Texts),
                ("development_host", Texts),
                ("dpop_algorithm", Texts),
                ("dpop_nonce_seed", Text),
                ("dpop_required", Flag),
                ("dpop_stored", Flag),
                ("every", Text),
                ("http", Rule(Self::Need)),
                ("implies", Pair),
                ("leeway_s", Number),
                ("max_body", Number),
                ("metadata", Text),
                ("metadata_url", Text),
                ("method", Rule(Self::Need)),
                ("name", Text),
                ("note", Pair),
                ("otherwise", Shape::Settings(Self::Need)),
                ("prompt", Rule(Self::Need)),
                ("public_path", Texts),
                ("realm", Text),
                ("recheck_s", Number),
                ("replay_cache_bytes", Number),
                ("resource", Text),
                ("resource_uri", Rule(Self::Need)),
                ("scopes_supported", Text),
                ("token_cache_bytes", Number),
                ("tool", Rule(Self::Need)),
                ("trust_headers", Flag),
                ("wildcard", Texts),
            ],
            Self::Key => &[("algorithm", Text), ("pem", Text), ("public_jwk", Text), ("reference", Text)],
            Self::Need => &[
                ("acr_values", Text),
                ("all", Text),
                ("any", Text),
                ("any_token", Flag),
                ("max_age_s", Number),
                ("nobody", Flag),
                ("or", Texts),
                ("public", Flag),
            ],
            Self::Preregistered => &[
                ("client_id", Text),
                ("issuer", Text),
                ("key", Shape::Settings(Self::Key)),
                ("method", Text),
                ("secret", Text),
            ],
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::AuthorizationServer => "authorization server",
            Self::Client => "client",
            Self::Enterprise => "enterprise",
            Self::Guard => "guard",
            Self::Key => "key",
            Self::Need => "need",
            Self::Preregistered => "pre-registered client",
        })
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flag => f.write_str("yes or no"),
            Self::Number => f.write_str("a number"),
            Self::Pair => f.write_str("a name and a value"),
            Self::Rule(kind) => write!(f, "a name and scopes, or a name and the settings of a {kind}"),
            Self::Settings(kind) => write!(f, "the settings of a {kind}"),
            Self::Text | Self::Texts => f.write_str("a text"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_stand_in_order_and_once() {
        for kind in Kind::ALL {
            assert!(kind.settings().is_sorted_by(|a, b| a.0 < b.0), "{kind}");
        }
    }

    #[test]
    fn an_unknown_name_and_a_wrong_shape_are_told() {
        let mut settings = Settings::new(Kind::Client);
        let unknown = settings.set("resuorce", Value::Flag(true)).unwrap_err();
        assert_eq!(unknown.to_string(), "there is no setting \"resuorce\" of a client");
        let shape = settings.set("resource", Value::Number(1)).unwrap_err();
        assert_eq!(shape.to_string(), "resource takes a text");
        let kind = Value::Settings("".into(), Settings::new(Kind::Need));
        let kind = settings.set("preregistered", kind).unwrap_err();
        assert_eq!(kind.to_string(), "preregistered takes the settings of a pre-registered client");
    }

    #[test]
    fn values_do_not_show() {
        let mut settings = Settings::new(Kind::Preregistered);
        settings.set("secret", Value::Text(Secret::from("planted"))).unwrap();
        assert!(!format!("{settings:?}").contains("planted"));
    }
}
