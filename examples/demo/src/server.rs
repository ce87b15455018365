//! The MCP server: the example `protected_server` with its Guard, on a free port.

use std::error::Error;
use std::sync::Arc;

use axum::extract::Request;
use axum::middleware::{self, Next};
use grantor_protected_server::{config, server};
use grantor_tower::GuardLayer;
use tokio::net::TcpListener;
use tokio::runtime::{Builder, Runtime};

use crate::trace::Trace;

/// Ends when it is dropped.
pub(crate) struct McpServer {
    /// The URL of its endpoint.
    pub(crate) resource: String,
    _runtime: Runtime,
}

impl McpServer {
    /// Accepts this issuer's tokens, and tells the trace who asked what.
    pub(crate) fn start(issuer: &str, trace: &Arc<Trace>) -> Result<Self, Box<dyn Error>> {
        let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0"))?;
        let resource = format!("http://{}/mcp", listener.local_addr()?);
        let mut config = config(&resource, issuer);
        config.leeway_s = 0; // one clock for all, and tokens that live for seconds
        let trace = Arc::clone(trace);
        let watch = middleware::from_fn(move |request: Request, next: Next| {
            let trace = Arc::clone(&trace);
            async move {
                let (method, path) = (request.method().clone(), request.uri().path().to_owned());
                let headers = request.headers().clone();
                let answer = next.run(request).await;
                trace.server(&method, &path, &headers, answer.status());
                answer
            }
        });
        let app = server().layer(GuardLayer::new(config)?).layer(watch);
        runtime.spawn(async move { axum::serve(listener, app).await });
        Ok(Self { resource, _runtime: runtime })
    }
}
