//! What functions return.

use std::ffi::{CStr, c_char};

use grantor::ApiMisuse;
use grantor_bindings::Problem;

/// What a function returns. Numbers never change their meaning; later versions add some at the end. On anything but
/// `GRANTOR_RESULT_OK` nothing was written and nothing has changed, unless the function says otherwise.
#[repr(u32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum grantor_result {
    /// It is done.
    GRANTOR_RESULT_OK = 0,
    /// A pointer that must not be NULL is NULL, or is not aligned.
    GRANTOR_RESULT_NULL_POINTER = 1,
    /// A text is not UTF-8.
    GRANTOR_RESULT_NOT_UTF8 = 2,
    /// A length is larger than any object can be.
    GRANTOR_RESULT_TOO_LONG = 3,
    /// A fault in Grantor. The machine it came from answers every further call with this; other machines go on.
    GRANTOR_RESULT_PANIC = 4,
    /// The handle is of another kind: a guard where a client is needed, a key where a need is.
    GRANTOR_RESULT_WRONG_KIND = 5,
    /// The machine was made before the process forked. Make one in each process.
    GRANTOR_RESULT_FORKED = 6,
    /// There is no value of this number in the enumeration.
    GRANTOR_RESULT_UNKNOWN_VALUE = 7,
    /// Settings of this kind have no such setting.
    GRANTOR_RESULT_NO_SUCH_SETTING = 8,
    /// The setting takes a value of another shape: a text, a number, a flag, a pair, or other settings.
    GRANTOR_RESULT_WRONG_SHAPE = 9,
    /// The settings cannot work; the error of the handle says which and why.
    GRANTOR_RESULT_UNUSABLE = 10,
    /// The output has no such field.
    GRANTOR_RESULT_NO_SUCH_FIELD = 11,
    /// A method, request target or header is none of HTTP.
    GRANTOR_RESULT_NOT_HTTP = 12,
    /// The method is none of HTTP.
    GRANTOR_RESULT_METHOD = 13,
    /// The request's URL is not at or under the resource of this machine.
    GRANTOR_RESULT_OUTSIDE_RESOURCE = 14,
    /// The request's query carries an access token; tokens never belong there.
    GRANTOR_RESULT_TOKEN_IN_QUERY = 15,
    /// No call with this id awaits a response.
    GRANTOR_RESULT_UNKNOWN_CALL = 16,
    /// No effect with this id was ever asked for.
    GRANTOR_RESULT_UNKNOWN_OP = 17,
    /// The completion does not fit the effect.
    GRANTOR_RESULT_WRONG_COMPLETION = 18,
    /// The output asks for nothing that this helper performs.
    GRANTOR_RESULT_NOT_PERFORMED = 19,
    /// The store cannot be opened; the error of the handle says why.
    GRANTOR_RESULT_STORE = 20,
    /// The system has no random bytes.
    GRANTOR_RESULT_NO_ENTROPY = 21,
    /// A `WWW-Authenticate` line breaks its grammar, or a challenge cannot be written so.
    GRANTOR_RESULT_MALFORMED = 22,
    /// The address is not one that the request may be sent to.
    GRANTOR_RESULT_ADDRESS_REFUSED = 23,
    /// Called in a way that this version has no number for.
    GRANTOR_RESULT_OTHER = 24,
}

use grantor_result::*;

/// Every code with its name and what it says.
pub(crate) const RESULTS: [(grantor_result, &CStr, &CStr); 25] = [
    (GRANTOR_RESULT_OK, c"ok", c"it is done"),
    (
        GRANTOR_RESULT_NULL_POINTER,
        c"null_pointer",
        c"a pointer that must not be NULL is NULL, or is not aligned",
    ),
    (GRANTOR_RESULT_NOT_UTF8, c"not_utf8", c"a text is not UTF-8"),
    (GRANTOR_RESULT_TOO_LONG, c"too_long", c"a length is larger than any object can be"),
    (GRANTOR_RESULT_PANIC, c"panic", c"a fault in Grantor; free this machine and make another"),
    (GRANTOR_RESULT_WRONG_KIND, c"wrong_kind", c"the handle is of another kind"),
    (
        GRANTOR_RESULT_FORKED,
        c"forked",
        c"the machine was made before the process forked; make one in each process",
    ),
    (GRANTOR_RESULT_UNKNOWN_VALUE, c"unknown_value", c"there is no value of this number in the enumeration"),
    (GRANTOR_RESULT_NO_SUCH_SETTING, c"no_such_setting", c"settings of this kind have no such setting"),
    (GRANTOR_RESULT_WRONG_SHAPE, c"wrong_shape", c"the setting takes a value of another shape"),
    (GRANTOR_RESULT_UNUSABLE, c"unusable", c"the settings cannot work; the handle's error says why"),
    (GRANTOR_RESULT_NO_SUCH_FIELD, c"no_such_field", c"the output has no such field"),
    (GRANTOR_RESULT_NOT_HTTP, c"not_http", c"a method, request target or header is none of HTTP"),
    (GRANTOR_RESULT_METHOD, c"method", c"the method is none of HTTP"),
    (
        GRANTOR_RESULT_OUTSIDE_RESOURCE,
        c"outside_resource",
        c"the request's URL is not at or under the resource",
    ),
    (GRANTOR_RESULT_TOKEN_IN_QUERY, c"token_in_query", c"access tokens do not belong in a URL"),
    (GRANTOR_RESULT_UNKNOWN_CALL, c"unknown_call", c"no call with this id awaits a response"),
    (GRANTOR_RESULT_UNKNOWN_OP, c"unknown_op", c"no effect with this id was asked for"),
    (GRANTOR_RESULT_WRONG_COMPLETION, c"wrong_completion", c"the completion does not fit the effect"),
    (
        GRANTOR_RESULT_NOT_PERFORMED,
        c"not_performed",
        c"the output asks for nothing that this helper performs",
    ),
    (GRANTOR_RESULT_STORE, c"store", c"the store cannot be opened; the handle's error says why"),
    (GRANTOR_RESULT_NO_ENTROPY, c"no_entropy", c"the system has no random bytes"),
    (GRANTOR_RESULT_MALFORMED, c"malformed", c"the challenge breaks its grammar"),
    (GRANTOR_RESULT_ADDRESS_REFUSED, c"address_refused", c"the request may not be sent to this address"),
    (GRANTOR_RESULT_OTHER, c"other", c"called in a way that this version has no number for"),
];

/// The name of a result, such as `unknown_op`, for logs; `unknown` for numbers that this version does not know. It ends
/// with a NUL and is good for ever.
#[unsafe(no_mangle)]
pub extern "C" fn grantor_result_name(result: u32) -> *const c_char {
    of(result).map_or(c"unknown", |(_, name, _)| name).as_ptr()
}

/// What a result says, in words. It ends with a NUL and is good for ever.
#[unsafe(no_mangle)]
pub extern "C" fn grantor_result_message(result: u32) -> *const c_char {
    of(result).map_or(c"a result that this version does not know", |(_, _, message)| message).as_ptr()
}

fn of(result: u32) -> Option<&'static (grantor_result, &'static CStr, &'static CStr)> {
    RESULTS.get(usize::try_from(result).ok()?)
}

impl From<&ApiMisuse> for grantor_result {
    fn from(misuse: &ApiMisuse) -> Self {
        match misuse {
            ApiMisuse::Method => GRANTOR_RESULT_METHOD,
            ApiMisuse::OutsideResource => GRANTOR_RESULT_OUTSIDE_RESOURCE,
            ApiMisuse::TokenInQuery => GRANTOR_RESULT_TOKEN_IN_QUERY,
            ApiMisuse::UnknownCall => GRANTOR_RESULT_UNKNOWN_CALL,
            ApiMisuse::UnknownOp => GRANTOR_RESULT_UNKNOWN_OP,
            ApiMisuse::WrongCompletion => GRANTOR_RESULT_WRONG_COMPLETION,
            _ => GRANTOR_RESULT_OTHER,
        }
    }
}

impl From<&Problem> for grantor_result {
    fn from(problem: &Problem) -> Self {
        match problem {
            Problem::NoSuchSetting { .. } => GRANTOR_RESULT_NO_SUCH_SETTING,
            Problem::WrongShape { .. } => GRANTOR_RESULT_WRONG_SHAPE,
            _ => GRANTOR_RESULT_UNUSABLE,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_the_places_of_the_table() {
        for (place, (result, name, message)) in RESULTS.iter().enumerate() {
            assert_eq!(*result as usize, place);
            assert!(!name.is_empty() && !message.is_empty());
        }
        assert_eq!(of(25), None, "a code at the end belongs into the table");
    }
}
