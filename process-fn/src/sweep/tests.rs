use super::*;
use crate::vault::memory::MemoryVault;
use std::{collections::BTreeSet, sync::Mutex, time::Duration};

const NOW: i64 = 1_791_212_102;

/// A queue that folds by dedup id as SQS does, and answers each call as it is told.
#[derive(Default)]
struct FakeQueue {
    taken: Mutex<Vec<(String, String)>>,
    folded: Mutex<BTreeSet<String>>,
    calls: Mutex<u32>,
    answer: Option<fn(u32) -> Result<(), RequeueError>>,
}

impl Requeue for FakeQueue {
    async fn put_back(&self, message: Returned<'_>) -> Result<(), RequeueError> {
        let mut calls = self.calls.lock().unwrap();
        *calls += 1;
        self.answer.map_or(Ok(()), |answer| answer(*calls))?;
        if self.folded.lock().unwrap().insert(message.dedup_id.to_owned()) {
            self.taken.lock().unwrap().push((message.group.to_owned(), message.text.to_owned()));
        }
        Ok(())
    }
}

fn spooled(count: usize) -> Sweep<MemoryVault, FakeQueue> {
    let vault = MemoryVault::default();
    for n in 0..count {
        vault.put(&format!("spool/group-{}/{n}", n % 3), format!("text {n}").as_bytes());
    }
    vault.put("parked/group-0/1", b"not ours to move");
    Sweep { vault, queue: FakeQueue::default() }
}

fn later() -> Instant {
    Instant::now() + Duration::from_secs(10)
}

#[tokio::test]
async fn everything_spooled_goes_into_the_queue_and_out_of_the_spool() {
    let sweep = spooled(1203);
    let swept = sweep.run(NOW, later()).await.unwrap();
    assert_eq!(swept, Swept { put_back: 1203, oldest: Duration::from_secs(NOW.unsigned_abs()), ..Swept::default() });
    let taken: BTreeSet<_> = sweep.queue.taken.lock().unwrap().iter().cloned().collect();
    let expected = (0..1203).map(|n| (format!("group-{}", n % 3), format!("text {n}"))).collect();
    assert_eq!(taken, expected);
    let left: Vec<_> = sweep.vault.kept().into_keys().collect();
    assert_eq!(left, ["parked/group-0/1"]);
    assert_eq!(sweep.run(NOW, later()).await, Ok(Swept::default()), "draining twice");
}

#[tokio::test]
async fn nothing_is_removed_that_the_queue_did_not_confirm() {
    let mut sweep = spooled(20);
    sweep.queue.answer = Some(|call| if call > 5 { Err(RequeueError::Unavailable) } else { Ok(()) });
    let swept = sweep.run(NOW, later()).await.unwrap();
    assert_eq!((swept.put_back, swept.left), (5, 15));
    assert_eq!(sweep.vault.kept().len(), 16);
    assert!(*sweep.queue.calls.lock().unwrap() <= 5 + 8, "and the rest is not tried against a queue that is down");
    sweep.queue.answer = None;
    assert_eq!(sweep.run(NOW, later()).await.unwrap().put_back, 15);
}

#[tokio::test]
async fn what_the_queue_will_never_take_is_quarantined() {
    let mut sweep = spooled(2);
    sweep.queue.answer = Some(|call| if call == 1 { Err(RequeueError::Refused) } else { Ok(()) });
    let swept = sweep.run(NOW, later()).await.unwrap();
    assert_eq!((swept.put_back, swept.quarantined, swept.left), (1, 1, 0));
    let kept = sweep.vault.kept();
    let (key, kept) = kept.iter().find(|(key, _)| key.starts_with("quarantine/")).unwrap();
    assert!(key.starts_with("quarantine/group-0/") && kept.reason == "queue_refused" && kept.bytes == b"text 0");
}

#[tokio::test]
async fn when_time_is_up_the_rest_stays() {
    let sweep = spooled(3);
    let swept = sweep.run(NOW, Instant::now()).await.unwrap();
    assert_eq!((swept.put_back, swept.left), (0, 3));
    assert_eq!(sweep.vault.kept().len(), 4);
}

#[tokio::test]
async fn a_spool_that_cannot_be_listed_is_no_empty_spool() {
    let sweep = spooled(3);
    sweep.vault.set_failing(true);
    assert_eq!(sweep.run(NOW, later()).await, Err(VaultError));
}
