//! What happens, as events of the crate `tracing`.

use crate::event::{Event, Observer};

/// An observer that writes events of target `grantor`, for a host's own logs.
///
/// | message | level | fields |
/// |---|---|---|
/// | `exchange` | debug; warn without an answer | `exchange`, `method`, `url` without its query, `why`, `status` or `failure` |
/// | `notice` | info; warn where [`Notice::is_warning`](grantor::client::Notice::is_warning) | `notice` in words |
/// | `waiting for approval`, `waiting for the browser`, `waiting for a device` | info | `resource`, `issuer`, `why` |
///
/// No token, code, secret or `state` is among them.
///
/// ```
/// # use grantor_driver::{Setup, Traced};
/// # fn example(config: grantor_driver::grantor::client::Config) {
/// let setup = Setup::new(config).observer(Traced);
/// # }
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct Traced;

impl Observer for Traced {
    fn event(&self, event: Event<'_>) {
        match event {
            Event::Exchanged { request, why, answer } => {
                let mut url = request.url.clone();
                url.set_query(None);
                let (exchange, method) = (request.exchange, &request.method);
                match answer {
                    Ok(answer) => {
                        let status = answer.status;
                        tracing::debug!(target: "grantor", %exchange, %method, %url, why, status, "exchange");
                    }
                    Err(failure) => {
                        let failure = format_args!("{} {}", failure.kind, failure.detail);
                        tracing::warn!(target: "grantor", %exchange, %method, %url, why, %failure, "exchange");
                    }
                }
            }
            Event::Notice(notice) if notice.is_warning() => {
                tracing::warn!(target: "grantor", %notice, "notice");
            }
            Event::Notice(notice) => tracing::info!(target: "grantor", %notice, "notice"),
            Event::WaitingForApproval { summary } => {
                let (resource, issuer) = (&*summary.resource, summary.issuer.as_str());
                tracing::info!(target: "grantor", resource, issuer, "waiting for approval");
            }
            Event::WaitingForBrowser { prompt, why } => {
                let (resource, issuer) = (&*prompt.summary.resource, prompt.summary.issuer.as_str());
                tracing::info!(target: "grantor", resource, issuer, why, "waiting for the browser");
            }
            Event::WaitingForDevice { prompt, why } => {
                let (resource, issuer) = (&*prompt.summary.resource, prompt.summary.issuer.as_str());
                tracing::info!(target: "grantor", resource, issuer, why, "waiting for a device");
            }
        }
    }
}
