//! The endpoints that have a credential.

use shared::{Endpoint, auth::AuthMode};
use std::collections::BTreeMap;

/// The endpoints that have a credential, each with its one way of proof. Every other route answers 404.
#[derive(Debug, Default)]
pub struct Endpoints(BTreeMap<Endpoint, AuthMode>);

impl Endpoints {
    pub fn open(&mut self, endpoint: Endpoint, auth: AuthMode) {
        self.0.insert(endpoint, auth);
    }

    #[must_use]
    pub fn auth(&self, endpoint: Endpoint) -> Option<&AuthMode> {
        self.0.get(&endpoint)
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}
