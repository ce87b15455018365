//! How servers read a URI: each reader says which resources it would open, spelled as rules are.
//!
//! Nothing here is the Guard's own code. A reader that finds nothing opens nothing.

use url::Url;

use super::tables::Table;

pub(super) struct Reader {
    pub(super) name: &'static str,
    pub(super) read: fn(&str, &Table) -> Vec<String>,
    /// How it spells the names of its resources, which rules are written for.
    pub(super) view: fn(&str) -> String,
}

pub(super) static READERS: [Reader; 19] = [
    Reader { name: "as it stands", read: |uri, _| vec![uri.to_owned()], view: as_is },
    Reader { name: "url and to_file_path", read: |uri, _| url_file(uri), view: decoded },
    Reader { name: "url as it serializes", read: |uri, _| url_text(uri), view: as_is },
    Reader {
        name: "decoded, then normalised",
        read: |uri, _| vec![normalised(&decoded(uri))],
        view: decoded,
    },
    Reader { name: "decoded twice", read: |uri, _| vec![normalised(&decoded(&decoded(uri)))], view: twice },
    Reader { name: "decoded, then parsed", read: |uri, _| url_text(&decoded(uri)), view: as_is },
    Reader { name: "raw path to the system", read: |uri, _| raw_path(uri), view: as_is },
    Reader { name: "decoded path to the system", read: |uri, _| raw_path(&decoded(uri)), view: decoded },
    Reader { name: "host and path", read: host_and_path, view: as_is },
    Reader { name: "path alone", read: path_alone, view: decoded },
    Reader { name: "without query", read: |uri, _| without_query(uri), view: as_is },
    Reader { name: "host in small letters", read: |uri, _| vec![small_host(uri)], view: as_is },
    Reader { name: "all in small letters", read: |uri, _| vec![uri.to_owned()], view: small },
    Reader { name: "Windows", read: |uri, _| windows(uri), view: small_decoded },
    Reader { name: "path parameters taken off", read: |uri, _| vec![without_parameters(uri)], view: as_is },
    Reader { name: "C strings", read: |uri, _| c_string(uri), view: decoded },
    Reader { name: "slashes before are nothing", read: |uri, _| vec![uri.to_owned()], view: bare },
    Reader { name: "a slash at the end is nothing", read: without_slash, view: as_is },
    Reader {
        name: "wide and unseen letters",
        read: |uri, _| vec![normalised(&uri.replace('\\', "/"))],
        view: seen,
    },
];

fn as_is(text: &str) -> String {
    text.to_owned()
}

fn small(text: &str) -> String {
    text.to_ascii_lowercase()
}

fn small_decoded(text: &str) -> String {
    small(&decoded(text))
}

/// Octets for their codes, by hand: what is no code stays as it is.
fn decoded(text: &str) -> String {
    let bytes = text.as_bytes();
    let (mut out, mut at) = (Vec::new(), 0);
    while at < bytes.len() {
        let code = bytes.get(at + 1..at + 3).and_then(|code| std::str::from_utf8(code).ok());
        let octet =
            code.filter(|code| !code.starts_with('+')).and_then(|code| u8::from_str_radix(code, 16).ok());
        match octet.filter(|_| bytes[at] == b'%') {
            Some(octet) => {
                out.push(octet);
                at += 3;
            }
            None => {
                out.push(bytes[at]);
                at += 1;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

fn twice(text: &str) -> String {
    decoded(&decoded(text))
}

/// Without the slashes after the scheme.
fn bare(text: &str) -> String {
    match text.split_once(':') {
        Some((scheme, rest)) => format!("{scheme}:{}", rest.trim_start_matches('/')),
        None => text.to_owned(),
    }
}

/// Wide letters as usual ones, and without those that nobody sees.
fn seen(text: &str) -> String {
    let letter = |letter: char| match u32::from(letter) {
        wide @ 0xff01..=0xff5e => char::from_u32(wide - 0xfee0),
        0xad | 0x200b..=0x200f | 0x2060..=0x2064 | 0xfe00..=0xfe0f | 0xfeff => None,
        _ => Some(letter),
    };
    decoded(text).chars().filter_map(letter).collect()
}

/// A path without dots and doubled slashes, as the system resolves it.
fn resolved(path: &str) -> String {
    let mut kept: Vec<&str> = Vec::new();
    for segment in path.split('/') {
        match segment {
            "" | "." => {}
            ".." => drop(kept.pop()),
            segment => kept.push(segment),
        }
    }
    let is_folder = path.ends_with('/') && !kept.is_empty();
    format!("/{}{}", kept.join("/"), if is_folder { "/" } else { "" })
}

/// Scheme and `//`, and what follows.
fn parts(uri: &str) -> (&str, &str) {
    match uri.split_once("://") {
        Some((scheme, rest)) if !scheme.contains(['/', '?', '#']) => (scheme, rest),
        _ => ("", uri),
    }
}

fn normalised(uri: &str) -> String {
    match parts(uri) {
        ("", _) => uri.to_owned(),
        (scheme, rest) if rest.starts_with('/') => format!("{scheme}://{}", resolved(rest)),
        (scheme, rest) => format!("{scheme}://{}", resolved(rest).trim_start_matches('/')),
    }
}

fn url_file(uri: &str) -> Vec<String> {
    let path =
        Url::parse(uri).ok().filter(|url| url.scheme() == "file").and_then(|url| url.to_file_path().ok());
    let text = path.and_then(|path| path.into_os_string().into_string().ok());
    text.map(|path| format!("file://{}", resolved(&path))).into_iter().collect()
}

fn url_text(uri: &str) -> Vec<String> {
    // An empty path is written with and without its slash.
    let Ok(url) = Url::parse(uri) else { return Vec::new() };
    if url.path() == "/" { Vec::new() } else { vec![url.to_string()] }
}

/// Whatever is behind `file://`, or a path alone.
fn raw_path(uri: &str) -> Vec<String> {
    let path = uri.strip_prefix("file://").unwrap_or(uri);
    if path.starts_with('/') { vec![format!("file://{}", resolved(path))] } else { Vec::new() }
}

/// Neither user nor port, query nor fragment; nor the scheme, where no rule names it.
fn host_and_path(uri: &str, table: &Table) -> Vec<String> {
    let Ok(url) = Url::parse(uri) else { return Vec::new() };
    let Some(host) = url.host_str() else { return Vec::new() };
    schemes_of(url.scheme(), table)
        .into_iter()
        .map(|scheme| format!("{scheme}://{host}{}", url.path()))
        .collect()
}

/// The path, opened by a server that looks at nothing else.
fn path_alone(uri: &str, table: &Table) -> Vec<String> {
    let Ok(url) = Url::parse(uri) else { return Vec::new() };
    let path = resolved(&decoded(url.path()));
    if table.schemes().contains(&url.scheme()) && url.scheme() != "file" || !table.schemes().contains(&"file")
    {
        return Vec::new(); // it tells the two apart, or has no files
    }
    schemes_of(url.scheme(), table).contains(&"file").then(|| format!("file://{path}")).into_iter().collect()
}

/// A page of the web is taken for no file or note by a server that has rules for all of these.
fn schemes_of(scheme: &str, table: &Table) -> Vec<&'static str> {
    let schemes = table.schemes();
    let is_web = matches!(scheme, "http" | "https");
    match schemes.iter().find(|own| **own == scheme) {
        Some(own) => vec![own],
        None => schemes.into_iter().filter(|own| !is_web || !table.takes_all_of(own)).collect(),
    }
}

fn without_query(uri: &str) -> Vec<String> {
    let cut = |mark: &[char]| uri.split(mark).next().unwrap_or_default().to_owned();
    vec![cut(&['?', '#']), cut(&['#'])]
}

fn small_host(uri: &str) -> String {
    let (scheme, rest) = parts(uri);
    if scheme.is_empty() {
        return uri.to_owned();
    }
    let at = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    format!("{}://{}{}", small(scheme), small(&rest[..at]), &rest[at..])
}

/// Backslashes are slashes; names end before their dots and spaces, and before a stream.
fn windows(uri: &str) -> Vec<String> {
    let uri = decoded(uri).replace('\\', "/");
    let (scheme, rest) = parts(&uri);
    if !scheme.eq_ignore_ascii_case("file") {
        return Vec::new();
    }
    let segment = |(at, segment): (usize, &str)| {
        let is_drive = at < 2 && segment.len() == 2 && segment.ends_with(':');
        let name = if is_drive { segment } else { segment.split(':').next().unwrap_or_default() };
        if name == "." || name == ".." {
            name.to_owned()
        } else {
            name.trim_end_matches(['.', ' ']).to_owned()
        }
    };
    let path: Vec<String> = resolved(rest).split('/').enumerate().map(segment).collect();
    vec![format!("file://{}", resolved(&path.join("/")))]
}

fn without_parameters(uri: &str) -> String {
    let (scheme, rest) = parts(uri);
    let segments: Vec<&str> =
        rest.split('/').map(|segment| segment.split(';').next().unwrap_or_default()).collect();
    let rest = segments.join("/");
    if scheme.is_empty() { rest } else { normalised(&format!("{scheme}://{rest}")) }
}

fn c_string(uri: &str) -> Vec<String> {
    let text = decoded(uri);
    vec![text.split('\0').next().unwrap_or_default().to_owned()]
}

/// A slash at the end is nothing where a rule is for the name without it; else it is what makes a folder.
fn without_slash(uri: &str, table: &Table) -> Vec<String> {
    let name = uri.trim_end_matches('/');
    if table.names(name) { vec![name.to_owned()] } else { Vec::new() }
}
