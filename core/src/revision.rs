//! Revisions of the MCP specification.

use std::fmt;

/// A revision of the MCP specification, as the client speaks it.
///
/// Authorization rules of later revisions are stricter supersets of the earlier ones and hold for all;
/// only [`V2025_03_26`](Self::V2025_03_26) discovers differently. The name goes into the
/// `MCP-Protocol-Version` header of discovery requests.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Revision {
    /// 2025-03-26: no protected resource metadata; the authorization server is at the resource's origin.
    V2025_03_26,
    /// 2025-06-18: protected resource metadata, `resource`.
    V2025_06_18,
    /// 2025-11-25: scope challenges, step-up, Client ID Metadata Documents, `OpenID` Discovery.
    V2025_11_25,
    /// 2026-07-28: `iss`, `application_type`, union of scopes, binding to the authorization server.
    #[default]
    V2026_07_28,
}

impl Revision {
    /// The revision of this name, such as `2025-11-25`.
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::V2025_03_26, Self::V2025_06_18, Self::V2025_11_25, Self::V2026_07_28]
            .into_iter()
            .find(|revision| revision.name() == name)
    }

    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::V2025_03_26 => "2025-03-26",
            Self::V2025_06_18 => "2025-06-18",
            Self::V2025_11_25 => "2025-11-25",
            Self::V2026_07_28 => "2026-07-28",
        }
    }
}

impl fmt::Display for Revision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
