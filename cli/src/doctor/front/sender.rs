//! What sends: the stack's credentials, an HTTP client, and the names of the invented bots.

use crate::{
    bucket::Bucket,
    doctor::{
        facts::{BOT_PREFIX, Facts},
        finding::{Check, Finding},
        gather::open,
    },
    failure::Failure,
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

/// How long to wait between two reads.
const BETWEEN_LOOKS: Duration = Duration::from_millis(500);

/// How long one answer may take.
const ANSWER: Duration = Duration::from_secs(30);

pub(crate) struct Front<'a> {
    pub(super) stack: &'a Stack,
    pub(super) facts: &'a Facts,
    pub(super) keyring: Keyring<'a>,
    pub(super) bucket: Bucket<'a>,
    pub(super) table: Client,
    pub(super) http: reqwest::Client,
    /// The routes that have a credential.
    pub(super) open: Vec<Endpoint>,
    /// The one of them that most is sent to: signed, if there is such a one.
    pub(super) main: Endpoint,
    /// Part of the ids of all bots of this run.
    pub(super) run: String,
    /// Its beginning, in seconds since the Unix epoch.
    pub(super) began: i64,
}

impl<'a> Front<'a> {
    pub(crate) async fn of(stack: &'a Stack, facts: &'a Facts) -> Result<Self, Failure> {
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

    /// The invented bot at a provider.
    pub(super) fn bot(&self, provider: Provider) -> SessionId {
        self.named(provider, &self.run)
    }

    pub(super) fn named(&self, provider: Provider, id: &str) -> SessionId {
        // The ids that are made here are neither empty nor long.
        SenderId::try_from(id).map_or_else(|_| unreachable!("an id of our own"), |id| SessionId::bot(provider, id))
    }

    pub(super) fn target(&self, endpoint: Endpoint) -> Result<Target, Failure> {
        self.keyring.target(endpoint)
    }

    /// Something that puts a session into its first state, in the words of a route's sender.
    pub(super) fn joining(&self, endpoint: Endpoint, bot: &SessionId) -> Vec<u8> {
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
    pub(super) async fn send(&self, delivery: &Delivery, content_type: Option<Option<&str>>) -> Result<u16, String> {
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
    pub(super) async fn wait(
        &self,
        bot: &SessionId,
        patience: Duration,
        is_there: impl Fn(&Known) -> bool,
    ) -> Option<Duration> {
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
}

/// What could not even be sent.
pub(crate) fn could_not(check: Check, failure: &Failure) -> Finding {
    Finding::warn(
        check,
        format!("nothing could be sent: {}", failure.what()),
        failure.way_out().unwrap_or("see secret.deployed"),
    )
}
