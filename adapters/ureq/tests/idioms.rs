//! What is particular to ureq.

use std::io::{Read as _, Write as _};
use std::sync::Arc;
use std::time::Duration;

use grantor_ureq::grantor::error::{EffectError, FailureKind};
use grantor_ureq::grantor::{self};
use grantor_ureq::{AuthorizedAgent, Browser, ClientMetadata, Config, Error, Setup};
use grantor_world::mcp_server::tool_call;
use grantor_world::net::Served;
use grantor_world::raw::{RawServer, response};
use http::Request;
use ureq::Agent;

fn setup(resource: &str) -> Setup {
    let config = Config::new(resource, ClientMetadata::named("ureq")).unwrap();
    Setup::new(config).user_agent(Browser::open_with(|url| {
        let url = url.to_owned();
        std::thread::spawn(move || ureq::get(&url).call().map(drop));
        Ok(())
    }))
}

fn served() -> Served {
    Served::start(Arc::new(|_, _| {}))
}

fn request(servers: &Served, tool: &str) -> Request<Vec<u8>> {
    Request::post(&servers.resource).body(tool_call(tool)).unwrap()
}

#[test]
fn requests_and_responses_are_ureqs_own() {
    let servers = served();
    let agent = AuthorizedAgent::new(setup(&servers.resource)).unwrap();
    let mut response: http::Response<ureq::Body> = agent.run(request(&servers, "write")).unwrap();
    assert!(response.body_mut().read_to_string().unwrap().contains("write done"));
    let text = Request::post(&servers.resource).body("{\"id\":1}").unwrap();
    assert_eq!(agent.run(text).unwrap().status(), 200);
}

#[test]
fn bodies_stream() {
    let (go, went) = std::sync::mpsc::channel::<()>();
    let went = std::sync::Mutex::new(went);
    let raw = RawServer::start(move |_, stream| {
        let head = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n";
        let _ = stream.write_all(format!("{head}data: 1\n\n").as_bytes());
        let _ = stream.flush();
        went.lock().unwrap().recv().unwrap(); // the rest comes when the client has seen the first part
        let _ = stream.write_all(b"data: 2\n\n");
    });
    let resource = format!("{}/mcp", raw.origin);
    let agent = AuthorizedAgent::new(setup(&resource)).unwrap();
    let mut response = agent.run(Request::get(&resource).body(()).unwrap()).unwrap();
    let mut reader = response.body_mut().as_reader();
    let mut first = [0; 9];
    reader.read_exact(&mut first).unwrap();
    assert_eq!(&first, b"data: 1\n\n");
    go.send(()).unwrap();
    let mut rest = String::new();
    reader.read_to_string(&mut rest).unwrap();
    assert_eq!(rest, "data: 2\n\n");
}

#[test]
fn statuses_are_errors_where_the_agent_says_so() {
    let raw = RawServer::start(|_, stream| {
        let _ = stream.write_all(response("404 Not Found", "text/plain", "no").as_bytes());
    });
    let resource = format!("{}/mcp", raw.origin);
    let get = || Request::get(&resource).body(()).unwrap();
    let usual = AuthorizedAgent::new(setup(&resource)).unwrap();
    assert!(matches!(usual.run(get()), Err(Error::Http(ureq::Error::StatusCode(404)))));
    let lenient = Agent::config_builder().http_status_as_error(false).build().new_agent();
    let lenient = AuthorizedAgent::with_agent(setup(&resource), lenient).unwrap();
    assert_eq!(lenient.run(get()).unwrap().status(), 404);
}

#[test]
fn redirects_of_the_resource_are_not_followed() {
    let raw = RawServer::start(|_, stream| {
        let head =
            "HTTP/1.1 302 Found\r\nLocation: /elsewhere\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
        let _ = stream.write_all(head.as_bytes());
    });
    let resource = format!("{}/mcp", raw.origin);
    let agent = AuthorizedAgent::new(setup(&resource)).unwrap();
    let response = agent.run(Request::get(&resource).body(()).unwrap()).unwrap();
    assert_eq!((response.status().as_u16(), raw.requests()), (302, 1));
}

#[test]
fn timeouts_of_the_callers_agent() {
    let servers = served();
    let slow = RawServer::start(|_, _| std::thread::sleep(Duration::from_secs(3)));
    servers.world().mcp.authorization_servers = vec![slow.origin.clone()];
    let agent = Agent::config_builder().timeout_global(Some(Duration::from_millis(300))).build().new_agent();
    let agent = AuthorizedAgent::with_agent(setup(&servers.resource), agent).unwrap();
    let error = agent.run(request(&servers, "ping")).unwrap_err();
    let Error::Authorization(report) = error else { panic!("{error}") };
    let grantor::Error::Effect(EffectError { kind, .. }) = report.error else { panic!("{report}") };
    assert_eq!(kind, FailureKind::TimedOut);
}

#[test]
fn accounts() {
    let servers = served();
    let agent = AuthorizedAgent::new(setup(&servers.resource)).unwrap();
    let (work, home) = (agent.account("work").unwrap(), agent.account("home").unwrap());
    for agent in [&work, &home, &work] {
        agent.run(request(&servers, "ping")).unwrap();
    }
    assert_eq!(servers.world().server().issued, 2);
}
