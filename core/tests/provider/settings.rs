//! Configurations that cannot work.

use crate::world::*;
use grantor::server::{ProtectedResource, Provider, ProviderConfig, ProviderConfigError, RegisteredClient};

fn refused(config: ProviderConfig) -> ProviderConfigError {
    Provider::new(config).unwrap_err()
}

fn of(issuer: &str, secret: &[u8]) -> ProviderConfig {
    ProviderConfig::new(issuer, secret).key(key()).resource(files())
}

#[test]
fn rfc8414_2_the_issuer_is_https_without_query_and_fragment() {
    for bad in [
        "http://as.example.com",
        "https://as.example.com?x",
        "https://as.example.com/#x",
        "https://u@as.example.com",
        "as.example.com",
        "https://as.example.com/a/../b",
        "",
    ] {
        assert_eq!(refused(of(bad, &[7; 32])), ProviderConfigError::Issuer(bad.into()));
    }
    for good in [
        "https://as.example.com",
        "https://as.example.com/tenant",
        "http://127.0.0.1:8080",
        "http://localhost",
    ] {
        assert!(Provider::new(of(good, &[7; 32])).is_ok(), "{good}");
    }
}

#[test]
fn what_is_missing_or_wrong_is_named() {
    assert_eq!(refused(of(ISSUER, &[7; 31])), ProviderConfigError::Secret);
    assert_eq!(refused(ProviderConfig::new(ISSUER, &[7; 32]).resource(files())), ProviderConfigError::NoKey);
    assert_eq!(refused(ProviderConfig::new(ISSUER, &[7; 32]).key(key())), ProviderConfigError::NoResource);
    let relative = of(ISSUER, &[7; 32]).resource(ProtectedResource::new("/mcp"));
    assert_eq!(refused(relative), ProviderConfigError::Resource("/mcp".into()));
    let twice = config().client(RegisteredClient::public("app"));
    assert_eq!(refused(twice), ProviderConfigError::ClientRepeated("app".into()));
    let evil = config().client(RegisteredClient::public("x").redirect_uri("http://x.example/"));
    assert_eq!(refused(evil), ProviderConfigError::RedirectUri("x".into()));
    assert_eq!(refused(config().error_uri("https://x.example/\n")), ProviderConfigError::ErrorUri);
}
