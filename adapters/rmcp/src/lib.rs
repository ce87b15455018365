//! MCP authorization for rmcp, the official Rust SDK.
//!
//! A client changes one line, the transport's:
//!
//! ```no_run
//! use grantor_rmcp::{AuthorizedHttp, ClientMetadata, Config};
//! use rmcp::ServiceExt as _;
//! use rmcp::transport::StreamableHttpClientTransport;
//! use rmcp::transport::streamable_http_client::StreamableHttpClientTransportConfig;
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let server = "https://mcp.example.com/mcp";
//! let http = AuthorizedHttp::new(Config::new(server, ClientMetadata::named("My client"))?)?;
//! let config = StreamableHttpClientTransportConfig::with_uri(server);
//! let client = ().serve(StreamableHttpClientTransport::with_client(http, config)).await?;
//! println!("{:?}", client.list_all_tools().await?);
//! # Ok(())
//! # }
//! ```
//!
//! A server puts `grantor-tower`'s layer around rmcp's service; its handlers get what the token grants by [`grant`].

#![deny(missing_docs)]

use std::borrow::Cow;
use std::collections::HashMap;
use std::io;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::StreamExt as _;
use futures_util::stream::BoxStream;
use grantor_reqwest::{AuthorizedClient, BuildError, Error};
use http::header::{ACCEPT, CONTENT_TYPE};
use http::{HeaderName, HeaderValue, StatusCode};
use reqwest::{RequestBuilder, Response};
use rmcp::model::{ClientJsonRpcMessage, Extensions, ServerJsonRpcMessage};
use rmcp::transport::streamable_http_client::{
    HttpStatusError, StreamableHttpClient, StreamableHttpError, StreamableHttpPostResponse,
};
use sse_stream::{Error as SseError, Sse, SseStream};

pub use grantor_reqwest::driver;
pub use grantor_reqwest::grantor::resource::Grant;
pub use grantor_reqwest::{ClientMetadata, Config, FileStore, Setup, grantor};

type Failure = StreamableHttpError<Error>;
type Events = BoxStream<'static, Result<Sse, SseError>>;

/// The largest message that is read.
const MESSAGE: usize = 16 * 1024 * 1024;

/// An HTTP client for rmcp's transport whose requests are authorized.
#[derive(Clone, Debug)]
pub struct AuthorizedHttp(AuthorizedClient);

impl AuthorizedHttp {
    /// One with reqwest's usual settings.
    ///
    /// # Errors
    /// When the configuration cannot work.
    pub fn new(setup: impl Into<Setup>) -> Result<Self, BuildError> {
        AuthorizedClient::new(setup).map(Self)
    }

    /// The client behind it: its session logs in and out.
    pub fn client(&self) -> &AuthorizedClient {
        &self.0
    }

    /// Sends a request with what rmcp adds to it.
    async fn send(
        &self,
        mut request: RequestBuilder,
        session: Option<Arc<str>>,
        headers: HashMap<HeaderName, HeaderValue>,
    ) -> Result<Response, Failure> {
        if let Some(session) = session {
            request = request.header("mcp-session-id", &*session);
        }
        for (name, value) in headers {
            request = request.header(name, value);
        }
        self.0.send(request).await.map_err(StreamableHttpError::Client)
    }
}

impl From<AuthorizedClient> for AuthorizedHttp {
    fn from(client: AuthorizedClient) -> Self {
        Self(client)
    }
}

impl StreamableHttpClient for AuthorizedHttp {
    type Error = Error;

    async fn post_message(
        &self,
        uri: Arc<str>,
        message: ClientJsonRpcMessage,
        session_id: Option<Arc<str>>,
        _: Option<String>,
        custom_headers: HashMap<HeaderName, HeaderValue>,
    ) -> Result<StreamableHttpPostResponse, Failure> {
        let has_session = session_id.is_some();
        let request = self.0.http().post(&*uri).header(ACCEPT, "application/json, text/event-stream");
        let request = request.header(CONTENT_TYPE, "application/json").body(serde_json::to_vec(&message)?);
        let response = self.send(request, session_id, custom_headers).await?;
        let status = response.status();
        if matches!(status, StatusCode::ACCEPTED | StatusCode::NO_CONTENT) {
            return Ok(StreamableHttpPostResponse::Accepted);
        }
        if status == StatusCode::NOT_FOUND && has_session {
            return Err(StreamableHttpError::SessionExpired);
        }
        let session = response.headers().get("mcp-session-id").and_then(|value| value.to_str().ok());
        let session = session.map(str::to_owned);
        if is_stream(&response) && status.is_success() {
            return Ok(StreamableHttpPostResponse::Sse(events(response), session));
        }
        let awaits = matches!(message, ClientJsonRpcMessage::Request(_));
        let body = whole(response).await?;
        match serde_json::from_slice::<ServerJsonRpcMessage>(&body) {
            Ok(answer) => Ok(StreamableHttpPostResponse::Json(answer, session)),
            Err(_) if status.is_success() && !awaits => Ok(StreamableHttpPostResponse::Accepted),
            Err(error) if status.is_success() => Err(error.into()),
            Err(_) => Err(HttpStatusError::new(status.as_u16(), None).into()),
        }
    }

    async fn delete_session(
        &self,
        uri: Arc<str>,
        session_id: Arc<str>,
        _: Option<String>,
        custom_headers: HashMap<HeaderName, HeaderValue>,
    ) -> Result<(), Failure> {
        let response = self.send(self.0.http().delete(&*uri), Some(session_id), custom_headers).await?;
        match response.status() {
            StatusCode::METHOD_NOT_ALLOWED => Ok(()), // not every server lets clients end a session
            status if status.is_success() => Ok(()),
            status => Err(HttpStatusError::new(status.as_u16(), None).into()),
        }
    }

    async fn get_stream(
        &self,
        uri: Arc<str>,
        session_id: Option<Arc<str>>,
        last_event_id: Option<String>,
        _: Option<String>,
        custom_headers: HashMap<HeaderName, HeaderValue>,
    ) -> Result<Events, Failure> {
        let mut request = self.0.http().get(&*uri).header(ACCEPT, "text/event-stream");
        if let Some(id) = last_event_id {
            request = request.header("last-event-id", id);
        }
        let response = self.send(request, session_id, custom_headers).await?;
        match response.status() {
            StatusCode::METHOD_NOT_ALLOWED => Err(StreamableHttpError::ServerDoesNotSupportSse),
            status if !status.is_success() => Err(HttpStatusError::new(status.as_u16(), None).into()),
            _ if !is_stream(&response) => {
                let words = Cow::Borrowed("the answer to GET is no stream of events");
                Err(StreamableHttpError::UnexpectedServerResponse(words))
            }
            _ => Ok(events(response)),
        }
    }
}

fn is_stream(response: &Response) -> bool {
    let kind = response.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    kind.is_some_and(|kind| kind.to_ascii_lowercase().starts_with("text/event-stream"))
}

/// The events of a response; an event that is too large ends them.
fn events(response: Response) -> Events {
    let mut since = 0;
    let bounded = response.bytes_stream().map(move |part| {
        let part: Bytes = part.map_err(io::Error::other)?;
        let end = part.windows(2).rposition(|pair| pair == b"\n\n" || pair == b"\n\r");
        since = end.map_or(since + part.len(), |end| part.len() - end);
        if since > MESSAGE { Err(io::Error::other("an event is larger than 16 MiB")) } else { Ok(part) }
    });
    SseStream::from_bytes_stream(bounded).boxed()
}

/// The whole body.
async fn whole(mut response: Response) -> Result<Vec<u8>, Failure> {
    let mut body = Vec::new();
    while let Some(part) =
        response.chunk().await.map_err(|error| StreamableHttpError::Client(Error::Http(error)))?
    {
        if body.len() + part.len() > MESSAGE {
            return Err(StreamableHttpError::ResponseBodyTooLarge { max_size: MESSAGE });
        }
        body.extend_from_slice(&part);
    }
    Ok(body)
}

/// What the token of a request grants, in a handler of rmcp behind `grantor-tower`'s layer: hand in
/// `context.extensions` of its `RequestContext`.
pub fn grant(extensions: &Extensions) -> Option<&Arc<Grant>> {
    extensions.get::<http::request::Parts>()?.extensions.get()
}
