//! Peers that would keep a client busy for ever, over real sockets.

use std::sync::Arc;

use grantor_adapters::support::{call, setup};
use grantor_adapters::{ADAPTERS, Adapter, open};
use grantor_world::net::Served;

fn client(name: &str, servers: &Served) -> Box<dyn Adapter> {
    open(name, setup(&servers.resource)).unwrap()
}

fn count(servers: &Served, path: &str) -> usize {
    servers
        .world()
        .asked
        .iter()
        .filter(|asked| asked.split('?').next().unwrap_or_default().ends_with(path))
        .count()
}

#[test]
fn a_secret_that_has_expired_when_it_is_issued() {
    for name in ADAPTERS {
        let servers = Served::start(Arc::new(|_, _| {}));
        servers.world().server().auth_method = "client_secret_post".into();
        servers.world().server().secret_expires_at = 1;
        let client = client(name, &servers);
        for _ in 0..3 {
            assert_eq!(call(&*client, &servers.resource, "ping").unwrap(), 200, "{name}");
        }
        assert_eq!((count(&servers, "/register"), count(&servers, "/authorize")), (1, 1), "{name}");
    }
}

#[test]
fn refreshed_tokens_that_expire_at_once() {
    for name in ADAPTERS {
        let servers = Served::start(Arc::new(|_, _| {}));
        servers.world().server().expires_in = Some(0);
        let client = client(name, &servers);
        for calls in 1..=4 {
            assert_eq!(call(&*client, &servers.resource, "ping").unwrap(), 200, "{name}");
            assert!(count(&servers, "/token") <= calls, "{name}: one token for each call");
        }
        servers.world().server().expires_in = None;
        assert_eq!(call(&*client, &servers.resource, "ping").unwrap(), 200, "{name}");
        let tokens = count(&servers, "/token");
        assert_eq!(call(&*client, &servers.resource, "ping").unwrap(), 200, "{name}");
        assert_eq!((count(&servers, "/token"), count(&servers, "/authorize")), (tokens, 1), "{name}");
    }
}

#[test]
fn a_resource_that_rejects_whatever_was_issued() {
    for name in ADAPTERS {
        let servers = Served::start(Arc::new(|_, _| {}));
        servers.world().server().expires_in = Some(0);
        servers.world().mcp.rejects_all = true;
        let client = client(name, &servers);
        for _ in 0..3 {
            let failed = call(&*client, &servers.resource, "ping").unwrap_err();
            assert!(failed.to_string().contains("rejects"), "{name}: {failed}");
        }
        assert!(count(&servers, "/authorize") <= 1, "{name}");
        assert!(count(&servers, "/token") <= 6, "{name}: {}", count(&servers, "/token"));
    }
}
