//! What the engine has under way: each flow puts tasks in order.

pub(crate) mod account_list;
pub(crate) mod acquire;
pub(crate) mod log_out;
pub(crate) mod plan;
pub(crate) mod refresh;
pub(crate) mod respond;
pub(crate) mod transitions;
