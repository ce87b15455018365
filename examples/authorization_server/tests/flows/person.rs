//! A user without a screen: a browser's cookies and forms.

use std::collections::BTreeMap;

use url::{Url, form_urlencoded};

pub(crate) const NAME: &str = "alice";
pub(crate) const PASSWORD: &str = "correct horse";

/// A browser: its cookies.
#[derive(Default)]
pub(crate) struct Person(BTreeMap<String, String>);

pub(crate) struct Page {
    pub(crate) status: u16,
    pub(crate) location: Option<String>,
    pub(crate) body: String,
}

impl Person {
    pub(crate) fn fetch(&mut self, url: &str, form: Option<&[(String, String)]>) -> Page {
        let config = ureq::Agent::config_builder().max_redirects(0).http_status_as_error(false);
        let agent: ureq::Agent = config.build().into();
        let cookies: Vec<String> = self.0.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let cookies = cookies.join("; ");
        let response = match form {
            None => agent.get(url).header("cookie", &cookies).call(),
            Some(form) => {
                let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
                let origin = Url::parse(url).unwrap().origin().ascii_serialization();
                let request = agent.post(url).header("cookie", &cookies).header("origin", &origin);
                request.header("content-type", "application/x-www-form-urlencoded").send(body)
            }
        };
        let mut response = response.unwrap();
        for line in response.headers().get_all("set-cookie") {
            let (name, value) = line.to_str().unwrap().split(';').next().unwrap().split_once('=').unwrap();
            self.0.insert(name.into(), value.into());
        }
        let location = response.headers().get("location").map(|value| value.to_str().unwrap().to_owned());
        Page {
            status: response.status().as_u16(),
            location,
            body: response.body_mut().read_to_string().unwrap(),
        }
    }

    /// Signs in where that is asked, allows everything, and gives the URL that the client gets back.
    pub(crate) fn authorize(&mut self, url: &str) -> String {
        let mut page = self.fetch(url, None);
        for _ in 0..3 {
            if let Some(location) = page.location {
                return location;
            }
            let (action, mut fields) = form(&page.body);
            let asks_password = page.body.contains("type=\"password\"");
            fields.extend(if asks_password {
                vec![("username".into(), NAME.into()), ("password".into(), PASSWORD.into())]
            } else {
                vec![("decision".into(), "allow".into())]
            });
            page = self.fetch(Url::parse(url).unwrap().join(&action).unwrap().as_str(), Some(&fields));
        }
        panic!("the pages lead nowhere: {} {}", page.status, page.body);
    }
}

/// Where the first form goes, and what its hidden fields and boxes say.
pub(crate) fn form(body: &str) -> (String, Vec<(String, String)>) {
    let attribute = |tag: &str, name: &str| {
        let rest = tag.split_once(&format!(" {name}=\""))?.1;
        Some(rest.split_once('"')?.0.replace("&amp;", "&"))
    };
    let form = body
        .split_once("<form ")
        .unwrap_or_else(|| panic!("no form: {body}"))
        .1
        .split_once("</form>")
        .unwrap()
        .0;
    let action = attribute(&format!(" {form}"), "action").unwrap();
    let inputs = form.split("<input").skip(1).filter_map(|rest| {
        let tag = rest.split_once('>')?.0;
        let kind = attribute(tag, "type")?;
        matches!(&*kind, "hidden" | "checkbox")
            .then(|| Some((attribute(tag, "name")?, attribute(tag, "value")?)))?
    });
    (action, inputs.collect())
}
