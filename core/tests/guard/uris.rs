//! Resource URIs that servers read in different ways: refused, or held to what every reading needs.

use crate::bench::*;
use grantor::limits;
use grantor::resource::*;
use serde_json::json;

const AMBIGUOUS: (u16, Refusal) = (400, Refusal::Message(MessageError::AmbiguousUri));

fn need(scope: &str) -> Need {
    Need::all(scope).unwrap()
}

fn files() -> Policy {
    Policy::new()
        .every("mcp:use")
        .unwrap()
        .resource("file:///pub/*", Need::public())
        .resource("file:///private/*", need("private"))
        .resource("file:///etc/passwd", need("root"))
        .resource("note://*", need("notes"))
        .resource("note://private/*", need("private"))
        .resource("https://docs.example/private/*", need("private"))
        .resource("*.secrets", need("private"))
}

fn bench(policy: Policy) -> Bench {
    Bench::with(GuardConfig::new(RESOURCE, policy).server(AuthorizationServer::jwt(ISSUER)))
}

fn read(uri: &str) -> Request {
    Request::post(json!({ "id": 1, "method": "resources/read", "params": { "uri": uri } }).to_string())
}

/// What a URI needs, as the challenge to a token without scopes says it; `None` if it is allowed.
fn needed(bench: &mut Bench, uri: &str) -> Option<String> {
    match bench.decide(&read(uri).bearer(&with_scope("mcp:use"))) {
        Decision::Allow(_) => None,
        Decision::Answer(answer) => {
            assert_eq!(answer.refusal, Some(Refusal::InsufficientScope), "{uri}");
            challenge(&answer, "scope")
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn rfc3986_6_uris_whose_structure_is_read_in_two_ways_are_refused() {
    let mut bench = bench(files());
    for uri in [
        // As it was found.
        "file:///pub/x%3F/../../private/diary",
        // Dot segments in any encoding, for those who decode once, twice, or take the query for a path.
        "file:///pub/../private/diary",
        "file:///pub/./../private/diary",
        "file:///pub/%2e%2e/private/diary",
        "file:///pub/.%2E/private/diary",
        "file:///pub/%252e%252e/private/diary",
        "file:///pub/%25252e%25252e%25252fprivate/diary",
        "file:///pub/..",
        "file:///pub/.",
        "file:///pub/.../private",
        "file:///pub/.. /private/diary",
        "file:///pub/..%20/private/diary",
        "file:///pub/.\u{200b}./private/diary",
        // Windows takes what follows a colon for the name of a stream: what is before it is the segment.
        "file:///pub/.%2E:/private/diary",
        "file:///pub/..:$DATA/private/diary",
        "file:///pub/.%20:x/private/diary",
        "file:///pub/:x/private/diary",
        "file:///pub/x?/..:/..::$DATA/private/diary",
        "file:///pub/%3A/private/diary",
        "file:///pub/..%E2%80%8B/private/diary",
        "file:///pub/x?/../../private/diary",
        "file:///pub/x#/../../private/diary",
        "file:///pub/x?a=%2F..%2F..%2Fprivate",
        "file:///pub/x#%2e%2e/%2e%2e/private/diary",
        "note://../private/diary",
        "note://./private/diary",
        "note:../private/diary",
        "../private/diary",
        "./etc/passwd",
        // Encoded marks.
        "file:///pub/..%2fprivate/diary",
        "file:///pub%2F..%2Fprivate/diary",
        "file:///pub/a%2Fb",
        "file:///pub/a%5Cb",
        "file:///pub/a%3Fb",
        "file:///pub/a%23b",
        "file:///pub/a%25b",
        "file:///pub/a%3Bb",
        "file:///pub/a%7Cb",
        "file:///pub/x?a=%5C..%5C",
        "file:///pub/x?a=%23b",
        "file:///pub/x?a=100%25",
        // What is no encoding.
        "file:///pub/%",
        "file:///pub/%2",
        "file:///pub/%zz",
        "file:///pub/%+1x",
        "file:///pub/%u002e%u002e/private",
        "file:///pub/x?%",
        // Octets that are no text: overlong, surrogates, cut off.
        "file:///pub/%c0%ae%c0%ae/private/diary",
        "file:///pub/%c0%af..%c0%afprivate",
        "file:///pub/%e0%80%af",
        "file:///pub/%f0%80%80%af",
        "file:///pub/%ed%a0%80",
        "file:///pub/%ff",
        "file:///pub/%e6%97",
        // Empty segments.
        "file:///pub//private/diary",
        "file:////private/diary",
        "file://///private/diary",
        "note://a//private",
        "note:////private/diary",
        "note:///a//private",
        "x://note://private/diary",
        "url:file:///private/diary",
        "note://private//",
        // Backslashes, drives, streams and short names.
        "file:///pub\\..\\private\\diary",
        "file:\\\\\\private\\diary",
        "note:\\\\private\\diary",
        "note://a\\@private/diary",
        "file:///C|/private/diary",
        "file://C:/private/diary",
        "C:\\private\\diary",
        "\\\\host\\private",
        "file:///PRIVAT~1/diary",
        "file:///pub/%50RIVAT%7E1/diary",
        // A scheme that needs a host, and one that is there only after decoding.
        "https:docs.example:443/private/x",
        "HTTPS:docs.example/private/x",
        "https:/docs.example/private/x",
        "https:///docs.example/private/x",
        "https:user@docs.example/private/x",
        "https:",
        "%66ile:/private/diary",
        "file%3A/private/diary",
        "ｆile:/private/diary",
        // Hosts of files.
        "file:/private/diary",
        "file:private/diary",
        "file://localhost/private/diary",
        "file://127.0.0.1/private/diary",
        "file://pub/private/diary",
        "file://@/private/diary",
        "file://:80/private/diary",
        // Control characters, and spaces that a parser takes away.
        "file:///pub/\u{0}",
        "file:///pub/x%00/../../private",
        "file:///pub/a%00.secrets",
        "file:///pub/a%0a",
        "file:///pub/a\tb",
        "fi\nle:///private/diary",
        "file:///pri\rvate/diary",
        "file:///pub/\u{7f}",
        "file:///pub/%7f",
        "file:///pub/\u{85}",
        "file:///pub/%c2%85",
        "file:///pub/\u{2028}x",
        " file:///private/diary",
        "file:///private/diary ",
        "\u{a0}note://private/diary",
        "\u{3000}note://private/diary",
        // Path parameters.
        "file:///pub/..;/private/diary",
        "file:///pub;x=/../private",
        "note://private;x/diary",
        "note://a/;private",
        // Users and hosts that are read in two ways.
        "note://a@b@private/diary",
        "note://private%2Fdiary",
        "note://a%40private/diary",
        "note://private%3A80/diary",
        "note://private%2E/diary",
        "note://private./diary",
        "note://.private/diary",
        "note://pri..vate/diary",
        "note://[private/diary",
        "note://[private]/diary",
        "note://a[b]/diary",
        "note://[::1]x/diary",
        "note://a:b:c/diary",
        "https://docs.example%2fprivate/x",
        "https://docs。example/private/x",
        "https://docs．example/private/x",
        "https://docs｡example/private/x",
        "https://docs%E3%80%82example/private/x",
        // Unicode's other slashes, dots and question marks.
        "file:///pub/．．/private/diary",
        "file:///pub/%EF%BC%8E%EF%BC%8E/private",
        "file:///pub／..／private",
        "file:///pub/..%EF%BC%8Fprivate",
        "file:///pub/..∕..∕private",
        "file:///pub/..⁄private",
        "file:///pub/‥/private",
        "file:///pub/…/private",
        "file:///pub/a？b",
        "file:///pub/a＃b",
        "file:///pub/a％2e",
        "file:///pub/a＼b",
        "note://a＠private/diary",
        "note://a：80/private",
        // More at once than anybody sends.
        "HTTPS://user@Docs.Example:80/private/x?a#b",
    ] {
        assert_eq!(
            bench.why(&read(uri).bearer(&with_scope("mcp:use notes private root"))),
            AMBIGUOUS,
            "{uri:?}"
        );
        // Without a token, it is not let in to what is public either.
        assert_eq!(bench.why(&read(uri)), AMBIGUOUS, "{uri:?}");
    }
    let long = format!("file:///pub/{}", "x".repeat(limits::URL));
    assert_eq!(bench.why(&read(&long)), AMBIGUOUS);
    assert!(bench.allow(&read("file:///pub/x")).is_none());
}

#[test]
fn rfc3986_6_uris_that_differ_by_their_letters_need_what_all_their_readings_need() {
    let mut bench = bench(files());
    for (uri, scopes) in [
        // The case of letters: hosts, schemes, and names on file systems that do not mind.
        ("FILE:///private/diary", "private"),
        ("file:///Private/diary", "private"),
        ("file:///ETC/passwd", "root"),
        ("NOTE://open", "notes"),
        ("note://PRIVATE/diary", "notes private"),
        ("https://Docs.Example/private/x", "private"),
        ("https://docs.example/Private/x", "private"),
        ("file:///pub/x.SECRETS", "private"),
        // Encoded or not.
        ("file:///%70rivate/diary", "private"),
        ("file:///etc/pass%77d", "root"),
        ("file:///etc/passwd%2e", "root"),
        ("file:///priva%74e/%64iary", "private"),
        ("note://%70rivate/diary", "notes private"),
        ("https://docs%2Dexample.example/private/x", ""),
        ("https://d%6Fcs.example/private/x", "private"),
        ("file:///pub/x%2Esecrets", "private"),
        // Query and fragment.
        ("file:///etc/passwd?x", "root"),
        ("file:///etc/passwd#x", "root"),
        ("file:///etc/passwd?", "root"),
        ("file:///etc/passwd?x#y", "root"),
        ("https://docs.example?/private/x", ""),
        ("note://private/diary?x=/y", "private"),
        ("file:///x.secrets?y", "private"),
        ("file:///x.secrets#.txt", "private"),
        // Ports and users.
        ("note://private:80/diary", "notes private"),
        ("note://private:/diary", "notes private"),
        ("note://me@private/diary", "notes private"),
        ("note://note@private:80/diary", "notes private"),
        ("https://docs.example:443/private/x", "private"),
        ("https://x:y@docs.example/private/x", "private"),
        // Slashes before and after.
        ("note:private/diary", "private"),
        ("note:/private/diary", "private"),
        ("note:///private/diary", "notes private"),
        ("note://private", "notes private"),
        ("file:///private", "private"),
        ("file:///etc/passwd/", "root"),
        // No scheme, one of a letter, one that no rule names: a server may not look at it.
        ("/etc/passwd", "root"),
        ("/private/diary", "notes private"),
        ("//private/diary", "notes private"),
        ("private/diary", "notes private"),
        ("c:/private/diary", "private"),
        ("x-note://private/diary", "notes private"),
        ("http://docs.example/private/x", "private"),
        ("blob://anywhere/etc/passwd", "root"),
        ("ftp://host/private/diary", "notes private"),
        ("https://docs.example:8443/private/x", "private"),
        // Drives.
        ("file:///C:/private/diary", "private"),
        ("file:///c%3A/private/diary", "private"),
        ("C:/etc/passwd", "root"),
        // Streams, and what Windows takes away.
        ("file:///etc/passwd::$DATA", "root"),
        ("file:///etc/passwd:x", "root"),
        ("file:///etc/passwd%3Ax", "root"),
        ("url:file:/private/diary", "private"),
        ("url:note:private/x?y", "notes private"),
        ("file:///private::$INDEX_ALLOCATION/diary", "private"),
        ("file:///private%3a%3a$INDEX_ALLOCATION/diary", "private"),
        ("file:///C:/private:x/diary", "private"),
        ("ws://anywhere/private/diary", "private"),
        ("file:///etc/passwd.", "root"),
        ("file:///etc/passwd%20", "root"),
        ("file:///private./diary", "private"),
        ("file:///private%20/diary", "private"),
        ("file:///etc/passwd. .", "root"),
        // Letters that are compatible, composed, or not seen.
        ("file:///ｐｒｉｖａｔｅ/diary", "private"),
        ("file:///priv\u{ad}ate/diary", "private"),
        ("file:///pri\u{200d}vate/diary", "private"),
        ("file:///%F0%9D%93%85rivate/diary", "private"),
        ("file:///etc/paſſwd", "root"),
        ("note://ⓟrivate/diary", "notes private"),
    ] {
        let found = needed(&mut bench, uri).unwrap_or_default();
        let found: Vec<&str> = found.split(' ').collect();
        for scope in scopes.split(' ').filter(|scope| !scope.is_empty()) {
            assert!(found.contains(&scope), "{uri} needs {scope}, not only {found:?}");
        }
        bench.allow(&read(uri).bearer(&with_scope("mcp:use notes private root"))).unwrap();
    }
}

#[test]
fn unicode_composition_and_case_make_no_other_resource() {
    let policy = Policy::new()
        .resource("note://café/*", need("a"))
        .resource("note://Straße", need("b"))
        .resource("note://I", need("c"))
        .resource("note://a%20b", need("d"))
        .resource("note://ΟΔΟΣ", need("e"));
    let mut bench = bench(policy);
    for (uri, scope) in [
        ("note://cafe\u{301}/x", "a"),
        ("note://CAFÉ/x", "a"),
        ("note://caf%C3%A9/x", "a"),
        ("note:///cafe%CC%81/x", "a"),
        ("note:///caf%C3%A9/x", "a"),
        ("note://STRASSE", "b"),
        ("note://strasse", "b"),
        ("note://ı", "c"),
        ("note://i", "c"),
        ("note:a b", "d"),
        ("note:A+B", "d"),
        ("note:///a%20b/", "d"),
        ("note://οδος", "e"),
        ("note://οδοσ", "e"),
    ] {
        let request = read(uri).bearer(&with_scope("mcp:use"));
        let answer = bench.refuse(&request);
        assert_eq!(challenge(&answer, "scope").as_deref(), Some(scope), "{uri}");
    }
}

#[test]
fn uris_as_servers_list_them_need_what_their_rule_needs_and_no_more() {
    let mut bench = bench(files());
    for (uri, scopes) in [
        ("file:///pub/a", None),
        ("file:///pub/a b.txt", None),
        ("file:///pub/a%20b.txt", None),
        ("file:///pub/a.b.tar.gz", None),
        ("file:///pub/.hidden", None),
        ("file:///pub/..hidden", None),
        ("file:///pub/folder/", None),
        ("file:///pub/日本/é", None),
        ("file:///pub/今日は。", None),
        ("note://今日は。", Some("mcp:use notes")),
        ("file:///pub/%E6%97%A5%E6%9C%AC", None),
        ("file:///pub/%40scope/x@1.0", None),
        ("file:///pub/~user/a~b", None),
        ("file:///pub/x?y=z", None),
        ("file:///pub/(a)'!$&*,=", None),
        ("file:///home/a", None),
        ("file:///c%3A/Users/a", None),
        ("file:///", None),
        ("note://a", Some("mcp:use notes")),
        ("note://a/b?c=d%2Fe", Some("mcp:use notes")),
        ("note://user@a:80/b", Some("mcp:use notes")),
        ("note://private/a", Some("mcp:use private")),
        ("note://private/A B", Some("mcp:use private")),
        ("https://docs.example/public/x", None),
        ("https://docs.example/private/x", Some("mcp:use private")),
        ("https://docs.example:8080/x", None),
        ("file:///a.secrets", Some("mcp:use private")),
    ] {
        assert_eq!(needed(&mut bench, uri), scopes.map(str::to_owned), "{uri}");
        let public = uri.starts_with("file:///pub/");
        assert_eq!(matches!(bench.decide(&read(uri)), Decision::Allow(None)), public, "{uri}");
    }
}

#[test]
fn a_part_that_a_rule_names_is_one_that_the_server_looks_at() {
    let policy = Policy::new()
        .resource("db://localhost:5432/*", need("db"))
        .resource("db://me@localhost/*", need("mine"))
        .resource("search://notes?q=*", need("search"))
        .resource("note://list", need("list"))
        .resource("note://list/*", need("listed"))
        .otherwise(Need::nobody());
    let mut bench = bench(policy);
    let mut why = |uri: &str, scope: &str| match bench.decide(&read(uri).bearer(&with_scope(scope))) {
        Decision::Allow(_) => None,
        Decision::Answer(answer) => answer.refusal,
        other => panic!("{other:?}"),
    };
    assert_eq!(why("db://localhost:5432/a", "db"), None);
    assert_eq!(why("db://me@localhost:5432/a", "db"), Some(Refusal::Forbidden), "no rule is for localhost");
    assert_eq!(why("db://me@localhost/a", "db mine"), None);
    assert_eq!(why("db://localhost/a", "db mine"), Some(Refusal::Forbidden), "no rule is for it");
    assert_eq!(why("search://notes?q=a", "search"), None);
    assert_eq!(why("search://notes?q=a&lang=%C3%A9", "search"), None);
    assert_eq!(why("search://notes", "search"), Some(Refusal::Forbidden));
    assert_eq!(why("search://notes?lang=de&q=a", "search"), Some(Refusal::Forbidden));
    assert_eq!(why("note://list", "list"), None, "it has a rule of its own");
    assert_eq!(why("note://list/", "listed"), Some(Refusal::InsufficientScope), "or of the list");
    assert_eq!(why("note://list/a", "listed"), None);
}

#[test]
fn hosts_are_compared_as_servers_compare_them() {
    let policy = Policy::new()
        .resource("notes:///private/*", need("private"))
        .resource("host://[::1]/*", need("here"))
        .resource("web://a/*", need("a"))
        .resource("https://bücher.example/*", need("books"))
        .resource("https://0x7f.1/*", need("local"));
    let mut bench = bench(policy);
    assert_eq!(needed(&mut bench, "notes://x/private/a"), Some("private".into()));
    assert_eq!(needed(&mut bench, "notes:private/a"), Some("private".into()));
    assert_eq!(needed(&mut bench, "notes://x/open/a"), None);
    assert_eq!(needed(&mut bench, "host://[0:0::1]/x"), Some("here".into()));
    assert_eq!(needed(&mut bench, "host://[::0001]:80/x"), Some("here".into()));
    assert_eq!(needed(&mut bench, "web://b/a/x"), None);
    for uri in ["https://bücher.example/x", "https://xn--bcher-kva.example/x", "https://BÜCHER.example:443/x"]
    {
        assert_eq!(needed(&mut bench, uri), Some("books".into()), "{uri}");
    }
    for uri in ["https://127.0.0.1/x", "https://2130706433/x", "https://0X7F.1/x", "https://0177.0.0.1:1/x"] {
        assert_eq!(needed(&mut bench, uri), Some("local".into()), "{uri}");
    }
}

#[test]
fn what_a_query_says_is_written_in_many_ways() {
    let policy =
        Policy::new().resource("db://t?table=secret*", need("secret")).resource("db://*", need("db"));
    let mut bench = bench(policy);
    for query in
        ["table=secret", "a=b&table=secret", "table=%73ecret", "TABLE=secret", "table=open&table=secret"]
    {
        let found = needed(&mut bench, &format!("db://t?{query}")).unwrap();
        assert!(found.contains("secret"), "{query} needs {found}");
    }
    assert_eq!(needed(&mut bench, "db://t"), Some("db".into()));
    assert_eq!(needed(&mut bench, "db://other?table=secret"), Some("db".into()));
}

#[test]
fn what_a_suffix_makes_public_is_not_made_public_by_a_query() {
    let policy = Policy::new()
        .resource("*.md", Need::public())
        .resource("file:///*/open", Need::public())
        .otherwise(need("read"));
    let mut bench = bench(policy);
    assert!(bench.allow(&read("file:///a.md")).is_none());
    assert!(bench.allow(&read("file:///a/open")).is_none());
    for uri in ["file:///a?x.md", "file:///a#x.md", "file:///a?x#y.md", "file:///ab:c.md", "file:///a?/open"]
    {
        assert!(
            matches!(bench.decide(&read(uri)), Decision::Answer(answer) if answer.status == 401),
            "{uri}"
        );
        assert_eq!(needed(&mut bench, uri), Some("read".into()), "{uri}");
    }
    assert_eq!(needed(&mut bench, "note://a/b?/open"), Some("read".into()));
}

#[test]
fn where_no_rule_tells_resources_apart_no_uri_is_refused() {
    let policy = Policy::new().every("mcp:use").unwrap().tool("x", need("x"));
    let mut plain = bench(policy.clone());
    let mut alike = bench(policy.resource("note://*", Need::any_token()));
    for uri in
        ["file:///pub/../private", "postgres://me:x@Host:1/db?a#b", "", "anything", "file://localhost/x"]
    {
        plain.allow(&read(uri).bearer(&with_scope("mcp:use"))).unwrap();
        alike.allow(&read(uri).bearer(&with_scope("mcp:use"))).unwrap();
    }
}

#[test]
fn templates_to_complete_are_legible_whatever_is_in_their_braces() {
    let mut bench = bench(files());
    let complete = |uri: &str| {
        let params = json!({ "ref": { "type": "ref/resource", "uri": uri }, "argument": { "name": "a", "value": "" } });
        let body = json!({ "id": 1, "method": "completion/complete", "params": params }).to_string();
        Request::post(body).bearer(&with_scope("mcp:use notes"))
    };
    for uri in ["note://{id}", "note://a{/path*}", "note://a{?q,lang}", "file:///{+path}", "note://a/{#x}"] {
        bench.allow(&complete(uri)).unwrap();
    }
    assert_eq!(bench.why(&complete("note://private/{id}")), (403, Refusal::InsufficientScope));
    assert_eq!(bench.why(&complete("note://PRIVATE/{id}")), (403, Refusal::InsufficientScope));
    for uri in ["note://a/../{id}", "file:///{a}/../private", "note://{a}//x", "note://{a/../b"] {
        assert_eq!(bench.why(&complete(uri)), AMBIGUOUS, "{uri}");
    }
    let plain = read("file:///{a/../../private/b}").bearer(&with_scope("mcp:use notes"));
    assert_eq!(bench.why(&plain), AMBIGUOUS, "only a template has braces");
}

#[test]
fn rules_to_which_only_refused_uris_come_never_apply() {
    for name in [
        "file:///a/../b",
        "file:///a/../*",
        "file:///a//b",
        "file:///a\\*",
        "file:///a%2Fb*",
        "file://localhost/*",
        "file:/a/*",
        "note://a;b/*",
        "note://a/./*",
        "*/../*",
        "*\\*",
        "note://a.//*",
    ] {
        let policy = Policy::new().resource(name, need("a"));
        let config = GuardConfig::new(RESOURCE, policy).server(AuthorizationServer::jwt(ISSUER));
        let error = Guard::new(config).unwrap_err();
        let GuardConfigError::Policy(PolicyError::NeverApplies { rule, .. }) = error else {
            panic!("{name}: {error}")
        };
        assert_eq!(*rule, format!("resource {name}"));
    }
    for name in [
        "*",
        "*private*",
        "*.md",
        "*://a/*",
        "note:*",
        "note://*",
        "file:*",
        "file:/*",
        "file://*",
        "file:///*",
        "file:///*/x",
        "https://*.example.com/*",
        "https://*:8080/*",
        "db://me@h/*",
        "note://a?x=*",
        "plain",
        "note://{id}",
        "note://a{/path*}",
        "C:/x*",
        "file:///a%20b/*",
        "note://日本/*",
    ] {
        let policy = Policy::new().resource(name, need("a"));
        let config = GuardConfig::new(RESOURCE, policy).server(AuthorizationServer::jwt(ISSUER));
        Guard::new(config).unwrap();
    }
}

#[test]
fn readings_are_bounded_in_number_and_length() {
    let mut bench = bench(files());
    let all = with_scope("mcp:use notes private root");
    let of = |path: usize, more: &str| read(&format!("note://a/{}{more}", "x".repeat(path))).bearer(&all);
    bench.allow(&of(limits::URL - 9, "")).unwrap();
    assert_eq!(bench.why(&of(limits::URL - 8, "")), AMBIGUOUS);
    bench.allow(&of(limits::URI_WITH_PARTS - 11, "?q")).unwrap();
    assert_eq!(bench.why(&of(limits::URI_WITH_PARTS - 10, "?q")), AMBIGUOUS);
    bench.allow(&read("note://me@a:1/x?q").bearer(&all)).unwrap();
    assert_eq!(bench.why(&read("note://me@a:1/x?q#f").bearer(&all)), AMBIGUOUS);
    // Nothing is worked out for the challenge to who has no token.
    let named = Request::post("").named("resources/read", Some("NOTE://me@private:1/x?q#f"));
    assert_eq!(bench.why(&named), (401, Refusal::NoToken));
}
