//! Clients that trust one more authority, each told so in the way of its HTTP stack.

use std::error::Error;
use std::sync::Arc;

use grantor_driver::Setup;
use hyper_rustls::HttpsConnectorBuilder;
use hyper_util::client::legacy::connect::HttpConnector;
use isahc::HttpClient;
use isahc::config::Configurable as _;
use isahc::tls::{TlsConfig, TrustStore};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{ClientConfig, RootCertStore};
use ureq::tls::RootCerts;

use crate::asynchronous::{Async, Smol, Tokio};
use crate::blocking::Ureq;
use crate::{Adapter, open};

/// The adapter of this name with this setup; it trusts the authority with this certificate and no other.
///
/// # Errors
/// As of [`open`], and when the certificate cannot be used.
pub fn open_trusting(name: &str, setup: Setup, pem: &str) -> Result<Box<dyn Adapter>, Box<dyn Error>> {
    Ok(match name {
        "hyper" => {
            let mut roots = RootCertStore::empty();
            roots.add(CertificateDer::from_pem_slice(pem.as_bytes())?)?;
            let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
            let tls = ClientConfig::builder_with_provider(provider)
                .with_safe_default_protocol_versions()?
                .with_root_certificates(roots)
                .with_no_client_auth();
            let mut tcp = HttpConnector::new_with_resolver(grantor_hyper::Resolver::of(&setup));
            tcp.enforce_http(false);
            let https = HttpsConnectorBuilder::new().with_tls_config(tls).https_or_http();
            let connector = https.enable_http1().wrap_connector(tcp);
            let client = grantor_hyper::AuthorizedClient::with_connector(setup, connector)?;
            Box::new(Async(client, Tokio::start()?))
        }
        "reqwest" => {
            let certificate = reqwest::Certificate::from_pem(pem.as_bytes())?;
            let builder = move || reqwest::Client::builder().tls_certs_only([certificate.clone()]);
            let client = grantor_reqwest::AuthorizedClient::with_builder(setup, builder)?;
            Box::new(Async(client, Tokio::start()?))
        }
        "smol" => {
            let store = TrustStore::builder().certificate_from_pem(pem).build();
            let tls = TlsConfig::builder().trust_store(store).build();
            let settings = move || HttpClient::builder().tls_config(tls.clone());
            Box::new(Async(grantor_smol::AuthorizedClient::with_builder(setup, settings)?, Smol))
        }
        "ureq" => {
            let agent = trusting_agent(pem)?;
            Box::new(Ureq(grantor_ureq::AuthorizedAgent::with_agent(setup, agent)?))
        }
        other => return open(other, setup),
    })
}

/// A ureq agent that trusts the authority with this certificate and no other.
///
/// # Errors
/// When the certificate cannot be used.
pub fn trusting_agent(pem: &str) -> Result<ureq::Agent, Box<dyn Error>> {
    let roots = RootCerts::new_with_certs(&[ureq::tls::Certificate::from_pem(pem.as_bytes())?]);
    let tls = ureq::tls::TlsConfig::builder().root_certs(roots).build();
    Ok(ureq::Agent::config_builder().tls_config(tls).http_status_as_error(false).build().new_agent())
}
