//! A client in a process of its own: `client ADAPTER RESOURCE STORE [before|after N]`.
//!
//! For each line on its input it calls the MCP server once and prints the status, or why there is none.
//! At the point that it was told, it prints `stopped` and does nothing more.

use std::error::Error;
use std::io::{BufRead as _, Write as _};
use std::thread;

use grantor::client::Config;
use grantor::wire::client_metadata::ClientMetadata;
use grantor_adapters::open;
use grantor_driver::{Browser, Setup};
use grantor_durability::{Points, Side, Stopping, store};
use http::{HeaderMap, HeaderValue};

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [adapter, resource, place, rest @ ..] = arguments.as_slice() else {
        return Err("usage: client ADAPTER RESOURCE STORE [before|after N]".into());
    };
    let points = match rest {
        [side, n] if side == "before" => Points::stopping_at(n.parse()?, Side::Before),
        [_, n] => Points::stopping_at(n.parse()?, Side::After),
        _ => Points::default(),
    };
    let browser = Browser::open_with(|url| {
        let url = url.to_owned();
        thread::spawn(move || ureq::get(&url).call().map(drop));
        Ok(())
    });
    let config = Config::new(resource, ClientMetadata::named("Durability"))?;
    let store = store(place).inspect_err(|error| println!("{error}"))?;
    let setup =
        Setup::new(config).store(Stopping(store, points.clone())).user_agent(Stopping(browser, points));
    let client = open(adapter, setup)?;
    let mut headers = HeaderMap::new();
    headers.insert("mcp-method", HeaderValue::from_static("tools/call"));
    let body = r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"ping"}}"#;
    for line in std::io::stdin().lock().lines() {
        line?;
        match client.post(resource, &headers, body) {
            Ok(answer) => println!("{}", answer.status),
            Err(error) => println!("{error}"),
        }
        std::io::stdout().flush()?;
    }
    Ok(())
}
