//! Events for operators. Nothing of a token is in them.

use std::fmt;

use grantor_driver::grantor::resource::{Notice, Refusal, RefusalReport};
use http::StatusCode;
use tracing::field::{DisplayValue, display};

/// What was refused, to whom, and why.
pub(crate) fn refusal(status: StatusCode, refusal: Refusal, report: Option<&RefusalReport>) {
    let unknown = RefusalReport::default();
    let report = report.unwrap_or(&unknown);
    let missing = (!report.missing.is_empty()).then(|| display(&report.missing));
    // What clients do wrong is no fault of the server's; that a token cannot be checked is.
    if refusal == Refusal::Unavailable {
        tracing::warn!(
            target: "grantor",
            status = status.as_u16(),
            operation = shown(&report.operation),
            reason = %refusal,
            "refused"
        );
    } else {
        tracing::info!(
            target: "grantor",
            status = status.as_u16(),
            operation = shown(&report.operation),
            issuer = shown(&report.issuer),
            subject = shown(&report.subject),
            client = shown(&report.client_id),
            missing,
            mismatch = shown(&report.mismatch),
            reason = %refusal,
            "refused"
        );
    }
}

/// What the Guard notices of the authorization servers.
pub(crate) fn notice(notice: &Notice) {
    match notice {
        Notice::ServerFailed { issuer, error } => {
            tracing::warn!(target: "grantor", %issuer, error = %error, "authorization server failed");
        }
        Notice::TokenMismatch { issuer, mismatch } => {
            tracing::info!(target: "grantor", %issuer, %mismatch, "token refused");
        }
        Notice::KeysFetched { issuer, usable, refused, fresh_ms } => {
            tracing::debug!(target: "grantor", %issuer, usable, refused, fresh_ms, "keys fetched");
        }
        other => tracing::debug!(target: "grantor", notice = ?other),
    }
}

fn shown<T: fmt::Display>(text: &Option<T>) -> Option<DisplayValue<&T>> {
    text.as_ref().map(display)
}
