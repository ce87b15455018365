//! The grammar of RFC 9110 11.6.1, in one pass over the bytes, and what servers write in its stead.
//!
//! What breaks the grammar is noted, and read all the same where it can mean one thing only: values without
//! quotes, in single quotes or in escaped ones, parameters without a comma between them or without a scheme
//! before them. Anything else costs the challenge and the rest of its line.

use super::{Challenge, ChallengeError, Challenges, Content};
use crate::limits;

pub(super) fn parse<L: AsRef<[u8]>>(
    lines: impl IntoIterator<Item = L>,
) -> (Challenges, Option<ChallengeError>) {
    let mut list = List::default();
    let mut first_error = None;
    let mut total = 0;
    for (line, bytes) in lines.into_iter().enumerate() {
        let bytes = bytes.as_ref();
        total += bytes.len();
        if total > limits::CHALLENGE_HEADER {
            list.drop_current();
            first_error.get_or_insert(ChallengeError::TooLarge);
            continue;
        }
        let mut reader = Line { bytes, at: 0, bent_at: None, closes_no_more: false };
        let outcome = reader.read_into(&mut list);
        if outcome.is_err() {
            list.drop_current();
        }
        let stopped = outcome.err().map(|stop| match stop {
            Stop::Syntax { at } => ChallengeError::Syntax { line, at },
            Stop::TooLarge => ChallengeError::TooLarge,
        });
        let bent = reader.bent_at.map(|at| ChallengeError::Syntax { line, at });
        first_error = first_error.or(bent).or(stopped);
    }
    (Challenges(list.challenges), first_error)
}

enum Stop {
    Syntax { at: usize },
    TooLarge,
}

/// The challenges read so far. Parameters go to the last one while it is open.
#[derive(Default)]
struct List {
    challenges: Vec<Challenge>,
    open: bool,
}

impl List {
    fn begin(&mut self, scheme: &[u8]) -> Result<(), Stop> {
        if self.challenges.len() == limits::CHALLENGES {
            self.open = false; // what was complete stays
            return Err(Stop::TooLarge);
        }
        self.challenges.push(Challenge { scheme: text(scheme), content: Content::Params(Vec::new()) });
        self.open = true;
        Ok(())
    }

    fn token68(&mut self, token: &[u8]) {
        if let Some(challenge) = self.challenges.last_mut() {
            challenge.content = Content::Token68(text(token));
        }
        self.open = false;
    }

    fn param(&mut self, name: &[u8], value: Box<str>) -> Result<(), Stop> {
        if let Some(Challenge { content: Content::Params(params), .. }) = self.challenges.last_mut() {
            if params.len() == limits::CHALLENGE_PARAMS {
                return Err(Stop::TooLarge);
            }
            params.push((text(name), value));
        }
        Ok(())
    }

    /// Forgets the challenge in which an error stood: half of it may mean something else.
    fn drop_current(&mut self) {
        if self.open {
            self.challenges.pop();
            self.open = false;
        }
    }
}

struct Line<'a> {
    bytes: &'a [u8],
    at: usize,
    /// Where the grammar was broken first, in a way that can be read.
    bent_at: Option<usize>,
    /// Whether no single quote closes a value from here on: searched for once, since a line may have many
    /// that open one.
    closes_no_more: bool,
}

/// How a value is written.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Written {
    Bare,
    Quoted,
}

/// The schemes of the registry of RFC 9110 16.4.1, and one that is in wide use: where a word without a comma
/// before it is one of these, a challenge begins.
const SCHEMES: [&str; 15] = [
    "Basic",
    "Bearer",
    "Concealed",
    "Digest",
    "DPoP",
    "GNAP",
    "HOBA",
    "Mutual",
    "Negotiate",
    "NTLM",
    "OAuth",
    "PrivateToken",
    "SCRAM-SHA-1",
    "SCRAM-SHA-256",
    "vapid",
];

impl<'a> Line<'a> {
    /// `[ challenge *( OWS "," OWS challenge ) ]`, empty elements allowed (RFC 9110 5.6.1.2).
    fn read_into(&mut self, list: &mut List) -> Result<(), Stop> {
        loop {
            self.skip(is_space);
            if self.at_end() {
                return Ok(());
            }
            if self.eat(b',') {
                continue;
            }
            let start = self.at;
            let word = self.token()?;
            let mut written = Written::Bare;
            if self.is_param() && (list.open || list.challenges.is_empty() && !is_scheme(word)) {
                if !list.open {
                    self.bend(start); // parameters of no scheme are OAuth's
                    list.begin(b"Bearer")?;
                }
                let value;
                (value, written) = self.param_value()?;
                list.param(word, value)?;
            } else if let Some(of_param) = self.challenge(word, list)? {
                written = of_param;
            }
            self.skip(is_space);
            if !self.at_end() && !self.eat(b',') {
                self.go_on_without_comma(written)?;
            }
        }
    }

    /// Behind an element without a comma: at the next one, if that can be told.
    fn go_on_without_comma(&mut self, written: Written) -> Result<(), Stop> {
        let start = self.at;
        if written == Written::Quoted && self.eat(b';') {
            self.bend(start);
            return Ok(());
        }
        let word = self.token()?;
        let begins_element = self.is_param() || is_scheme(word);
        self.at = start;
        if !begins_element {
            return self.syntax();
        }
        self.bend(start);
        Ok(())
    }

    /// `auth-scheme [ 1*SP ( token68 / #auth-param ) ]`, from behind the scheme; how its parameter is written.
    fn challenge(&mut self, scheme: &[u8], list: &mut List) -> Result<Option<Written>, Stop> {
        list.begin(scheme)?;
        if !self.skip(is_space) || self.at_end() || self.peek() == Some(b',') {
            return Ok(None);
        }
        if let Some(token) = self.token68() {
            list.token68(token);
            return Ok(None);
        }
        let name = self.token()?;
        if !self.is_param() {
            return self.syntax();
        }
        let (value, written) = self.param_value()?;
        list.param(name, value)?;
        Ok(Some(written))
    }

    /// `BWS "=" BWS ( token / quoted-string )`, at the `=`.
    fn param_value(&mut self) -> Result<(Box<str>, Written), Stop> {
        self.skip(is_space);
        self.eat(b'=');
        self.skip(is_space);
        if self.eat(b'"') {
            return Ok((self.quoted_string()?, Written::Quoted));
        }
        let quoted = self.quoted_otherwise();
        quoted.map_or_else(|| Ok((self.bare()?, Written::Bare)), |value| Ok((value, Written::Quoted)))
    }

    /// `'a value'`, or `\"a value\"` as it comes from text that was escaped twice.
    fn quoted_otherwise(&mut self) -> Option<Box<str>> {
        let start = self.at;
        let rest = self.bytes.get(start..)?;
        let (content, len) = if let Some(inner) = rest.strip_prefix(br#"\""#) {
            let end = inner.windows(2).position(|pair| pair == br#"\""#)?;
            (inner.get(..end)?, end + 4)
        } else {
            let inner = rest.strip_prefix(b"'").filter(|_| !self.closes_no_more)?;
            if self.is_token() {
                return None; // by the grammar, single quotes are characters of a token
            }
            let ends = |at: &usize| match inner.get(*at) {
                Some(b'\'') => inner.get(at + 1).is_none_or(|next| is_separator(*next)),
                byte => byte.is_some_and(|byte| !is_quoted_text(*byte)),
            };
            match (0..inner.len()).find(ends) {
                Some(end) if inner.get(end) == Some(&b'\'') => (inner.get(..end)?, end + 2),
                _ => {
                    self.closes_no_more = true;
                    return None;
                }
            }
        };
        if !content.iter().all(|byte| is_quoted_text(*byte)) {
            return None;
        }
        self.bend(start);
        self.at += len;
        Some(text(content))
    }

    /// A token; or anything up to a comma, another parameter or another challenge.
    fn bare(&mut self) -> Result<Box<str>, Stop> {
        let start = self.at;
        self.skip(is_token_char);
        let bent_at = self.at;
        if !self.skip(is_bare_text) && self.at == start {
            return self.syntax();
        }
        let mut value = self.bytes.get(start..self.at).unwrap_or_default().to_vec();
        if bent_at < self.at {
            self.bend(bent_at);
        }
        loop {
            let end = self.at;
            self.skip(is_space);
            let word = self.at;
            let named = self.skip(is_token_char);
            let name = self.bytes.get(word..self.at).unwrap_or_default();
            let begins_element = named && (self.is_param() || is_scheme(name));
            if begins_element || !self.skip(is_bare_text) && !named {
                self.at = end;
                break;
            }
            self.bend(word);
            value.push(b' ');
            value.extend_from_slice(self.bytes.get(word..self.at).unwrap_or_default());
        }
        Ok(text(&value))
    }

    /// Whether a token comes next, and then a comma or the end.
    fn is_token(&self) -> bool {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        let mut behind = rest.iter().skip_while(|byte| is_token_char(**byte));
        behind.find(|byte| !is_space(**byte)).is_none_or(|byte| *byte == b',')
    }

    /// Notes a place where the grammar is broken, and read all the same.
    fn bend(&mut self, at: usize) {
        self.bent_at.get_or_insert(at);
    }

    /// Whether `BWS "="` follows.
    fn is_param(&self) -> bool {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        rest.iter().find(|byte| !is_space(**byte)) == Some(&b'=')
    }

    /// A token68 up to the end of the element; otherwise moves nothing.
    fn token68(&mut self) -> Option<&'a [u8]> {
        let start = self.at;
        let named = self.skip(is_token68_char);
        self.skip(|byte| byte == b'=');
        let end = self.at;
        self.skip(is_space);
        if named && (self.at_end() || self.peek() == Some(b',')) {
            return self.bytes.get(start..end);
        }
        self.at = start;
        None
    }

    fn token(&mut self) -> Result<&'a [u8], Stop> {
        let start = self.at;
        if !self.skip(is_token_char) {
            return self.syntax();
        }
        Ok(self.bytes.get(start..self.at).unwrap_or_default())
    }

    /// The content of a quoted-string, from behind its opening quote (RFC 9110 5.6.4).
    fn quoted_string(&mut self) -> Result<Box<str>, Stop> {
        let mut content = Vec::new();
        loop {
            let start = self.at;
            self.skip(|byte| is_quoted_text(byte) && byte != b'"' && byte != b'\\');
            let run = self.bytes.get(start..self.at).unwrap_or_default();
            let ends = self.eat(b'"');
            if ends && content.is_empty() {
                return Ok(text(run));
            }
            content.extend_from_slice(run);
            if ends {
                return Ok(text(&content));
            }
            if !self.eat(b'\\') {
                return self.syntax();
            }
            match self.peek() {
                Some(byte) if is_quoted_text(byte) => content.push(byte),
                _ => return self.syntax(),
            }
            self.at += 1;
        }
    }

    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn at_end(&self) -> bool {
        self.at >= self.bytes.len()
    }

    fn eat(&mut self, byte: u8) -> bool {
        let is = self.peek() == Some(byte);
        self.at += usize::from(is);
        is
    }

    /// Moves on while `class` holds; whether it did at all.
    fn skip(&mut self, class: impl Fn(u8) -> bool) -> bool {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        let count = rest.iter().take_while(|byte| class(**byte)).count();
        self.at += count;
        count > 0
    }

    fn syntax<T>(&self) -> Result<T, Stop> {
        Err(Stop::Syntax { at: self.at })
    }
}

/// Values are text. Where a peer sends bytes that are no UTF-8, they are read as Latin-1, which is what
/// RFC 9110 5.5 says that they once were.
fn text(bytes: &[u8]) -> Box<str> {
    match std::str::from_utf8(bytes) {
        Ok(text) => text.into(),
        Err(_) => bytes.iter().map(|byte| char::from(*byte)).collect::<String>().into(),
    }
}

fn is_scheme(word: &[u8]) -> bool {
    SCHEMES.iter().any(|scheme| scheme.as_bytes().eq_ignore_ascii_case(word))
}

/// What may follow a value.
fn is_separator(byte: u8) -> bool {
    is_space(byte) || matches!(byte, b',' | b';')
}

/// What a value without quotes may hold where it is no token: what URLs and scopes are made of.
fn is_bare_text(byte: u8) -> bool {
    byte > 0x20 && byte != 0x7f && !matches!(byte, b'"' | b',' | b';' | b'\\')
}

fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t')
}

/// `tchar` (RFC 9110 5.6.2).
pub(super) fn is_token_char(byte: u8) -> bool {
    matches!(
        byte,
        b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' | b'!' | b'#' | b'$' | b'%' | b'&' | b'\'' | b'*' | b'+' | b'-' | b'.'
            | b'^' | b'_' | b'`' | b'|' | b'~'
    )
}

/// The characters of a token68 before its padding (RFC 9110 11.2).
pub(super) fn is_token68_char(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~' | b'+' | b'/')
}

/// `qdtext`, and what a quoted-pair may escape: all but control characters.
fn is_quoted_text(byte: u8) -> bool {
    byte == b'\t' || byte >= 0x20 && byte != 0x7f
}
