//! The pages that the receiver shows.

use std::fmt::Write as _;

use grantor::wire::callback::Arrival;

use super::words::{self, Words};

/// What the browser came back with, for the page that the user sees then.
///
/// It is what the authorization server said, with the right `state`. What the answer means is checked after it
/// was received.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Landing {
    /// The user agreed.
    Agreed,
    /// The user declined (`access_denied`).
    Declined,
    /// The authorization server reports another error.
    Failed,
    /// This request does not answer what is waited for: it is from an earlier attempt, or a guess.
    NotAsked,
    /// No answer can be read from this request, or it does not say whose it is: the application goes on waiting.
    Unclear,
}

impl Landing {
    /// What a request with this target says.
    pub(super) fn of(arrival: Arrival, target: &str) -> Self {
        match arrival {
            Arrival::Answer | Arrival::Refusal => {}
            Arrival::OtherState => return Self::NotAsked,
            _ => return Self::Unclear,
        }
        let query = target.split_once('?').map_or("", |(_, query)| query);
        let mut parameters = url::form_urlencoded::parse(query.as_bytes());
        match parameters.find(|(name, value)| name == "error" && !value.is_empty()) {
            Some((_, error)) if error == "access_denied" => Self::Declined,
            Some(_) => Self::Failed,
            None => Self::Agreed,
        }
    }
}

/// A visit of the loopback receiver, for a [page](super::Browser::page) of the host's own.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct PageRequest<'a> {
    /// What happened.
    pub landing: Landing,
    /// The name of the application, as it was registered.
    pub application: Option<&'a str>,
    /// The host of the authorization server.
    pub server: &'a str,
    /// The browser's `Accept-Language`.
    pub languages: &'a str,
}

/// A plain page that works in any browser, size and colour scheme, and for screen readers; it loads nothing.
/// The empty icon keeps browsers from asking for one.
pub(super) fn page(request: &PageRequest<'_>) -> String {
    let words = words::of(request.languages);
    let [title, text] = match request.landing {
        Landing::Agreed => words.agreed,
        Landing::Declined => words.declined,
        Landing::Failed => words.failed,
        Landing::NotAsked => words.not_asked,
        Landing::Unclear => words.unclear,
    };
    let fill = |text: &str| {
        text.replace("{app}", &escaped(request.application.unwrap_or(words.application)))
            .replace("{server}", &escaped(request.server))
    };
    let (colour, sign) = match request.landing {
        Landing::Agreed => ("#1a7f37", "\u{2713}"),
        Landing::Declined | Landing::NotAsked => ("#6e7781", "\u{2013}"),
        Landing::Failed | Landing::Unclear => ("#bc4c00", "!"),
    };
    let Words { language, close, .. } = words;
    format!(
        "<!doctype html>\n<html lang=\"{language}\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n<link rel=\"icon\" href=\"data:,\">\n\
         <title>{title}</title>\n<style>\n\
         body {{ font: 1.0625rem/1.6 system-ui, sans-serif; margin: 0; padding: 12vh 1rem 1rem; }}\n\
         main {{ max-width: 30rem; margin: 0 auto; padding: 2rem; border: 1px solid #8885; border-radius: .75rem; }}\n\
         .sign {{ width: 2.5rem; line-height: 2.5rem; border-radius: 50%; text-align: center; \
         font-weight: 700; color: #fff; background: {colour}; }}\n\
         h1 {{ font-size: 1.375rem; line-height: 1.3; overflow-wrap: anywhere; }}\n\
         p {{ overflow-wrap: anywhere; }}\n</style>\n</head>\n<body>\n<main>\n\
         <div class=\"sign\" aria-hidden=\"true\">{sign}</div>\n<h1>{title}</h1>\n<p>{text}</p>\n\
         <p>{close}</p>\n</main>\n</body>\n</html>\n",
        title = fill(title),
        text = fill(text),
        close = fill(close),
    )
}

/// Text that is nothing but text in HTML, with nothing invisible that could make it read as something else.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars().take(200) {
        match c {
            '&' | '<' | '>' | '"' | '\'' | '{' | '}' => {
                let _ = write!(escaped, "&#{};", u32::from(c));
            }
            // Directional marks and what cannot be seen.
            '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' => {}
            c if c.is_control() => escaped.push(' '),
            c => escaped.push(c),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(landing: Landing, application: Option<&str>, languages: &str) -> String {
        page(&PageRequest { landing, application, server: "as.example.com", languages })
    }

    #[test]
    fn what_a_request_says() {
        for (target, landing) in [
            ("/callback?code=1&state=s", Landing::Agreed),
            ("/callback?error=&code=1&state=s", Landing::Agreed),
            ("/callback?error=access_denied&state=s", Landing::Declined),
            ("/callback?state=s&error=access%5Fdenied", Landing::Declined),
            ("/callback?error=server_error&state=s", Landing::Failed),
            ("/callback?error=invalid_scope&error_description=access_denied", Landing::Failed),
        ] {
            for arrival in [Arrival::Answer, Arrival::Refusal] {
                assert_eq!(Landing::of(arrival, target), landing, "{target}");
            }
            assert_eq!(Landing::of(Arrival::OtherState, target), Landing::NotAsked);
            for arrival in [Arrival::Empty, Arrival::Unreadable, Arrival::WithoutState] {
                assert_eq!(Landing::of(arrival, target), Landing::Unclear);
            }
        }
    }

    #[test]
    fn pages_say_what_happened_in_which_application() {
        let pages =
            [Landing::Agreed, Landing::Declined, Landing::Failed, Landing::NotAsked, Landing::Unclear]
                .map(|landing| shown(landing, Some("Notes & <Co>"), ""));
        for (n, page) in pages.iter().enumerate() {
            assert!(page.contains("Notes &#38; &#60;Co&#62;"), "{page}");
            assert!(page.contains("lang=\"en\"") && page.contains("close this window"), "{page}");
            assert!(
                !page.contains("{app}") && !page.contains("{server}") && !page.contains("http"),
                "{page}"
            );
            assert!(pages.iter().skip(n + 1).all(|other| other != page));
        }
        assert!(pages[1].contains("declined") && pages[2].contains("as.example.com"));
        assert!(shown(Landing::Agreed, None, "").contains("the application"));
    }

    #[test]
    fn names_are_text_and_nothing_else() {
        let hostile = "<script>alert(1)</script>\" onload='x' {server} \u{202e}txt\u{0}";
        let page = shown(Landing::Agreed, Some(hostile), "");
        assert!(
            !page.contains("<script") && !page.contains("onload='") && !page.contains('\u{202e}'),
            "{page}"
        );
        assert!(page.contains("&#123;server&#125;"), "{page}");
        assert!(shown(Landing::Agreed, Some(&"x".repeat(10_000)), "").len() < 4_000);
    }

    #[test]
    fn every_language_has_every_word() {
        for words in &words::ALL {
            let page = shown(Landing::Failed, None, words.language);
            assert!(page.contains(&format!("lang=\"{}\"", words.language)));
            for [title, text] in [words.agreed, words.declined, words.failed, words.not_asked] {
                assert!(!title.is_empty() && text.contains("{app}"), "{title}");
            }
        }
    }
}
