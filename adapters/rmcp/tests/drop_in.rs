//! rmcp's own client and server, with Grantor on both sides.

use std::sync::Arc;

use grantor::jose::{Algorithm, SigningKey};
use grantor_protected_server::{app, config};
use grantor_rmcp::driver::Browser;
use grantor_rmcp::{AuthorizedHttp, ClientMetadata, Config, Setup};
use grantor_world::Consent;
use grantor_world::net::Served;
use rmcp::ServiceExt as _;
use rmcp::model::CallToolRequestParams;
use rmcp::transport::StreamableHttpClientTransport;
use rmcp::transport::streamable_http_client::StreamableHttpClientTransportConfig;

async fn start() -> (Served, String) {
    let issuer = Served::start(Arc::new(|_, _| {}));
    issuer.world().server().signs =
        Some(SigningKey::generate(Algorithm::Es256, &[7; 32]).unwrap().with_kid("k"));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let resource = format!("http://{}/mcp", listener.local_addr().unwrap());
    let app = app(config(&resource, &issuer.issuer)).unwrap();
    tokio::spawn(async move { axum::serve(listener, app).await });
    (issuer, resource)
}

fn http(resource: &str) -> AuthorizedHttp {
    let agree = |url: &str| {
        let url = url.to_owned();
        std::thread::spawn(move || ureq::get(&url).call().map(drop));
        Ok(())
    };
    let config = Config::new(resource, ClientMetadata::named("rmcp")).unwrap();
    AuthorizedHttp::new(Setup::new(config).user_agent(Browser::open_with(agree))).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_changes_one_line() {
    let (issuer, resource) = start().await;
    let config = StreamableHttpClientTransportConfig::with_uri(&*resource);
    let transport = StreamableHttpClientTransport::with_client(http(&resource), config);
    let client = ().serve(transport).await.unwrap();
    assert_eq!(client.list_all_tools().await.unwrap().len(), 6);
    let issued = issuer.world().server().issued;
    // A step-up on the way, while others are under way.
    let calls = ["write_note", "list_notes", "read_note", "write_note", "list_notes", "read_note"]
        .map(|tool| client.call_tool(CallToolRequestParams::new(tool)));
    for (tool, done) in ["write_note", "list_notes"].iter().zip(futures_util::future::join_all(calls).await) {
        let text = format!("{:?}", done.unwrap());
        assert!(text.contains(&format!("{tool} done for planted-user")), "{text}");
    }
    assert!(issuer.world().server().issued > issued);
    assert!(client.call_tool(CallToolRequestParams::new("nothing")).await.is_err());
    client.cancel().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_who_declines_is_told_by_the_error() {
    let (issuer, resource) = start().await;
    issuer.world().server().consent = Consent::Deny;
    let config = StreamableHttpClientTransportConfig::with_uri(&*resource);
    let transport = StreamableHttpClientTransport::with_client(http(&resource), config);
    let error = ().serve(transport).await.unwrap_err();
    assert!(error.to_string().contains("access_denied") || error.to_string().contains("denied"), "{error}");
}
