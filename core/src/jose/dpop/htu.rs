//! The URL of a proof: without query and fragment, in the normal form of RFC 3986 6.2.2 and 6.2.3.

use url::Url;

/// Scheme, host and dot segments, the default port and the empty path are normalised by the parser
/// already; what is left are the percent-encoded bytes.
pub(super) fn normal(url: &Url) -> String {
    let mut bare = url.clone();
    bare.set_query(None);
    bare.set_fragment(None);
    let text = String::from(bare);
    if !text.contains('%') {
        return text;
    }
    let mut normal = String::with_capacity(text.len());
    let mut rest = text.as_str();
    while let Some((before, after)) = rest.split_once('%') {
        normal.push_str(before);
        let encoded = after.split_at_checked(2).and_then(|(hex, after)| Some((byte(hex)?, hex, after)));
        match encoded {
            Some((byte, _, after)) if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) => {
                normal.push(byte.into());
                rest = after;
            }
            Some((_, hex, after)) => {
                normal.push('%');
                normal.extend(hex.chars().map(|digit| digit.to_ascii_uppercase()));
                rest = after;
            }
            None => {
                normal.push('%');
                rest = after;
            }
        }
    }
    normal.push_str(rest);
    normal
}

fn byte(hex: &str) -> Option<u8> {
    let digits = hex.bytes().all(|digit| digit.is_ascii_hexdigit());
    u8::from_str_radix(hex, 16).ok().filter(|_| digits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rfc9449_4_3_normal_form_of_rfc3986_6_2_2() {
        let normal = |text: &str| normal(&Url::parse(text).unwrap());
        for same in [
            "https://h/a/b~c",
            "HTTPS://H:443/a/b%7Ec",
            "https://h/a/./b%7ec?query#fragment",
            "https://h/x/../a/%62~c",
        ] {
            assert_eq!(normal(same), "https://h/a/b~c", "{same}");
        }
        assert_eq!(normal("https://h"), "https://h/");
        assert_eq!(normal("https://h:8443/a%2fb%"), "https://h:8443/a%2Fb%");
        assert_eq!(normal("https://h/%zz%+1%é"), "https://h/%zz%+1%%C3%A9");
        assert_eq!(normal("https://u:p@h/"), "https://u:p@h/");
    }
}
