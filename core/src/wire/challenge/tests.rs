use super::*;

fn parse(line: &str) -> Challenges {
    Challenges::parse([line]).unwrap_or_else(|error| panic!("{line:?}: {error}"))
}

fn params(challenge: &Challenge) -> Vec<(&str, &str)> {
    challenge.params().collect()
}

#[test]
fn rfc9110_11_6_1_example() {
    // The example of the section: two challenges in a line, a comma and a quote inside of a value.
    let challenges =
        parse(r#"Basic realm="simple", Newauth realm="apps", type=1, title="Login to \"apps\"""#);
    let all: Vec<_> = challenges.iter().collect();
    assert_eq!(all.len(), 2);
    assert_eq!(params(all[0]), [("realm", "simple")]);
    assert_eq!(all[1].scheme(), "Newauth");
    assert_eq!(params(all[1]), [("realm", "apps"), ("type", "1"), ("title", "Login to \"apps\"")]);
}

#[test]
fn any_order_and_case_of_schemes() {
    for line in [
        r#"Bearer scope="a", Basic realm="x""#,
        r#"Basic realm="x", bEARER scope="a""#,
        r#"Negotiate, BEARER SCOPE=a , Digest qop="auth, auth-int""#,
        r#"Negotiate YWJj==,bearer Scope = a"#,
    ] {
        let challenges = parse(line);
        let scope = challenges.bearer().expect(line).scope().unwrap().expect(line);
        assert_eq!(scope.to_string(), "a", "{line}");
    }
}

#[test]
fn several_lines_are_one_list() {
    let challenges =
        Challenges::parse([r#"Basic realm="x""#, r#"Bearer realm="y""#, r#"scope="a""#]).unwrap();
    assert_eq!(challenges.iter().count(), 2);
    assert_eq!(challenges.bearer().unwrap().scope().unwrap().unwrap().to_string(), "a");
}

#[test]
fn token68() {
    for (line, token) in [
        ("Negotiate YWJjZA==", "YWJjZA=="),
        ("Negotiate a", "a"),
        ("Negotiate a=", "a="),
        ("Negotiate a==, Bearer", "a=="),
        ("X -._~+/9= , Y", "-._~+/9="),
    ] {
        assert_eq!(parse(line).iter().next().unwrap().token68(), Some(token), "{line}");
    }
    assert_eq!(parse("X a=b").iter().next().unwrap().token68(), None);
    assert_eq!(params(parse("X a =b").iter().next().unwrap()), [("a", "b")]);
}

#[test]
fn empty_elements_are_ignored() {
    // RFC 9110 5.6.1.2.
    let challenges = parse(r#", ,Bearer ,realm="x",, scope="y" ,"#);
    assert_eq!(challenges.iter().count(), 1);
    assert_eq!(params(challenges.iter().next().unwrap()), [("realm", "x"), ("scope", "y")]);
    assert!(parse("").is_empty());
    assert!(parse(" , ").is_empty());
}

#[test]
fn quoted_strings() {
    let challenges = parse("Bearer a=\"\", b=\"\\\\\\\"\\x\", c=\"tab\there\", d=\"ü, ✓\"");
    let expected = [("a", ""), ("b", "\\\"x"), ("c", "tab\there"), ("d", "ü, ✓")];
    assert_eq!(params(challenges.iter().next().unwrap()), expected);
    // Bytes that are not UTF-8 are read as Latin-1.
    let challenges = Challenges::parse([b"Bearer a=\"\xfc\""]).unwrap();
    assert_eq!(params(challenges.iter().next().unwrap()), [("a", "ü")]);
}

#[test]
fn sentry_mcp_939_repeated_parameters() {
    let same = parse(r#"Bearer resource_metadata="https://a/", resource_metadata="https://a/""#);
    assert_eq!(same.bearer().unwrap().resource_metadata(), Some("https://a/"));
    let other = parse(r#"Bearer resource_metadata="https://a/", Resource_Metadata="https://b/""#);
    assert_eq!(other.bearer().unwrap().resource_metadata(), None, "nobody can say which is meant");
    assert_eq!(other.iter().next().unwrap().params().count(), 2, "both are kept");
}

#[test]
fn substrings_are_not_parameters() {
    let challenges =
        parse(r#"Basic realm="scope=\"evil\", resource_metadata=x", Bearer error_description="scope=evil""#);
    let bearer = challenges.bearer().unwrap();
    assert_eq!(bearer.scope().unwrap(), None);
    assert_eq!(bearer.resource_metadata(), None);
}

#[test]
fn several_bearers() {
    let challenges = parse(r#"Bearer realm="a", Bearer resource_metadata="https://a/""#);
    assert_eq!(challenges.bearer().unwrap().resource_metadata(), Some("https://a/"));
}

#[test]
fn syntax_errors_name_their_place() {
    for (line, at) in [
        ("=", 0),
        ("Bearer =x", 7),
        ("Bearer a=\"x", 11),
        ("Bearer a=\"x\\", 12),
        ("Bearer a=\"x\" b", 13),
        ("Bearer a b", 8),
        ("Bearer a=", 9),
        ("Bearer a=,", 9),
        ("Bearer a=\"\u{1}\"", 10),
        ("Bea(rer", 3),
        ("Bearer a=x;b=y", 10),
    ] {
        let expected = match line {
            "Bearer a=" | "Bearer a=," => {
                assert!(Challenges::parse([line]).is_ok(), "a token68");
                continue;
            }
            _ => Err(ChallengeError::Syntax { line: 0, at }),
        };
        assert_eq!(Challenges::parse([line]), expected, "{line}");
    }
}

#[test]
fn what_can_mean_one_thing_only_is_read_all_the_same() {
    let (error, scope, url) = ("invalid_token", "a b", "https://h/x?y=z");
    for line in [
        "Bearer error=invalid_token, scope=a b, resource_metadata=https://h/x?y=z",
        "Bearer error=invalid_token scope=a b resource_metadata=https://h/x?y=z",
        "Bearer error='invalid_token', scope='a b', resource_metadata='https://h/x?y=z'",
        "Bearer error='invalid_token' scope='a b' resource_metadata='https://h/x?y=z'",
        "Bearer error=\"invalid_token\" scope=\"a b\" resource_metadata=\"https://h/x?y=z\"",
        "Bearer error=\"invalid_token\"; scope=\"a b\"; resource_metadata=\"https://h/x?y=z\"",
        "Bearer error=\\\"invalid_token\\\", scope=\\\"a b\\\", resource_metadata=\\\"https://h/x?y=z\\\"",
        "error=\"invalid_token\", scope=\"a b\", resource_metadata=\"https://h/x?y=z\"",
        "Basic realm=\"r\" Bearer error=invalid_token scope=a b resource_metadata=https://h/x?y=z",
        "Basic realm=r Bearer error=invalid_token scope=a b resource_metadata=https://h/x?y=z Digest qop=auth",
        "Bearer error = invalid_token , scope =a b,resource_metadata= https://h/x?y=z",
    ] {
        let (challenges, told) = Challenges::parse_leniently([line]);
        let bearer = challenges.oauth().expect(line);
        assert_eq!((bearer.error(), bearer.resource_metadata()), (Some(error), Some(url)), "{line}");
        assert_eq!(bearer.scope().unwrap().unwrap().to_string(), scope, "{line}");
        assert!(matches!(told, Some(ChallengeError::Syntax { line: 0, .. })), "{line}: it is told");
        assert_eq!(Challenges::parse([line]), Err(told.unwrap()), "{line}: and refused by the grammar");
        assert_eq!(Challenges::parse([challenges.to_string()]), Ok(challenges), "{line}");
    }
}

#[test]
fn single_quotes_that_the_grammar_allows_are_kept_and_mean_nothing_to_oauth() {
    let challenges = parse("Bearer scope='a', error='x' , realm='");
    let bearer = challenges.bearer().unwrap();
    assert_eq!(params(bearer.challenge()), [("scope", "'a'"), ("error", "'x'"), ("realm", "'")]);
    assert_eq!((bearer.error(), bearer.scope().unwrap().unwrap().to_string()), (Some("x"), "a".into()));
}

#[test]
fn what_may_mean_two_things_is_not_read() {
    for line in [
        "Bearer resource_metadata=https://h/a;b=c",
        "Bearer error=\"invalid_token\" b",
        "Bearer error=\"invalid_token, scope=\"a\"",
        "Bearer error=\"a\"\"b\"",
        "Bearer error=\\\"x",
    ] {
        let (challenges, error) = Challenges::parse_leniently([line]);
        assert!(challenges.is_empty() && error.is_some(), "{line}: {challenges}");
    }
}

#[test]
fn the_challenges_of_a_response_complete_each_other() {
    let lines = [
        r#"DPoP error="use_dpop_nonce", algs="ES256""#,
        r#"Bearer resource_metadata="https://a/", scope="a""#,
        r#"Bearer resource_metadata="https://b/", scope="b""#,
        r#"Basic realm="x", resource_metadata="https://basic/", acr_values="gold""#,
    ];
    let challenges = Challenges::parse(lines).unwrap();
    let oauth = challenges.oauth().unwrap();
    assert_eq!((oauth.error(), oauth.resource_metadata()), (Some("use_dpop_nonce"), Some("https://a/")));
    assert_eq!(oauth.scope().unwrap().unwrap().to_string(), "a");
    assert_eq!(oauth.acr_values(), None, "of another scheme");
    let bearer = challenges.bearer().unwrap();
    assert_eq!((bearer.error(), bearer.resource_metadata()), (None, Some("https://a/")));
    let own = Challenges::parse([
        r#"Bearer error="x", resource_metadata="https://a/""#,
        r#"DPoP resource_metadata="https://b/""#,
    ]);
    assert_eq!(own.unwrap().oauth().unwrap().resource_metadata(), Some("https://a/"), "its own counts first");
    let unclear = Challenges::parse([
        r#"Bearer error="x", resource_metadata="https://a/", resource_metadata="https://c/""#,
        r#"DPoP resource_metadata="https://b/""#,
    ]);
    assert_eq!(unclear.unwrap().oauth().unwrap().resource_metadata(), None);
}

#[test]
fn challenges_in_a_result_lose_their_bad_entries_alone() {
    let body = r#"{"result":{"_meta":{"mcp/www_authenticate":[1,null,"Bearer x=\"","Bearer error='invalid_token'",{}]}}}"#;
    let challenges = Challenges::of_result(body.as_bytes()).unwrap();
    assert_eq!(challenges.bearer().unwrap().error(), Some("invalid_token"));
    let nothing = r#"{"result":{"_meta":{"mcp/www_authenticate":"Bearer x=\""}}}"#;
    assert!(Challenges::of_result(nothing.as_bytes()).is_err());
}

#[test]
fn a_broken_line_costs_only_itself() {
    let (challenges, error) =
        Challenges::parse_leniently([r#"Basic realm="a", Digest x="y"#, "Bearer scope=b"]);
    assert_eq!(error, Some(ChallengeError::Syntax { line: 0, at: 28 }));
    let schemes: Vec<_> = challenges.iter().map(Challenge::scheme).collect();
    assert_eq!(schemes, ["Basic", "Bearer"]);
}

#[test]
fn bounds() {
    let too_large = Err(ChallengeError::TooLarge);
    assert_eq!(Challenges::parse(["a,".repeat(limits::CHALLENGES + 1)]), too_large);
    assert_eq!(Challenges::parse([format!("X {}", "a=b,".repeat(limits::CHALLENGE_PARAMS + 1))]), too_large);
    assert_eq!(Challenges::parse([" ".repeat(limits::CHALLENGE_HEADER + 1)]), too_large);
    let (kept, _) = Challenges::parse_leniently(["a,".repeat(limits::CHALLENGES + 1)]);
    assert_eq!(kept.iter().count(), limits::CHALLENGES);
}

#[test]
fn build_then_parse_gives_the_same() {
    let challenges: Challenges = [
        Challenge::new("Bearer")
            .unwrap()
            .param("scope", "a b")
            .unwrap()
            .param("scope", "a \\ \" , =")
            .unwrap(),
        Challenge::with_token68("Negotiate", "ab+/==").unwrap(),
        Challenge::new("X").unwrap(),
        Challenge::new("DPoP").unwrap().param("algs", "ES256 ü").unwrap(),
    ]
    .into_iter()
    .collect();
    assert_eq!(Challenges::parse([challenges.to_string()]), Ok(challenges));
}

#[test]
fn build_refuses_what_the_grammar_forbids() {
    assert_eq!(Challenge::new("a b"), Err(NotAToken));
    assert_eq!(Challenge::new(""), Err(NotAToken));
    assert_eq!(Challenge::with_token68("X", "=="), Err(NotAToken));
    assert_eq!(Challenge::new("X").unwrap().param("a b", ""), Err(NotAToken));
    assert_eq!(
        Challenge::new("X").unwrap().param("a", "line\r\nbreak"),
        Err(NotAToken),
        "no header injection"
    );
    assert_eq!(Challenge::with_token68("X", "a").unwrap().param("a", "b"), Err(NotAToken));
}

#[test]
fn rfc6750_3_attributes() {
    let challenges = parse(
        r#"Bearer realm="example", error="insufficient_scope", error_description="more", scope="files:write", resource_metadata="https://h/.well-known/oauth-protected-resource""#,
    );
    let bearer = challenges.bearer().unwrap();
    assert!(bearer.is_insufficient_scope());
    assert_eq!(bearer.error_description().unwrap(), "more");
    assert_eq!(parse(r#"Bearer scope="""#).bearer().unwrap().scope(), Ok(None));
    assert_eq!(parse(r#"Bearer scope="a\"b""#).bearer().unwrap().scope(), Err(ScopeError::Syntax));
}
