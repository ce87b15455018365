//! The grammar of RFC 9110 11.6.1, in one pass over the bytes.

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
        let outcome = if total > limits::CHALLENGE_HEADER {
            Err(Stop::TooLarge)
        } else {
            Line { bytes, at: 0 }.read_into(&mut list)
        };
        if let Err(stop) = outcome {
            list.drop_current();
            first_error.get_or_insert(match stop {
                Stop::Syntax { at } => ChallengeError::Syntax { line, at },
                Stop::TooLarge => ChallengeError::TooLarge,
            });
        }
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
}

impl<'a> Line<'a> {
    /// `[ challenge *( OWS "," OWS challenge ) ]`, empty elements allowed (RFC 9110 5.6.1.2).
    fn read_into(mut self, list: &mut List) -> Result<(), Stop> {
        loop {
            self.skip(is_space);
            if self.at_end() {
                return Ok(());
            }
            if self.eat(b',') {
                continue;
            }
            let word = self.token()?;
            if list.open && self.is_param() {
                let value = self.param_value()?;
                list.param(word, value)?;
            } else {
                self.challenge(word, list)?;
            }
            self.skip(is_space);
            if !self.at_end() && !self.eat(b',') {
                return self.syntax();
            }
        }
    }

    /// `auth-scheme [ 1*SP ( token68 / #auth-param ) ]`, from behind the scheme.
    fn challenge(&mut self, scheme: &[u8], list: &mut List) -> Result<(), Stop> {
        list.begin(scheme)?;
        if !self.skip(is_space) || self.at_end() || self.peek() == Some(b',') {
            return Ok(());
        }
        if let Some(token) = self.token68() {
            list.token68(token);
            return Ok(());
        }
        let name = self.token()?;
        if !self.is_param() {
            return self.syntax();
        }
        let value = self.param_value()?;
        list.param(name, value)
    }

    /// `BWS "=" BWS ( token / quoted-string )`, at the `=`.
    fn param_value(&mut self) -> Result<Box<str>, Stop> {
        self.skip(is_space);
        self.eat(b'=');
        self.skip(is_space);
        if self.eat(b'"') { self.quoted_string() } else { Ok(text(self.token()?)) }
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
            content.extend_from_slice(self.bytes.get(start..self.at).unwrap_or_default());
            if self.eat(b'"') {
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

fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t')
}

/// `tchar` (RFC 9110 5.6.2).
pub(super) fn is_token_char(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

/// The characters of a token68 before its padding (RFC 9110 11.2).
pub(super) fn is_token68_char(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~+/".contains(&byte)
}

/// `qdtext`, and what a quoted-pair may escape: all but control characters.
fn is_quoted_text(byte: u8) -> bool {
    byte == b'\t' || byte >= 0x20 && byte != 0x7f
}
