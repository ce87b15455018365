//! The same cold flow through rmcp's own client authorization, with the same answers from memory.

use std::sync::Arc;

use futures_lite::future::block_on;
use rmcp::transport::auth::{
    AuthorizationManager, AuthorizationRequest, OAuthHttpClient, OAuthHttpClientFuture, OAuthHttpRequest,
    OAuthState,
};

const RESOURCE: &str = "https://mcp.example.com/mcp";
const REDIRECT_URI: &str = "http://127.0.0.1:49152/callback";
const CHALLENGE: &str = "Bearer resource_metadata=\"https://mcp.example.com/.well-known/oauth-protected-resource/mcp\", \
                         scope=\"mcp:use\"";

/// What the peers answer, by path.
const ANSWERS: [(&str, u16, &str); 4] = [
    (
        "/.well-known/oauth-protected-resource/mcp",
        200,
        r#"{"authorization_servers":["https://as.example.com"],"bearer_methods_supported":["header"],"resource":"https://mcp.example.com/mcp","scopes_supported":["mcp:use"]}"#,
    ),
    (
        "/.well-known/oauth-authorization-server",
        200,
        r#"{"authorization_endpoint":"https://as.example.com/authorize","authorization_response_iss_parameter_supported":true,"code_challenge_methods_supported":["S256"],"grant_types_supported":["authorization_code","refresh_token"],"issuer":"https://as.example.com","registration_endpoint":"https://as.example.com/register","response_types_supported":["code"],"token_endpoint":"https://as.example.com/token","token_endpoint_auth_methods_supported":["none","client_secret_basic","client_secret_post"]}"#,
    ),
    (
        "/register",
        201,
        r#"{"application_type":"native","client_id":"client-1-of-as.example.com","client_name":"Player","grant_types":["authorization_code","refresh_token"],"redirect_uris":["http://127.0.0.1:49152/callback"],"response_types":["code"],"token_endpoint_auth_method":"none"}"#,
    ),
    (
        "/token",
        200,
        r#"{"access_token":"planted-access-4-of-as.example.com","expires_in":3600,"refresh_token":"planted-refresh-4-of-as.example.com","scope":"mcp:use","token_type":"Bearer"}"#,
    ),
];

/// Answers from memory.
struct Memory;

impl OAuthHttpClient for Memory {
    fn execute(&self, request: OAuthHttpRequest) -> OAuthHttpClientFuture<'_> {
        let path = request.request.uri().path();
        let found = ANSWERS.iter().find(|(known, ..)| *known == path);
        let (status, body) = found.map_or((404, ""), |(_, status, body)| (*status, *body));
        let response = http::Response::builder()
            .status(status)
            .header("content-type", "application/json")
            .body(body.as_bytes().to_vec());
        Box::pin(std::future::ready(response.map_err(Into::into)))
    }
}

/// A client of rmcp that has its token.
pub struct RmcpFlow {
    manager: AuthorizationManager,
}

impl std::fmt::Debug for RmcpFlow {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("RmcpFlow")
    }
}

impl RmcpFlow {
    /// The flow from the challenge to the token. Nothing of it is stored.
    ///
    /// # Panics
    /// When the flow does not succeed.
    pub fn play() -> Self {
        block_on(async {
            let mut state =
                OAuthState::new_with_oauth_http_client(RESOURCE, Arc::new(Memory)).await.expect("a URL");
            let request =
                AuthorizationRequest::new(REDIRECT_URI).with_client_name("Player").with_challenge(CHALLENGE);
            state.start_authorization(request).await.expect("a page to show");
            let page = state.get_authorization_url().await.expect("a page to show");
            let (_, rest) = page.split_once("state=").expect("a state");
            let value = rest.split('&').next().unwrap_or_default();
            let back = format!("{REDIRECT_URI}?code=code&state={value}&iss=https%3A%2F%2Fas.example.com");
            state.handle_callback_url(&back).await.expect("a token");
            Self { manager: state.into_authorization_manager().expect("it has authorized") }
        })
    }

    /// The token for a call.
    ///
    /// # Panics
    /// When there is none.
    pub fn access_token(&self) -> String {
        block_on(self.manager.get_access_token()).expect("a token")
    }
}
