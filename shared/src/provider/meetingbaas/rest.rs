//! The answers of Meeting BaaS's REST API, of both versions, and what they say about where an artifact is.

pub mod calendars;
pub mod v1;
pub mod v2;
