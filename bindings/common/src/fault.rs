//! Errors by whose fault they are.

use grantor::error::{Error, PeerIncompatible, Refused};

use crate::names::{failure_name, snake, variant};

/// Who has to do something about an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Blame {
    /// Whoever configures: a setting is missing, or does not fit this server.
    Configuration,
    /// The host: an effect could not be performed.
    Host,
    /// Nobody that this version knows.
    Other,
    /// A server lacks what is needed.
    PeerIncompatible,
    /// A server broke a rule that protects somebody.
    PeerMisbehaved,
    /// A server said no.
    PeerRefused,
    /// The user said no, or did not say anything in time.
    User,
}

/// An error, sorted.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Fault<'a> {
    /// Whose it is.
    pub blame: Blame,
    /// What it is, by name: `no_registration`.
    pub kind: String,
    /// The code of RFC 6749 that a server refused with.
    pub code: Option<&'a str>,
}

impl<'a> Fault<'a> {
    /// Sorts an error.
    pub fn of(error: &'a Error) -> Self {
        let (blame, kind) = match error {
            Error::Effect(effect) => (Blame::Host, failure_name(effect.kind).to_owned()),
            Error::PeerIncompatible(inner) => {
                let blame = match inner {
                    PeerIncompatible::NoRegistration { .. }
                    | PeerIncompatible::RegisteredElsewhere { .. } => Blame::Configuration,
                    _ => Blame::PeerIncompatible,
                };
                (blame, snake(&variant(inner)))
            }
            Error::PeerMisbehaved(inner) => (Blame::PeerMisbehaved, snake(&variant(inner))),
            Error::Refused(inner) => {
                let blame = match inner {
                    Refused::Declined | Refused::DeviceCodeExpired => Blame::User,
                    Refused::Authorization { code, .. } if code.as_str() == "access_denied" => Blame::User,
                    Refused::Untrusted { .. } => Blame::Configuration,
                    _ => Blame::PeerRefused,
                };
                (blame, snake(&variant(inner)))
            }
            _ => (Blame::Other, "other".to_owned()),
        };
        let code = match error {
            Error::Refused(
                Refused::Authorization { code, .. }
                | Refused::Registration { code, .. }
                | Refused::Token { code, .. },
            ) => Some(code.as_str()),
            _ => None,
        };
        Self { blame, kind, code }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_has_to_act_is_blamed() {
        let declined = Error::from(Refused::Declined);
        let fault = Fault::of(&declined);
        assert_eq!((fault.blame, &*fault.kind, fault.code), (Blame::User, "declined", None));
        let expired = Error::from(Refused::DeviceCodeExpired);
        assert_eq!(Fault::of(&expired).kind, "device_code_expired");
    }
}
