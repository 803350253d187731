//! After a deletion nothing of what was said, seen or entered is left: words are planted in every place that keeps anything of
//! a bot, and looked for in every item, object and line afterwards. The real binaries, the local AWS, a simulated provider.

#![expect(clippy::indexing_slicing, reason = "a missing field is null, and fails the comparison")]

use anyhow::{Context, Result, ensure};
use aws_sdk_dynamodb::types::AttributeValue;
use e2e::{
    fault_proxy::{Decision, FaultProxy, Match, Refusal, Service},
    operator::Operator,
    pipeline::{API_KEY, Pipeline, SECRET, SVIX_SECRET, SecondProcess, asking},
    scratch::QueueRules,
    sender::Delivery,
};
use serde_json::{Value, json};
use shared::{
    Endpoint, SessionId,
    session::{Document, Job},
    table::partition_key,
};
use simulator::{Bot, BotPlan, Knobs, Simulator};
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

const SOON: Duration = Duration::from_secs(60);

/// What all planted words begin with.
const MARKER: &str = "planted-zqx";

/// A bot with words of people in every place, in its pipeline.
struct Story {
    pipeline: Pipeline,
    _simulator: Simulator,
    bot: Bot,
    endpoint: Endpoint,
}

impl Story {
    async fn begin(endpoint: Endpoint) -> Result<Self> {
        let knobs = Knobs::default();
        let simulator = Simulator::start(knobs.clone()).await?;
        let rules = QueueRules { visibility: Duration::from_secs(60), max_receives: 50 };
        let pipeline = Pipeline::with_rules(rules, &asking(&simulator, &knobs)).await?;
        let plan = BotPlan {
            deletion: true,
            participants: vec![format!("{MARKER}-priya"), format!("{MARKER}-tom")],
            attributes: json!({"customer": format!("{MARKER}-customer")}).as_object().cloned().unwrap_or_default(),
            ..BotPlan::new(endpoint, "b-1")
        };
        Ok(Self { bot: simulator.add_bot(plan), pipeline, _simulator: simulator, endpoint })
    }

    fn id(&self) -> Result<SessionId> {
        self.bot.session_id().context("no id")
    }

    async fn tell(&self, body: impl Into<Vec<u8>>) -> Result<()> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let body = body.into();
        let delivery = match self.endpoint {
            Endpoint::MeetStream => Delivery::signed(SECRET, body),
            Endpoint::MeetingBaasV1 => {
                Delivery::unsigned("/webhooks/meetingbaas/v1", body).header("x-meeting-baas-api-key", API_KEY)
            }
            _ => Delivery::svix(SVIX_SECRET, &format!("msg_{}", COUNT.fetch_add(1, Ordering::Relaxed)), body)?,
        };
        let status = self.pipeline.deliver(&delivery).await?;
        ensure!(status == 200, "answered {status}");
        Ok(())
    }

    /// A delivery about a bot, full of words. Without a name nobody can read it.
    fn words(&self, bot_id: &str, name: Option<&str>, words: &str, filler: usize) -> String {
        let email = format!("{words}@example.org");
        let filler = "x".repeat(filler);
        let told = json!({"bot_id": bot_id, "message": words, "error_message": words, "participant": {"name": words,
            "email": email}, "chat": {"text": words}, "transcript": {"text": words, "words": [words]}, "filler": filler,
            "status": {"code": "recording_failed", "error_message": words, "created_at": "2026-10-05T10:00:00Z"}});
        let mut body = if self.endpoint == Endpoint::MeetStream {
            let mut told = told;
            told["custom_attributes"] = json!({"who": words, "email": email});
            told
        } else {
            json!({"data": told, "extra": {"who": words, "email": email}})
        };
        if let Some(name) = name {
            body["event"] = json!(name);
        }
        body.to_string()
    }

    async fn say(&self, name: Option<&str>, place: &str, filler: usize) -> Result<()> {
        self.tell(self.words("b-1", name, &format!("{MARKER}-{place}"), filler)).await
    }

    /// The names of what is recorded and never acted on.
    fn asides(&self) -> [&'static str; 4] {
        match self.endpoint {
            Endpoint::MeetStream => ["bot.error", "chat.message", "participant.joined", "transcript.live"],
            _ => ["bot.status_change", "bot.chat_message", "participant.joined", "transcript.live"],
        }
    }

    /// Everything that the meeting itself tells before its data is deleted, and its artifacts fetched.
    async fn play(&self) -> Result<Vec<Vec<u8>>> {
        self.bot.rewind();
        let mut told = Vec::new();
        // v1 of Meeting BaaS tells of no deletion; of the others it is the last step.
        let has_deletion = self.endpoint != Endpoint::MeetingBaasV1;
        for _ in usize::from(has_deletion)..self.bot.plan().steps().len() {
            for webhook in self.bot.step().context("no further step")? {
                self.tell(webhook.body.clone()).await?;
                told.push(webhook.body);
            }
        }
        self.pipeline.drain(SOON).await?;
        self.pipeline.run_commands(SOON).await?;
        Ok(told)
    }

    /// The provider erases what it has, and says so.
    async fn provider_deletes(&self) -> Result<()> {
        let told = self.bot.step().context("the provider says nothing of a deletion")?;
        ensure!(self.bot.step().is_none() && told.len() == 1, "the deletion is the last of it");
        for webhook in told {
            self.tell(webhook.body).await?;
        }
        Ok(())
    }

    /// Puts words into every place that deliveries can end in.
    async fn plant(&self) -> Result<()> {
        for name in self.asides() {
            self.say(Some(name), "beside", 0).await?;
        }
        self.say(None, "quarantine", 0).await?;
        self.say(Some("chat.message"), "claims", 700_000).await?;
        self.pipeline.drain(SOON).await?;
        // A store that refuses long enough.
        let saves = || Match::operation(Service::DynamoDb, "PutItem");
        self.pipeline.process_proxy.when(saves()).then(Decision::Refuse(Refusal::Error(400, "AccessDeniedException")));
        self.say(Some("chat.message"), "parked", 0).await?;
        self.pipeline.drain(SOON).await?;
        self.pipeline.process_proxy.pass_everything();
        self.spool("spool").await
    }

    /// A delivery that the queue refuses.
    async fn spool(&self, place: &str) -> Result<()> {
        self.pipeline.ingest_proxy.when(Match::service(Service::Sqs)).then(Decision::Refuse(Refusal::Internal));
        let told = self.say(Some("chat.message"), place, 0).await;
        self.pipeline.ingest_proxy.pass_everything();
        told
    }

    /// The places where something is left that begins with `marker`: of the table, the bucket and the logs. Every item, every
    /// version of every object, and every line is read.
    async fn places(&self, marker: &str) -> Result<BTreeSet<String>> {
        let mut places = BTreeSet::new();
        let (aws, bucket) = (&self.pipeline.scratch.aws, &self.pipeline.scratch.bucket);
        for item in aws.items(&self.pipeline.scratch.table).await? {
            if item.to_string().contains(marker) {
                places.insert(if item["sk"] == "session" { "session".to_owned() } else { "beside".to_owned() });
            }
        }
        let versions = aws.s3.list_object_versions().bucket(bucket).send().await?;
        ensure!(versions.is_truncated() != Some(true) && versions.delete_markers().is_empty(), "{versions:?}");
        for version in versions.versions() {
            let key = version.key().context("no key")?;
            let get =
                aws.s3.get_object().bucket(bucket).key(key).set_version_id(version.version_id().map(str::to_owned));
            let bytes = get.send().await?.body.collect().await?.to_vec();
            if key.contains(marker) || String::from_utf8_lossy(&bytes).contains(marker) {
                let parts: Vec<_> = key.split('/').collect();
                let is_kept = parts.len() == 3 && parts.first().is_none_or(|folder| folder.len() < 11);
                places.insert(parts.get(if is_kept { 0 } else { 2 }).copied().unwrap_or(key).to_owned());
            }
        }
        let lines = self.pipeline.ingest.logs().into_iter().chain(self.pipeline.process.logs());
        places.extend(lines.filter(|line| line.text.contains(marker)).map(|line| format!("log: {}", line.text)));
        Ok(places)
    }

    /// Deletes, and erases for the first time, while the first environment of the function has a fetch in hand: held up at
    /// this call.
    async fn delete_during_a_fetch(
        &self,
        ready: &[Vec<u8>],
        by_webhook: bool,
        at: Match,
        second: &SecondProcess,
    ) -> Result<()> {
        for body in ready {
            self.tell(made_again(body)?).await?;
        }
        self.pipeline.drain(SOON).await?;
        let hold = self.pipeline.process_proxy.when(at).hold_before();
        let deleting = async {
            hold.reached(SOON).await?;
            let stored = self.pipeline.kept(&shared::artifacts::prefix(&self.id()?)).await?;
            ensure!(!stored.is_empty(), "there is nothing to erase");
            if by_webhook {
                self.provider_deletes().await?;
            } else {
                self.ask_operator(second).await?;
            }
            while second.events.pump().await?.is_some() || second.commands.pump().await?.is_some() {}
            second.sweep().await;
            let left = self.pipeline.kept(&shared::artifacts::prefix(&self.id()?)).await?;
            ensure!(left.is_empty(), "the sweep waits for no fetch");
            hold.release();
            Ok(())
        };
        let (fetched, deleted) = tokio::join!(self.pipeline.run_commands(SOON), deleting);
        deleted.and(fetched.map(drop))
    }

    async fn ask_operator(&self, second: &SecondProcess) -> Result<()> {
        let proxy = FaultProxy::start(&self.pipeline.scratch.aws.outputs.endpoint_url).await?;
        proxy.invoke(&second.function);
        let operator = Operator::through(&self.pipeline.scratch, proxy.endpoint_url())?;
        let provider = self.id()?.provider.as_str();
        let dry = operator.run(&["delete", provider, "b-1", "--dry-run"]).await?;
        ensure!(dry.code == Some(0) && dry.stdout.contains("transcript") && dry.stdout.contains("parked"), "{dry:?}");
        let unasked = operator.run(&["delete", provider, "b-1"]).await?;
        ensure!(unasked.code == Some(2) && unasked.stderr.contains("--yes"), "{unasked:?}");
        let answer = operator.run(&["delete", provider, "b-1", "--yes", "--wait", "--timeout", "50"]).await?;
        ensure!(answer.code == Some(0) && answer.stdout.contains("erased: "), "{answer:?}");
        Ok(())
    }

    /// Words that come when everything is deleted.
    async fn tell_late(&self, told: &[Vec<u8>]) -> Result<()> {
        for body in told {
            self.tell(body.clone()).await?;
        }
        for name in self.asides() {
            self.say(Some(name), "late-beside", 0).await?;
        }
        self.say(None, "late-quarantine", 0).await?;
        self.say(Some("chat.message"), "late-claims", 700_000).await?;
        self.spool("late-spool").await?;
        self.pipeline.sweep().await?;
        self.pipeline.drain(SOON).await?;
        self.pipeline.run_commands(SOON).await.map(drop)
    }

    /// Carries out what is still to be erased, as the sweep does when its time has come: the table is told that it has.
    async fn erase_what_is_due(&self) -> Result<()> {
        for _ in 0..4 {
            let session = self.session().await?;
            if session["due_at"].is_null() {
                return Ok(());
            }
            let mut said = session["document"].clone();
            for job in [Job::Erase, Job::EraseAgain] {
                if let Some(progress) = said["jobs"].get_mut(job.as_str()) {
                    progress["retry_at"] = json!(0);
                }
            }
            let document = Document::of_session(&serde_json::from_value(said)?)?;
            let text = AttributeValue::S;
            self.pipeline
                .scratch
                .aws
                .dynamodb
                .update_item()
                .table_name(&self.pipeline.scratch.table)
                .key("pk", text(partition_key(&self.id()?)))
                .key("sk", text("session".to_owned()))
                .update_expression("SET #document = :document, #due_at = :long_ago")
                .expression_attribute_names("#document", "document")
                .expression_attribute_names("#due_at", "due_at")
                .expression_attribute_values(":long_ago", AttributeValue::N("0".to_owned()))
                .expression_attribute_values(":document", text(document.text))
                .send()
                .await?;
            self.pipeline.sweep().await?;
            self.pipeline.run_commands(SOON).await?;
        }
        anyhow::bail!("there is always something left to do")
    }

    async fn session(&self) -> Result<Value> {
        let pk = partition_key(&self.id()?);
        let items = self.pipeline.scratch.aws.items(&self.pipeline.scratch.table).await?;
        items.into_iter().find(|item| item["pk"] == pk.as_str() && item["sk"] == "session").context("no session")
    }
}

/// A fetch that is about to store what was said, after everything else was erased.
fn before_it_stores() -> Match {
    Match::operation(Service::S3, "PutObject").mentioning("/raw.json")
}

/// A fetch that has stored, and is about to save that it has.
fn before_it_saves() -> Match {
    Match::operation(Service::DynamoDb, "PutItem").mentioning("\\\"stored\\\"")
}

/// Plants, deletes and searches. `places` is where the words must have been before.
async fn check(endpoint: Endpoint, by_webhook: bool, held_at: Match, places: &[&str]) -> Result<()> {
    let story = Story::begin(endpoint).await?;
    let told = story.play().await?;
    story.plant().await?;
    let neighbour = "neighbour-zqx";
    story.tell(story.words("b-2", None, neighbour, 0)).await?;
    story.pipeline.drain(SOON).await?;
    // What v1 brings inline waits for its place as long as nobody fetches.
    for body in told.iter().filter(|_| endpoint == Endpoint::MeetingBaasV1) {
        story.tell(made_again(body)?).await?;
    }
    story.pipeline.drain(SOON).await?;
    let spoken = story.bot.plan().transcript().utterances.first().context("nobody speaks")?.words.first().cloned();
    let expected: BTreeSet<String> = places.iter().map(|place| (*place).to_owned()).collect();
    assert_eq!(story.places(MARKER).await?, expected, "before");
    assert!(story.places(&spoken.context("no word")?.text).await?.contains("transcript"), "what was said");

    let second = story.pipeline.second_process().await?;
    let ready: Vec<_> = told.iter().filter(|body| is_of_an_artifact(body)).cloned().collect();
    story.delete_during_a_fetch(&ready, by_webhook, held_at, &second).await?;
    assert_eq!(story.session().await?["state"], "deleted");
    assert_eq!(story.places(MARKER).await?, BTreeSet::new(), "after the first round");
    story.tell_late(&told).await?;
    story.erase_what_is_due().await?;
    assert_eq!(story.places(MARKER).await?, BTreeSet::new(), "after the second round");
    story.tell_late(&told).await?;
    story.erase_what_is_due().await?;
    assert_eq!(story.places(MARKER).await?, BTreeSet::new(), "and after what came later still");

    let mut lines = second.function.logs().into_iter();
    assert!(!lines.any(|line| line.text.contains(MARKER)), "the second environment's log");
    let kept = story.pipeline.scratch.aws.objects(&story.pipeline.scratch.bucket, "").await?;
    assert!(
        kept.iter().all(|key| key.starts_with("quarantine/")) && kept.len() == 1,
        "the neighbour's alone: {kept:?}"
    );
    assert_eq!(story.places(neighbour).await?, BTreeSet::from(["quarantine".to_owned()]));
    let operator = Operator::of(&story.pipeline.scratch)?;
    let again = operator.run(&["delete", story.id()?.provider.as_str(), "b-1", "--yes", "--wait"]).await?;
    ensure!(again.code == Some(0) && again.stdout.contains("deleted already"), "{again:?}");
    let none = operator.run(&["artifacts", story.id()?.provider.as_str(), "b-1"]).await?;
    ensure!(none.code == Some(0) && none.stderr.contains("its data was deleted"), "{none:?}");
    story.pipeline.scratch.remove().await
}

/// The same webhook of a later moment: the transcript was made again. A mere repetition is not fetched again.
fn made_again(body: &[u8]) -> Result<Vec<u8>> {
    let mut body: Value = serde_json::from_slice(body)?;
    body["timestamp"] = json!(jiff::Timestamp::now().to_string());
    Ok(serde_json::to_vec(&body)?)
}

fn is_of_an_artifact(body: &[u8]) -> bool {
    let says = String::from_utf8_lossy(body);
    ["bot.transcriptionready", "bot.completed", r#""complete""#].iter().any(|name| says.contains(name))
}

const EVERYWHERE: [&str; 7] = ["beside", "claims", "parked", "quarantine", "session", "spool", "transcript"];

#[tokio::test]
async fn after_meetstreams_deletion_no_word_is_left_anywhere() -> Result<()> {
    check(Endpoint::MeetStream, true, before_it_stores(), &EVERYWHERE).await
}

#[tokio::test]
async fn after_meeting_baas_deleted_no_word_is_left_anywhere() -> Result<()> {
    check(Endpoint::MeetingBaasV2, true, before_it_saves(), &EVERYWHERE).await
}

#[tokio::test]
async fn after_an_operators_deletion_no_word_is_left_anywhere() -> Result<()> {
    check(Endpoint::MeetStream, false, before_it_saves(), &EVERYWHERE).await
}

#[tokio::test]
async fn after_an_operators_deletion_no_inline_transcript_is_left() -> Result<()> {
    check(Endpoint::MeetingBaasV1, false, before_it_stores(), &[&EVERYWHERE[..], &["carried"]].concat()).await
}
