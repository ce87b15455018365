//! The grants other than the user's browser, against the demo's own servers.

use std::error::Error;
use std::sync::atomic::{AtomicU64, Ordering};

use grantor::client::{Config, Enterprise, Flow, Preregistered};
use grantor::{AssertionKind, AssertionRequest, Key};
use grantor_driver::{Assertion, Browser, Setup};
use grantor_world::AuthorizationServer;
use grantor_world::authorization_server::RegisteredClient;
use grantor_world::grants::signing_key;
use grantor_world::net::Served;

/// Their names for `--grant`.
pub(crate) const NAMES: [&str; 4] = ["client-credentials", "device", "enterprise", "workload"];

/// Prepares servers and client for a grant.
pub(crate) fn prepare(name: &str, servers: &Served, config: Config) -> Result<Setup, Box<dyn Error>> {
    let issuer = servers.issuer.clone();
    let mut world = servers.world();
    Ok(match name {
        "client-credentials" => {
            let registered = RegisteredClient {
                key: Some(signing_key().public().clone()),
                for_itself: true,
                ..RegisteredClient::default()
            };
            let server = world.server();
            server.auth_method = "private_key_jwt".into();
            server.clients.insert("demo".into(), registered);
            let client = Preregistered::new(&issuer, "demo").key(Key::local(signing_key()));
            Setup::new(config.flow(Flow::ClientCredentials).preregistered(client))
        }
        "device" => {
            let server = world.server();
            server.devices = true;
            server.offers.device_interval_s = 1;
            let shown = Browser::default().on_code(|prompt| {
                println!("    open {} and enter {}", prompt.verification_uri.as_str(), prompt.user_code);
            });
            Setup::new(config.flow(Flow::Device)).user_agent(shown)
        }
        "enterprise" => {
            world.server().clients.insert("demo".into(), RegisteredClient::default());
            world.server().offers.jag_client = "demo".into();
            let mut provider = AuthorizationServer::new(&servers.provider);
            provider.clients.insert("at-the-provider".into(), RegisteredClient::default());
            provider.offers.signed_on.insert("the-users-id-token".into());
            provider.offers.jag_client = "demo".into();
            world.add(provider);
            let at_provider = Preregistered::new(&servers.provider, "at-the-provider");
            let flow = Flow::Enterprise(Box::new(Enterprise::new(&servers.provider, at_provider)));
            Setup::new(config.flow(flow).preregistered(Preregistered::new(&issuer, "demo")))
                .assertions(|_: &AssertionRequest| Ok(Assertion::id_token("the-users-id-token")))
        }
        "workload" => {
            let server = world.server();
            server.clients.insert("demo".into(), RegisteredClient::default());
            server.offers.assertions = (0..10).map(|n| format!("the-platforms-jwt-{n}")).collect();
            let issued = AtomicU64::new(0);
            let platform = move |request: &AssertionRequest| match request.kind {
                AssertionKind::Workload => {
                    let n = issued.fetch_add(1, Ordering::Relaxed);
                    Ok(Assertion::workload(&format!("the-platforms-jwt-{n}")))
                }
                _ => Err("the platform knows no users".to_owned()),
            };
            Setup::new(config.flow(Flow::Workload).preregistered(Preregistered::new(&issuer, "demo")))
                .assertions(platform)
        }
        other => return Err(format!("no grant {other}; there are {}", NAMES.join(", ")).into()),
    })
}
