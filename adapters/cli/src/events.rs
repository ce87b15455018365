//! Server-sent events, as streamable HTTP carries its messages.

use std::io::{self, BufRead, BufReader, Read};
use std::time::Duration;

/// The longest line that is read, which is a whole message.
const LINE: u64 = 16 * 1024 * 1024;

/// The events of a stream.
pub(crate) struct Events<R> {
    lines: BufReader<R>,
}

/// An event, or what a stream says about itself.
pub(crate) struct Event {
    /// From where a broken stream can be resumed.
    pub(crate) id: Option<String>,
    /// After which time.
    pub(crate) retry: Option<Duration>,
    /// Empty where it says no more than that.
    pub(crate) data: String,
}

impl<R: Read> Events<R> {
    pub(crate) fn of(stream: R) -> Self {
        Self { lines: BufReader::new(stream) }
    }

    /// A line without its end; `None` at the end of the stream, also within a line.
    fn line(&mut self) -> io::Result<Option<String>> {
        let mut line = Vec::new();
        self.lines.by_ref().take(LINE).read_until(b'\n', &mut line)?;
        if line.pop() != Some(b'\n') {
            return match line.len() as u64 + 1 >= LINE {
                true => Err(io::Error::other("a line of an event is longer than 16 MiB")),
                false => Ok(None),
            };
        }
        if line.last() == Some(&b'\r') {
            line.pop();
        }
        Ok(Some(String::from_utf8_lossy(&line).into_owned()))
    }
}

impl<R: Read> Iterator for Events<R> {
    type Item = io::Result<Event>;

    fn next(&mut self) -> Option<Self::Item> {
        let (mut id, mut retry, mut data) = (None, None, None::<String>);
        loop {
            let line = match self.line() {
                Ok(line) => line?,
                Err(error) => return Some(Err(error)),
            };
            if line.is_empty() {
                if data.is_some() || id.is_some() || retry.is_some() {
                    return Some(Ok(Event { id, retry, data: data.unwrap_or_default() }));
                }
                continue;
            }
            let (name, value) = line.split_once(':').unwrap_or((&line, ""));
            let value = value.strip_prefix(' ').unwrap_or(value);
            match name {
                "data" => match &mut data {
                    Some(data) => {
                        data.push('\n');
                        data.push_str(value);
                    }
                    None => data = Some(value.to_owned()),
                },
                "id" if !value.contains('\0') => id = Some(value.to_owned()),
                "retry" if !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit()) => {
                    retry = value.parse().ok().map(Duration::from_millis);
                }
                _ => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_read_as_the_standard_has_them() {
        let stream = ": a comment\n\nid: 1\ndata: {\"a\":\ndata: 1}\n\nevent: message\r\ndata:x\r\n\r\nid: 2\nretry: 30\nretry: 1s\n\n\
                      data: cut off";
        let events: Vec<_> = Events::of(stream.as_bytes()).map(|event| event.unwrap()).collect();
        let seen: Vec<_> = events.iter().map(|event| (event.id.as_deref(), event.data.as_str())).collect();
        assert_eq!(seen, [(Some("1"), "{\"a\":\n1}"), (None, "x"), (Some("2"), "")]);
        assert_eq!(events[2].retry, Some(Duration::from_millis(30)), "what is no number is none");
    }
}
