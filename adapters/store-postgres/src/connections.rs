//! How the database is connected to.

use std::time::Duration;

use deadpool_postgres::{Hook, HookError, Manager, ManagerConfig, Pool, RecyclingMethod, Runtime};
use grantor_driver::store::StoreError;
#[cfg(feature = "rustls")]
use rustls::ClientConfig;
use tokio_postgres::config::{Host, SslMode};
use tokio_postgres::tls::{MakeTlsConnect, TlsConnect};
use tokio_postgres::{Config, NoTls, Socket};

/// So many connections at most: as many commits share a flush of the server's.
const CONNECTIONS: usize = 16;
/// So long one attempt may wait for a connection, or make one.
const PATIENCE: Duration = Duration::from_secs(5);

/// What each session begins with: a commit is durable, one statement sees what those before it did, and none goes on
/// when nobody waits any more.
const SESSION: &str = "
    SET default_transaction_isolation = 'read committed';
    SET statement_timeout = '10s';
    SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off'";

/// Reads where the database is, and decides about TLS where that is open: it is a must on the way to another machine,
/// and `here` on this one.
pub(crate) fn config(to: &str, here: SslMode) -> Result<Config, StoreError> {
    let mut config: Config = to.parse().map_err(|_| {
        StoreError::new("the place of the database is no URL of postgres, and not in libpq's words either")
    })?;
    if config.get_ssl_mode() == SslMode::Prefer {
        let mode = match is_here(&config) {
            true if has_sockets(&config) => SslMode::Disable, // which know no TLS
            true => here,
            false => SslMode::Require,
        };
        config.ssl_mode(mode);
    }
    if config.get_connect_timeout().is_none() {
        config.connect_timeout(PATIENCE);
    }
    if config.get_tcp_user_timeout().is_none() {
        config.tcp_user_timeout(PATIENCE);
    }
    if config.get_application_name().is_none() {
        config.application_name("grantor");
    }
    Ok(config)
}

/// Whether all that is sent stays on this machine.
fn is_here(config: &Config) -> bool {
    let named = config.get_hosts().iter().all(|host| match host {
        Host::Tcp(name) => name.parse().map_or(name == "localhost", |ip: std::net::IpAddr| ip.is_loopback()),
        #[cfg(unix)]
        Host::Unix(_) => true,
    });
    let addressed = config.get_hostaddrs();
    if addressed.is_empty() { named } else { addressed.iter().all(std::net::IpAddr::is_loopback) }
}

fn has_sockets(config: &Config) -> bool {
    !config.get_hosts().iter().all(|host| matches!(host, Host::Tcp(_)))
}

/// Connections with the TLS that the configuration asks for, by what the system trusts.
pub(crate) fn pool(config: Config) -> Result<Pool, StoreError> {
    if config.get_ssl_mode() == SslMode::Disable {
        return build(config, NoTls);
    }
    #[cfg(feature = "rustls")]
    {
        use rustls_platform_verifier::BuilderVerifierExt as _;

        let failed = |error: rustls::Error| StoreError::new(format_args!("no TLS: {error}"));
        let provider = std::sync::Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let tls = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .and_then(rustls::ConfigBuilder::with_platform_verifier)
            .map_err(failed)?
            .with_no_client_auth();
        pool_with_tls(config, tls)
    }
    #[cfg(not(feature = "rustls"))]
    Err(StoreError::new(
        "the database is on another machine, and this program has no TLS for it: build `grantor-postgres` with its \
         feature `rustls`, or say `sslmode=disable` where nobody else is on the network",
    ))
}

#[cfg(feature = "rustls")]
pub(crate) fn pool_with_tls(config: Config, tls: ClientConfig) -> Result<Pool, StoreError> {
    build(config, tokio_postgres_rustls::MakeRustlsConnect::new(tls))
}

fn build<T>(config: Config, tls: T) -> Result<Pool, StoreError>
where
    T: MakeTlsConnect<Socket, Stream: Send + Sync, TlsConnect: Send + Sync> + Clone + Send + Sync + 'static,
    <T::TlsConnect as TlsConnect<Socket>>::Future: Send,
{
    let manager =
        Manager::from_config(config, tls, ManagerConfig { recycling_method: RecyclingMethod::Fast });
    let begin = Hook::async_fn(|client: &mut deadpool_postgres::ClientWrapper, _| {
        Box::pin(async move { client.batch_execute(SESSION).await.map_err(HookError::Backend) })
    });
    Pool::builder(manager)
        .max_size(CONNECTIONS)
        .runtime(Runtime::Tokio1)
        .wait_timeout(Some(PATIENCE))
        .create_timeout(Some(PATIENCE))
        .post_create(begin)
        .build()
        .map_err(StoreError::new)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_leaves_the_machine_goes_by_tls_alone() {
        let mode = |to: &str| config(to, SslMode::Disable).unwrap().get_ssl_mode();
        for here in
            ["host=/run/postgresql", "host=localhost", "host=127.0.0.1,::1", "postgres://u@localhost/d"]
        {
            assert_eq!(mode(here), SslMode::Disable, "{here}");
            assert_eq!(
                mode(&format!("{here}{}sslmode=require", if here.contains("//") { "?" } else { " " })),
                SslMode::Require
            );
        }
        for elsewhere in [
            "host=db.example.com",
            "host=localhost,db.example.com",
            "host=db hostaddr=10.0.0.1",
            "host=localhost hostaddr=10.0.0.1",
        ] {
            assert_eq!(mode(elsewhere), SslMode::Require, "{elsewhere}");
            assert_eq!(mode(&format!("{elsewhere} sslmode=prefer")), SslMode::Require, "{elsewhere}");
            assert_eq!(mode(&format!("{elsewhere} sslmode=disable")), SslMode::Disable, "by decision");
        }
    }

    #[test]
    fn who_brings_tls_gets_it_where_there_can_be_any() {
        let mode = |to: &str| config(to, SslMode::Require).unwrap().get_ssl_mode();
        assert_eq!(mode("host=127.0.0.1"), SslMode::Require);
        assert_eq!(mode("host=127.0.0.1 sslmode=disable"), SslMode::Disable);
        assert_eq!(mode("host=/run/postgresql"), SslMode::Disable);
    }

    #[test]
    fn a_place_that_is_none() {
        assert!(
            config("http://db.example.com/x", SslMode::Disable)
                .unwrap_err()
                .to_string()
                .contains("no URL of postgres")
        );
    }
}
