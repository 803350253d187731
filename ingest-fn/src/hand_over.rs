//! Durable hand-over: the queue, and where the queue refuses the bucket. Only when both refuse is a delivery not durable.

use crate::{
    queue::{EventQueue, QueueError, Queued},
    spool::{Object, Spool, SpoolError},
};
use shared::{QueueMessage, group, message::Packed, provider::Peek};
use std::time::Duration;
use tokio::time::{Instant, timeout_at};

/// How deliveries become durable.
#[derive(Debug)]
pub struct HandOver<Q, S> {
    /// The first store.
    pub queue: Q,
    /// The second one, in another service: what takes down the first should leave it alone.
    pub spool: S,
}

/// Who has a delivery now.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TakenBy {
    /// The queue.
    Queue,
    /// The spool, because the queue said this. The sweep brings it into the queue.
    Spool(QueueError),
}

/// A delivery that cannot get lost any more.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Durable {
    /// Who has it.
    pub taken_by: TakenBy,
    /// Whether its body was too large for the queue, and was stored on its own.
    pub is_claimed: bool,
}

/// Nobody has the delivery for certain. Parts of it may be stored all the same, so a sender that tries again makes a
/// duplicate, which processing recognises.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum NotDurable {
    /// Neither the queue nor the bucket took it.
    #[error("neither the queue nor the bucket took it")]
    Refused,
    /// The bucket did not take a body that is too large for the queue.
    #[error("the bucket did not take its body, which is too large for the queue")]
    NotStored,
    /// The request has no id, without which the queue would fold it into another.
    #[error("the request has no id")]
    NoAcceptId,
}

impl NotDurable {
    /// A short name for logs.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::Refused => "queue_and_bucket_refused",
            Self::NotStored => "bucket_refused",
            Self::NoAcceptId => "no_accept_id",
        }
    }
}

/// The time for all of it. The senders that say how long they wait say 10 seconds or more; the others do not say.
const TOTAL: Duration = Duration::from_millis(4600);

/// What the queue must leave of that for the spool.
const FOR_SPOOL: Duration = Duration::from_millis(1600);

/// What storing a large body must leave for the queue and the spool.
const FOR_QUEUE_AND_SPOOL: Duration = Duration::from_millis(2800);

impl<Q: EventQueue, S: Spool> HandOver<Q, S> {
    /// Hands a delivery over; `peek` is what was seen of its body. `Ok` means that the sender may be told so; the answer comes
    /// within 5 seconds, whatever hangs.
    ///
    /// # Errors
    /// [`NotDurable`] if neither store confirmed it in time.
    pub async fn make_durable(&self, message: &QueueMessage, peek: &Peek) -> Result<Durable, NotDurable> {
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
        let queued = Queued { text, group: &message_group, accept_id };
        let refusal = match timeout_at(deadline - FOR_SPOOL, self.queue.enqueue(queued)).await {
            Ok(Ok(())) => return Ok(Durable { taken_by: TakenBy::Queue, is_claimed }),
            Ok(Err(refusal)) => refusal,
            Err(_) => QueueError::Unavailable,
        };
        let spooled = Object::spooled(message, peek, refusal);
        within(deadline, self.spool.put(spooled)).await.map_err(|_| NotDurable::Refused)?;
        Ok(Durable { taken_by: TakenBy::Spool(refusal), is_claimed })
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
    use std::{future::pending, sync::Mutex};

    #[derive(Clone, Copy, Debug)]
    enum Mood {
        Takes,
        Refuses,
        Hangs,
    }

    struct Queue(Mood, Mutex<Vec<String>>);

    impl EventQueue for Queue {
        async fn enqueue(&self, message: Queued<'_>) -> Result<(), QueueError> {
            match self.0 {
                Mood::Takes => self.1.lock().unwrap().push(message.text),
                Mood::Refuses => return Err(QueueError::Refused),
                Mood::Hangs => pending().await,
            }
            Ok(())
        }
    }

    /// Takes `skip` objects, whatever its mood.
    struct Bucket(Mood, usize, Mutex<Vec<Object>>);

    impl Spool for Bucket {
        async fn put(&self, object: Object) -> Result<(), SpoolError> {
            let taken = self.2.lock().unwrap().len();
            match self.0 {
                Mood::Refuses if taken >= self.1 => return Err(SpoolError),
                Mood::Hangs if taken >= self.1 => pending().await,
                _ => self.2.lock().unwrap().push(object),
            }
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

    fn hand_over(queue: Mood, bucket: Mood, skip: usize) -> HandOver<Queue, Bucket> {
        HandOver { queue: Queue(queue, Mutex::default()), spool: Bucket(bucket, skip, Mutex::default()) }
    }

    #[tokio::test(start_paused = true)]
    async fn a_delivery_is_durable_if_and_only_if_a_store_has_it() {
        use Mood::{Hangs, Refuses, Takes};
        for queue in [Takes, Refuses, Hangs] {
            for bucket in [Takes, Refuses, Hangs] {
                for size in [2, MAX_WHOLE_BYTES + 1] {
                    for skip in [0, 1] {
                        let case = format!("{queue:?} {bucket:?} {size} {skip}");
                        let hand_over = hand_over(queue, bucket, skip);
                        let began = Instant::now();
                        let result = hand_over.make_durable(&message(size), &peek()).await;
                        assert!(began.elapsed() < Duration::from_secs(5), "{case}: answered in time");
                        let texts = hand_over.queue.1.into_inner().unwrap();
                        let objects = hand_over.spool.2.into_inner().unwrap();
                        assert_eq!(result.is_ok(), whole(&texts, &objects, size), "{case}: {result:?}");
                    }
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

    #[tokio::test]
    async fn the_bucket_is_asked_only_when_it_is_needed() {
        let hand_over = hand_over(Mood::Takes, Mood::Takes, 0);
        let durable = hand_over.make_durable(&message(2), &peek()).await;
        assert_eq!(durable, Ok(Durable { taken_by: TakenBy::Queue, is_claimed: false }));
        assert!(hand_over.spool.2.lock().unwrap().is_empty());
    }

    #[tokio::test]
    async fn without_an_id_nothing_is_taken() {
        let hand_over = hand_over(Mood::Takes, Mood::Takes, 0);
        let head = Head { accept_id: AcceptId::new(""), ..message(0).head().clone() };
        let nameless = QueueMessage::restored(head, Vec::new());
        assert_eq!(hand_over.make_durable(&nameless, &peek()).await, Err(NotDurable::NoAcceptId));
        assert!(hand_over.queue.1.lock().unwrap().is_empty());
    }
}
