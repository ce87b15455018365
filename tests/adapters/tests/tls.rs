//! TLS: each stack's own, with a root that it was given, and without.

use std::sync::Arc;
use std::thread;

use grantor::Error;
use grantor::client::Config;
use grantor::error::{EffectError, Exchange, FailureKind, Work};
use grantor::wire::client_metadata::ClientMetadata;
use grantor_adapters::support::call;
use grantor_adapters::{ADAPTERS, Failed, open, open_trusting, trusting_agent};
use grantor_driver::{Browser, Setup};
use grantor_world::net::Served;
use grantor_world::tls::Authority;

fn served(mcp: Option<&Authority>, authorization: Option<&Authority>) -> Served {
    Served::secured(Arc::new(|_, _| {}), mcp, authorization)
}

/// With a user whose browser trusts the authority.
fn setup(servers: &Served, authority: &Authority) -> Setup {
    let config = Config::new(&servers.resource, ClientMetadata::named("TLS")).unwrap();
    let agent = trusting_agent(&authority.pem()).unwrap();
    Setup::new(config).user_agent(Browser::open_with(move |url| {
        let (agent, url) = (agent.clone(), url.to_owned());
        thread::spawn(move || agent.get(&url).call().map(drop));
        Ok(())
    }))
}

#[test]
fn servers_with_a_trusted_certificate() {
    let authority = Authority::new();
    for name in ADAPTERS {
        let servers = served(Some(&authority), Some(&authority));
        assert!(servers.resource.starts_with("https://") && servers.issuer.starts_with("https://"));
        let client = open_trusting(name, setup(&servers, &authority), &authority.pem()).unwrap();
        assert_eq!(call(&*client, &servers.resource, "ping").unwrap(), 200, "{name}");
        servers.world().server().expire_access_tokens();
        assert_eq!(call(&*client, &servers.resource, "ping").unwrap(), 200, "{name}");
    }
}

#[test]
fn a_resource_that_is_not_trusted_sees_no_request() {
    let (authority, other) = (Authority::new(), Authority::new());
    for name in ADAPTERS {
        let servers = served(Some(&other), None);
        let by_itself = open(name, setup(&servers, &authority)).unwrap();
        let trusting = open_trusting(name, setup(&servers, &authority), &authority.pem()).unwrap();
        for client in [by_itself, trusting] {
            let error = call(&*client, &servers.resource, "ping").unwrap_err();
            assert!(matches!(error, Failed::Other(_)), "{name}: {error}");
        }
        assert!(servers.world().asked.is_empty(), "{name}");
    }
}

#[test]
fn an_authorization_server_that_is_not_trusted_sees_no_request() {
    let (authority, other) = (Authority::new(), Authority::new());
    for name in ADAPTERS {
        let servers = served(None, Some(&other));
        let by_itself = open(name, setup(&servers, &authority)).unwrap();
        let trusting = open_trusting(name, setup(&servers, &authority), &authority.pem()).unwrap();
        for client in [by_itself, trusting] {
            let error = call(&*client, &servers.resource, "ping").unwrap_err();
            let Failed::Authorization(Error::Effect(EffectError { what, kind, .. })) = error else {
                panic!("{name}: {error}")
            };
            assert_eq!(what, Work::Exchange(Exchange::ServerMetadata), "{name}");
            assert_eq!(kind, FailureKind::Unreachable, "{name}");
        }
        let asked = std::mem::take(&mut servers.world().asked);
        let origin = servers.resource.trim_end_matches("/mcp");
        assert!(asked.iter().all(|asked| asked.contains(origin)), "{name}: {asked:?}");
    }
}
