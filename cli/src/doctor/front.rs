//! What can only be found out by sending something: invented bots' deliveries, through the front door.

mod bodies;
mod door;
mod observe;
mod retry;

use super::{
    BOT_PREFIX,
    facts::Facts,
    finding::{Check, Finding},
    gather::open,
    judge::many,
};
use crate::{
    bucket::Bucket,
    delete,
    failure::Failure,
    screen,
    stack::{Keyring, Stack, is_here},
    table::{self, Known},
};
use aws_sdk_dynamodb::Client;
use jiff::Timestamp;
use reqwest::redirect::Policy;
use shared::{Endpoint, Provider, SenderId, SessionId};
use simulator::{
    body::{self, Composition, meetingbaas},
    delivery::{Delivery, Target},
    dialect::Dialect,
    time::micros,
};
use std::time::{Duration, Instant};

/// How often it is looked while waiting.
const BETWEEN_LOOKS: Duration = Duration::from_millis(500);

/// How long one answer may take.
const ANSWER: Duration = Duration::from_secs(30);

/// How long the functions have to erase what was sent.
const ERASED_WITHIN: Duration = Duration::from_secs(90);

/// Everything that is needed to send.
pub(super) struct Front<'a> {
    stack: &'a Stack,
    facts: &'a Facts,
    keyring: Keyring<'a>,
    bucket: Bucket<'a>,
    table: Client,
    http: reqwest::Client,
    /// The routes that have a credential.
    open: Vec<Endpoint>,
    /// The one of them that most is sent to: signed, if there is such a one.
    main: Endpoint,
    /// Part of the ids of all bots of this run.
    run: String,
    /// Its beginning, in seconds since the Unix epoch.
    began: i64,
}

impl<'a> Front<'a> {
    /// Makes ready to send.
    ///
    /// # Errors
    /// When the credentials cannot be read, or no route has one.
    pub(super) async fn of(stack: &'a Stack, facts: &'a Facts) -> Result<Self, Failure> {
        let keyring = stack.keyring().await?;
        let open = open(&keyring);
        // Routes with a signature first: it is over the raw bytes, so it says whether they came as they were sent.
        let order =
            [Endpoint::MeetStream, Endpoint::MeetingBaasV2, Endpoint::MeetingBaasLegacy, Endpoint::MeetingBaasV1];
        let Some(main) = order.into_iter().find(|endpoint| open.contains(endpoint)) else {
            return Err(Failure::new("no route that deliveries could be sent to has a credential")
                .help("`make secret` enters one, and `make deploy` hands it to the function"));
        };
        let client = reqwest::Client::builder().redirect(Policy::none()).timeout(ANSWER);
        let client = if is_here(&stack.webhook_url) { client.no_proxy() } else { client };
        let http = client.build().map_err(|error| Failure::new(format!("no HTTP client: {error}")))?;
        let now = Timestamp::now();
        Ok(Self {
            stack,
            facts,
            keyring,
            bucket: Bucket::of(stack),
            table: Client::new(&stack.aws.config),
            http,
            open,
            main,
            run: format!("{BOT_PREFIX}{}-{:08x}", now.strftime("%Y%m%dT%H%M%S"), fastrand::u32(..)),
            began: now.as_second(),
        })
    }

    /// Sends what the wanted checks need, tells of each finding as it comes, and erases what it has sent.
    pub(super) async fn check(
        &self,
        wants: impl Fn(Check) -> bool,
        mut tell: impl FnMut(Vec<Finding>) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        screen::remark(&format!("sending deliveries about invented bots, whose ids begin with {}", self.run));
        let told = async {
            // Logs and metrics are looked for of what is sent here.
            if [Check::FrontApplied, Check::FrontDuplicate, Check::LogsLines, Check::MetricsArrive]
                .into_iter()
                .any(&wants)
            {
                tell(self.webhook().await)?;
            }
            if wants(Check::FrontRoutes) {
                tell(vec![self.routes().await])?;
            }
            if [Check::FrontClosed, Check::FrontSignature, Check::FrontMethod, Check::FrontPath].into_iter().any(&wants)
            {
                tell(self.refusals().await)?;
            }
            if Check::ALL.iter().any(|check| check.as_str().starts_with("body.") && wants(*check)) {
                screen::remark(
                    "sending bodies of all kinds, which are set aside as unreadable and removed again (1 minute at most)",
                );
                tell(bodies::check(self).await)?;
            }
            if wants(Check::RetryWait) {
                screen::remark("making one delivery fail for 8 seconds (2 minutes at most)");
                tell(vec![retry::check(self).await])?;
            }
            if wants(Check::LogsLines) {
                screen::remark("waiting for log lines (2 minutes at most)");
                tell(vec![observe::lines(self).await])?;
            }
            if wants(Check::MetricsArrive) {
                screen::remark("waiting for metrics (3 minutes at most)");
                tell(vec![observe::metrics(self).await])?;
            }
            Ok(())
        };
        let told = told.await;
        screen::remark("erasing the invented bots (2 minutes at most)");
        tell(vec![self.erase().await])?;
        told
    }

    /// The invented bot at a provider.
    fn bot(&self, provider: Provider) -> SessionId {
        self.named(provider, &self.run)
    }

    fn named(&self, provider: Provider, id: &str) -> SessionId {
        // The ids that are made here are neither empty nor long.
        SenderId::try_from(id).map_or_else(|_| unreachable!("an id of our own"), |id| SessionId::bot(provider, id))
    }

    fn target(&self, endpoint: Endpoint) -> Result<Target, Failure> {
        self.keyring.target(endpoint)
    }

    /// Something that puts a session into its first state, in the words of a route's sender.
    fn joining(&self, endpoint: Endpoint, bot: &SessionId) -> Vec<u8> {
        let (now, id) = (Timestamp::now(), bot.id.as_sent());
        if endpoint.provider() == Provider::MeetStream {
            return body::compose(&Composition {
                name: "bot.joining",
                bot_id: id,
                era: body::Era::default(),
                status: None,
                message: None,
                timestamp: Some(&micros(now)),
                attributes: None,
            });
        }
        let composed = meetingbaas::compose(&meetingbaas::Composition {
            dialect: Dialect::of(endpoint),
            name: "joining_call",
            id,
            now,
            timestamp: None,
            no_timestamp: false,
            message: None,
            error_code: None,
            attributes: None,
            results: None,
        });
        composed.map(|composed| composed.body).unwrap_or_default()
    }

    /// Sends a delivery, under another content type if one is given. The status, or why there is none.
    async fn send(&self, delivery: &Delivery, content_type: Option<Option<&str>>) -> Result<u16, String> {
        let mut request = self.http.request(delivery.method().http(), &delivery.url().0).body(delivery.body().to_vec());
        for (name, value) in delivery.headers() {
            match (name.eq_ignore_ascii_case("content-type"), content_type) {
                (true, Some(None)) => {}
                (true, Some(Some(other))) => request = request.header(*name, other),
                _ => request = request.header(*name, value),
            }
        }
        request.send().await.map(|answer| answer.status().as_u16()).map_err(|error| error.without_url().to_string())
    }

    /// What the bot's timeline is once `is_there` says yes to it; `None` if it never does.
    async fn wait(&self, bot: &SessionId, patience: Duration, is_there: impl Fn(&Known) -> bool) -> Option<Duration> {
        let began = Instant::now();
        loop {
            // A table that does not answer now may answer a moment later.
            let known = table::known(&self.table, self.stack, bot, Timestamp::now().as_second()).await;
            if known.is_ok_and(|known| known.is_some_and(|known| is_there(&known))) {
                return Some(began.elapsed());
            }
            if began.elapsed() >= patience {
                return None;
            }
            tokio::time::sleep(BETWEEN_LOOKS).await;
        }
    }

    /// Deletes every invented bot, in the way in which every bot is deleted.
    async fn erase(&self) -> Finding {
        let check = Check::Cleanup;
        let bots = Provider::ALL.map(|provider| self.bot(provider)).into_iter().chain([retry::bot(self)]);
        let mut problems = Vec::new();
        let mut count = 0;
        for bot in bots {
            match delete::erase(self.stack, &bot, ERASED_WITHIN).await {
                Ok(Some(true)) => count += 1,
                Ok(None) => {}
                Ok(Some(false)) => {
                    problems.push(format!("{} bot {} is not erased yet", bot.provider, bot.id.as_sent()))
                }
                Err(failure) => problems.push(failure.what().to_owned()),
            }
        }
        Finding::unless(
            check,
            &problems,
            format!("{} erased; a tombstone without words is left of each", many(count, "invented bot")),
            "`rollcall delete PROVIDER BOT` says how far it is; the sweep repeats it, see schedule.sweeps",
        )
    }
}

/// What could not even be sent.
pub(super) fn could_not(check: Check, failure: &Failure) -> Finding {
    Finding::warn(
        check,
        format!("nothing could be sent: {}", failure.what()),
        failure.way_out().unwrap_or("see secret.deployed"),
    )
}
