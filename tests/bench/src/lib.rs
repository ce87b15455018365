//! What the benchmarks measure: flows with their answers at hand, and headers meant to hurt.

mod flow;
pub mod guard;
mod headers;
mod rmcp;
mod stacks;

pub use self::flow::Flow;
pub use self::headers::{SHAPES, typical};
pub use self::rmcp::RmcpFlow;
pub use self::stacks::{Authorized, Server, Stack, stacks};
