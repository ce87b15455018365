//! Client authentication at the token endpoint (RFC 6749 2.3.1).

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::header::{AUTHORIZATION, HeaderValue};
use serde::{Deserialize, Serialize};
use url::Url;
use zeroize::Zeroizing;

use crate::error::Exchange;
use crate::quirks::Quirks;
use crate::secret::Secret;
use crate::wire::form;
use crate::wire::http::HttpRequest;

/// A way to authenticate (RFC 7591 2, `token_endpoint_auth_method`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum ClientAuthMethod {
    /// A public client: only its `client_id`.
    #[serde(rename = "none")]
    None,
    /// Id and secret in the `Authorization` header.
    #[serde(rename = "client_secret_basic")]
    SecretBasic,
    /// Id and secret in the body.
    #[serde(rename = "client_secret_post")]
    SecretPost,
    /// An assertion signed with a private key (RFC 7523 2.2).
    #[serde(rename = "private_key_jwt")]
    PrivateKeyJwt,
    /// An assertion with a MAC by the secret (`OpenID` Connect Core 9).
    #[serde(rename = "client_secret_jwt")]
    SecretJwt,
}

impl ClientAuthMethod {
    pub(crate) const ALL: [Self; 5] =
        [Self::None, Self::SecretBasic, Self::SecretPost, Self::PrivateKeyJwt, Self::SecretJwt];
    pub(crate) const WITHOUT_KEY: [Self; 3] = [Self::None, Self::SecretBasic, Self::SecretPost];

    /// The method of this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|method| method.name() == name)
    }

    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::SecretBasic => "client_secret_basic",
            Self::SecretPost => "client_secret_post",
            Self::PrivateKeyJwt => "private_key_jwt",
            Self::SecretJwt => "client_secret_jwt",
        }
    }
}

impl fmt::Display for ClientAuthMethod {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A registered client: its id, and how it proves to be that client.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Client {
    /// `client_id`.
    pub id: Box<str>,
    /// `client_secret`; `None` for a public client.
    pub secret: Option<Secret>,
    /// How the secret is sent.
    pub method: ClientAuthMethod,
    /// Whether it comes from the configuration, rather than from a server that may have chosen its id.
    pub(crate) configured: bool,
    /// Whether `client_id` is in the body beside the `Authorization` header: RFC 6749 3.2.1 allows it, and some
    /// servers look for it there.
    pub(crate) id_in_body: bool,
}

impl Client {
    /// A public client.
    pub fn public(id: &str) -> Self {
        Self {
            id: id.into(),
            secret: None,
            method: ClientAuthMethod::None,
            configured: false,
            id_in_body: false,
        }
    }

    /// A client that proves itself by assertions made with its private key.
    pub fn with_key(id: &str) -> Self {
        Self {
            id: id.into(),
            secret: None,
            method: ClientAuthMethod::PrivateKeyJwt,
            configured: false,
            id_in_body: false,
        }
    }

    /// A client with a secret.
    pub fn confidential(id: &str, secret: Secret, method: ClientAuthMethod) -> Self {
        Self { id: id.into(), secret: Some(secret), method, configured: false, id_in_body: false }
    }

    /// A form that this client posts to an endpoint of the server, its authentication added.
    pub(crate) fn post(
        &self,
        exchange: Exchange,
        endpoint: &Url,
        form: form::Form,
        assertion: Option<&Secret>,
        quirks: &Quirks,
    ) -> HttpRequest {
        let body = self.add_to(form, assertion).finish();
        let request = HttpRequest::post(exchange, endpoint.clone(), form::CONTENT_TYPE, body);
        match self.basic(quirks.basic_unencoded) {
            Some(value) => request.with(AUTHORIZATION, value),
            None => request,
        }
    }

    /// The value of the `Authorization` header, for `client_secret_basic`.
    ///
    /// Id and secret are form-encoded first, which RFC 6749 2.3.1 demands and many forget; `raw` leaves
    /// that out for servers that forgot ([`Quirks::basic_unencoded`](crate::Quirks)).
    fn basic(&self, raw: bool) -> Option<HeaderValue> {
        let secret = self.secret.as_ref().filter(|_| self.method == ClientAuthMethod::SecretBasic)?;
        let pair = Zeroizing::new(if raw {
            format!("{}:{}", self.id, secret.expose())
        } else {
            let encoded = Zeroizing::new(form::encode(secret.expose()));
            format!("{}:{}", form::encode(&self.id), *encoded)
        });
        let value = Zeroizing::new(format!("Basic {}", STANDARD.encode(pair.as_bytes())));
        let mut header = HeaderValue::from_str(&value).ok()?;
        header.set_sensitive(true);
        Some(header)
    }

    /// Whether the client proves who it is.
    pub fn is_confidential(&self) -> bool {
        self.secret.is_some() || self.needs_assertion()
    }

    /// Whether a signed assertion has to come with each request.
    pub fn needs_assertion(&self) -> bool {
        matches!(self.method, ClientAuthMethod::PrivateKeyJwt | ClientAuthMethod::SecretJwt)
    }

    /// The same with its id in the body, too, if it is in the header alone.
    pub(crate) fn with_id_in_body(&self) -> Option<Self> {
        let in_header = self.method == ClientAuthMethod::SecretBasic && !self.has_id_in_body();
        in_header.then(|| Self { id_in_body: true, ..self.clone() })
    }

    /// Whether `client_id` is a member of the body.
    pub(crate) fn has_id_in_body(&self) -> bool {
        match self.method {
            ClientAuthMethod::PrivateKeyJwt | ClientAuthMethod::SecretJwt => false,
            ClientAuthMethod::SecretBasic => self.secret.is_none() || self.id_in_body,
            ClientAuthMethod::None | ClientAuthMethod::SecretPost => true,
        }
    }

    /// The members of the form body: `client_id` unless header or assertion say it, `client_secret` for
    /// `client_secret_post`, the assertion (RFC 7523 2.2).
    fn add_to<'a>(&'a self, form: form::Form<'a>, assertion: Option<&'a Secret>) -> form::Form<'a> {
        let form = form.add_some("client_id", Some(&*self.id).filter(|_| self.has_id_in_body()));
        match self.method {
            ClientAuthMethod::PrivateKeyJwt | ClientAuthMethod::SecretJwt => form
                .add("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer")
                .add_some("client_assertion", assertion.map(Secret::expose)),
            ClientAuthMethod::SecretPost => {
                form.add_some("client_secret", self.secret.as_ref().map(Secret::expose))
            }
            ClientAuthMethod::None | ClientAuthMethod::SecretBasic => form,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rfc6749_2_3_1_example() {
        let secret = Secret::from("7Fjfp0ZBr1KtDRbnfVdmIw");
        let client = Client::confidential("s6BhdRkqt3", secret, ClientAuthMethod::SecretBasic);
        let header = client.basic(false).unwrap();
        assert_eq!(header.to_str().unwrap(), "Basic czZCaGRSa3F0Mzo3RmpmcDBaQnIxS3REUmJuZlZkbUl3");
        assert!(header.is_sensitive());
    }

    #[test]
    fn rfc6749_2_3_1_form_encoding_comes_first() {
        let client = Client::confidential("a:b", Secret::from("p%q r"), ClientAuthMethod::SecretBasic);
        let decode = |raw| {
            let header = client.basic(raw).unwrap();
            String::from_utf8(STANDARD.decode(&header.to_str().unwrap()[6..]).unwrap()).unwrap()
        };
        assert_eq!(decode(false), "a%3Ab:p%25q+r");
        assert_eq!(decode(true), "a:b:p%q r", "quirk basic_unencoded");
    }

    #[test]
    fn members_of_the_body() {
        let body = |client: &Client| client.add_to(form::Form::new(), None).finish().expose().to_owned();
        assert_eq!(body(&Client::public("id")), "client_id=id");
        let post = Client::confidential("id", Secret::from("s&t"), ClientAuthMethod::SecretPost);
        assert_eq!(body(&post), "client_id=id&client_secret=s%26t");
        assert_eq!(post.basic(false), None);
        let basic = Client::confidential("id", Secret::from("s"), ClientAuthMethod::SecretBasic);
        assert_eq!(body(&basic), "");
        assert_eq!(body(&basic.with_id_in_body().unwrap()), "client_id=id");
        assert_eq!(basic.with_id_in_body().unwrap().with_id_in_body(), None);
        assert_eq!(post.with_id_in_body(), None);
    }

    #[test]
    fn names() {
        for method in ClientAuthMethod::ALL {
            assert_eq!(ClientAuthMethod::from_name(method.name()), Some(method));
        }
        assert_eq!(ClientAuthMethod::from_name("tls_client_auth"), None);
    }
}
