//! The MCP server itself, on rmcp: tools and notes that remember nothing.

use std::sync::Arc;

use rmcp::ServerHandler;
use rmcp::model::{
    CallToolRequestParams, CallToolResponse, CallToolResult, ContentBlock, Implementation, JsonObject,
    ListResourcesResult, ListToolsResult, PaginatedRequestParams, ReadResourceRequestParams,
    ReadResourceResponse, ReadResourceResult, Resource, ResourceContents, ServerCapabilities, ServerConfig,
    Tool,
};
use rmcp::service::{RequestContext, RoleServer};
use rmcp::transport::streamable_http_server::session::never::NeverSessionManager;
use rmcp::transport::{StreamableHttpServerConfig, StreamableHttpService};

const TOOLS: [(&str, &str); 6] = [
    ("list_notes", "Lists the notes"),
    ("read_note", "Reads a note"),
    ("write_note", "Writes a note"),
    ("share_note", "Shows a note to somebody"),
    ("delete_note", "Throws a note away"),
    ("export_all", "Exports all notes"),
];

const NOTES: [(&str, &str); 2] = [("note://shopping", "Milk"), ("note://private/diary", "Dear diary")];

/// Answers at one endpoint, without sessions.
pub(crate) fn service() -> StreamableHttpService<Notes, NeverSessionManager> {
    let config =
        StreamableHttpServerConfig::default().with_legacy_session_mode(false).with_json_response(true);
    StreamableHttpService::new(|| Ok(Notes), Arc::default(), config)
}

/// Whoever gets here may do what they ask for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Notes;

impl ServerHandler for Notes {
    fn get_info(&self) -> ServerConfig {
        let capabilities = ServerCapabilities::builder().enable_tools().enable_resources().build();
        ServerConfig::new(capabilities)
            .with_server_info(Implementation::new("notes", env!("CARGO_PKG_VERSION")))
    }

    async fn list_tools(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, rmcp::ErrorData> {
        let schema: Arc<JsonObject> = Arc::new([("type".to_owned(), "object".into())].into_iter().collect());
        let tool = |(name, about)| Tool::new(name, about, Arc::clone(&schema));
        Ok(ListToolsResult::with_all_items(TOOLS.map(tool).into()))
    }

    async fn call_tool(
        &self,
        call: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, rmcp::ErrorData> {
        if !TOOLS.iter().any(|(tool, _)| *tool == call.name) {
            return Err(rmcp::ErrorData::invalid_params("there is no such tool", None));
        }
        // The layer put what the token grants into the HTTP request's extensions.
        let grant = grantor_rmcp::grant(&context.extensions);
        let user = grant.and_then(|grant| grant.subject.as_deref()).unwrap_or("nobody");
        let text = format!("{} done for {user}", call.name);
        Ok(CallToolResult::success(vec![ContentBlock::text(text)]).into())
    }

    async fn list_resources(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListResourcesResult, rmcp::ErrorData> {
        let resource = |(uri, _): (&str, &str)| Resource::new(uri, uri);
        Ok(ListResourcesResult::with_all_items(NOTES.map(resource).into()))
    }

    async fn read_resource(
        &self,
        request: ReadResourceRequestParams,
        _: RequestContext<RoleServer>,
    ) -> Result<ReadResourceResponse, rmcp::ErrorData> {
        let note = NOTES.iter().find(|(uri, _)| *uri == request.uri);
        let (uri, text) =
            note.ok_or_else(|| rmcp::ErrorData::resource_not_found("there is no such note", None))?;
        Ok(ReadResourceResult::new(vec![ResourceContents::text(*text, *uri)]).into())
    }
}
