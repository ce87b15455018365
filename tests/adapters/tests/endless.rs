//! Peers that would keep a client busy for ever, over real sockets.

use std::sync::Arc;
use std::thread;

use grantor::client::Config;
use grantor::wire::client_metadata::ClientMetadata;
use grantor_adapters::{ADAPTERS, Adapter, Failed, open};
use grantor_driver::{Browser, Setup};
use grantor_world::mcp_server::tool_call;
use grantor_world::net::Served;
use http::{HeaderMap, HeaderValue};

fn client(name: &str, servers: &Served) -> Box<dyn Adapter> {
    let browser = Browser::open_with(|url| {
        let url = url.to_owned();
        thread::spawn(move || ureq::get(&url).call().map(drop));
        Ok(())
    });
    let config = Config::new(&servers.resource, ClientMetadata::named("Adapters")).unwrap();
    open(name, Setup::new(config).user_agent(browser)).unwrap()
}

fn call(client: &dyn Adapter, servers: &Served) -> Result<u16, Failed> {
    let mut headers = HeaderMap::new();
    headers.insert("mcp-method", HeaderValue::from_static("tools/call"));
    headers.insert("mcp-name", HeaderValue::from_static("ping"));
    let body = String::from_utf8(tool_call("ping")).unwrap();
    client.post(&servers.resource, &headers, &body).map(|answer| answer.status)
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
            assert_eq!(call(&*client, &servers).unwrap(), 200, "{name}");
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
            assert_eq!(call(&*client, &servers).unwrap(), 200, "{name}");
            assert!(count(&servers, "/token") <= calls, "{name}: one token for each call");
        }
        servers.world().server().expires_in = None;
        assert_eq!(call(&*client, &servers).unwrap(), 200, "{name}");
        let tokens = count(&servers, "/token");
        assert_eq!(call(&*client, &servers).unwrap(), 200, "{name}");
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
            let failed = call(&*client, &servers).unwrap_err();
            assert!(failed.to_string().contains("rejects"), "{name}: {failed}");
        }
        assert!(count(&servers, "/authorize") <= 1, "{name}");
        assert!(count(&servers, "/token") <= 6, "{name}: {}", count(&servers, "/token"));
    }
}
