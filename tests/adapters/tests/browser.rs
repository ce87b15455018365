//! The browser as the user meets it: where the page is told, what may be pasted, what the browser ends on.

use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};

use grantor::Error;
use grantor::client::{Config, Flow};
use grantor::error::{EffectError, FailureKind, PeerMisbehaved, Refused, Work};
use grantor::wire::client_metadata::ClientMetadata;
use grantor_adapters::support::{call, served};
use grantor_adapters::{ADAPTERS, Adapter, Failed, open};
use grantor_driver::{Browser, Landing, Setup};
use grantor_world::net::Served;

fn config(resource: &str) -> Config {
    Config::new(resource, ClientMetadata::named("Notes <b>")).unwrap()
}

/// A call under way on a thread of its own, which a failed assertion does not wait for.
fn calling(client: &Arc<dyn Adapter>, servers: &Served) -> JoinHandle<Result<u16, Failed>> {
    let (client, resource) = (Arc::clone(client), servers.resource.clone());
    thread::spawn(move || call(&*client, &resource, "ping"))
}

/// Where the authorization server sends the browser, which does not go there.
fn agreed(page: &str) -> String {
    let agent =
        ureq::Agent::config_builder().max_redirects(0).max_redirects_will_error(false).build().new_agent();
    let answer = agent.get(page).call().unwrap();
    answer.headers()["location"].to_str().unwrap().to_owned()
}

/// Asks the receiver for a URL as a browser does.
fn visit(url: &str, languages: &str) -> String {
    let rest = url.strip_prefix("http://").unwrap();
    let (host, target) = rest.split_once('/').unwrap();
    let mut stream = TcpStream::connect(host).unwrap();
    let request = format!("GET /{target} HTTP/1.1\r\nHost: {host}\r\nAccept-Language: {languages}\r\n\r\n");
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    let _ = stream.read_to_string(&mut answer);
    answer
}

/// A browser that is nothing but the channel on which pages come.
fn pages() -> (Browser, mpsc::Receiver<String>) {
    let (shown, pages) = mpsc::channel();
    let shown = Mutex::new(shown);
    let show = move |url: &str| shown.lock().unwrap().send(url.to_owned()).map_err(|error| error.to_string());
    (Browser::open_with(show), pages)
}

#[test]
fn wrong_pastes_are_answered_and_the_right_one_does() {
    for name in ADAPTERS {
        let servers = served();
        let (browser, pages) = pages();
        let (paste, pasted) = mpsc::channel::<String>();
        let (told, words) = mpsc::channel::<String>();
        let told = Mutex::new(told);
        let browser = browser
            .pasted_by(move || pasted.recv().map_err(io::Error::other))
            .told_by(move |words| told.lock().unwrap().send(words.to_owned()).unwrap());
        let client: Arc<dyn Adapter> =
            Arc::from(open(name, Setup::new(config(&servers.resource)).user_agent(browser)).unwrap());
        {
            let under_way = calling(&client, &servers);
            let page = pages.recv().unwrap();
            let first = words.recv().unwrap();
            assert!(
                first.contains(&page) && first.contains("Notes <b>") && first.contains("ssh -L"),
                "{first}"
            );
            assert!(words.recv().unwrap().contains("paste the whole URL"));
            let right = agreed(&page);
            let (redirect_uri, _) = right.split_once('?').unwrap();
            for (wrong, answer) in [
                ("\n", "Nothing was pasted"),
                ("yes, I agree\n", "not the URL at which the browser ended"),
                ("12345\n", "not the URL"),
                (&format!("{redirect_uri}\n"), "not the URL"),
                (&format!("{page}\n"), "the page to open"),
                (&format!("{redirect_uri}?code=x&state=of-another\n"), "another attempt"),
            ] {
                paste.send(wrong.to_owned()).unwrap();
                let said = words
                    .recv_timeout(std::time::Duration::from_secs(5))
                    .unwrap_or_else(|_| panic!("{name}: {wrong:?} {:?}", under_way.is_finished()));
                assert!(said.contains(answer), "{name}: {wrong:?}: {said}");
            }
            paste.send(format!("  {right} \n")).unwrap();
            assert_eq!(under_way.join().unwrap().unwrap(), 200, "{name}");
        }
    }
}

/// Who pastes may as well have the browser come back.
#[test]
fn a_browser_that_comes_back_while_a_paste_is_waited_for() {
    let servers = served();
    let (browser, pages) = pages();
    let (_paste, pasted) = mpsc::channel::<String>();
    let browser = browser.pasted_by(move || pasted.recv().map_err(io::Error::other)).told_by(|_| {});
    let client: Arc<dyn Adapter> =
        Arc::from(open("ureq", Setup::new(config(&servers.resource)).user_agent(browser)).unwrap());
    {
        let under_way = calling(&client, &servers);
        let right = agreed(&pages.recv().unwrap());
        assert!(visit(&right, "").starts_with("HTTP/1.1 200"));
        assert_eq!(under_way.join().unwrap().unwrap(), 200);
    }
}

#[test]
fn the_page_says_what_happened_in_the_users_language() {
    let servers = served();
    let (browser, pages) = pages();
    let client: Arc<dyn Adapter> =
        Arc::from(open("ureq", Setup::new(config(&servers.resource)).user_agent(browser)).unwrap());
    {
        let under_way = calling(&client, &servers);
        let page = pages.recv().unwrap();
        let right = agreed(&page);
        let (redirect_uri, query) = right.split_once('?').unwrap();
        let state = query.split('&').find(|parameter| parameter.starts_with("state=")).unwrap();
        let wrong = visit(&format!("{redirect_uri}?code=x&state=guess"), "");
        assert!(wrong.starts_with("HTTP/1.1 400") && wrong.contains("Nothing is waiting"), "{wrong}");
        let iss = query.split('&').find(|parameter| parameter.starts_with("iss=")).unwrap();
        let declined = visit(&format!("{redirect_uri}?error=access_denied&{state}&{iss}"), "de-CH,en;q=0.5");
        assert!(declined.starts_with("HTTP/1.1 200") && declined.contains("lang=\"de\""), "{declined}");
        assert!(declined.contains("abgelehnt") && declined.contains("Notes &#60;b&#62;"), "{declined}");
        for header in ["default-src 'none'", "no-store", "no-referrer", "nosniff", "frame-ancestors 'none'"] {
            assert!(declined.contains(header), "{header}: {declined}");
        }
        let outcome = under_way.join().unwrap();
        let denied = matches!(&outcome, Err(Failed::Authorization(error))
            if matches!(error, Error::Refused(Refused::Authorization { .. })));
        assert!(denied, "{outcome:?}");

        // The next time, the user agrees.
        let under_way = calling(&client, &servers);
        let agreed = visit(&agreed(&pages.recv().unwrap()), "xx");
        assert!(agreed.contains("Access granted") && agreed.contains("127.0.0.1"), "{agreed}");
        assert_eq!(under_way.join().unwrap().unwrap(), 200);
    }
}

/// Access denied without `state`: what the user's browser brings ends the call at once; what anybody on the machine
/// can send ends nothing.
#[test]
fn a_refusal_without_state_is_told_at_once() {
    for name in ADAPTERS {
        let servers = served();
        let (browser, pages) = pages();
        let client: Arc<dyn Adapter> =
            Arc::from(open(name, Setup::new(config(&servers.resource)).user_agent(browser)).unwrap());
        let under_way = calling(&client, &servers);
        let right = agreed(&pages.recv().unwrap());
        let redirect_uri = right.split_once('?').unwrap().0;
        let refusal = format!("{redirect_uri}?error=access_denied&error_description=planted");
        for hidden in ["en", "en\r\nSec-Fetch-Mode: no-cors\r\nSec-Fetch-Dest: image"] {
            let page = visit(&refusal, hidden);
            assert!(page.starts_with("HTTP/1.1 400") && page.contains("goes on waiting"), "{name}: {page}");
        }
        assert!(visit(redirect_uri, "").contains("goes on waiting"), "{name}: the answer may be behind a #");
        assert!(!under_way.is_finished(), "{name}");
        let page = visit(&refusal, "en\r\nSec-Fetch-Mode: navigate\r\nSec-Fetch-Dest: document");
        assert!(page.starts_with("HTTP/1.1 200") && page.contains("Access declined"), "{name}: {page}");
        let outcome = under_way.join().unwrap();
        let Err(Failed::Authorization(error)) = outcome else { panic!("{name}: {outcome:?}") };
        assert_eq!(error, PeerMisbehaved::StateMissing { error: Some("access_denied") }.into(), "{name}");
        // The next time, the user agrees.
        let under_way = calling(&client, &servers);
        visit(&agreed(&pages.recv().unwrap()), "");
        assert_eq!(under_way.join().unwrap().unwrap(), 200, "{name}");
    }
}

#[test]
fn the_hosts_own_page() {
    let servers = served();
    let (browser, pages) = pages();
    let browser = browser.page(|request| {
        assert_eq!(request.landing, Landing::Agreed);
        format!("<p>own page of {:?}, {}", request.application, request.languages)
    });
    let client: Arc<dyn Adapter> =
        Arc::from(open("ureq", Setup::new(config(&servers.resource)).user_agent(browser)).unwrap());
    {
        let under_way = calling(&client, &servers);
        let page = visit(&agreed(&pages.recv().unwrap()), "sv");
        assert!(page.contains("<p>own page of Some(\"Notes <b>\"), sv"), "{page}");
        assert!(page.contains("default-src 'none'"), "whatever the page says, it loads nothing");
        assert_eq!(under_way.join().unwrap().unwrap(), 200);
    }
}

#[test]
fn who_does_not_come_back_is_told_what_was_waited_for() {
    for name in ADAPTERS {
        let servers = served();
        let (browser, pages) = pages();
        let config = config(&servers.resource).interaction_ms(900);
        let client: Arc<dyn Adapter> = Arc::from(open(name, Setup::new(config).user_agent(browser)).unwrap());
        let outcome = call(&*client, &servers.resource, "ping");
        let Err(Failed::Authorization(error)) = outcome else { panic!("{name}: {outcome:?}") };
        let Error::Effect(EffectError { what: Work::Interaction, kind: FailureKind::TimedOut, .. }) = &error
        else {
            panic!("{name}: {error:?}")
        };
        let words = error.to_string();
        for part in ["no browser came back", "http://127.0.0.1:", "Browser::pasted", "ssh -L", "Flow::Device"]
        {
            assert!(words.contains(part), "{name}: {part}: {words}");
        }
        // Nothing is lost: the next call shows a page again.
        pages.recv().unwrap();
        {
            let under_way = calling(&client, &servers);
            visit(&agreed(&pages.recv().unwrap()), "");
            assert_eq!(under_way.join().unwrap().unwrap(), 200, "{name}");
        }
    }
}

/// The application is called by its name, not by the host's name for the account.
#[test]
fn a_code_for_another_device() {
    let servers = served();
    servers.world().server().devices = true;
    servers.world().server().offers.device_interval_s = 1;
    let (told, words) = mpsc::channel::<String>();
    let told = Mutex::new(told);
    let browser =
        Browser::default().told_by(move |words| told.lock().unwrap().send(words.to_owned()).unwrap());
    let config = config(&servers.resource).flow(Flow::Device);
    let client = open("ureq", Setup::new(config).user_agent(browser)).unwrap();
    assert_eq!(call(&*client, &servers.resource, "ping").unwrap(), 200);
    let words = words.recv().unwrap();
    let start = format!("To let Notes <b> use {}, open http://", servers.resource);
    assert!(words.starts_with(&start) && words.contains("enter the code"), "{words}");
}

/// The variable with which a test starts itself once more, as a program without a display.
const CHILD: &str = "GRANTOR_TEST_RESOURCE";

fn on_standard_error(test: &str, set: &[(&str, &str)]) {
    if let Ok(resource) = std::env::var(CHILD) {
        let client = open("ureq", config(&resource).into()).unwrap();
        assert_eq!(call(&*client, &resource, "ping").unwrap(), 200);
        return;
    }
    let servers = served();
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", test, "--nocapture"]).env(CHILD, &servers.resource);
    for name in ["DISPLAY", "WAYLAND_DISPLAY", "BROWSER", "WSL_DISTRO_NAME", "SSH_CONNECTION", "SSH_TTY"] {
        command.env_remove(name);
    }
    command.envs(set.iter().copied());
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines().map_while(Result::ok);
    let page = lines.find(|line| line.trim().starts_with("http://127.0.0.1:")).expect("the page is told");
    assert!(lines.find(|line| line.contains("ssh -L ")).is_some(), "and how a browser elsewhere comes back");
    let rest = thread::spawn(move || lines.count());
    assert!(visit(&agreed(page.trim()), "").starts_with("HTTP/1.1 200"));
    assert!(child.wait().unwrap().success());
    rest.join().unwrap();
}

#[cfg(all(unix, not(target_os = "macos")))]
#[test]
fn without_a_display_the_page_is_told_at_once() {
    on_standard_error("without_a_display_the_page_is_told_at_once", &[]);
}

/// A browser that can be opened, but where nobody may see it.
#[cfg(all(unix, not(target_os = "macos")))]
#[test]
fn over_ssh_the_page_is_told_as_well() {
    on_standard_error(
        "over_ssh_the_page_is_told_as_well",
        &[("BROWSER", "true"), ("SSH_CONNECTION", "192.0.2.1 1 192.0.2.2 22")],
    );
}

#[cfg(all(unix, not(target_os = "macos")))]
#[test]
fn when_no_browser_can_be_opened_the_page_is_told() {
    // Whatever browser this machine has, it is not on this path.
    on_standard_error(
        "when_no_browser_can_be_opened_the_page_is_told",
        &[("BROWSER", "/nonexistent/browser"), ("PATH", "/nonexistent")],
    );
}
