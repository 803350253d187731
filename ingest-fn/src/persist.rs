//! Stores a delivery durably: in the queue, or in the bucket where the queue refuses. Only when both refuse is it lost.

use crate::{
    queue::{EventsQueue, QueueError, Queued},
    spool::{Object, Spool, SpoolError},
};
use shared::{QueueMessage, group, message::Packed, provider::Peek};
use std::time::Duration;
use tokio::time::{Instant, timeout_at};

/// The two stores that a delivery can be in. They are two services, so that an outage of one leaves the other.
#[derive(Debug)]
pub struct Stores<Q, S> {
    /// The first store.
    pub queue: Q,
    /// The second store, and the first one for bodies that do not fit the queue.
    pub spool: S,
}

/// Which store has a delivery.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum StoredIn {
    /// The queue has it.
    Queue,
    /// The spool has it, because the queue answered with this error. The sweep sends it to the queue.
    Spool(QueueError),
}

/// A delivery that cannot get lost any more.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Durable {
    pub stored_in: StoredIn,
    /// Whether the body was too large for the queue and is stored on its own, with a claim check to it in the message.
    pub is_claimed: bool,
}

/// Why a delivery is not durable. Parts of it may be stored all the same, so a sender that tries again makes a duplicate,
/// which processing recognises.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum NotDurable {
    #[error("neither the queue nor the bucket took the delivery")]
    Refused,
    #[error("the bucket did not take the body, which is too large for the queue")]
    NotStored,
    /// Without an id the queue would take the delivery for a repetition of another one.
    #[error("the request has no id")]
    NoAcceptId,
}

impl NotDurable {
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::Refused => "queue_and_bucket_refused",
            Self::NotStored => "bucket_refused",
            Self::NoAcceptId => "no_accept_id",
        }
    }
}

/// The time for everything. The senders that document how long they wait say 10 seconds or more; the others do not say.
const TOTAL: Duration = Duration::from_millis(4600);

/// The part of [`TOTAL`] that is kept for the spool, which needs up to 1.5 seconds for an attempt.
const FOR_SPOOL: Duration = Duration::from_millis(1600);

/// The part of [`TOTAL`] that is kept for the queue and the spool while a large body is stored.
const FOR_QUEUE_AND_SPOOL: Duration = Duration::from_millis(2800);

impl<Q: EventsQueue, S: Spool> Stores<Q, S> {
    /// Stores a delivery; `peek` is what was seen of its body. `Ok` means that the sender may be told so. The answer comes within
    /// 5 seconds, whatever hangs.
    ///
    /// # Errors
    /// [`NotDurable`] if neither store confirmed the delivery in time.
    pub async fn persist(&self, message: &QueueMessage, peek: &Peek) -> Result<Durable, NotDurable> {
        let accept_id = message.accept_id();
        if accept_id.as_str().is_empty() {
            return Err(NotDurable::NoAcceptId);
        }
        let deadline = Instant::now() + TOTAL;
        let Packed { text, claim } = message.pack(&peek.group, peek.session.as_ref());
        if let Some(claim) = &claim {
            let body = Object::claimed(claim, message.body());
            within(deadline - FOR_QUEUE_AND_SPOOL, self.spool.put(body)).await.map_err(|_| NotDurable::NotStored)?;
        }
        let is_claimed = claim.is_some();
        let message_group = group::in_queue(&peek.group, message.trust());
        let queued = Queued { text: &text, group: &message_group, accept_id };
        let error = match timeout_at(deadline - FOR_SPOOL, self.queue.send(queued)).await {
            Ok(Ok(())) => return Ok(Durable { stored_in: StoredIn::Queue, is_claimed }),
            Ok(Err(error)) => error,
            Err(_) => QueueError::Unavailable,
        };
        let spooled = Object::spooled(message.head(), text, &peek.group, error);
        within(deadline, self.spool.put(spooled)).await.map_err(|_| NotDurable::Refused)?;
        Ok(Durable { stored_in: StoredIn::Spool(error), is_claimed })
    }
}

async fn within(deadline: Instant, put: impl Future<Output = Result<(), SpoolError>>) -> Result<(), SpoolError> {
    timeout_at(deadline, put).await.unwrap_or(Err(SpoolError))
}

#[cfg(test)]
mod tests {
    use super::*;
    use shared::{
        AcceptId, Endpoint, ReceivedAt,
        bucket::{Restored, restore},
        message::{Carried, Head, MAX_WHOLE_BYTES},
    };
    use std::{collections::VecDeque, future::pending, sync::Mutex};
    use tokio::time::sleep;

    #[derive(Clone, Copy, Debug)]
    enum Mood {
        Takes,
        TakesAfter(Duration),
        Refuses,
        Hangs,
    }

    impl Mood {
        async fn takes(self) -> bool {
            match self {
                Self::Takes => true,
                Self::TakesAfter(time) => {
                    sleep(time).await;
                    true
                }
                Self::Refuses => false,
                Self::Hangs => pending().await,
            }
        }
    }

    struct Queue(Mood, Mutex<Vec<String>>);

    impl EventsQueue for Queue {
        async fn send(&self, message: Queued<'_>) -> Result<(), QueueError> {
            if !self.0.takes().await {
                return Err(QueueError::Refused);
            }
            self.1.lock().unwrap().push(message.text.to_owned());
            Ok(())
        }
    }

    /// A mood for each object that comes; the last one stays.
    struct Bucket(Mutex<VecDeque<Mood>>, Mutex<Vec<Object>>);

    impl Spool for Bucket {
        async fn put(&self, object: Object) -> Result<(), SpoolError> {
            let mood = {
                let mut moods = self.0.lock().unwrap();
                if moods.len() > 1 { moods.pop_front() } else { moods.front().copied() }
            };
            if !mood.unwrap().takes().await {
                return Err(SpoolError);
            }
            self.1.lock().unwrap().push(object);
            Ok(())
        }
    }

    fn message(size: usize) -> QueueMessage {
        let head = Head {
            accept_id: AcceptId::new("accepted"),
            endpoint: Endpoint::MeetStream,
            delivery_id: None,
            received_at: ReceivedAt(1_791_212_102_000),
        };
        QueueMessage::restored(head, vec![b'x'; size])
    }

    fn peek() -> Peek {
        Peek { session: None, key: None, group: "group".to_owned() }
    }

    fn stores(queue: Mood, bucket: &[Mood]) -> Stores<Queue, Bucket> {
        let spool = Bucket(Mutex::new(bucket.iter().copied().collect()), Mutex::default());
        Stores { queue: Queue(queue, Mutex::default()), spool }
    }

    const LARGE: usize = MAX_WHOLE_BYTES + 1;

    #[tokio::test(start_paused = true)]
    async fn a_delivery_is_durable_if_and_only_if_a_store_has_it() {
        use Mood::{Hangs, Refuses, Takes};
        for queue in [Takes, Refuses, Hangs] {
            for bucket in [&[Takes][..], &[Refuses], &[Hangs], &[Takes, Refuses], &[Takes, Hangs]] {
                for size in [2, LARGE] {
                    let case = format!("{queue:?} {bucket:?} {size}");
                    let stores = stores(queue, bucket);
                    let began = Instant::now();
                    let result = stores.persist(&message(size), &peek()).await;
                    assert!(began.elapsed() < Duration::from_secs(5), "{case}: answered in time");
                    let texts = stores.queue.1.into_inner().unwrap();
                    let objects = stores.spool.1.into_inner().unwrap();
                    assert_eq!(result.is_ok(), whole(&texts, &objects, size), "{case}: {result:?}");
                }
            }
        }
    }

    /// Whether the delivery can be made whole from what was taken.
    fn whole(texts: &[String], objects: &[Object], size: usize) -> bool {
        let spooled = objects.iter().filter(|object| object.key.starts_with("spool/")).map(|object| {
            let find =
                |name: &str| object.metadata.iter().find(|(known, _)| *known == name).map(|(_, value)| value.clone());
            let Ok(Restored::Record(text)) = restore(find, object.bytes.clone()) else { panic!("{}", object.key) };
            text
        });
        let texts: Vec<_> = texts.iter().cloned().chain(spooled).collect();
        texts.iter().any(|text| match QueueMessage::decode(text).unwrap() {
            Carried::Whole(found) => found == message(size),
            Carried::Claimed(claim) => {
                let stored = objects.iter().find(|object| object.key == claim.key());
                claim.redeem(stored.map(|object| object.bytes.clone())) == Ok(message(size))
            }
        })
    }

    #[tokio::test(start_paused = true)]
    async fn every_store_has_the_time_for_an_attempt_whatever_the_one_before_it_used_up() {
        use Mood::{Hangs, Takes, TakesAfter};
        let spool = TakesAfter(Duration::from_millis(1500));
        let queue = TakesAfter(Duration::from_millis(1100));
        let spooled = StoredIn::Spool(QueueError::Unavailable);
        for (case, size, queue, bucket, expected) in [
            ("the queue hangs", 2, Hangs, &[spool][..], spooled),
            ("the queue hangs after a large body", LARGE, Hangs, &[spool], spooled),
            ("the queue is slow after a large body", LARGE, queue, &[spool], StoredIn::Queue),
            ("only the spool is slow", LARGE, Hangs, &[Takes, spool], spooled),
        ] {
            let durable = stores(queue, bucket).persist(&message(size), &peek()).await;
            assert_eq!(durable.map(|durable| durable.stored_in), Ok(expected), "{case}");
        }
    }

    #[tokio::test]
    async fn the_bucket_is_asked_only_when_it_is_needed() {
        let stores = stores(Mood::Takes, &[Mood::Takes]);
        let durable = stores.persist(&message(2), &peek()).await;
        assert_eq!(durable, Ok(Durable { stored_in: StoredIn::Queue, is_claimed: false }));
        assert!(stores.spool.1.lock().unwrap().is_empty());
    }

    #[tokio::test]
    async fn a_request_without_an_id_is_not_stored() {
        let stores = stores(Mood::Takes, &[Mood::Takes]);
        let head = Head { accept_id: AcceptId::new(""), ..message(0).head().clone() };
        let nameless = QueueMessage::restored(head, Vec::new());
        assert_eq!(stores.persist(&nameless, &peek()).await, Err(NotDurable::NoAcceptId));
        assert!(stores.queue.1.lock().unwrap().is_empty());
    }
}
