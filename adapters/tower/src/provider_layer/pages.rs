//! The pages: plain HTML without script, for phones and large screens, the light and the dark, keyboards and screen
//! readers.

use grantor_driver::grantor::server::{
    ClientShown, ConsentRequest, GrantShown, Known, PageContent, ScopeShown, User,
};

use super::html::Escaped;
use super::users::Shown;

const STYLE: &str = ":root{color-scheme:light dark;--text:#1b1b1f;--soft:#55565e;--back:#f5f5f7;--card:#fff;--line:#8a8b94;\
--accent:#2450b5;--on:#fff;--warn:#7a4a00;--warnback:#fff4dc}\
@media(prefers-color-scheme:dark){:root{--text:#ececf1;--soft:#b4b5bf;--back:#141417;--card:#202126;--line:#85868f;\
--accent:#a9c1ff;--on:#10141f;--warn:#ffd591;--warnback:#3a2c10}}\
*{box-sizing:border-box}body{margin:0;background:var(--back);color:var(--text);font:1rem/1.5 system-ui,sans-serif}\
main{max-width:28rem;margin:0 auto;padding:1.5rem 1rem}\
.card{background:var(--card);border-radius:.75rem;padding:1.5rem;border:1px solid transparent}\
h1{font-size:1.35rem;line-height:1.3;margin:0 0 .75rem}h2{font-size:1rem;margin:1.25rem 0 .25rem}\
p{margin:.5rem 0}.soft{color:var(--soft)}ul{margin:.25rem 0;padding:0;list-style:none}li{padding:.35rem 0}\
label{display:block;margin:.75rem 0 .25rem;font-weight:600}li label{display:flex;gap:.6rem;margin:0;font-weight:400}\
input[type=text],input[type=password]{width:100%;font:inherit;color:inherit;background:transparent;padding:.6rem .7rem;\
border:1px solid var(--line);border-radius:.5rem}a{color:var(--accent)}input[type=checkbox]{accent-color:var(--accent);width:1.25rem;height:1.25rem;flex:none;margin:.15rem 0 0}\
button{font:inherit;font-weight:600;padding:.65rem 1.1rem;border-radius:.5rem;border:1px solid var(--accent);\
background:var(--card);color:var(--accent);min-height:2.75rem;cursor:pointer}\
button.main{background:var(--accent);color:var(--on)}.row{display:flex;gap:.75rem;margin-top:1.25rem}.row button{flex:1}\
:focus-visible{outline:3px solid var(--accent);outline-offset:2px}\
.warn{background:var(--warnback);color:var(--warn);border-radius:.5rem;padding:.6rem .8rem;margin:.75rem 0}\
code{overflow-wrap:anywhere;font-size:.92em}";

pub(super) const UNKNOWN_CODE: &str =
    "There is no device with this code, or the code is too old. Look at the device again.";

pub(super) const TOO_MANY_PASSWORDS: &str = "Too many passwords have been tried for this name. Wait a quarter of an hour, or \
sign in with a browser in which you have signed in before.";

pub(super) const TOO_MANY_CODES: &str = "You have tried too many codes. Wait ten minutes, then try again.";

pub(super) fn render(shown: &Shown<'_>) -> String {
    let (title, body) = match shown {
        Shown::Account { base, user, grants } => ("What you have allowed", account(base, user, grants)),
        Shown::Device { base, user, user_code, name, problem } => {
            ("Connect a device", device(base, *user, user_code, name, *problem))
        }
        Shown::SignIn { base, name, problem } => ("Sign in", account_sign_in(base, name, *problem)),
        Shown::Provider { base, content, name, problem } => match content {
            PageContent::SignIn(request) => ("Sign in", sign_in(base, request, name, *problem)),
            PageContent::Consent(request) => ("Allow access?", consent(base, request)),
            PageContent::DeviceDone { allowed: true } => {
                ("Done", "<p>Your device is connected. You can close this page.</p>".into())
            }
            PageContent::DeviceDone { .. } => {
                ("Not connected", "<p>The device was turned away. You can close this page.</p>".into())
            }
            PageContent::UnknownUserCode => {
                ("Connect a device", device(base, None, "", "", Some(UNKNOWN_CODE)))
            }
            PageContent::GoBack { client, to, code, description } => {
                ("This does not work", go_back(client, to.expose(), code.name(), description))
            }
            PageContent::Error { code, description } => {
                ("This does not work", error(code.name(), description))
            }
            _ => ("This does not work", error("server_error", "this page is newer than the server")),
        },
    };
    page(title, &body)
}

fn page(title: &str, body: &str) -> String {
    format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\">\
<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\"><title>{title}</title><style>{STYLE}</style></head>\
<body><main><div class=\"card\"><h1>{title}</h1>{body}</div></main></body></html>"
    )
}

fn problem_of(problem: Option<&str>) -> String {
    problem.map_or_else(String::new, |problem| {
        format!("<p class=\"warn\" role=\"alert\">{}</p>", Escaped(problem))
    })
}

fn password_fields(hint: &str) -> String {
    format!(
        "<label for=\"username\">Name</label>\
<input type=\"text\" id=\"username\" name=\"username\" autocomplete=\"username\" autocapitalize=\"none\" required value=\"{}\">\
<label for=\"password\">Password</label>\
<input type=\"password\" id=\"password\" name=\"password\" autocomplete=\"current-password\" required>",
        Escaped(hint)
    )
}

fn who(client: &ClientShown) -> String {
    let name = client.name.as_deref().unwrap_or(&client.id);
    let known = match &client.known {
        Known::Registered => String::new(),
        Known::Host(host) => format!(" (of {})", Escaped(host)),
        _ => " (it chose this name itself)".into(),
    };
    format!("<strong>{}</strong>{known}", Escaped(name))
}

fn sign_in(base: &str, request: &ConsentRequest, name: &str, problem: Option<&str>) -> String {
    let hint = if name.is_empty() { request.login_hint.as_deref().unwrap_or_default() } else { name };
    format!(
        "<p>{} asks for access to {}.</p>{}<form method=\"post\" action=\"{base}/sign-in\">\
<input type=\"hidden\" name=\"interaction\" value=\"{}\">{}\
<div class=\"row\"><button class=\"main\">Sign in</button></div></form>",
        who(&request.client),
        Escaped(request.resources.join(", ")),
        problem_of(problem),
        Escaped(request.interaction.expose()),
        password_fields(hint),
    )
}

fn consent(base: &str, request: &ConsentRequest) -> String {
    let warnings: String =
        request.warnings.iter().map(|warning| format!("<p class=\"warn\">{warning}</p>")).collect();
    let scope = |(index, scope): (usize, &ScopeShown)| {
        let before = if scope.allowed_before { " <span class=\"soft\">(allowed before)</span>" } else { "" };
        format!(
            "<li><label for=\"scope{index}\"><input type=\"checkbox\" id=\"scope{index}\" name=\"scope\" value=\"{}\" checked>\
<span>{}{before}</span></label></li>",
            Escaped(&scope.token),
            Escaped(&scope.description)
        )
    };
    let scopes: String = request.scopes.iter().enumerate().map(scope).collect();
    let user = request.user.as_ref().map_or("", |user| &user.subject);
    let target = request.redirect_uri.as_deref().map_or_else(String::new, |uri| {
        format!("<p class=\"soft\">Afterwards you go to <code>{}</code></p>", Escaped(uri))
    });
    let link = |label: &str, url: Option<&url::Url>| {
        url.map_or_else(String::new, |url| {
            format!("<a href=\"{}\" rel=\"noreferrer\">{label}</a> ", Escaped(url.as_str()))
        })
    };
    let links = format!(
        "{}{}{}",
        link("About it", request.client.uri.as_ref()),
        link("Privacy", request.client.policy.as_ref()),
        link("Terms", request.client.terms.as_ref())
    );
    let links = if links.is_empty() { links } else { format!("<p class=\"soft\">{links}</p>") };
    format!(
        "<p>{} asks for access to {}, as <strong>{}</strong>.</p>{warnings}\
<form method=\"post\" action=\"{base}/consent\"><input type=\"hidden\" name=\"interaction\" value=\"{}\">\
<h2>It may</h2><ul>{scopes}</ul>{target}{links}\
<div class=\"row\"><button name=\"decision\" value=\"deny\">Deny</button>\
<button class=\"main\" name=\"decision\" value=\"allow\">Allow</button></div></form>",
        who(&request.client),
        Escaped(request.resources.join(", ")),
        Escaped(user),
        Escaped(request.interaction.expose()),
    )
}

fn device(base: &str, user: Option<&User>, user_code: &str, name: &str, problem: Option<&str>) -> String {
    let fields = match user {
        Some(user) => format!("<p class=\"soft\">Signed in as {}.</p>", Escaped(&user.subject)),
        None => password_fields(name),
    };
    format!(
        "<p>Type in the code that your device shows.</p>{}<form method=\"post\" action=\"{base}/device\">\
<label for=\"user_code\">Code</label>\
<input type=\"text\" id=\"user_code\" name=\"user_code\" autocomplete=\"off\" autocapitalize=\"characters\" spellcheck=\"false\" \
required value=\"{}\">{fields}<div class=\"row\"><button class=\"main\">Continue</button></div></form>",
        problem_of(problem),
        Escaped(user_code),
    )
}

fn account_sign_in(base: &str, name: &str, problem: Option<&str>) -> String {
    format!(
        "{}<form method=\"post\" action=\"{base}/account\">{}\
<div class=\"row\"><button class=\"main\">Sign in</button></div></form>",
        problem_of(problem),
        password_fields(name),
    )
}

fn account(base: &str, user: &User, grants: &[GrantShown]) -> String {
    let item = |grant: &GrantShown| {
        let name = grant.client_name.as_deref().unwrap_or(&grant.client_id);
        format!(
            "<li><form method=\"post\" action=\"{base}/account\"><h2>{}</h2><p class=\"soft\">{} at {}</p>\
<button name=\"revoke\" value=\"{}\" aria-label=\"Take back the access of {}\">Take back</button></form></li>",
            Escaped(name),
            Escaped(grant.scope.to_string()),
            Escaped(grant.resources.join(", ")),
            Escaped(&grant.id),
            Escaped(name),
        )
    };
    let list = match grants {
        [] => "<p>Nothing so far.</p>".to_owned(),
        some => format!("<ul>{}</ul>", some.iter().map(item).collect::<String>()),
    };
    format!(
        "<p class=\"soft\">Signed in as {}.</p>{list}<form method=\"post\" action=\"{base}/sign-out\">\
<div class=\"row\"><button>Sign out</button></div></form>",
        Escaped(&user.subject)
    )
}

fn go_back(client: &ClientShown, to: &str, code: &str, description: &str) -> String {
    let host = url::Url::parse(to).ok().and_then(|url| url.host_str().map(str::to_owned)).unwrap_or_default();
    format!(
        "<p>{} sent you here, and asked in a way that this server cannot answer. Nothing has been allowed.</p>\
<p><code>{}: {}</code></p><p class=\"warn\">This server does not know who is at {host}. Go there only if you came from \
there.</p><p><a href=\"{}\" rel=\"noreferrer\">Go back to {host}</a></p>",
        who(client),
        Escaped(code),
        Escaped(description),
        Escaped(to),
        host = Escaped(&host),
    )
}

fn error(code: &str, description: &str) -> String {
    format!(
        "<p>The program that sent you here asked in a way that this server cannot answer. Go back to it and try again; if it \
happens again, tell its makers:</p><p><code>{}: {}</code></p>",
        Escaped(code),
        Escaped(description)
    )
}
