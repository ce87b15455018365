//! What only some providers need.

use super::error::ConfigError;
use super::known_server::KnownServer;
use crate::scope::ScopeSet;
use crate::wire::client_auth::ClientAuthMethod;
use crate::wire::parameters::Parameters;
use crate::wire::server_metadata::Issuer;

/// Kept apart, since most configurations have none of it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Provider {
    pub(crate) authorization_parameters: Parameters,
    pub(crate) token_parameters: Parameters,
    pub(crate) server: Option<KnownServer>,
    /// Servers whose metadata names them in another way than resources do.
    pub(super) issuers: Vec<Named>,
    pub(crate) resource_identifier: Option<Box<str>>,
    pub(crate) registration_scopes: ScopeSet,
    pub(crate) registration_methods: Vec<ClientAuthMethod>,
}

/// A server by its two names.
#[derive(Clone, Debug)]
pub(super) struct Named {
    /// As resources and the configuration name it.
    pub(super) named: Issuer,
    /// As its metadata names it.
    pub(super) own: Issuer,
}

impl Provider {
    pub(super) const NONE: Self = Self {
        authorization_parameters: Parameters::new(),
        token_parameters: Parameters::new(),
        server: None,
        issuers: Vec::new(),
        resource_identifier: None,
        registration_scopes: ScopeSet::new(),
        registration_methods: Vec::new(),
    };

    /// What a device authorization request carries: it asks for an authorization, at the back channel.
    pub(crate) fn device_parameters(&self) -> Parameters {
        self.token_parameters.clone().replaced_by(&self.authorization_parameters)
    }

    pub(super) fn set_registration_methods(
        &mut self,
        methods: &[ClientAuthMethod],
    ) -> Result<(), ConfigError> {
        let registers = |method: &ClientAuthMethod| ClientAuthMethod::WITHOUT_KEY.contains(method);
        if methods.is_empty() || !methods.iter().all(registers) {
            return Err(ConfigError::RegistrationMethods);
        }
        self.registration_methods = methods.to_vec();
        Ok(())
    }
}
