//! The tools of a server.

use std::process::ExitCode;
use std::sync::Arc;

use grantor_ureq::{Browser, Store};
use http::HeaderMap;
use serde_json::{Map, Value, json};

use crate::arguments::Options;
use crate::client::{self, Client, PlainHttp};
use crate::endpoint::Endpoint;
use crate::mcp::Server;
use crate::terminal::{clean, print};
use crate::{Failure, servers, status};

/// Connects; the user is asked where the server demands it.
fn connect(options: &Options, server: &str) -> Result<(Server, Arc<dyn Store>, String), Failure> {
    let store = client::store(options)?;
    let config = client::config(options, server, PlainHttp::Refused)?;
    let resource = config.resource().to_string();
    let client = Client::open(options, Arc::clone(&store), config, Browser::default())?;
    Ok((Server::connect(Endpoint::new(client, server, HeaderMap::new()))?, store, resource))
}

/// Remembers a server that has led to a log-in.
fn remember(options: &Options, store: &dyn Store, resource: &str) -> Result<(), Failure> {
    match status::grant(store, resource, &options.account)? {
        Some(_) => servers::add(store, resource),
        None => Ok(()),
    }
}

pub(crate) fn list(options: &Options, server: &str, as_json: bool) -> Result<ExitCode, Failure> {
    let (mut server, store, resource) = connect(options, server)?;
    let tools = server.list("tools/list", "tools")?;
    remember(options, &*store, &resource)?;
    if as_json {
        print(&serde_json::to_string_pretty(&tools)?)?;
        return Ok(ExitCode::SUCCESS);
    }
    for tool in &tools {
        let text = |member: &str| tool[member].as_str().unwrap_or_default();
        let about = text("description").lines().next().unwrap_or_default();
        let name = format!("{}{}", text("name"), parameters(tool));
        print(&format!("{name}\n    {about}"))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// A tool's parameters; those in brackets may be left out.
fn parameters(tool: &Value) -> String {
    let schema = &tool["inputSchema"];
    let required: Vec<&str> =
        schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let Some(properties) = schema["properties"].as_object() else { return String::new() };
    let show = |(name, property): (&String, &Value)| {
        let kind = property["type"].as_str().unwrap_or("value");
        match required.contains(&name.as_str()) {
            true => format!(" {name}={kind}"),
            false => format!(" [{name}={kind}]"),
        }
    };
    properties.iter().map(show).collect()
}

pub(crate) fn call(
    options: &Options,
    server: &str,
    tool: &str,
    arguments: &[String],
    as_json: bool,
) -> Result<ExitCode, Failure> {
    let params = json!({ "name": tool, "arguments": read(arguments)? });
    let (mut server, store, resource) = connect(options, server)?;
    let result = server.request("tools/call", params)?;
    remember(options, &*store, &resource)?;
    let failed = result["isError"] == true;
    if as_json {
        print(&serde_json::to_string_pretty(&result)?)?;
    } else {
        for content in result["content"].as_array().into_iter().flatten() {
            let words = content["text"].as_str().map_or_else(|| content.to_string(), str::to_owned);
            match failed {
                true => eprintln!("{}", clean(&words)),
                false => print(&words)?,
            }
        }
    }
    Ok(if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// Arguments from `key=value`.
fn read(arguments: &[String]) -> Result<Map<String, Value>, Failure> {
    let mut read = Map::new();
    for argument in arguments {
        let Some((key, value)) = argument.split_once('=') else {
            return Err(format!("`{argument}` is no argument; write key=value").into());
        };
        let value = serde_json::from_str(value).unwrap_or_else(|_| Value::from(value));
        if read.insert(key.to_owned(), value).is_some() {
            return Err(format!("the argument `{key}` stands twice").into());
        }
    }
    Ok(read)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_are_json_or_text() {
        let given = ["a=1", "b=true", "c=text", "d=\"1\"", "e={\"x\":[1]}", "f=", "g=007", "h=a=b"];
        let read = read(&given.map(str::to_owned)).unwrap();
        let expected = json!({ "a": 1, "b": true, "c": "text", "d": "1", "e": { "x": [1] }, "f": "", "g": "007",
            "h": "a=b" });
        assert_eq!(Value::from(read), expected);
        assert!(super::read(&["a".to_owned()]).unwrap_err().to_string().contains("key=value"));
        assert!(super::read(&["a=1".to_owned(), "a=2".to_owned()]).is_err());
    }

    #[test]
    fn parameters_are_shown_with_their_types() {
        let tool = json!({ "inputSchema": { "properties": { "b": { "type": "string" }, "a": { "type": "integer" } },
            "required": ["b"] } });
        assert_eq!(parameters(&tool), " [a=integer] b=string");
        assert_eq!(parameters(&json!({})), "");
    }
}
