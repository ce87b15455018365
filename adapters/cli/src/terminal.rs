//! Words from outside on a terminal.

use std::borrow::Cow;
use std::io::{self, IsTerminal as _, Write as _};

/// The text without anything that a terminal would obey, or that turns around what is read.
pub(crate) fn clean(text: &str) -> Cow<'_, str> {
    let is_harmless =
        |letter: char| letter == '\n' || letter == '\t' || !letter.is_control() && !is_invisible(letter);
    if text.chars().all(is_harmless) {
        return Cow::Borrowed(text);
    }
    let escape = |letter: char| match is_harmless(letter) {
        true => letter.to_string(),
        false => letter.escape_unicode().to_string(),
    };
    Cow::Owned(text.chars().map(escape).collect())
}

/// Direction marks and the like.
fn is_invisible(letter: char) -> bool {
    matches!(letter, '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

/// Writes to standard output: to a terminal what is harmless, to a pipe what came.
///
/// # Errors
/// When nobody reads it.
pub(crate) fn print(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    match out.is_terminal() {
        true => writeln!(out, "{}", clean(text))?,
        false => writeln!(out, "{text}")?,
    }
    out.flush()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_terminal_gets_nothing_that_it_obeys() {
        assert_eq!(clean("plain, üñï\n\tand so on"), "plain, üñï\n\tand so on");
        assert_eq!(clean("\u{1b}]52;c;x\u{7}"), "\\u{1b}]52;c;x\\u{7}");
        assert_eq!(clean("a\rb\u{9b}2J\u{202e}c"), "a\\u{d}b\\u{9b}2J\\u{202e}c");
    }
}
