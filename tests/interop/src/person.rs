//! Somebody with a browser, who knows the pages of `oidc-provider`.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use url::Url;

/// Somebody with a browser: follows redirects, keeps cookies, fills in forms.
#[derive(Clone, Debug)]
pub struct Person {
    browser: ureq::Agent,
    /// Whether they consent.
    consents: bool,
    pages: Arc<AtomicUsize>,
}

/// A form's fields.
type Fields = Vec<(&'static str, String)>;

impl Person {
    /// Logs in as `alice` wherever asked, and consents or does not.
    pub fn who(consents: bool) -> Self {
        let browser =
            ureq::Agent::config_builder().http_status_as_error(false).max_redirects(0).build().new_agent();
        Self { browser, consents, pages: Arc::default() }
    }

    /// How many authorizations they were asked for.
    pub fn asked(&self) -> usize {
        self.pages.load(Ordering::Relaxed)
    }

    /// Opens a page and clicks on until the browser is sent to a URL that starts with `until`; returns
    /// that URL.
    ///
    /// # Errors
    /// When the way ends elsewhere.
    pub fn visit(&self, url: &str, until: &str) -> Result<String, String> {
        match self.walk(url, "", until)? {
            End::At(url) => Ok(url),
            End::Page(page) => Err(format!("an unknown page: {page}")),
        }
    }

    /// Opens the page for device codes and types one in; returns the page at the end.
    ///
    /// # Errors
    /// When the way ends elsewhere.
    pub fn enter_code(&self, url: &str, code: &str) -> Result<String, String> {
        match self.walk(url, code, "nowhere:")? {
            End::At(url) => Err(format!("sent to {url}")),
            End::Page(page) => Ok(page),
        }
    }

    fn walk(&self, url: &str, code: &str, until: &str) -> Result<End, String> {
        self.pages.fetch_add(1, Ordering::Relaxed);
        let mut url = Url::parse(url).map_err(|error| error.to_string())?;
        let mut form: Option<Fields> = None;
        for _ in 0..20 {
            let response = match form.take() {
                Some(fields) => self.browser.post(url.as_str()).send_form(fields),
                None => self.browser.get(url.as_str()).call(),
            };
            let mut response = response.map_err(|error| error.to_string())?;
            let page = response.body_mut().read_to_string().map_err(|error| error.to_string())?;
            if let Some(location) = response.headers().get("location") {
                let location = location.to_str().map_err(|error| error.to_string())?;
                url = url.join(location).map_err(|error| error.to_string())?;
                if url.as_str().starts_with(until) {
                    return Ok(End::At(url.into()));
                }
                continue;
            }
            match self.fill_in(&url, &page, code) {
                Some((next, fields)) => (url, form) = (next, fields),
                None => return Ok(End::Page(page)),
            }
        }
        Err("the pages do not end".into())
    }

    /// Where to go from a page, and with what; `None` at the end.
    fn fill_in(&self, url: &Url, page: &str, code: &str) -> Option<(Url, Option<Fields>)> {
        let action = || url.join(&after(page, "action=\"")?).ok();
        let field = |name: &str| after(page, &format!("name=\"{name}\" value=\""));
        let text = |name, value: &str| (name, value.to_owned());
        if page.contains("name=\"prompt\" value=\"login\"") {
            let fields = vec![text("prompt", "login"), text("login", "alice"), text("password", "x")];
            return Some((action()?, Some(fields)));
        }
        if page.contains("op.deviceConfirmForm") {
            let decision = if self.consents { "confirm" } else { "abort" };
            let fields =
                vec![("xsrf", field("xsrf")?), ("user_code", field("user_code")?), text(decision, "yes")];
            return Some((action()?, Some(fields)));
        }
        // A link with the code in it leads to a page that sends itself on.
        if page.contains("name=\"user_code\" value=\"") {
            return Some((
                action()?,
                Some(vec![("xsrf", field("xsrf")?), ("user_code", field("user_code")?)]),
            ));
        }
        // An answer to a code leads to the same page when it says what was wrong with it.
        if page.contains("Enter the code displayed on your device") {
            return Some((action()?, Some(vec![("xsrf", field("xsrf")?), text("user_code", code)])));
        }
        if page.contains("name=\"prompt\" value=\"consent\"") {
            if !self.consents {
                return Some((Url::parse(&format!("{url}/abort")).ok()?, None));
            }
            return Some((action()?, Some(vec![text("prompt", "consent")])));
        }
        None
    }
}

enum End {
    At(String),
    Page(String),
}

/// The attribute's value that follows.
fn after(page: &str, start: &str) -> Option<String> {
    let rest = &page[page.find(start)? + start.len()..];
    Some(rest[..rest.find('"')?].replace("&amp;", "&"))
}
