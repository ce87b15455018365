//! Servers that are busy for a moment (429 and 503 with `Retry-After`): they are waited for, and asked again.

use crate::client::engine::Engine;
use crate::client::output::Notice;
use crate::client::state::waits::Waits;
use crate::error::Exchange;
use crate::limits;
use crate::time::Now;
use crate::wire::HttpResponse;

impl Engine {
    /// Whether a server that gave this answer is asked the same again once its time is up. Each exchange is
    /// waited for once, and not for long (RFC 9110 10.2.3).
    pub(crate) fn waits(
        &mut self,
        now: Now,
        waits: &mut Waits,
        exchange: Exchange,
        response: &HttpResponse<'_>,
    ) -> bool {
        let had_its_wait = waits.waited.contains(&exchange) || waits.waited.len() >= limits::WAITS.into();
        if !response.is_unavailable() || had_its_wait {
            return false;
        }
        let Some(seconds) = response.retry_after_s().filter(|after_s| *after_s <= limits::RETRY_AFTER_S)
        else {
            return false;
        };
        waits.waited.push(exchange);
        waits.until_ms = now.mono_ms.saturating_add(u64::from(seconds) * 1000);
        self.notice(Notice::Waiting { exchange, seconds });
        true
    }
}
