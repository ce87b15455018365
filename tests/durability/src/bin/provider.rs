//! An authorization server on a store that others use, too: `provider DATA PORT ISSUER STORE`.

use std::error::Error;
use std::path::PathBuf;

use grantor_authorization_server::{UserFile, app, client, config};
use grantor_durability::store;
use tokio::net::TcpListener;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let [data, port, issuer, place] = std::env::args()
        .skip(1)
        .collect::<Vec<_>>()
        .try_into()
        .map_err(|_| "usage: provider DATA PORT ISSUER STORE")?;
    let (data, port): (PathBuf, u16) = (data.into(), port.parse()?);
    let client = client("app", None, &["http://127.0.0.1:1/callback".to_owned()]);
    let config = config(&issuer, "https://mcp.example.com/mcp", &data)?.client(client);
    let app = app(config, store(&place)?, UserFile::read(&data.join("users"))?)?;
    let listener = TcpListener::bind(("127.0.0.1", port)).await?;
    println!("listening");
    axum::serve(listener, app).await?;
    Ok(())
}
