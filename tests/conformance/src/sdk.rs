//! The same by rmcp, the official SDK, with Grantor's HTTP client in its transport.

use std::error::Error;

use grantor::Revision;
use grantor_driver::Setup;
use grantor_rmcp::AuthorizedHttp;
use rmcp::model::{CallToolRequestParams, ClientConfig, ProtocolVersion};
use rmcp::service::{ClientLifecycleMode, ClientServiceExt as _};
use rmcp::transport::StreamableHttpClientTransport;
use rmcp::transport::streamable_http_client::StreamableHttpClientTransportConfig;
use serde_json::Value;

pub(crate) fn use_tools(
    setup: Setup,
    url: &str,
    revision: Revision,
    context: &Value,
) -> Result<(), Box<dyn Error>> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    runtime.block_on(run(setup, url, revision, context))
}

async fn run(setup: Setup, url: &str, revision: Revision, context: &Value) -> Result<(), Box<dyn Error>> {
    let config = StreamableHttpClientTransportConfig::with_uri(url);
    let transport = StreamableHttpClientTransport::with_client(AuthorizedHttp::new(setup)?, config);
    let version: ProtocolVersion = serde_json::from_value(revision.name().into())?;
    let handler = ClientConfig::default().with_protocol_version(version.clone());
    let lifecycle = match revision >= Revision::V2026_07_28 {
        true => ClientLifecycleMode::Discover { preferred_versions: vec![version] },
        false => ClientLifecycleMode::Initialize,
    };
    let client = handler.serve_with_lifecycle(transport, lifecycle).await?;
    let listed = client.list_all_tools().await?;
    let named = context["toolCalls"].as_array().cloned().unwrap_or_default();
    if let Some(first) = listed.into_iter().next().filter(|_| named.is_empty()) {
        client.call_tool(CallToolRequestParams::new(first.name)).await?;
    }
    for call in named {
        let name = call["name"].as_str().unwrap_or_default().to_owned();
        let mut params = CallToolRequestParams::new(name);
        params.arguments = call["arguments"].as_object().cloned();
        client.call_tool(params).await?;
    }
    client.cancel().await?;
    Ok(())
}
