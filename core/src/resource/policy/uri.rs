//! Resource URIs, and where two readers part ways over one.
//!
//! What a URI names is decided by the server behind the Guard: by a URL parser, by decoding and then
//! resolving dots, by handing the path to the operating system, by looking at host and path alone. Two
//! kinds of difference are told apart.
//!
//! - **The structure**: where a segment, the host or the query begins and ends. An encoded slash, a dot
//!   segment, an empty segment, a backslash or a path parameter moves these ends for some readers, and what
//!   is read then can be anywhere. Nobody can list all readings, so such a URI is [not
//!   legible](is_legible), and refused. No honest client needs one: URIs come from the server's own lists.
//! - **The letters**: encoded or not, in either case, composed or not, with a part that some leave out. The
//!   readings of a legible URI are a short list ([`Parts::without`], [`Parts::place`]), and it needs what each of
//!   them needs. Refusing these would shut out names with spaces, ports, queries or an `é`.

use std::borrow::Cow;

use icu_normalizer::ComposingNormalizerBorrowed;
use percent_encoding::percent_decode_str;
use url::Url;

use crate::limits;

const NFKC: ComposingNormalizerBorrowed<'static> = ComposingNormalizerBorrowed::new_nfkc();

/// What readers end a part at, and what they undo.
const MARKS: [char; 9] = ['/', '\\', '?', '#', '%', ':', ';', '@', '.'];

/// Whether all readers find the same scheme, host, segments, query and fragment in a URI.
pub(super) fn is_legible(uri: &str) -> bool {
    let parts = Parts::split(uri);
    let last = [parts.query, parts.fragment].into_iter().flatten();
    has_few_readings(uri)
        && !uri.contains(['\\', '|', '\u{2028}', '\u{2029}'])
        && !uri.contains(char::is_control)
        && uri.trim() == uri
        && has_clear_authority(&parts)
        && is_sound(parts.path, Inside::Path)
        && has_clear_segments(&parts)
        && last.into_iter().all(|text| is_sound(text, Inside::Query) && has_no_dots(text))
        && (!parts.is_file() || is_clear_file(&parts))
}

/// The same of a template (RFC 6570), in which an expression is a letter.
pub(super) fn is_legible_template(template: &str) -> bool {
    has_few_readings(template) && is_legible(&without_braces(template))
}

/// Each part that readers may leave out doubles the readings.
fn has_few_readings(uri: &str) -> bool {
    let parts = Parts::split(uri);
    match Part::ALL.into_iter().filter(|part| parts.has(*part)).count() {
        0 => uri.len() <= limits::URL,
        parts => parts <= limits::URI_PARTS && uri.len() <= limits::URI_WITH_PARTS,
    }
}

fn without_braces(template: &str) -> String {
    let mut text = String::new();
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('{') {
        let Some((_, after)) = after.split_once('}') else { break };
        text.push_str(before);
        text.push('x');
        rest = after;
    }
    text + rest
}

/// Where encoded octets stand.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Inside {
    Authority,
    Path,
    Query,
}

fn is_sound(text: &str, inside: Inside) -> bool {
    is_encoded_well(text, inside) && no_letter_is_a_mark(text)
}

/// Every `%` begins an octet, the octets are text, and none is a mark in disguise.
fn is_encoded_well(text: &str, inside: Inside) -> bool {
    let forbidden = |byte: u8| match byte {
        b'%' | b'\\' | b'#' | b'|' => true,
        b'/' | b'?' | b';' => inside != Inside::Query,
        b'@' | b':' | b'[' | b']' | b'.' => inside == Inside::Authority,
        other => other.is_ascii_control(),
    };
    let mut rest = text;
    while let Some((_, after)) = rest.split_once('%') {
        let octet = after.get(..2).and_then(|digits| {
            let hex = digits.bytes().all(|digit| digit.is_ascii_hexdigit());
            u8::from_str_radix(digits, 16).ok().filter(|_| hex)
        });
        if octet.is_none_or(forbidden) {
            return false;
        }
        rest = after;
    }
    let decoded = percent_decode_str(text).decode_utf8();
    decoded.is_ok_and(|decoded| !decoded.contains(char::is_control))
        && (inside == Inside::Query || !text.contains(';'))
}

/// Unicode has other slashes, dots and colons, which some readers take for the usual ones.
fn no_letter_is_a_mark(text: &str) -> bool {
    let decoded = percent_decode_str(text).decode_utf8_lossy();
    if decoded.is_ascii() {
        return true;
    }
    let marks = |text: &str| text.chars().filter(|letter| MARKS.contains(letter)).count();
    let looks_like_a_mark =
        |letter| matches!(letter, '\u{2044}' | '\u{2215}' | '\u{29f5}' | '\u{29f8}' | '\u{2216}');
    let composed = NFKC.normalize(&decoded);
    marks(&composed) == marks(&decoded) && !composed.contains(looks_like_a_mark)
}

fn has_clear_authority(parts: &Parts<'_>) -> bool {
    let Some(authority) = parts.authority else { return !parts.is_special() };
    let user = parts.user.unwrap_or_default();
    let host = parts.host;
    let brackets = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    let is_address = |text: &str| text.bytes().all(|byte| byte.is_ascii_hexdigit() || b":.".contains(&byte));
    let is_name = !host.contains(['[', ']', ':']) && !host.starts_with('.') && !host.ends_with('.');
    is_sound(authority, Inside::Authority)
        && !user.contains(['@', '[', ']'])
        && brackets.map_or(is_name, is_address)
        && !host.contains("..")
        // IDNA takes an ideographic full stop for a dot.
        && !(parts.is_special() && (host.is_empty() || fold(host).contains('\u{3002}')))
}

/// No segment is empty but the last, and none is made of dots.
fn has_clear_segments(parts: &Parts<'_>) -> bool {
    let path = parts.path.strip_prefix('/').unwrap_or(parts.path);
    // A colon may be the end of a scheme for those who decode it first.
    let first = percent_decode_str(path.split('/').next().unwrap_or_default()).decode_utf8_lossy();
    if parts.scheme.is_none() && first.contains(':') && !is_drive(&first) {
        return false;
    }
    let mut segments = path.split('/').peekable();
    while let Some(segment) = segments.next() {
        let is_last = segments.peek().is_none();
        let name = percent_decode_str(segment).decode_utf8_lossy();
        let is_stream_of_nothing = parts.is_file() && name.trim_start().starts_with(':');
        if segment.is_empty() && !is_last || is_dots(&name) || is_stream_of_nothing {
            return false;
        }
    }
    true
}

/// For those who take the query for a part of the path.
fn has_no_dots(text: &str) -> bool {
    !percent_decode_str(text).decode_utf8_lossy().split('/').any(is_dots)
}

/// Windows takes spaces and dots away from the end of a name, and what follows a colon for the name of a stream.
fn is_dots(segment: &str) -> bool {
    let (name, _) = cut(segment, ':');
    let kept: String = name.chars().filter(|letter| !is_ignorable(*letter)).collect();
    kept.contains('.') && kept.trim_matches(['.', ' ']).is_empty()
}

/// `file:///` and a path: no host, no short name of Windows, such as `PRIVAT~1`.
fn is_clear_file(parts: &Parts<'_>) -> bool {
    let path = percent_decode_str(parts.path).decode_utf8_lossy();
    let short =
        path.split('~').skip(1).any(|after| after.starts_with(|letter: char| letter.is_ascii_digit()));
    parts.authority == Some("") && !short
}

/// A part that some readers leave out, or write in another way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// The case of scheme and host.
    Case,
    Fragment,
    /// The host as browsers write it: `127.0.0.1` for `0x7f.1`.
    Host,
    Port,
    Query,
    /// `:stream` after a file's name, on Windows.
    Stream,
    User,
}

impl Part {
    pub(super) const ALL: [Self; 7] =
        [Self::Case, Self::Fragment, Self::Host, Self::Port, Self::Query, Self::Stream, Self::User];
}

/// The parts of a URI, or of a pattern for some.
#[derive(Clone, Copy, Debug)]
pub(super) struct Parts<'a> {
    pub(super) scheme: Option<&'a str>,
    pub(super) authority: Option<&'a str>,
    user: Option<&'a str>,
    host: &'a str,
    port: Option<&'a str>,
    path: &'a str,
    pub(super) query: Option<&'a str>,
    pub(super) fragment: Option<&'a str>,
}

impl<'a> Parts<'a> {
    /// A scheme of one letter is none: it is a drive.
    pub(super) fn split(uri: &'a str) -> Self {
        let is_scheme = |text: &str| {
            text.len() > 1
                && text.starts_with(|letter: char| letter.is_ascii_alphabetic())
                && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+.-".contains(&byte))
        };
        let (scheme, rest) = match uri.split_once(':') {
            Some((scheme, rest)) if is_scheme(scheme) => (Some(scheme), rest),
            _ => (None, uri),
        };
        let (rest, fragment) = cut(rest, '#');
        let (rest, query) = cut(rest, '?');
        let (authority, path) = match rest.strip_prefix("//") {
            Some(rest) => {
                let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
                (Some(authority), path)
            }
            None => (None, rest),
        };
        let (user, host) = match authority.unwrap_or_default().rsplit_once('@') {
            Some((user, host)) => (Some(user), host),
            None => (None, authority.unwrap_or_default()),
        };
        let (host, port) = match host.rsplit_once(':') {
            Some((host, port)) if !port.contains(']') => (host, Some(port)),
            _ => (host, None),
        };
        Self { scheme, authority, user, host, port, path, query, fragment }
    }

    /// A scheme of which browsers know that a host follows, with or without slashes.
    fn is_special(&self) -> bool {
        let is = |own: &&str| self.scheme.is_some_and(|scheme| scheme.eq_ignore_ascii_case(own));
        ["ftp", "http", "https", "ws", "wss"].iter().any(is)
    }

    /// Whether there is something between the scheme and the path.
    pub(super) fn has_host(&self) -> bool {
        self.authority.is_some_and(|authority| !authority.is_empty())
    }

    pub(super) fn is_file(&self) -> bool {
        self.scheme.is_some_and(|scheme| scheme.eq_ignore_ascii_case("file"))
    }

    /// Whether there is something to leave out or to write otherwise.
    pub(super) fn has(&self, part: Part) -> bool {
        let capital = |text: &str| text.bytes().any(|byte| byte.is_ascii_uppercase());
        match part {
            Part::Case => capital(self.scheme.unwrap_or_default()) || capital(self.host),
            Part::Fragment => self.fragment.is_some(),
            Part::Host => self.other_host().is_some(),
            Part::Port => self.port.is_some(),
            Part::Query => self.query.is_some(),
            Part::Stream => self.without_streams().is_some(),
            Part::User => self.user.is_some(),
        }
    }

    /// The URI for readers to whom these parts are nothing.
    pub(super) fn without(&self, parts: &[Part]) -> String {
        let no = |part| parts.contains(&part);
        let mut text = String::new();
        let mut add = |before: &str, piece: &str| {
            text.push_str(before);
            text.push_str(piece);
        };
        let case = |text: &'a str| match no(Part::Case) {
            true => Cow::Owned(text.to_ascii_lowercase()),
            false => Cow::Borrowed(text),
        };
        if let Some(scheme) = self.scheme {
            add(&case(scheme), ":");
        }
        if self.authority.is_some() {
            add("//", "");
            if let Some(user) = self.user.filter(|_| !no(Part::User)) {
                add(user, "@");
            }
            match self.other_host().filter(|_| no(Part::Host)) {
                Some(host) => add("", &host),
                None => add("", &case(self.host)),
            }
            if let Some(port) = self.port.filter(|_| !no(Part::Port)) {
                add(":", port);
            }
        }
        match self.without_streams().filter(|_| no(Part::Stream)) {
            Some(path) => add("", &path),
            None => add("", self.path),
        }
        if let Some(query) = self.query.filter(|_| !no(Part::Query)) {
            add("?", query);
        }
        if let Some(fragment) = self.fragment.filter(|_| !no(Part::Fragment)) {
            add("#", fragment);
        }
        text
    }

    /// Where the resource is: host and path and what follows, as [folded](fold). Slashes around it, a drive,
    /// and what Windows takes away make no difference.
    pub(super) fn place(&self) -> String {
        let has_drive = self.host.is_empty() && (self.scheme.is_none() || self.path.starts_with('/'));
        let mut place = String::new();
        if let Some(authority) = self.authority.filter(|authority| !authority.is_empty()) {
            place.push_str(&fold(authority));
        }
        let path = fold(self.path);
        place.push_str(if has_drive { without_drive(&path) } else { &path });
        let mut place = tidy(&place);
        for (mark, text) in [('?', self.query), ('#', self.fragment)] {
            if let Some(text) = text {
                place.push(mark);
                place.push_str(&fold(text));
            }
        }
        place
    }

    /// The same for those who look at the path alone, where there is more.
    pub(super) fn place_without_host(&self) -> Option<String> {
        self.has_host().then_some(())?;
        Some(Self { authority: None, user: None, host: "", port: None, ..*self }.place())
    }

    /// The URI that follows a scheme.
    pub(super) fn inner(&self) -> Option<Self> {
        let inner = Self::split(self.path);
        let follows = self.authority.is_none() && inner.scheme.is_some();
        follows.then_some(Self { query: self.query, fragment: self.fragment, ..inner })
    }

    /// The parts without query and fragment.
    pub(super) fn bare(self) -> Self {
        Self { query: None, fragment: None, ..self }
    }

    fn other_host(&self) -> Option<String> {
        if !self.is_special() && !self.host.starts_with('[') || self.host.contains('*') {
            return None;
        }
        let url = Url::parse(&format!("https://{}/", self.host)).ok()?;
        url.host_str().filter(|host| !host.eq_ignore_ascii_case(self.host)).map(str::to_owned)
    }

    /// The path of a file without `:stream`, also after the name of a folder.
    fn without_streams(&self) -> Option<String> {
        if !self.is_file() {
            return None;
        }
        let mut segments = Vec::new();
        for segment in self.path.split('/') {
            let colon =
                segment.find(':').into_iter().chain(segment.find("%3A")).chain(segment.find("%3a")).min();
            // The first segment is a drive where it is one letter and a colon.
            let is_drive = colon == Some(1) && segments.len() < 2;
            segments.push(match colon.filter(|_| !is_drive) {
                Some(colon) => segment.get(..colon)?,
                None => segment,
            });
        }
        let path = segments.join("/");
        (*path != *self.path).then_some(path)
    }
}

/// What is before a mark, and what is after it.
fn cut(text: &str, mark: char) -> (&str, Option<&str>) {
    match text.split_once(mark) {
        Some((before, after)) => (before, Some(after)),
        None => (text, None),
    }
}

fn without_drive(path: &str) -> &str {
    let path = path.trim_start_matches('/');
    if is_drive(path) { path.get(2..).unwrap_or_default() } else { path }
}

fn is_drive(segment: &str) -> bool {
    matches!(segment.as_bytes(), [drive, b':', ..] if drive.is_ascii_alphabetic())
}

fn tidy(place: &str) -> String {
    let segments: Vec<&str> =
        place.trim_matches('/').split('/').map(|segment| segment.trim_end_matches(['.', ' '])).collect();
    segments.join("/")
}

/// A text for readers to whom all spellings of its letters are one: decoded, `+` for a space, in small and
/// compatible letters, without those that nobody sees.
pub(super) fn fold(text: &str) -> String {
    let decoded = percent_decode_str(text).decode_utf8_lossy();
    if decoded.is_ascii() {
        return decoded.to_ascii_lowercase().replace('+', " ");
    }
    let seen: String = decoded.chars().filter(|letter| !is_ignorable(*letter)).collect();
    // By way of capitals, `ß` is `ss`, and a dotless `ı` an `i`.
    let capitals = NFKC.normalize(&seen).to_uppercase();
    let small: String = capitals.chars().flat_map(char::to_lowercase).collect();
    NFKC.normalize(&small).replace('+', " ")
}

/// Letters that show nothing, and that some file systems leave out (Unicode `Default_Ignorable_Code_Point`).
fn is_ignorable(letter: char) -> bool {
    matches!(letter,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}'..='\u{1160}' | '\u{17b4}'..='\u{17b5}'
        | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
        | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fff8}'
        | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}')
}
