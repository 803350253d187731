//! The endpoints that exist.

use shared::{Endpoint, auth::AuthMode};
use std::collections::BTreeMap;

/// The endpoints that have a credential, each with its one way of proof. All others do not exist.
#[derive(Debug, Default)]
pub struct Endpoints(BTreeMap<Endpoint, AuthMode>);

impl Endpoints {
    /// Opens an endpoint.
    pub fn open(&mut self, endpoint: Endpoint, auth: AuthMode) {
        self.0.insert(endpoint, auth);
    }

    /// The way of proof of an endpoint, if it exists.
    #[must_use]
    pub fn auth(&self, endpoint: Endpoint) -> Option<&AuthMode> {
        self.0.get(&endpoint)
    }

    /// Whether no endpoint exists.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}
