//! The pages that the receiver shows.

/// A plain page that works in any browser, size and colour scheme, and for screen readers. The empty
/// icon keeps browsers from asking for one.
macro_rules! page {
    ($title:literal, $heading:literal, $text:literal) => {
        concat!(
            "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n",
            "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n",
            "<meta name=\"color-scheme\" content=\"light dark\">\n",
            "<link rel=\"icon\" href=\"data:,\">\n",
            "<title>",
            $title,
            "</title>\n<style>body { font: 1.125rem/1.5 system-ui, sans-serif; max-width: 36rem; ",
            "margin: 4rem auto; padding: 0 1rem; }</style>\n</head>\n<body>\n<main>\n<h1>",
            $heading,
            "</h1>\n<p>",
            $text,
            "</p>\n</main>\n</body>\n</html>\n"
        )
    };
}

/// The page for a request that brought the answer.
///
/// It claims neither success nor failure: what the answer means is checked after it was received.
pub(super) const RECEIVED: &str = page!(
    "Received",
    "Your answer has reached the application.",
    "You can close this window and go back to it."
);

/// The page for a request to the right path that does not carry the right state.
pub(super) const NOT_ASKED: &str = page!(
    "Nothing was asked",
    "This page answers nothing that the application asks.",
    "If you came here from a login page, go back to the application and start again."
);
