//! Every document, every member, everything that can be wrong with it.

use super::Members;
use crate::jose::KeySetDocument;
use crate::wire::{device, introspection, pushed, registration, resource_metadata, server_metadata, token};

/// The members that the readers know, by document.
fn known() -> Vec<(&'static str, &'static [&'static str])> {
    vec![
        ("device authorization", device::Answer::NAMES),
        ("introspection", introspection::Answer::NAMES),
        ("key set", KeySetDocument::NAMES),
        ("pushed authorization", pushed::Answer::NAMES),
        ("registration", registration::Answer::NAMES),
        ("registration error", registration::ErrorAnswer::NAMES),
        ("resource metadata", resource_metadata::Document::NAMES),
        ("server metadata", server_metadata::Document::NAMES),
        ("token", token::Fields::NAMES),
    ]
}

#[test]
fn names_are_there_once() {
    for (document, names) in known() {
        for (index, name) in names.iter().enumerate() {
            assert!(!names[..index].contains(name), "{document}: {name}");
        }
    }
}
