//! Discovery: the URLs at which a document may be are asked in order, until one serves it.
//!
//! The client's engine looks so for metadata of the resource, of its authorization server and of an
//! enterprise's provider, whether to get tokens, to renew them or to give them back; so does the Guard for
//! its servers.

use std::collections::VecDeque;

use url::Url;

use crate::error::{Error, ErrorReport, PeerMisbehaved, Refused};
use crate::wire::resource_metadata::Candidate;
use crate::wire::well_known::Found;

/// A place where the document may be.
pub(crate) trait Place {
    fn url(&self) -> &Url;
}

impl Place for Url {
    fn url(&self) -> &Url {
        self
    }
}

impl Place for Candidate {
    fn url(&self) -> &Url {
        &self.url
    }
}

/// The places for one document, and why those that were asked did not serve.
#[derive(Debug)]
pub(crate) struct Probe<P> {
    left: VecDeque<P>,
    places: usize,
    current: Option<P>,
    /// Where it is asked for now: at the current place, or where that redirects to.
    asked: Option<Url>,
    redirects: u8,
    reasons: Vec<ErrorReport>,
}

impl<P: Place> Probe<P> {
    pub(crate) fn new(places: Vec<P>) -> Self {
        let count = places.len();
        Self {
            left: places.into(),
            places: count,
            current: None,
            asked: None,
            redirects: 0,
            reasons: Vec::new(),
        }
    }

    /// How many places there are, those that were asked included.
    pub(crate) fn len(&self) -> usize {
        self.places
    }

    /// Adds places to be asked after the others.
    pub(crate) fn extend(&mut self, places: impl IntoIterator<Item = P>) {
        let before = self.left.len();
        self.left.extend(places);
        self.places += self.left.len() - before;
    }

    /// One that has come to nothing.
    pub(crate) fn failed(why: ErrorReport) -> Self {
        Self { reasons: vec![why], ..Self::new(Vec::new()) }
    }

    /// The URL to ask now: of a redirect, or of the next place; `None` when there is none left.
    pub(crate) fn next_url(&mut self) -> Option<Url> {
        if self.asked.is_none() {
            self.redirects = 0;
            self.current = self.left.pop_front();
            self.asked = self.current.as_ref().map(|place| place.url().clone());
        }
        self.asked.clone()
    }

    /// The place that is asked.
    pub(crate) fn current(&self) -> Option<&P> {
        self.current.as_ref().filter(|_| self.asked.is_some())
    }

    /// The URL that is asked, after how many redirects.
    pub(crate) fn asked(&self) -> Option<(&Url, u8)> {
        self.asked.as_ref().map(|asked| (asked, self.redirects))
    }

    /// Takes in what was found; the document, if that was it. `report` makes a reason of an error.
    pub(crate) fn take<T>(
        &mut self,
        found: Found<T>,
        report: impl FnOnce(Error) -> ErrorReport,
    ) -> Option<Box<T>> {
        match found {
            Found::Document(document) => return Some(document),
            Found::Nothing(why) => self.skip(report(why)),
            Found::Redirected(url) => {
                self.asked = Some(url);
                self.redirects = self.redirects.saturating_add(1);
            }
        }
        None
    }

    /// Goes on to the next place.
    pub(crate) fn skip(&mut self, why: ErrorReport) {
        self.reasons.push(why);
        self.asked = None;
    }

    /// Goes on to the next place at another origin, since this one cannot be reached; whether there is one.
    pub(crate) fn skip_origin(&mut self, why: ErrorReport) -> bool {
        let Some(asked) = &self.asked else { return false };
        let origin = asked.origin();
        if self.left.iter().all(|place| place.url().origin() == origin) {
            return false;
        }
        self.left.retain(|place| place.url().origin() != origin);
        self.skip(why);
        true
    }

    /// Why the places did not serve, in order.
    pub(crate) fn into_reasons(self) -> Vec<ErrorReport> {
        self.reasons
    }

    /// What stands at the places before, told together: the reason that says most first. `None` where the
    /// document simply is not there.
    pub(crate) fn failure(&mut self) -> Option<ErrorReport> {
        let best = (0..self.reasons.len()).max_by_key(|at| {
            // Of equals the first.
            (self.reasons.get(*at).map(weight), std::cmp::Reverse(*at))
        })?;
        if self.reasons.get(best).map(weight) == Some(Weight::NotThere) {
            return None;
        }
        let report = self.reasons.remove(best);
        Some(report.with_tried(std::mem::take(&mut self.reasons)))
    }

    /// That the document is nowhere, with what was found instead.
    pub(crate) fn nowhere(&mut self, error: impl Into<Error>) -> ErrorReport {
        ErrorReport::from(error.into()).with_tried(std::mem::take(&mut self.reasons))
    }
}

/// How much a reason says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Weight {
    /// Nothing is there, or a page for people.
    NotThere,
    /// Something else is.
    SomethingElse,
    /// The server may have it, but does not answer now.
    Unavailable,
    /// The document breaks a rule.
    Broken,
}

fn weight(report: &ErrorReport) -> Weight {
    match &report.error {
        Error::Refused(Refused::Unavailable { .. }) => Weight::Unavailable,
        Error::PeerMisbehaved(PeerMisbehaved::Status { .. } | PeerMisbehaved::ContentType { .. }) => {
            Weight::NotThere
        }
        Error::PeerMisbehaved(
            PeerMisbehaved::IssuerMismatch { .. }
            | PeerMisbehaved::NoAuthorizationServers
            | PeerMisbehaved::ResourceMismatch { .. }
            | PeerMisbehaved::Url { .. },
        )
        | Error::PeerIncompatible(_) => Weight::Broken,
        _ => Weight::SomethingElse,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::{Exchange, PeerIncompatible};

    const EXCHANGE: Exchange = Exchange::ServerMetadata;

    fn url(text: &str) -> Url {
        Url::parse(text).unwrap()
    }

    fn status(status: u16) -> Found<()> {
        Found::Nothing(PeerMisbehaved::Status { exchange: EXCHANGE, status }.into())
    }

    #[test]
    fn places_are_asked_in_order_and_redirects_before_the_next() {
        let mut probe = Probe::new(vec![url("https://a/1"), url("https://a/2")]);
        assert_eq!(probe.next_url(), Some(url("https://a/1")));
        assert_eq!(probe.take(Found::<()>::Redirected(url("https://a/moved")), ErrorReport::from), None);
        assert_eq!(probe.next_url(), Some(url("https://a/moved")));
        assert_eq!(probe.asked(), Some((&url("https://a/moved"), 1)));
        assert_eq!(probe.take(status(404), ErrorReport::from), None);
        assert_eq!(probe.next_url(), Some(url("https://a/2")));
        assert_eq!(probe.asked(), Some((&url("https://a/2"), 0)));
        assert_eq!(probe.take(Found::Document(Box::new(7)), ErrorReport::from), Some(Box::new(7)));
    }

    #[test]
    fn all_reasons_are_told_the_one_that_says_most_first() {
        let unavailable = Refused::Unavailable { exchange: EXCHANGE, status: 503, retry_after_s: None };
        let mut probe = Probe::new(vec![url("https://a/1"), url("https://a/2"), url("https://a/3")]);
        for found in [status(404), Found::Nothing(unavailable.clone().into()), status(410)] {
            probe.next_url();
            probe.take(found, ErrorReport::from);
        }
        assert_eq!(probe.next_url(), None);
        let failure = probe.failure().unwrap();
        assert_eq!((failure.error.clone(), failure.tried().len()), (unavailable.into(), 2));
        let text = failure.to_string();
        assert!(text.contains("404") && text.contains("410") && text.contains("503"), "{text}");
    }

    #[test]
    fn what_is_not_there_is_no_failure() {
        let mut probe = Probe::new(vec![url("https://a/1")]);
        probe.next_url();
        probe.take(status(404), ErrorReport::from);
        assert_eq!(probe.failure(), None);
        let issuer = crate::error::PeerText::new("https://a");
        let nowhere = probe.nowhere(PeerIncompatible::NoServerMetadata { issuer });
        assert!(nowhere.to_string().contains("404"), "{nowhere}");
    }

    #[test]
    fn an_origin_that_cannot_be_reached_is_left_out() {
        let why = || ErrorReport::from(PeerMisbehaved::NoAuthorizationServers);
        let mut probe = Probe::new(vec![url("https://a/1"), url("https://a/2"), url("https://b/3")]);
        probe.next_url();
        assert!(probe.skip_origin(why()));
        assert_eq!(probe.next_url(), Some(url("https://b/3")));
        assert!(!probe.skip_origin(why()), "there is no other");
    }
}
