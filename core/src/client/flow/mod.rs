//! What the engine has under way: each flow puts tasks in order.
//!
//! | machine | waits for | answer | then |
//! |---|---|---|---|
//! | startup | binding | loaded | the grant of its issuer, or done when there is none |
//! | | grant | loaded | done: waiting calls are dispatched |
//! | refresh | lease | saved | the token request |
//! | | | conflict | look at the record |
//! | | token answer | issued | save it |
//! | | | refused for good | look at the record, then mark as revoked |
//! | | | its endpoint is gone | look at the server's metadata, then ask where it says, or as if refused |
//! | | | busy for a moment | wait, once, then take the lease again |
//! | | | refused for now | the token is used while it is valid, else calls fail |
//! | | record | newer | use it, wait for its lease, or take one |
//! | | save | saved | waiting calls are sent |
//! | | | conflict | look at the record |
//! | | another's lease | time | look at the record |
//! | acquisition | a record, a document, an answer of the host | as asked for | plan the next step |
//! | | a document | not there | plan the next step |
//! | | any server | busy for a moment | wait, once, then plan the same step |
//! | | the browser | callback | the token request |
//! | | token answer | issued | save it, then pin its issuer, then remove what was pending |
//! | | save | conflict | load the record, then plan again |
//! | | what was pending | gone, or not | waiting calls are sent |
//! | any | a record | unreadable | quarantine it first, or fail, by policy |
//! | | anything | failed | calls that wait for the machine fail |

pub(crate) mod account_list;
pub(crate) mod acquire;
pub(crate) mod log_out;
pub(crate) mod plan;
pub(crate) mod refresh;
pub(crate) mod respond;
pub(crate) mod startup;
