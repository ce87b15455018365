//! Callbacks.

use grantor::wire::callback::{Callback, Expected};
use grantor::wire::server_metadata::Issuer;
use grantor::{Secret, UrlPolicy, limits};
use url::{Url, form_urlencoded};

use crate::input::{Input, check};

const STATE: &str = "planted-state";
const ISSUER: &str = "https://as.example.com/t";

/// A callback: a URL, a request target or a query.
pub fn callback(data: &[u8]) {
    let mut input = Input(data);
    let iss_parameter_supported = input.flag();
    let Ok(text) = std::str::from_utf8(input.0) else { return };
    let Ok(callback) = Callback::read(text) else { return };
    let resource = Url::parse("https://h/mcp").expect("a URL");
    let issuer = Issuer::read(ISSUER, &UrlPolicy::default(), &resource).expect("an issuer");
    let expected = Expected { state: &Secret::from(STATE), issuer: &issuer, iss_parameter_supported };
    let validate = || callback.clone().validate(expected);
    assert_eq!(callback.has_state(expected.state), validate().is_some());
    assert!(!format!("{callback:?}").contains(STATE));
    let Some(result) = validate() else { return };
    if !is_plain_query(text) {
        return;
    }
    // What another reader of the query sees.
    let seen = |wanted: &str| -> Vec<String> {
        let pairs = form_urlencoded::parse(text.as_bytes()).filter(|(name, _)| name == wanted);
        pairs.map(|(_, value)| value.into_owned()).collect()
    };
    assert_eq!(seen("state").into_iter().filter(|state| !state.is_empty()).collect::<Vec<_>>(), [STATE]);
    match (result, check(|_| validate().expect("the state stays"), &[STATE])) {
        (Ok(code), again) => {
            assert_eq!(again, Ok(code.clone()));
            assert!(!code.is_empty() && code.expose().len() <= limits::CREDENTIAL);
            // RFC 6749 3.1: what is sent without a value counts as left out.
            let with_value =
                |name| seen(name).into_iter().filter(|value| !value.is_empty()).collect::<Vec<_>>();
            assert_eq!(with_value("code"), [code.expose()]);
            assert!(with_value("error").is_empty());
            check_iss(&seen("iss"), iss_parameter_supported);
        }
        (Err(grantor::Error::Refused(_)), _) => check_iss(&seen("iss"), iss_parameter_supported),
        (Err(_), _) => {}
    }
}

/// Whether the text can be a query only, as it stands.
fn is_plain_query(text: &str) -> bool {
    !text.contains(['?', ':', '#']) && !text.starts_with('/')
}

/// RFC 9207 2.4: neither code nor error without the right issuer.
fn check_iss(seen: &[String], promised: bool) {
    assert!(seen == [ISSUER] || seen.is_empty() && !promised, "{seen:?}");
}
