//! `WWW-Authenticate` headers.

/// A challenge as servers send it.
pub fn typical() -> &'static str {
    r#"Bearer realm="example", error="insufficient_scope", error_description="More is needed", scope="files:read files:write", resource_metadata="https://mcp.example.com/.well-known/oauth-protected-resource/mcp""#
}

/// Makes a header of about this many bytes.
pub(crate) type Shape = fn(usize) -> String;

/// Headers that would be slow to read for a parser that looks ahead, goes back or searches.
pub const SHAPES: [(&str, Shape); 13] = [
    ("backslashes", |size| format!("Bearer a=\"{}\"", "\\\\".repeat(size / 2))),
    ("commas", |size| format!("Bearer a=b{}", ",".repeat(size))),
    ("commas, quoted", |size| format!("Bearer a=\"{}\"", ",".repeat(size))),
    ("equals signs", |size| format!("Bearer a{}", "=".repeat(size))),
    ("open quote", |size| format!("Bearer a=\"{}", "x".repeat(size))),
    ("parameters, quoted", |size| challenges(size, |n| format!("p{n}=\"x\\\"y\""))),
    ("parameters, repeated", |size| challenges(size, |_| "scope=a".into())),
    ("schemes", |size| "a,".repeat(size / 2)),
    ("scopes", scopes),
    ("single quotes", |size| format!("Bearer {}", "a='x y,".repeat(size / 7))),
    ("spaces", |size| format!("Bearer{0}a{0}={0}b{0}", " ".repeat(size / 4))),
    ("token68", |size| format!("Bearer {}", "x".repeat(size))),
    ("words", |size| format!("Bearer scope=a{}", " b".repeat(size / 2 - 7))),
];

/// As many challenges and parameters as are read, padded.
fn challenges(size: usize, param: fn(usize) -> String) -> String {
    let mut header = String::new();
    for scheme in 0..32 {
        if header.len() + 1024 > size {
            break;
        }
        header.push_str(if scheme == 0 { "Bearer " } else { ", Bearer " });
        header.push_str(&(0..64).map(param).collect::<Vec<_>>().join(","));
    }
    let padding = size.saturating_sub(header.len());
    header + &" ".repeat(padding)
}

/// Scopes that differ in their last letters only, then again and again the last of them.
fn scopes(size: usize) -> String {
    let token = |n: usize| format!("{:0>25}", n % 512);
    let tokens: Vec<String> = (0..).map(token).take(size / 26).collect();
    format!("Bearer scope=\"{}\"", tokens.join(" "))
}
