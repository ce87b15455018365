//! The body of a request: a JSON-RPC message, or a batch of them (before 2025-06-18).
//!
//! Only what scopes depend on is looked at. What two readers could read differently is refused, since the
//! server behind might see another operation: a member that is there twice or in another case of letters,
//! and an array where an object belongs, which some readers take for its members in their order.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fmt;
use std::sync::OnceLock;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::operation::{COMPLETE, LISTEN, Operation, RESPONSE, subject_of};
use crate::limits;
use crate::wire::json::Name;

/// Why a body is no message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MessageError {
    /// A member appears twice, or in a case of letters that some readers take for the same.
    #[error("the message names a member twice")]
    Ambiguous,
    /// A resource URI that servers read in different ways ([`Policy::resource`](super::Policy::resource)).
    #[error("the resource URI can be read in two ways")]
    AmbiguousUri,
    /// A batch whose operations demand authentications that no user can have at once (RFC 9470).
    #[error("the batch's operations demand authentications that exclude each other")]
    Contradictory,
    /// An empty batch (JSON-RPC 2.0, 6).
    #[error("the batch is empty")]
    EmptyBatch,
    /// No JSON-RPC request, notification or response.
    #[error("the body is no JSON-RPC message")]
    Invalid,
    /// No JSON.
    #[error("the body is no JSON")]
    Syntax,
    /// More messages or resources than [`limits::BATCH`], or a name longer than [`limits::OPERATION_NAME`].
    #[error("the batch or a name in it is too large")]
    TooLarge,
}

/// The body of a request, which is read once, however often the Guard is asked.
pub struct Body<'a> {
    bytes: &'a [u8],
    messages: OnceLock<Result<Vec<Message<'a>>, MessageError>>,
}

impl<'a> Body<'a> {
    /// A whole body. It is read when a decision depends on it first.
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, messages: OnceLock::new() }
    }

    pub(super) fn messages(&self) -> Result<&[Message<'a>], MessageError> {
        match self.messages.get_or_init(|| read(self.bytes)) {
            Ok(messages) => Ok(messages),
            Err(error) => Err(*error),
        }
    }
}

/// What a client sends may be anybody's.
impl fmt::Debug for Body<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Body").field("bytes", &self.bytes.len()).finish_non_exhaustive()
    }
}

/// One message, as far as it matters here.
#[derive(Debug)]
pub(super) struct Message<'a> {
    pub(super) operation: Operation<'a>,
    pub(super) method: Cow<'a, str>,
    /// `id` as JSON, if it can be sent back; `None` for notifications and responses.
    pub(super) id: Option<&'a str>,
    /// Whether it wants an answer.
    pub(super) is_request: bool,
    /// `params.arguments` as JSON, if there are any.
    pub(super) arguments: Option<&'a str>,
    /// What else it is about: the resources to listen to, the prompt or resource to complete, the resource
    /// that any other method names by `uri`.
    pub(super) more: Vec<Operation<'a>>,
    /// The revision that it names in its `_meta`.
    pub(super) version: Option<Cow<'a, str>>,
}

/// The messages of a body.
fn read(body: &[u8]) -> Result<Vec<Message<'_>>, MessageError> {
    let messages = read_all(body)?;
    let about: usize = messages.iter().map(|message| message.more.len()).sum();
    if about > limits::BATCH { Err(MessageError::TooLarge) } else { Ok(messages) }
}

fn read_all(body: &[u8]) -> Result<Vec<Message<'_>>, MessageError> {
    let text = std::str::from_utf8(body).map_err(|_| MessageError::Syntax)?;
    let text = text.trim_ascii_start();
    if text.starts_with('[') {
        let Batch(elements) = serde_json::from_str(text).map_err(|_| MessageError::Syntax)?;
        let elements = elements?;
        if elements.is_empty() {
            return Err(MessageError::EmptyBatch);
        }
        return elements.into_iter().map(message).collect();
    }
    Ok(vec![message(text)?])
}

fn message(text: &str) -> Result<Message<'_>, MessageError> {
    let members = Picked::read(text, &["method", "params", "id", "result", "error"])?;
    let [method, params, id, result, error] = members;
    let Some(method) = method else {
        return if result.is_some() || error.is_some() {
            let method = Cow::Borrowed(RESPONSE);
            let operation = Operation::Method(method.clone());
            let (id, is_request, arguments, more, version) = (None, false, None, Vec::new(), None);
            Ok(Message { operation, method, id, is_request, arguments, more, version })
        } else {
            Err(MessageError::Invalid)
        };
    };
    let method = string(method)?;
    const MEMBERS: [&str; 6] = ["name", "uri", "arguments", "notifications", "ref", "_meta"];
    let [name, uri, arguments, notifications, reference, meta] = members_of(params, &MEMBERS)?;
    let [version] = members_of(meta, &["io.modelcontextprotocol/protocolVersion"])?;
    let arguments = present(arguments);
    if arguments.is_some_and(|arguments| !arguments.starts_with('{')) {
        return Err(MessageError::Invalid);
    }
    let uri = present(uri).map(string).transpose()?;
    let (subject, uri) = match subject_of(&method) {
        Some("name") => (present(name).map(string).transpose()?, uri),
        Some(_) => (uri, None),
        None => (None, uri),
    };
    let operation = Operation::new(method.clone(), subject).ok_or(MessageError::Invalid)?;
    let mut more: Vec<Operation<'_>> = uri.map(Operation::Resource).into_iter().collect();
    more.extend(listened_to(notifications, method == LISTEN)?);
    more.extend(completed(reference, method == COMPLETE)?);
    let version = present(version).map(string).transpose()?;
    let (id, is_request) = (id.filter(|id| is_id(id)), id.is_some());
    Ok(Message { operation, method, id, is_request, arguments, more, version })
}

/// A member that is there, and not `null`.
fn present(json: Option<&str>) -> Option<&str> {
    json.filter(|json| *json != "null")
}

/// Some members of an object, where there is one.
fn members_of<'a, const N: usize>(
    json: Option<&'a str>,
    names: &'static [&'static str; N],
) -> Result<[Option<&'a str>; N], MessageError> {
    match present(json) {
        Some(object) if object.starts_with('{') => Picked::read(object, names),
        Some(_) => Err(MessageError::Invalid),
        None => Ok([None; N]),
    }
}

/// A member that is an object for its own method. Of another method it can be a text or a number, which hides
/// nothing.
fn object(json: Option<&str>, is_own: bool) -> Option<&str> {
    json.filter(|json| is_own || json.starts_with(['{', '[']))
}

/// The resources of `subscriptions/listen`.
fn listened_to(notifications: Option<&str>, is_own: bool) -> Result<Vec<Operation<'_>>, MessageError> {
    let [resources] = members_of(object(notifications, is_own), &["resourceSubscriptions"])?;
    let Some(resources) = present(resources) else { return Ok(Vec::new()) };
    let Batch(uris) = serde_json::from_str(resources).map_err(|_| MessageError::Invalid)?;
    uris?.into_iter().map(|uri| string(uri).map(Operation::Resource)).collect()
}

/// The prompt or the resource template whose arguments `completion/complete` completes.
fn completed(reference: Option<&str>, is_own: bool) -> Result<Vec<Operation<'_>>, MessageError> {
    let [name, uri] = members_of(object(reference, is_own), &["name", "uri"])?;
    let prompt = present(name).map(|name| string(name).map(Operation::Prompt));
    let resource = present(uri).map(|uri| string(uri).map(Operation::Resource));
    prompt.into_iter().chain(resource).collect()
}

/// A string or a number; it goes back to where it came from.
fn is_id(json: &str) -> bool {
    json.len() <= limits::STRING && (json.starts_with('"') || json.parse::<f64>().is_ok())
}

fn string(json: &str) -> Result<Cow<'_, str>, MessageError> {
    let inner =
        json.strip_prefix('"').and_then(|json| json.strip_suffix('"')).ok_or(MessageError::Invalid)?;
    if inner.len() > limits::OPERATION_NAME {
        return Err(MessageError::TooLarge);
    }
    if inner.contains('\\') {
        return serde_json::from_str(json).map(Cow::Owned).map_err(|_| MessageError::Invalid);
    }
    Ok(Cow::Borrowed(inner))
}

/// Whether a reader that does not mind the case of letters takes a name for this one; some fold these two
/// letters beyond ASCII, too.
fn is_taken_for(name: &str, known: &str) -> bool {
    folded(name).eq(known.chars().map(|letter| letter.to_ascii_lowercase()))
}

fn folded(name: &str) -> impl Iterator<Item = char> {
    name.chars().map(|letter| match letter {
        '\u{17f}' => 's',
        '\u{212a}' => 'k',
        other => other.to_ascii_lowercase(),
    })
}

/// Some members of an object as JSON.
struct Picked<'a, const N: usize>(Result<[Option<&'a str>; N], MessageError>);

impl<'a, const N: usize> Picked<'a, N> {
    fn read(text: &'a str, names: &'static [&'static str; N]) -> Result<[Option<&'a str>; N], MessageError> {
        let mut deserializer = serde_json::Deserializer::from_str(text);
        let picked = Self::pick(&mut deserializer, names)
            .map_err(|error| if error.is_data() { MessageError::Invalid } else { MessageError::Syntax })?;
        deserializer.end().map_err(|_| MessageError::Syntax)?;
        picked.0
    }

    fn pick<D: Deserializer<'a>>(
        deserializer: D,
        names: &'static [&'static str; N],
    ) -> Result<Self, D::Error> {
        struct Pick<const N: usize>(&'static [&'static str; N]);

        impl<'de, const N: usize> Visitor<'de> for Pick<N> {
            type Value = Picked<'de, N>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut picked = [None; N];
                let mut ambiguous = false;
                while let Some((name, value)) = map.next_entry::<Name<'de>, &'de RawValue>()? {
                    for (known, slot) in self.0.iter().zip(&mut picked) {
                        if *name.0 == **known {
                            ambiguous |= slot.is_some();
                            *slot = Some(value.get());
                        } else {
                            ambiguous |= is_taken_for(&name.0, known);
                        }
                    }
                }
                Ok(Picked(if ambiguous { Err(MessageError::Ambiguous) } else { Ok(picked) }))
            }
        }

        deserializer.deserialize_map(Pick(names))
    }
}

/// Arguments that a host function decides by: refuses what it could read otherwise than the server.
pub(super) fn check_arguments(json: &str) -> Result<(), MessageError> {
    match serde_json::from_str(json) {
        Ok(Clear(true)) => Ok(()),
        Ok(Clear(false)) => Err(MessageError::Ambiguous),
        Err(_) => Err(MessageError::Invalid),
    }
}

/// Whether members are there once, and numbers are such that every reader holds them (RFC 7493 2.2, 2.3).
struct Clear(bool);

impl<'de> Deserialize<'de> for Clear {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        const MOST: u64 = 1 << 53;

        struct Look;

        impl<'de> Visitor<'de> for Look {
            type Value = Clear;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("JSON")
            }

            fn visit_unit<E>(self) -> Result<Clear, E> {
                Ok(Clear(true))
            }

            fn visit_bool<E>(self, _: bool) -> Result<Clear, E> {
                Ok(Clear(true))
            }

            fn visit_str<E>(self, _: &str) -> Result<Clear, E> {
                Ok(Clear(true))
            }

            fn visit_u64<E>(self, number: u64) -> Result<Clear, E> {
                Ok(Clear(number < MOST))
            }

            fn visit_i64<E>(self, number: i64) -> Result<Clear, E> {
                Ok(Clear(number.unsigned_abs() < MOST))
            }

            fn visit_f64<E>(self, number: f64) -> Result<Clear, E> {
                // A whole number that is larger may have been another before it was rounded.
                Ok(Clear(number.abs() < MOST as f64))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Clear, A::Error> {
                let mut clear = true;
                while let Some(Clear(element)) = seq.next_element()? {
                    clear &= element;
                }
                Ok(Clear(clear))
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Clear, A::Error> {
                let (mut clear, mut names) = (true, BTreeSet::new());
                while let Some((name, Clear(value))) = map.next_entry::<String, Clear>()? {
                    clear &= value & names.insert(folded(&name).collect::<String>());
                }
                Ok(Clear(clear))
            }
        }

        deserializer.deserialize_any(Look)
    }
}

struct Batch<'a>(Result<Vec<&'a str>, MessageError>);

impl<'de> Deserialize<'de> for Batch<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct BatchVisitor;

        impl<'de> Visitor<'de> for BatchVisitor {
            type Value = Batch<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an array")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
                let mut elements = Vec::new();
                let mut too_many = false;
                while let Some(element) = seq.next_element::<&'de RawValue>()? {
                    too_many |= elements.len() >= limits::BATCH;
                    if !too_many {
                        elements.push(element.get());
                    }
                }
                Ok(Batch(if too_many { Err(MessageError::TooLarge) } else { Ok(elements) }))
            }
        }

        deserializer.deserialize_seq(BatchVisitor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn operations(body: &str) -> Result<Vec<Operation<'static>>, MessageError> {
        let messages = read(body.as_bytes())?;
        Ok(messages.into_iter().map(|message| message.operation.into_owned()).collect())
    }

    #[test]
    fn mcp_sending_messages() {
        let call =
            r#"{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"a","arguments":{"x":1}}}"#;
        let message = &read(call.as_bytes()).unwrap()[0];
        assert_eq!(message.operation, Operation::Tool("a".into()));
        assert_eq!((message.id, message.arguments), (Some("7"), Some(r#"{"x":1}"#)));
        let read_one = |body: &str| operations(body).map(|all| all.into_iter().next().unwrap());
        assert_eq!(
            read_one(r#"{"method":"resources/subscribe","params":{"uri":"u:x","name":"y"}}"#),
            Ok(Operation::Resource("u:x".into()))
        );
        assert_eq!(
            read_one(r#" {"method":"prompts\/get","params":{"n\u0061me":"\u65e5"}}"#),
            Ok(Operation::Prompt("日".into()))
        );
        assert_eq!(read_one(r#"{"method":"tools/list"}"#), Ok(Operation::Method("tools/list".into())));
        assert_eq!(read_one(r#"{"id":1,"result":{}}"#), Ok(Operation::Method("response".into())));
    }

    #[test]
    fn mcp_subscriptions_and_completions_are_about_resources_and_prompts() {
        let more = |body: &str| read(body.as_bytes()).map(|all| format!("{:?}", all[0].more));
        let listen = r#"{"id":1,"method":"subscriptions/listen","params":{"notifications":{"toolsListChanged":true,"resourceSubscriptions":["file:///a","file:///b"]}}}"#;
        assert_eq!(more(listen).unwrap(), r#"[Resource("file:///a"), Resource("file:///b")]"#);
        let complete =
            r#"{"id":1,"method":"completion/complete","params":{"ref":{"type":"ref/prompt","name":"p"}}}"#;
        assert_eq!(more(complete).unwrap(), r#"[Prompt("p")]"#);
        let complete = r#"{"id":1,"method":"completion/complete","params":{"ref":{"type":"ref/resource","uri":"u:{x}"}}}"#;
        assert_eq!(more(complete).unwrap(), r#"[Resource("u:{x}")]"#);
        for nothing in
            ["{}", r#"{"notifications":{}}"#, r#"{"notifications":{"resourceSubscriptions":null}}"#]
        {
            let body = format!(r#"{{"method":"subscriptions/listen","params":{nothing}}}"#);
            assert_eq!(more(&body).unwrap(), "[]", "{body}");
        }
        for bad in [r#""u""#, r#"[1]"#, "{}"] {
            let body = format!(
                r#"{{"method":"subscriptions/listen","params":{{"notifications":{{"resourceSubscriptions":{bad}}}}}}}"#
            );
            assert_eq!(more(&body), Err(MessageError::Invalid), "{body}");
        }
        let twice = r#"{"method":"subscriptions/listen","params":{"notifications":{},"notifications":{}}}"#;
        assert_eq!(more(twice), Err(MessageError::Ambiguous));
    }

    #[test]
    fn jsonrpc_6_batches() {
        let batch =
            r#"[{"method":"ping","id":1},{"method":"tools/call","params":{"name":"a"}},{"result":1,"id":2}]"#;
        assert_eq!(
            operations(batch).unwrap(),
            [
                Operation::Method("ping".into()),
                Operation::Tool("a".into()),
                Operation::Method("response".into())
            ]
        );
        assert_eq!(operations("[]"), Err(MessageError::EmptyBatch));
        assert_eq!(operations("[[]]"), Err(MessageError::Invalid));
        assert_eq!(operations(r#"[{"method":"ping"},1]"#), Err(MessageError::Invalid));
        let many = format!("[{}]", vec![r#"{"method":"ping"}"#; 10_000].join(","));
        assert_eq!(operations(&many), Err(MessageError::TooLarge));
    }

    #[test]
    fn names_that_two_readers_read_differently_are_refused() {
        for body in [
            r#"{"method":"tools/list","method":"tools/call"}"#,
            r#"{"method":"tools/list","m\u0065thod":"tools/call"}"#,
            r#"{"method":"tools/list","Method":"tools/call"}"#,
            r#"{"method":"tools/call","params":{"name":"a"},"PARAMS":{"name":"b"}}"#,
            r#"{"method":"tools/call","params":{"name":"a","name":"b"}}"#,
            r#"{"method":"tools/call","params":{"name":"a","Name":"b"}}"#,
            r#"{"method":"tools/call","params":{"name":"a"},"paramſ":{"name":"b"}}"#,
            r#"{"method":"tools/call","params":{"name":"a","arguments":{},"arguments":{"x":1}}}"#,
        ] {
            assert_eq!(operations(body), Err(MessageError::Ambiguous), "{body}");
        }
    }

    #[test]
    fn what_is_no_message() {
        for body in ["", "{", "nonsense", r#"{"method":"ping"} x"#, "\u{feff}{}", r#"{"method":"\ud800"}"#] {
            assert!(matches!(operations(body), Err(MessageError::Syntax | MessageError::Invalid)), "{body}");
        }
        for body in ["{}", "1", "null", r#"{"method":1}"#, r#"{"method":"tools/call"}"#, r#"{"id":1}"#] {
            assert_eq!(operations(body), Err(MessageError::Invalid), "{body}");
        }
        assert_eq!(read(b"{\"method\":\"\xff\"}").unwrap_err(), MessageError::Syntax);
        let long = format!(r#"{{"method":"{}"}}"#, "x".repeat(limits::OPERATION_NAME + 1));
        assert_eq!(operations(&long), Err(MessageError::TooLarge));
        let deep = "[".repeat(100_000);
        assert_eq!(operations(&deep), Err(MessageError::Syntax));
    }
}
