//! `rollcall simulate`: many meetings at once, and what became of every delivery.

mod artifacts;
mod audit;
mod live;
mod play;
mod summary;

use crate::{
    apis,
    bucket::Bucket,
    escape,
    failure::Failure,
    screen::{self, Style},
    stack::{Keyring, Stack, StackArgs},
};
use audit::{Account, Findings};
use aws_sdk_dynamodb::Client;
use clap::{Args, builder::PossibleValuesParser, value_parser};
use jiff::Timestamp;
use live::Live;
use play::{BETWEEN_LOOKS, Table, play, settle};
use shared::{Endpoint, Provider};
use simulator::{Bot, Fleet, Knobs, Player, Receiver, Simulator, WebhookKnobs};
use std::time::Duration;

/// The routes whose bots can be played. What the web page of Meeting BaaS describes is no bot's whole story.
const ROUTES: [Endpoint; 5] = [
    Endpoint::MeetStream,
    Endpoint::MeetStreamCallback,
    Endpoint::MeetingBaasV1,
    Endpoint::MeetingBaasV2,
    Endpoint::MeetingBaasCallback,
];

/// Play many meetings at once, and count what became of every delivery
///
/// How the meetings end and what happens to their deliveries comes from the seed: the same seed plays the same meetings, with
/// other bots each time. Deliveries are signed with the stack's own credentials, sent to its routes, and repeated as their
/// senders do; MeetStream never does. Each can be lost (--drop), sent twice (--duplicate), overtaken by others (--reorder) or
/// late (--delay).
///
/// Afterwards the table is read until every delivery that was answered with 2xx is accounted for or --wait is over: it was
/// applied, is a duplicate, was ignored, quarantined or parked.
///
/// The APIs of both providers are served as well where a stack on this machine asks for them, with the recordings and
/// transcripts of these bots. In the end each artifact must be in the bucket as it was served, or be unavailable for the right
/// reason. --api-faults makes the APIs fail: 202 for a while or for ever, expired URLs, 403, 404, 410, 429 with Retry-After,
/// 500, slow, truncated and redirected answers, closed connections. The schedule sends a sweep every minute, which starts
/// what is to be tried again; --sweep-every sends more of them.
#[derive(Args, Clone, Debug)]
#[command(after_help = "\
Examples:
  rollcall simulate
  rollcall simulate --bots 200 --duplicate 0.1 --reorder 0.1 --seed 7
  rollcall simulate --drop 0.1 --providers meetstream
  rollcall simulate --routes meetingbaas-v2 --duration 10 --json | jq .unaccounted
  rollcall simulate --bots 200 --api-faults 0.4 --sweep-every 3
  rollcall simulate --bots 5 --stay
  rollcall simulate --bots 3 --stack staging --without-api

What is sent to a stack on AWS stays there, and consumers of its event bus hear of it: the command asks first.

Exits with 1 when an accepted delivery is not accounted for, or a session or an artifact ended otherwise than it should; each is \
listed with what was expected and what was found. Else it exits with 0. What was lost on the way is listed, and is no failure.")]
pub struct Simulate {
    /// How many bots
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = value_parser!(u32).range(1..=10_000))]
    bots: u32,
    /// How long until the last meeting is over
    #[arg(long, value_name = "SECONDS", default_value_t = 30, value_parser = value_parser!(u64).range(1..=86_400))]
    duration: u64,
    /// Whose bots [default: both]
    #[arg(long, value_name = "LIST", value_delimiter = ',', value_parser = crate::bot::providers())]
    providers: Vec<String>,
    /// On which routes their deliveries arrive [default: all that the stack has]
    #[arg(long, value_name = "LIST", value_delimiter = ',', value_parser = routes(), conflicts_with = "providers")]
    routes: Vec<String>,
    /// What all chance comes from [default: another one each time]
    #[arg(long, value_name = "NUMBER")]
    seed: Option<u64>,
    /// The chance that a delivery is lost
    #[arg(long, value_name = "0..1", default_value_t = 0.0, value_parser = chance)]
    drop: f64,
    /// The chance that it is sent twice
    #[arg(long, value_name = "0..1", default_value_t = 0.0, value_parser = chance)]
    duplicate: f64,
    /// The chance that up to three others overtake it
    #[arg(long, value_name = "0..1", default_value_t = 0.0, value_parser = chance)]
    reorder: f64,
    /// The chance that it is late
    #[arg(long, value_name = "0..1", default_value_t = 0.0, value_parser = chance)]
    delay: f64,
    /// How late at most
    #[arg(long, value_name = "SECONDS", default_value_t = 5, value_parser = value_parser!(u64).range(1..=3600))]
    longest_delay: u64,
    /// How long to wait in the end until everything is accounted for
    #[arg(long, value_name = "SECONDS", default_value_t = 240)]
    wait: u64,
    /// Serve the providers' APIs on this port, and presigned URLs on the next one [default: where the local stack looks for them]
    #[arg(long, value_name = "PORT", value_parser = value_parser!(u16).range(1..=65_534))]
    serve_api: Option<u16>,
    /// Serve no APIs, and look at deliveries only
    #[arg(long, conflicts_with_all = ["serve_api", "stay", "api_faults", "sweep_every"])]
    without_api: bool,
    /// Go on serving them in the end, until Ctrl-C
    #[arg(long)]
    stay: bool,
    /// The chance, for each artifact that is to be had, that its API does something wrong
    #[arg(long, value_name = "0..1", default_value_t = 0.0, value_parser = chance)]
    api_faults: f64,
    /// The size of the largest recording
    #[arg(long, value_name = "BYTES", default_value_t = 500_000)]
    largest_recording: u64,
    /// Send a sweep that often, beside those of the schedule
    #[arg(long, value_name = "SECONDS", value_parser = value_parser!(u64).range(1..=3600))]
    sweep_every: Option<u64>,
    /// Do not ask before bots that never were are sent to a stack on AWS
    #[arg(long)]
    yes: bool,
    /// Print the summary as one JSON object
    #[arg(long)]
    json: bool,
}

/// The names of routes, for arguments.
fn routes() -> PossibleValuesParser {
    PossibleValuesParser::new(ROUTES.map(Endpoint::as_str))
}

/// A chance, or what is wrong with it.
fn chance(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(chance) if (0.0..=1.0).contains(&chance) => Ok(chance),
        _ => Err("a chance is a number from 0 to 1".to_owned()),
    }
}

impl Simulate {
    pub async fn run(self, stack_args: &StackArgs, style: Style) -> Result<(), Failure> {
        if let Some(name) = stack_args.stack.as_ref().filter(|_| !self.yes) {
            let question = format!("Send {} bots that never were to the stack \"{}\"?", self.bots, escape::text(name));
            if !screen::confirmed(&question, "--yes sends them without asking")? {
                return Err(Failure::new("nothing was sent"));
            }
        }
        let stack = stack_args.open().await?;
        let sweep = async {
            match self.sweep_every {
                Some(seconds) => play::sweep(&stack, Duration::from_secs(seconds)).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            failure = sweep => Err(failure),
            verdict = self.simulate(&stack, style) => verdict,
        }
    }

    async fn simulate(&self, stack: &Stack, style: Style) -> Result<(), Failure> {
        let keyring = stack.keyring().await?;
        let receiver = self.receiver(&keyring)?;
        let seed = self.seed.unwrap_or_else(|| fastrand::u64(..1_000_000));
        let port = self.serve_api.or(stack.api_port).filter(|_| !self.without_api);
        let simulator = self.simulator(port, &keyring, seed).await?;
        let bots: Vec<Bot> =
            self.fleet(&receiver, seed).plans().into_iter().map(|plan| simulator.add_bot(plan)).collect();
        screen::remark(&self.announcement(stack, &receiver, seed));
        if port.is_some() {
            screen::remark(&served(&simulator));
        }
        let client = Client::new(&stack.aws.config);
        let player = Player { receiver, knobs: self.webhooks(), seed, in_real_time: true };
        let mut live = Live::new();
        let table = Table { client: &client, stack };
        let sent = play(table, &player, &bots, &mut live).await?;
        let accounts = Account::open(&bots, sent, port.is_some());
        let mut accounts = settle(table, accounts, Duration::from_secs(self.wait), &mut live).await?;
        Account::compare(&mut accounts, &Bucket::of(stack)).await?;
        live.end();
        let findings = Findings::of(&accounts, simulator.faults());
        if self.json {
            screen::print_json(&findings)?;
        } else {
            screen::print(&summary::render(&findings, style))?;
        }
        let verdict = findings.verdict();
        if self.stay {
            screen::remark("serving the APIs until Ctrl-C");
            self.serve(&player, &simulator).await;
        }
        verdict
    }

    /// The routes that there are of those that are wanted.
    fn receiver(&self, keyring: &Keyring<'_>) -> Result<Receiver, Failure> {
        let is_wanted = |endpoint: &Endpoint| {
            let named = |list: &[String], name| list.is_empty() || list.iter().any(|wanted| wanted == name);
            named(&self.routes, endpoint.as_str()) && named(&self.providers, endpoint.provider().as_str())
        };
        let mut targets = Vec::new();
        for endpoint in ROUTES.into_iter().filter(is_wanted) {
            match keyring.target(endpoint) {
                Ok(target) => targets.push((endpoint, target)),
                Err(failure) if self.routes.is_empty() => {
                    screen::remark(&format!("note: left out {}: {}", endpoint.as_str(), failure.what()));
                }
                Err(failure) => return Err(failure),
            }
        }
        if targets.is_empty() {
            return Err(Failure::new("the stack has none of these routes").help("`rollcall urls` shows those it has"));
        }
        Ok(Receiver::new(targets)?)
    }

    async fn simulator(&self, port: Option<u16>, keyring: &Keyring<'_>, seed: u64) -> Result<Simulator, Failure> {
        let knobs = Knobs { seed, webhooks: self.webhooks(), ..Knobs::default() };
        // Bots are made in a simulator, even if nobody asks it for anything.
        apis::serve(port.unwrap_or(0), keyring, knobs).await
    }

    fn webhooks(&self) -> WebhookKnobs {
        let Self { drop, duplicate, reorder, delay, .. } = *self;
        let longest_delay = Duration::from_secs(self.longest_delay);
        WebhookKnobs { drop, duplicate, reorder, delay, longest_delay, retries: true }
    }

    fn fleet(&self, receiver: &Receiver, seed: u64) -> Fleet {
        Fleet {
            bots: usize::try_from(self.bots).unwrap_or(usize::MAX),
            channels: receiver.endpoints().collect(),
            begins_at: Timestamp::now(),
            duration: Duration::from_secs(self.duration),
            api_faults: self.api_faults,
            largest: self.largest_recording,
            seed,
            // Bots that were played before have their deliveries already.
            run: fastrand::u64(..),
        }
    }

    fn announcement(&self, stack: &Stack, receiver: &Receiver, seed: u64) -> String {
        let routes: Vec<&str> = receiver.endpoints().map(Endpoint::as_str).collect();
        format!(
            "{} bots on {} for {} s, seed {seed}\nroutes: {}",
            self.bots,
            escape::text(&stack.aws.name),
            self.duration,
            routes.join(", ")
        )
    }

    /// Serves the APIs, and sends what calls of them make the providers send.
    async fn serve(&self, player: &Player, simulator: &Simulator) {
        loop {
            for webhook in simulator.take_outbox() {
                if let Some(delivery) = player.receiver.delivery(&webhook) {
                    let fate = player.receiver.send(webhook.endpoint, &delivery).await;
                    screen::remark(&format!("sent {}: {}", webhook.name_in_session, audit::in_words(&fate)));
                }
            }
            tokio::time::sleep(BETWEEN_LOOKS).await;
        }
    }
}

fn served(simulator: &Simulator) -> String {
    let Simulator { meetstream_url, meetingbaas_url, files_url, .. } = simulator;
    let of = Provider::ALL.map(Provider::as_str);
    format!("API of {}:  {meetstream_url}\nAPI of {}: {meetingbaas_url}\npresigned URLs:     {files_url}", of[0], of[1])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chance_is_a_number_from_0_to_1() {
        assert_eq!(["0", "0.1", "1"].map(chance), [Ok(0.0), Ok(0.1), Ok(1.0)]);
        for other in ["-0.1", "1.01", "10%", "NaN", ""] {
            assert!(chance(other).is_err(), "{other}");
        }
    }
}
