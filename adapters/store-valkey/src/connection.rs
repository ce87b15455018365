//! How the server is connected to.

use std::net::IpAddr;
use std::time::Duration;

use grantor_driver::store::StoreError;
#[cfg(feature = "rustls")]
use redis::TlsCertificates;
use redis::aio::{ConnectionManager, ConnectionManagerConfig};
use redis::{Client, ConnectionAddr, ConnectionInfo, IntoConnectionInfo as _, RedisError, RedisResult};

/// So long one attempt may take to connect.
const CONNECTING: Duration = Duration::from_secs(3);
/// So long one may wait for an answer.
const ANSWER: Duration = Duration::from_secs(5);

/// How a server on another machine is spoken to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Elsewhere {
    ByTls,
    InTheClear,
}

pub(crate) fn client(to: &str, elsewhere: Elsewhere) -> Result<Client, StoreError> {
    let info: ConnectionInfo = to.into_connection_info().map_err(|_| {
        StoreError::new("the place of the server is no URL of `valkey:`, `valkeys:` or `valkey+unix:`")
    })?;
    if elsewhere == Elsewhere::ByTls && leaves_in_the_clear(info.addr()) {
        return Err(StoreError::new(
            "the Valkey server is on another machine, and the URL says not to use TLS: begin it with `valkeys:`, or use \
             `connect_unencrypted` where nobody else is on the network",
        ));
    }
    #[cfg(feature = "rustls")]
    if rustls::crypto::CryptoProvider::get_default().is_none() {
        // The client takes the process's, and panics where there are several to choose from.
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    }
    Client::open(info).map_err(unusable)
}

/// The same with TLS by certificates of this authority alone, in PEM.
#[cfg(feature = "rustls")]
pub(crate) fn client_trusting(to: &str, authority: &str) -> Result<Client, StoreError> {
    let client = client(to, Elsewhere::ByTls)?;
    let info = client.get_connection_info().clone();
    if !matches!(info.addr(), ConnectionAddr::TcpTls { .. }) {
        return Err(StoreError::new(
            "the URL says not to use TLS, for which an authority is given: begin it with `valkeys:`",
        ));
    }
    let trusted = TlsCertificates { client_tls: None, root_cert: Some(authority.as_bytes().to_vec()) };
    Client::build_with_tls(info, trusted).map_err(unusable)
}

fn unusable(error: RedisError) -> StoreError {
    StoreError::new(format_args!("the Valkey server cannot be used: {}", error.category()))
}

fn leaves_in_the_clear(address: &ConnectionAddr) -> bool {
    match address {
        ConnectionAddr::Tcp(host, _) => {
            let host = host.trim_start_matches('[').trim_end_matches(']');
            host != "localhost" && !host.parse().is_ok_and(|ip: IpAddr| ip.is_loopback())
        }
        // By a socket of this machine, or by TLS.
        _ => false,
    }
}

/// A connection that is made anew when it ends. Repeating is the caller's.
pub(crate) async fn manager(client: Client) -> RedisResult<ConnectionManager> {
    let config = ConnectionManagerConfig::new()
        .set_connection_timeout(Some(CONNECTING))
        .set_response_timeout(Some(ANSWER))
        .set_number_of_retries(0);
    ConnectionManager::new_with_config(client, config).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_leaves_the_machine_goes_by_tls_unless_said_otherwise() {
        let refused = |to: &str| client(to, Elsewhere::ByTls).map(drop).map_err(|error| error.to_string());
        for here in [
            "valkey://localhost",
            "redis://127.0.0.1:7000/2",
            "valkey://[::1]",
            "valkey+unix:///run/valkey.sock",
        ] {
            assert_eq!(refused(here), Ok(()), "{here}");
        }
        for elsewhere in ["valkey://valkey.example.com", "redis://10.0.0.1", "valkey://localhost.example.com"]
        {
            assert!(refused(elsewhere).unwrap_err().contains("says not to use TLS"), "{elsewhere}");
            assert!(client(elsewhere, Elsewhere::InTheClear).is_ok(), "{elsewhere}");
        }
        #[cfg(feature = "rustls")]
        {
            assert_eq!(refused("valkeys://valkey.example.com"), Ok(()));
            let error = client_trusting("valkey://localhost", "").unwrap_err().to_string();
            assert!(error.contains("begin it with `valkeys:`"), "{error}");
        }
    }

    #[test]
    fn errors_do_not_tell_the_password() {
        for to in
            ["http://u:planted@h", "valkey://u:planted@h:planted", "valkey://u:planted@valkey.example.com/0"]
        {
            let error = client(to, Elsewhere::ByTls).unwrap_err().to_string();
            assert!(!error.contains("planted"), "{error}");
        }
    }
}
