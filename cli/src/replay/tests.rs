use super::*;
use crate::{
    queue::Letter,
    stack::{Stack, tests::stack},
};
use aws_sdk_s3::{
    config::http::HttpResponse,
    operation::{
        copy_object::CopyObjectOutput, delete_object::DeleteObjectOutput, get_object::GetObjectOutput,
        put_object::PutObjectOutput,
    },
    primitives::{ByteStream, SdkBody},
    types::CopyObjectResult,
};
use aws_sdk_sqs::operation::send_message::SendMessageOutput;
use aws_smithy_mocks::{MockResponse, RuleMode, mock, mock_client};
use shared::{
    AcceptId, Endpoint, QueueMessage, ReceivedAt,
    bucket::{beside_a_delivery, beside_a_record, key},
    message::{Carried, Head, MAX_WHOLE_BYTES},
};
use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, OnceLock},
};

pub(crate) const GROUP: &str = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";

/// A delivery that names no bot.
pub(crate) fn delivery(accept_id: &str, body: &[u8]) -> QueueMessage {
    let head = Head {
        accept_id: AcceptId::new(accept_id),
        endpoint: Endpoint::MeetStream,
        delivery_id: None,
        received_at: ReceivedAt(1_791_212_102_000),
    };
    QueueMessage::restored(head, body.to_vec())
}

/// One that is too large for a queue message.
pub(crate) fn large(accept_id: &str) -> QueueMessage {
    delivery(accept_id, &vec![b'x'; MAX_WHOLE_BYTES + 1])
}

pub(crate) fn metadata_of(beside: &[(&'static str, String)]) -> HashMap<String, String> {
    beside.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect()
}

/// The stack that all of these tests are about. Making one reads the system's certificates, which takes its time.
fn nowhere() -> &'static Stack {
    static STACK: OnceLock<Stack> = OnceLock::new();
    STACK.get_or_init(stack)
}

type Objects = BTreeMap<String, (Vec<u8>, HashMap<String, String>)>;

/// A bucket and a queue with a memory, and a fault at one call.
#[derive(Default)]
struct World {
    objects: Objects,
    /// Messages with their groups and dedup ids.
    sent: Vec<(String, String, String)>,
    calls: Vec<String>,
    fault: Option<Fault>,
    /// Whether the function fails at once with what it gets, and keeps it again.
    fails_again: bool,
    /// What must be somewhere, after every call.
    delivery: Option<QueueMessage>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Fault {
    Before(usize),
    After(usize),
}

impl World {
    fn call<T>(&mut self, name: String, effect: impl FnOnce(&mut Self) -> T) -> Option<T> {
        self.calls.push(name);
        let number = self.calls.len();
        if self.fault == Some(Fault::Before(number)) {
            return None;
        }
        let result = effect(self);
        if let Some(delivery) = &self.delivery {
            assert!(self.has(delivery), "lost at {:?}", self.calls);
        }
        (self.fault != Some(Fault::After(number))).then_some(result)
    }

    /// Whether a delivery can be had from the bucket or the queue.
    fn has(&self, delivery: &QueueMessage) -> bool {
        // A function that keeps what it fails with takes it out of the queue.
        let is_queued =
            !self.fails_again && self.sent.iter().any(|(text, ..)| self.redeem(text).as_ref() == Some(delivery));
        is_queued
            || self.objects.iter().filter(|(key, _)| !key.starts_with("claims/")).any(|(_, (bytes, metadata))| {
                match Content::of_object(|name| metadata.get(name).cloned(), bytes.clone()) {
                    Ok(content) => {
                        let body =
                            content.claimed_key().and_then(|key| self.objects.get(&key)).map(|(body, _)| body.clone());
                        content.open(body).is_ok_and(|opened| opened.message() == delivery)
                    }
                    Err(_) => false,
                }
            })
    }

    fn redeem(&self, text: &str) -> Option<QueueMessage> {
        match QueueMessage::decode(text).ok()? {
            Carried::Whole(message) => Some(message),
            Carried::Claimed(claim) => claim.redeem(self.objects.get(&claim.key()).map(|(body, _)| body.clone())).ok(),
        }
    }

    fn receive(&mut self, text: &str, group: &str) {
        let Some(message) = self.redeem(text).filter(|_| self.fails_again) else { return };
        let metadata = metadata_of(&beside_a_delivery(message.head()));
        let key = key(Folder::Quarantine, group, message.accept_id().as_str());
        self.objects.insert(key, (message.body().to_vec(), metadata));
    }
}

fn refusal(code: &str) -> HttpResponse {
    let body = format!("<Error><Code>{code}</Code><Message>no</Message></Error>");
    HttpResponse::new(403.try_into().unwrap(), SdkBody::from(body))
}

fn s3(world: &Arc<Mutex<World>>) -> aws_sdk_s3::Client {
    use aws_sdk_s3::Client;
    let [get, put, copy, delete] = [(); 4].map(|()| Arc::clone(world));
    let get = mock!(Client::get_object).then_compute_response(move |request| {
        let key = request.key().unwrap().to_owned();
        match get.lock().unwrap().call(format!("get {key}"), |world| world.objects.get(&key).cloned()) {
            Some(Some((bytes, metadata))) => MockResponse::Output(
                GetObjectOutput::builder()
                    .e_tag("tag")
                    .body(ByteStream::from(bytes))
                    .set_metadata(Some(metadata))
                    .build(),
            ),
            Some(None) => MockResponse::Http(refusal("NoSuchKey")),
            None => MockResponse::Http(refusal("AccessDenied")),
        }
    });
    let put = mock!(Client::put_object).then_compute_response(move |request| {
        let key = request.key().unwrap().to_owned();
        let bytes = request.body().bytes().unwrap().to_vec();
        let metadata = request.metadata().cloned().unwrap_or_default();
        match put.lock().unwrap().call(format!("put {key}"), |world| world.objects.insert(key, (bytes, metadata))) {
            Some(_) => MockResponse::Output(PutObjectOutput::builder().e_tag("tag").build()),
            None => MockResponse::Http(refusal("AccessDenied")),
        }
    });
    let copy = mock!(Client::copy_object).then_compute_response(move |request| {
        let from = request.copy_source().unwrap().strip_prefix("bucket/").unwrap().to_owned();
        let to = request.key().unwrap().to_owned();
        let effect = |world: &mut World| {
            let object = world.objects.get(&from).cloned()?;
            world.objects.insert(to.clone(), object).map_or(Some(()), |_| Some(()))
        };
        match copy.lock().unwrap().call(format!("copy {from} {to}"), effect) {
            Some(Some(())) => {
                let result = CopyObjectResult::builder().e_tag("tag").build();
                MockResponse::Output(CopyObjectOutput::builder().copy_object_result(result).build())
            }
            Some(None) => MockResponse::Http(refusal("NoSuchKey")),
            None => MockResponse::Http(refusal("AccessDenied")),
        }
    });
    let delete = mock!(Client::delete_object).then_compute_response(move |request| {
        let key = request.key().unwrap().to_owned();
        match delete.lock().unwrap().call(format!("delete {key}"), |world| world.objects.remove(&key)) {
            Some(_) => MockResponse::Output(DeleteObjectOutput::builder().build()),
            None => MockResponse::Http(refusal("AccessDenied")),
        }
    });
    mock_client!(aws_sdk_s3, RuleMode::MatchAny, [&get, &put, &copy, &delete])
}

fn sqs(world: &Arc<Mutex<World>>, message_id: Option<&'static str>) -> aws_sdk_sqs::Client {
    use aws_sdk_sqs::Client;
    let world = Arc::clone(world);
    let send = mock!(Client::send_message).then_compute_response(move |request| {
        let text = request.message_body().unwrap().to_owned();
        let group = request.message_group_id().unwrap_or_default().to_owned();
        let dedup_id = request.message_deduplication_id().unwrap_or_default().to_owned();
        let effect = |world: &mut World| {
            world.receive(&text, &group);
            world.sent.push((text, group, dedup_id));
        };
        match world.lock().unwrap().call("send".to_owned(), effect) {
            Some(()) => {
                MockResponse::Output(SendMessageOutput::builder().set_message_id(message_id.map(str::to_owned)).build())
            }
            None => MockResponse::Http(refusal("AccessDenied")),
        }
    });
    mock_client!(aws_sdk_sqs, RuleMode::MatchAny, [&send])
}

/// One run over everything in the folder, in the order of keys. What became of each, and how the world is then.
async fn run(world: World, folder: Folder, dry_run: bool, message_id: Option<&'static str>) -> (Vec<Fate>, World) {
    let stack = nowhere();
    let world = Arc::new(Mutex::new(world));
    let bucket = Bucket::with(s3(&world), stack);
    let queue = Queue::with(sqs(&world, message_id), stack, "url", "the events queue");
    let keys: Vec<_> =
        world.lock().unwrap().objects.keys().filter(|key| key.starts_with(&folder.prefix())).cloned().collect();
    let replay = Replay::new(bucket, queue, dry_run);
    let mut fates = Vec::new();
    for key in keys {
        fates.push(replay.object(folder, &key).await);
    }
    drop(replay);
    let world = std::mem::take(&mut *world.lock().unwrap());
    (fates, world)
}

/// A world in which one delivery is kept in a folder.
fn keeping(folder: Folder, message: &QueueMessage) -> World {
    let packed = message.pack(GROUP, None);
    let mut objects = Objects::new();
    let (bytes, beside) = match folder {
        Folder::Spool => (packed.text.into_bytes(), beside_a_record(message.head())),
        _ => (message.body().to_vec(), beside_a_delivery(message.head())),
    };
    if let Some(claim) = packed.claim.filter(|_| folder == Folder::Spool) {
        objects.insert(claim.key(), (message.body().to_vec(), metadata_of(&beside_a_delivery(message.head()))));
    }
    objects.insert(key(folder, GROUP, message.accept_id().as_str()), (bytes, metadata_of(&beside)));
    World { objects, delivery: Some(message.clone()), ..World::default() }
}

const FOLDERS: [Folder; 3] = [Folder::Parked, Folder::Quarantine, Folder::Spool];

fn in_folder(world: &World, folder: Folder) -> usize {
    world.objects.keys().filter(|key| key.starts_with(&folder.prefix())).count()
}

#[tokio::test]
async fn a_delivery_is_removed_only_when_the_queue_has_confirmed_it() {
    for folder in FOLDERS {
        for message in [delivery("a", b"{}"), large("a")] {
            let (fates, world) = run(keeping(folder, &message), folder, false, Some("m")).await;
            assert!(matches!(fates.as_slice(), [Fate::PutBack(Some(_))]), "{fates:?}");
            assert_eq!((in_folder(&world, folder), world.sent.len()), (0, 1), "{folder:?}");
            let (text, group, dedup_id) = &world.sent[0];
            assert_eq!((world.redeem(text), group.as_str()), (Some(message), GROUP));
            assert!(dedup_id.starts_with("replay-") && dedup_id.len() <= 128, "{dedup_id}");
        }
        let (fates, world) = run(keeping(folder, &delivery("a", b"{}")), folder, false, None).await;
        assert!(matches!(fates.as_slice(), [Fate::Failed(_)]), "no message id, no confirmation: {fates:?}");
        assert_eq!(in_folder(&world, folder), 1, "{folder:?}");
    }
}

#[tokio::test]
async fn each_attempt_has_a_dedup_id_of_its_own() {
    let mut ids = std::collections::BTreeSet::new();
    for _ in 0..3 {
        let (_, world) = run(keeping(Folder::Parked, &delivery("a", b"{}")), Folder::Parked, false, Some("m")).await;
        ids.extend(world.sent.into_iter().map(|(_, _, dedup_id)| dedup_id));
    }
    assert_eq!(ids.len(), 3);
}

#[tokio::test]
async fn a_fault_at_any_call_loses_nothing_and_another_run_completes_it() {
    // The quarantine is treated as the parked ones are.
    for folder in [Folder::Parked, Folder::Spool] {
        for message in [delivery("a", b"{}"), large("a")] {
            let (_, healthy) = run(keeping(folder, &message), folder, false, Some("m")).await;
            for number in 1..=healthy.calls.len() {
                for fault in [Fault::Before(number), Fault::After(number)] {
                    let world = World { fault: Some(fault), ..keeping(folder, &message) };
                    let (fates, world) = run(world, folder, false, Some("m")).await;
                    let case = format!("{folder:?} {fault:?} of {:?}", healthy.calls);
                    assert!(matches!(fates.as_slice(), [Fate::Failed(_)]), "{case}: {fates:?}");
                    let world = World { fault: None, calls: Vec::new(), ..world };
                    let (_, world) = run(world, folder, false, Some("m")).await;
                    assert_eq!(in_folder(&world, folder), 0, "{case}");
                    assert!(!world.sent.is_empty() && world.has(&message), "{case}");
                }
            }
        }
    }
}

#[tokio::test]
async fn what_fails_again_at_once_is_still_kept() {
    let message = delivery("a", b"not json");
    let key = key(Folder::Quarantine, GROUP, "a");
    let (_, healthy) = run(keeping(Folder::Quarantine, &message), Folder::Quarantine, false, Some("m")).await;
    let faults = (1..=healthy.calls.len()).flat_map(|number| [Some(Fault::Before(number)), Some(Fault::After(number))]);
    for fault in faults.chain([None]) {
        // Two runs, each of which the function answers by keeping the delivery again, before the run's next call.
        let mut world = World { fault, fails_again: true, ..keeping(Folder::Quarantine, &message) };
        for _ in 0..2 {
            (_, world) = run(world, Folder::Quarantine, false, Some("m")).await;
            world = World { fault: None, calls: Vec::new(), ..world };
        }
        assert!(world.objects.contains_key(&key), "{fault:?}: {:?}", world.objects.keys());
        assert_eq!(in_folder(&world, Folder::Quarantine), 1, "{fault:?}: and kept once");
    }
}

#[tokio::test]
async fn a_dry_run_changes_nothing_and_finds_the_same() {
    for folder in FOLDERS {
        let message = large("a");
        let before = keeping(folder, &message).objects;
        let (fates, world) = run(keeping(folder, &message), folder, true, Some("m")).await;
        assert!(matches!(fates.as_slice(), [Fate::PutBack(Some(_))]), "{fates:?}");
        assert_eq!((world.objects, world.sent), (before, vec![]));
        assert!(world.calls.iter().all(|call| call.starts_with("get ")), "{:?}", world.calls);
    }
}

#[tokio::test]
async fn what_cannot_go_back_stays_and_holds_up_nothing() {
    let message = delivery("b", b"{}");
    let mut world = keeping(Folder::Quarantine, &message);
    world.delivery = None;
    let lost = large("a");
    let record = (lost.pack(GROUP, None).text.into_bytes(), metadata_of(&beside_a_record(lost.head())));
    world.objects.insert(key(Folder::Quarantine, GROUP, "a"), record);
    world.objects.insert(
        key(Folder::Quarantine, GROUP, "foreign"),
        (b"hello".to_vec(), metadata_of(&beside_a_record(message.head()))),
    );
    let (fates, world) = run(world, Folder::Quarantine, false, Some("m")).await;
    let [Fate::Refused(Refusal::Claim { .. }), Fate::PutBack(_), Fate::Refused(Refusal::Foreign)] = fates.as_slice()
    else {
        panic!("{fates:?}")
    };
    assert_eq!((in_folder(&world, Folder::Quarantine), world.sent.len()), (2, 1));
}

#[tokio::test]
async fn after_a_failure_the_rest_is_left_alone() {
    let mut world = keeping(Folder::Parked, &delivery("a", b"{}"));
    world.objects.extend(keeping(Folder::Parked, &delivery("b", b"{}")).objects);
    world.fault = Some(Fault::Before(1));
    let (fates, world) = run(world, Folder::Parked, false, Some("m")).await;
    assert!(matches!(fates.as_slice(), [Fate::Failed(_), Fate::Left]), "{fates:?}");
    assert_eq!((world.calls.len(), in_folder(&world, Folder::Parked)), (1, 2));
}

async fn letter(body: &str, of_commands: bool, dry_run: bool) -> (Fate, World) {
    let stack = nowhere();
    let world = Arc::new(Mutex::new(World::default()));
    let bucket = Bucket::with(s3(&world), stack);
    let queue = Queue::with(sqs(&world, Some("m")), stack, "url", "the queue");
    let replay = Replay::new(bucket, queue, dry_run);
    let (id, receipt, body) = ("id".to_owned(), "receipt".to_owned(), body.to_owned());
    let letter = Letter { id, receipt, body, group: Some(GROUP.to_owned()), sent_at: None };
    let fate = if of_commands { replay.command(&letter).await } else { replay.letter(&letter).await };
    drop(replay);
    let world = std::mem::take(&mut *world.lock().unwrap());
    (fate, world)
}

#[tokio::test]
async fn dead_letters_go_back_as_they_are() {
    let text = delivery("a", b"{}").encode();
    let (fate, world) = letter(&text, false, false).await;
    assert!(matches!(fate, Fate::PutBack(Some(_))), "{fate:?}");
    assert_eq!((world.sent[0].0.as_str(), world.sent[0].1.as_str()), (text.as_str(), GROUP));
    let (fate, world) = letter(&text, false, true).await;
    assert!(matches!(fate, Fate::PutBack(Some(_))) && world.sent.is_empty(), "{fate:?}");
    assert!(matches!(letter("hello", false, false).await, (Fate::Refused(Refusal::Foreign), _)));

    let sweep = Command::Sweep { spool_every_minutes: None }.encode();
    let (fate, world) = letter(&sweep, true, false).await;
    assert_eq!(fate, Fate::PutBack(None));
    assert_eq!(world.sent, [(sweep.clone(), String::new(), String::new())], "a standard queue has no groups");
    assert!(letter(&sweep, true, true).await.1.sent.is_empty());
    assert!(matches!(letter("dance", true, false).await, (Fate::Refused(Refusal::Command), _)));
}
