//! How a delivery came.

use crate::{
    endpoint::Endpoint,
    ids::{AcceptId, DeliveryId},
    time::ReceivedAt,
};

/// What we know of how a delivery came.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Head {
    /// Which accepted request it was.
    pub accept_id: AcceptId,
    /// The endpoint it came through.
    pub endpoint: Endpoint,
    /// The sender's own id of the delivery, where its credential covers one.
    pub delivery_id: Option<DeliveryId>,
    /// When we took it.
    pub received_at: ReceivedAt,
}
