//! Both real functions over a scratch of the local AWS, each behind a fault proxy of its own.

use crate::fault_proxy::FaultProxy;
use crate::local_aws::LocalAws;
use crate::pump::{Batch, Pump};
use crate::runtime_api::{Function, FunctionSpec, Invocation};
use crate::scratch::{QueueRules, Scratch};
use crate::sender::{BodyEncoding, Delivery};
use anyhow::{Context, Result};
use serde_json::{Value, json};
use simulator::{Knobs, Simulator};
use std::time::Duration;

/// The secret that both sides of a pipeline know.
pub const SECRET: &str = "whs_of_the_harness";

/// The path token that both sides of a pipeline know.
pub const TOKEN: &str = "path-token-of-the-harness";

/// The API key of Meeting BaaS that both sides of a pipeline know.
pub const API_KEY: &str = "api-key-of-the-harness";

/// The Svix secret that both sides of a pipeline know, as a dashboard shows it.
pub const SVIX_SECRET: &str = "whsec_aGFybmVzcy1vZi1yb2xsY2FsbA==";

/// The secret of callbacks of Meeting BaaS that both sides of a pipeline know.
pub const CALLBACK_SECRET: &str = "callback-secret-of-the-harness";

/// The secret of the legacy route that both sides of a pipeline know.
pub const LEGACY_SECRET: &str = "legacy-secret-of-the-harness";

/// The settings of ingest that open every route.
pub const CREDENTIALS: [(&str, &str); 6] = [
    ("MEETSTREAM_WEBHOOK_SECRETS", SECRET),
    ("MEETSTREAM_CALLBACK_TOKENS", TOKEN),
    ("MEETINGBAAS_API_KEYS", API_KEY),
    ("MEETINGBAAS_SVIX_SECRETS", SVIX_SECRET),
    ("MEETINGBAAS_CALLBACK_SECRETS", CALLBACK_SECRET),
    ("MEETINGBAAS_LEGACY_SECRETS", LEGACY_SECRET),
];

/// How long anything may take here that should take no time at all.
const SOON: Duration = Duration::from_secs(20);

/// Both functions as processes, with queues, table and bucket of their own.
pub struct Pipeline {
    /// The queues, the table and the bucket.
    pub scratch: Scratch,
    /// Between ingest and AWS.
    pub ingest_proxy: FaultProxy,
    /// Between process and AWS.
    pub process_proxy: FaultProxy,
    /// The function behind the webhook URL.
    pub ingest: Function,
    /// The function behind the queue.
    pub process: Function,
    process_spec: FunctionSpec,
    pump: Pump,
    commands: Pump,
}

/// A second environment of the process function, with pollers of its own: as Lambda starts one while the first is busy.
pub struct SecondProcess {
    /// The function. What it asks of AWS goes past the fault proxies.
    pub function: Function,
    /// Its poller of the events queue.
    pub events: Pump,
    /// Its poller of the commands queue.
    pub commands: Pump,
}

/// The settings by which `process-fn` asks a simulator for what the providers have, and keeps recordings too.
#[must_use]
pub fn asking<'a>(simulator: &'a Simulator, knobs: &'a Knobs) -> Vec<(&'static str, &'a str)> {
    vec![
        ("MEETSTREAM_API_URL", &simulator.meetstream_url),
        ("MEETSTREAM_API_KEYS", &knobs.meetstream_key),
        ("MEETINGBAAS_API_URL", &simulator.meetingbaas_url),
        ("MEETINGBAAS_API_KEYS", &knobs.meetingbaas_key),
        ("ALLOW_LOCAL_DOWNLOADS", "true"),
        ("KEEP_RECORDINGS", "1"),
    ]
}

impl SecondProcess {
    /// One sweep, as the schedule invokes it.
    pub async fn sweep(&self) -> Invocation {
        self.function.invoke(sweep(), SOON).await
    }
}

impl Pipeline {
    /// Starts both functions. A record is parked on its fourth receive, and retries come after a second.
    ///
    /// # Errors
    /// If there is no local AWS, or a binary is missing or older than its sources.
    pub async fn start() -> Result<Self> {
        Self::with(&[]).await
    }

    /// The same, with further settings for `process-fn`.
    ///
    /// # Errors
    /// As for [`Pipeline::start`].
    pub async fn with(settings: &[(&str, &str)]) -> Result<Self> {
        Self::with_rules(QueueRules { visibility: Duration::from_secs(5), max_receives: 50 }, settings).await
    }

    /// The same, over queues with rules of the test's own.
    ///
    /// # Errors
    /// As for [`Pipeline::start`].
    pub async fn with_rules(rules: QueueRules, settings: &[(&str, &str)]) -> Result<Self> {
        Self::over(&LocalAws::from_env()?, rules, settings).await
    }

    /// The same, over a local AWS and with queue rules of one's choice.
    ///
    /// # Errors
    /// If a binary is missing or older than its sources, or the local AWS cannot be reached.
    pub async fn over(aws: &LocalAws, rules: QueueRules, settings: &[(&str, &str)]) -> Result<Self> {
        let scratch = Scratch::with_rules(aws, rules).await?;
        let upstream = &scratch.aws.outputs.endpoint_url;
        let (ingest_proxy, process_proxy) = (FaultProxy::start(upstream).await?, FaultProxy::start(upstream).await?);
        let mut ingest = FunctionSpec::built("ingest-fn")?
            .env("AWS_ENDPOINT_URL", ingest_proxy.endpoint_url())
            .env("METRICS_NAMESPACE", "Rollcall/harness")
            .env("EVENTS_QUEUE_URL", &scratch.queue.url)
            .env("BUCKET_NAME", &scratch.bucket);
        for (name, value) in CREDENTIALS {
            ingest = ingest.env(name, value);
        }
        let ingest = ingest.start()?;
        let mut process = FunctionSpec::built("process-fn")?
            .env("AWS_ENDPOINT_URL", process_proxy.endpoint_url())
            .env("METRICS_NAMESPACE", "Rollcall/harness")
            .env("TABLE_NAME", &scratch.table)
            .env("BUCKET_NAME", &scratch.bucket)
            .env("EVENTS_QUEUE_URL", &scratch.queue.url)
            .env("COMMANDS_QUEUE_URL", &scratch.commands.url)
            .env("EVENT_BUS_NAME", "default") // every account has it, and nobody listens here
            .env("PARK_AFTER_RECEIVES", "4")
            .env("RETRY_BASE_SECONDS", "1")
            .env("RETRY_MAX_SECONDS", "1");
        for (name, value) in settings {
            process = process.env(name, *value);
        }
        let process_spec = process.clone();
        let process = process.start()?;
        ingest.ready(SOON).await?;
        process.ready(SOON).await?;
        let pump = Pump::new(&scratch.aws, &scratch.queue, &process);
        let commands = Pump::new(&scratch.aws, &scratch.commands, &process);
        Ok(Self { scratch, ingest_proxy, process_proxy, ingest, process, process_spec, pump, commands })
    }

    /// Starts a second environment of the process function, for what happens while the first is held up.
    ///
    /// # Errors
    /// If the binary does not start.
    pub async fn second_process(&self) -> Result<SecondProcess> {
        self.second_process_with(&[]).await
    }

    /// The same with further settings, as after a deploy.
    ///
    /// # Errors
    /// If the binary does not start.
    pub async fn second_process_with(&self, settings: &[(&str, &str)]) -> Result<SecondProcess> {
        let aws = &self.scratch.aws;
        let spec = self.process_spec.clone().env("AWS_ENDPOINT_URL", &aws.outputs.endpoint_url);
        let function = settings.iter().fold(spec, |spec, (name, value)| spec.env(name, *value)).start()?;
        function.ready(SOON).await?;
        let events = Pump::new(aws, &self.scratch.queue, &function);
        let commands = Pump::new(aws, &self.scratch.commands, &function);
        Ok(SecondProcess { function, events, commands })
    }

    /// Hands a delivery to the ingest function and returns the status it answers.
    ///
    /// # Errors
    /// If it does not answer at all.
    pub async fn deliver(&self, delivery: &Delivery) -> Result<u16> {
        Ok(delivery.invoke(&self.ingest, BodyEncoding::AsLambda, SOON).await?.status)
    }

    /// Delivers a signed event and expects 200.
    ///
    /// # Errors
    /// If it is answered otherwise.
    pub async fn accept(&self, body: &Value) -> Result<()> {
        let status = self.deliver(&Delivery::signed(SECRET, body.to_string())).await?;
        anyhow::ensure!(status == 200, "answered {status}: {body}");
        Ok(())
    }

    /// One batch through the process function; `None` if the queue has nothing to give.
    ///
    /// # Errors
    /// If the local AWS cannot be reached.
    pub async fn pump(&self) -> Result<Option<Batch>> {
        self.pump.pump().await
    }

    /// Sends a command and takes it, or whatever waits before it, through the process function.
    ///
    /// # Errors
    /// If the local AWS cannot be reached.
    pub async fn command(&self, text: &str) -> Result<Batch> {
        self.scratch.aws.sqs.send_message().queue_url(&self.scratch.commands.url).message_body(text).send().await?;
        self.commands.pump().await?.context("the command did not arrive")
    }

    /// Takes every command that waits through the process function.
    ///
    /// # Errors
    /// If some are left after `limit`.
    pub async fn run_commands(&self, limit: Duration) -> Result<Vec<Batch>> {
        self.commands.drain(limit).await
    }

    /// One sweep, as the schedule invokes it.
    ///
    /// # Errors
    /// If the function does not start.
    pub async fn sweep(&self) -> Result<Invocation> {
        if !self.process.is_running() {
            self.process.restart().await?;
        }
        Ok(self.process.invoke(sweep(), SOON).await)
    }

    /// Batches through the process function until the queue is empty.
    ///
    /// # Errors
    /// If it is not empty after `limit`.
    pub async fn drain(&self, limit: Duration) -> Result<Vec<Batch>> {
        self.pump.drain(limit).await
    }

    /// The stored session of a bot, as the table has it: `version`, `state`, `outcome` and the `document` as JSON.
    ///
    /// # Errors
    /// If the table cannot be read.
    pub async fn session(&self, bot_id: &str) -> Result<Option<Value>> {
        let items = self.items(bot_id).await?;
        Ok(items.into_iter().find(|item| item["sk"] == "session"))
    }

    /// What is kept beside a bot's session, as pairs of accept id and disposition.
    ///
    /// # Errors
    /// If the table cannot be read.
    pub async fn beside(&self, bot_id: &str) -> Result<Vec<(String, String)>> {
        let items = self.items(bot_id).await?;
        let beside = items.iter().filter(|item| item["sk"] != "session");
        let text = |item: &Value, at| item.pointer(at).and_then(Value::as_str).unwrap_or_default().to_owned();
        Ok(beside.map(|item| (text(item, "/document/a"), text(item, "/disposition"))).collect())
    }

    async fn items(&self, bot_id: &str) -> Result<Vec<Value>> {
        let mut items = self.scratch.aws.items(&self.scratch.table).await?;
        items.retain(|item| item["pk"] == format!("meetstream#{bot_id}"));
        Ok(items)
    }

    /// The bytes in the bucket under a prefix.
    ///
    /// # Errors
    /// If the bucket cannot be read.
    pub async fn kept(&self, prefix: &str) -> Result<Vec<Vec<u8>>> {
        let mut kept = Vec::new();
        for key in self.scratch.aws.objects(&self.scratch.bucket, prefix).await? {
            kept.extend(self.scratch.aws.find_object(&self.scratch.bucket, &key).await?);
        }
        Ok(kept)
    }
}

/// What the schedule invokes the function with.
fn sweep() -> Value {
    json!({"v": 1, "command": "sweep"})
}

/// A `MeetStream` event in today's form.
#[must_use]
pub fn event(bot_id: &str, name: &str, timestamp: &str) -> Value {
    json!({"bot_id": bot_id, "event": name, "bot_event": name, "timestamp": timestamp})
}
