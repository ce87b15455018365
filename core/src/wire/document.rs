//! The one reader of documents and answers.
//!
//! A document is a table of members ([`members!`]). Reading it fails when the text is no JSON object, and
//! over nothing else: each member is kept as it was written, and looked at by use. A use never fails either;
//! it gives the value or says why there is none, and [`Reader`] turns that into a finding where the member
//! is optional, and into an error that names it where it is required. So what nobody needs breaks nothing.
//! Members that are not in the table are skipped.

#[cfg(test)]
mod catalogue;
mod member;
mod parse;

use crate::error::{Exchange, PeerMisbehaved, PeerText};
use crate::finding::{Finding, Findings, Handling, JsonType, Problem};
use crate::secret::Secret;
use crate::wire::http::HttpResponse;
use crate::wire::json;

pub(crate) use self::member::{Member, Use};
pub(crate) use self::parse::Members;

/// Declares the members of a document, each under the section that defines it.
macro_rules! members {
    ($(#[$meta:meta])* $visibility:vis struct $name:ident { $($section:literal: $($member:ident),+;)+ }) => {
        $(#[$meta])*
        $visibility struct $name<'a> {
            $($(pub(crate) $member: $crate::wire::document::Member<'a>,)+)+
        }

        impl Default for $name<'_> {
            fn default() -> Self {
                use $crate::wire::document::Member;
                Self { $($($member: Member::absent(stringify!($member), $section),)+)+ }
            }
        }

        impl<'a> $crate::wire::document::Members<'a> for $name<'a> {
            #[cfg(test)]
            const NAMES: &'static [&'static str] = &[$($(stringify!($member)),+),+];

            fn member(&mut self, name: &str) -> Option<&mut $crate::wire::document::Member<'a>> {
                match name {
                    $($(stringify!($member) => Some(&mut self.$member),)+)+
                    _ => None,
                }
            }
        }
    };
}

pub(crate) use members;

/// Reads one answer, and keeps what is wrong with it.
pub(crate) struct Reader<'r> {
    pub(crate) exchange: Exchange,
    /// What was sent and must not be shown, should the server echo it.
    pub(crate) secrets: &'r [&'r Secret],
    pub(crate) findings: &'r mut Findings,
}

/// Where RFC 8259 says that names should be unique.
const UNIQUE_NAMES: &str = "RFC 8259 section 4";
/// RFC 8259 8.1.
const BYTE_ORDER_MARK: &str = "\u{feff}";

impl<'r> Reader<'r> {
    pub(crate) fn new(exchange: Exchange, findings: &'r mut Findings) -> Self {
        Self { exchange, secrets: &[], findings }
    }

    /// The text of a body within its bound, without a byte order mark.
    pub(crate) fn text<'a>(
        &mut self,
        response: &HttpResponse<'a>,
        max_body: usize,
    ) -> Result<&'a str, PeerMisbehaved> {
        let exchange = self.exchange;
        std::str::from_utf8(self.octets(response, max_body)?).map_err(|_| PeerMisbehaved::Utf8 { exchange })
    }

    fn octets<'a>(
        &mut self,
        response: &HttpResponse<'a>,
        max_body: usize,
    ) -> Result<&'a [u8], PeerMisbehaved> {
        let exchange = self.exchange;
        if response.body.len() > max_body {
            return Err(PeerMisbehaved::BodyTooLarge { exchange, limit: max_body });
        }
        match response.body.strip_prefix(BYTE_ORDER_MARK.as_bytes()) {
            Some(octets) => {
                self.note(None, Problem::ByteOrderMark, "RFC 8259 section 8.1", Handling::Read);
                Ok(octets)
            }
            None => Ok(response.body),
        }
    }

    /// A body that says that it is JSON, or does not and begins like an object: static file hosts name any type,
    /// and a web page begins otherwise.
    pub(crate) fn body<'a>(
        &mut self,
        response: &HttpResponse<'a>,
        max_body: usize,
    ) -> Result<&'a [u8], PeerMisbehaved> {
        if !json::is_json(response) && response.body.len() <= max_body {
            let got = PeerText::without(json::media_type(response).unwrap_or_default(), self.secrets);
            let body = response.body.strip_prefix(BYTE_ORDER_MARK.as_bytes()).unwrap_or(response.body);
            if !body.trim_ascii_start().starts_with(b"{") {
                return Err(PeerMisbehaved::ContentType { exchange: self.exchange, got });
            }
            self.note(None, Problem::ContentType(got), "RFC 8259 section 11", Handling::Read);
        }
        self.octets(response, max_body)
    }

    /// The document in a body.
    pub(crate) fn document<'a, T: Members<'a> + Default>(
        &mut self,
        response: &HttpResponse<'a>,
        max_body: usize,
    ) -> Result<T, PeerMisbehaved> {
        let body = self.body(response, max_body)?;
        self.parse(body)
    }

    /// The document in a body.
    pub(crate) fn parse<'a, T: Members<'a> + Default>(
        &mut self,
        body: &'a [u8],
    ) -> Result<T, PeerMisbehaved> {
        let mut members = T::default();
        for name in self.parse_into(body, &mut members)? {
            let member = Some(PeerText::without(name, self.secrets).to_string().into());
            let (document, problem, section) = (self.exchange, Problem::Repeated, UNIQUE_NAMES);
            self.findings.add(&Finding { document, member, problem, section, handling: Handling::Ignored });
        }
        Ok(members)
    }

    /// The members that `into` has are read into it; which others are repeated.
    ///
    /// Octets that are no text cost what they are in, which nobody may need. `serde_json`'s messages quote the
    /// input, so only the place of an error is kept.
    pub(crate) fn parse_into<'a, T: Members<'a>>(
        &mut self,
        body: &'a [u8],
        into: &mut T,
    ) -> Result<Vec<&'a str>, PeerMisbehaved> {
        let exchange = self.exchange;
        let Ok(text) = std::str::from_utf8(body) else {
            let repeated = parse::object(serde_json::Deserializer::from_slice(body), into);
            let repeated = repeated.map_err(|_| PeerMisbehaved::Utf8 { exchange })?;
            self.note(None, Problem::Malformed, "RFC 8259 section 8.1", Handling::Ignored);
            return Ok(repeated);
        };
        parse::object(serde_json::Deserializer::from_str(text), into).map_err(|error| {
            match JsonType::of(text) {
                Some(got) if error.is_data() => PeerMisbehaved::NotAnObject { exchange, got },
                _ => PeerMisbehaved::Json { exchange, line: error.line(), column: error.column() },
            }
        })
    }

    /// The value of an optional member.
    pub(crate) fn optional<T>(&mut self, used: Use<T>) -> Option<T> {
        self.note_repetition(&used);
        match used.value {
            Ok(value) => {
                if let Some((problem, handling)) = used.deviation {
                    self.note(Some(used.name), problem, used.section, handling);
                }
                Some(value)
            }
            Err(Problem::Missing) => None,
            Err(problem) => {
                self.note(Some(used.name), problem, used.section, Handling::Absent);
                None
            }
        }
    }

    /// The value of a member without which nothing goes on. One that is `null` or empty is missing.
    pub(crate) fn required<T>(&mut self, used: Use<T>) -> Result<T, PeerMisbehaved> {
        let (exchange, field) = (self.exchange, used.name);
        match used.value {
            Err(Problem::Missing | Problem::Null | Problem::Empty) => {
                Err(PeerMisbehaved::MissingField { exchange, field })
            }
            Err(Problem::Url(problem)) => Err(PeerMisbehaved::Url { field, problem }),
            Err(problem) => Err(PeerMisbehaved::Unusable { exchange, field, problem }),
            Ok(_) => self.optional(used).ok_or(PeerMisbehaved::MissingField { exchange, field }),
        }
    }

    /// The value of a member that should be there, or a usual one.
    pub(crate) fn expected<T>(&mut self, used: Use<T>, usual: T) -> T {
        if let Err(problem) = used.value {
            self.note(Some(used.name), problem, used.section, Handling::Assumed);
            return usual;
        }
        self.optional(used).unwrap_or(usual)
    }

    /// Notes a good status that the specification does not name.
    pub(crate) fn note_status(&mut self, status: u16, expected: &[u16], section: &'static str) {
        if !expected.contains(&status) {
            self.note(None, Problem::Status(status), section, Handling::Read);
        }
    }

    fn note_repetition<T>(&mut self, used: &Use<T>) {
        if used.repeated {
            self.note(Some(used.name), Problem::Repeated, UNIQUE_NAMES, Handling::Read);
        }
    }

    pub(crate) fn note(
        &mut self,
        member: Option<&'static str>,
        problem: Problem,
        section: &'static str,
        handling: Handling,
    ) {
        let member = member.map(Into::into);
        self.findings.add(&Finding { document: self.exchange, member, problem, section, handling });
    }
}
