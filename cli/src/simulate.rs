//! `rollcall simulate`: many meetings at once, and what became of every delivery.

mod audit;
mod live;
mod play;
mod summary;

use crate::{
    escape,
    failure::Failure,
    screen::{self, Look},
    stack::{Keyring, Place, Stack},
};
use audit::Findings;
use aws_sdk_dynamodb::Client;
use clap::{Args, builder::PossibleValuesParser, value_parser};
use jiff::Timestamp;
use live::Live;
use play::{BETWEEN_LOOKS, Table, play, settle};
use shared::{Endpoint, Provider};
use simulator::{Bot, Fleet, Knobs, Player, Receiver, Simulator, WebhookKnobs, delivery::Secret};
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
/// How the meetings end and what happens to their deliveries comes from the
/// seed: the same seed plays the same meetings, with other bots each time.
/// Deliveries are signed with the stack's own credentials, sent to its routes,
/// and tried again as their senders do; MeetStream never does. Each can be lost
/// (--drop), sent twice (--duplicate), overtaken by others (--reorder) or late
/// (--delay).
///
/// In the end the table is read, until every delivery that was answered with
/// 2xx is accounted for or --wait is over: it was applied, is a duplicate, was
/// ignored, quarantined or parked.
///
/// With --serve-api the APIs of both providers are served as well, with the
/// recordings and transcripts of these bots: MeetStream's and that of Meeting
/// BaaS on one port of this machine, presigned URLs on the next. --api-faults
/// makes them fail in all the ways that they are known to.
#[derive(Args, Clone, Debug)]
#[command(
    verbatim_doc_comment,
    after_help = "\
Examples:
  rollcall simulate
  rollcall simulate --bots 200 --duplicate 0.1 --reorder 0.1 --seed 7
  rollcall simulate --drop 0.1 --providers meetstream
  rollcall simulate --routes meetingbaas-v2 --duration 10 --json | jq .unaccounted
  rollcall simulate --serve-api 4800 --api-faults 0.3 --stay

Exits with 1 when an accepted delivery is not accounted for, or a session ended
otherwise than its deliveries say, else with 0. What was lost on the way is
listed, and no failure."
)]
pub struct Simulate {
    /// How many bots
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = value_parser!(u32).range(1..=10_000))]
    bots: u32,
    /// How long until the last meeting is over
    #[arg(long, value_name = "SECONDS", default_value_t = 30, value_parser = value_parser!(u64).range(1..=86_400))]
    duration: u64,
    /// Whose bots [default: both]
    #[arg(long, value_name = "LIST", value_delimiter = ',', value_parser = crate::timeline::providers())]
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
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    wait: u64,
    /// Serve the providers' APIs on this port, and presigned URLs on the next one
    #[arg(long, value_name = "PORT", value_parser = value_parser!(u16).range(1..=65_534))]
    serve_api: Option<u16>,
    /// Go on serving them in the end, until Ctrl-C
    #[arg(long, requires = "serve_api")]
    stay: bool,
    /// The chance, for each artifact, that its API does something wrong
    #[arg(long, value_name = "0..1", default_value_t = 0.0, value_parser = chance, requires = "serve_api")]
    api_faults: f64,
    /// The size of the largest recording
    #[arg(long, value_name = "BYTES", default_value_t = 2_000_000, requires = "serve_api")]
    largest_recording: u64,
    /// The key that MeetStream's API asks for; that of Meeting BaaS asks for the one that the stack has
    #[arg(
        long,
        value_name = "KEY",
        env = "ROLLCALL_MEETSTREAM_API_KEY",
        hide_env_values = true,
        requires = "serve_api"
    )]
    meetstream_api_key: Option<String>,
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
    /// Carries the command out.
    ///
    /// # Errors
    /// When something accepted is not accounted for, or nothing could be played.
    pub async fn run(self, place: &Place, look: Look) -> Result<(), Failure> {
        let stack = place.open().await?;
        let keyring = stack.keyring().await?;
        let receiver = self.receiver(&keyring)?;
        let seed = self.seed.unwrap_or_else(|| fastrand::u64(..1_000_000));
        let simulator = self.simulator(&keyring, seed).await?;
        let bots: Vec<Bot> =
            self.fleet(&receiver, seed).plans().into_iter().map(|plan| simulator.add_bot(plan)).collect();
        screen::remark(&self.announcement(&stack, &receiver, seed));
        if self.serve_api.is_some() {
            screen::remark(&served(&simulator));
        }
        let client = Client::new(&stack.aws.config);
        let player = Player { receiver, knobs: self.webhooks(), seed, in_real_time: true };
        let mut live = Live::new(look);
        let table = Table { client: &client, stack: &stack };
        let sent = play(table, &player, &bots, &mut live).await?;
        let accounts = settle(table, &bots, sent, Duration::from_secs(self.wait), &mut live).await?;
        live.end();
        let findings = Findings::of(&accounts);
        if self.json {
            screen::print(&escape::json(&findings).map_err(|error| Failure::new(error.to_string()))?)?;
        } else {
            screen::print(&summary::render(&findings, look))?;
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

    async fn simulator(&self, keyring: &Keyring<'_>, seed: u64) -> Result<Simulator, Failure> {
        let usual = Knobs::default();
        let meetingbaas_key = keyring.credential(Endpoint::MeetingBaasV1).map(|Secret(key)| key);
        let knobs = Knobs {
            seed,
            webhooks: self.webhooks(),
            meetstream_key: self.meetstream_api_key.clone().unwrap_or(usual.meetstream_key),
            meetingbaas_key: meetingbaas_key.unwrap_or(usual.meetingbaas_key),
            ..Knobs::default()
        };
        let port = self.serve_api.unwrap_or(0);
        Simulator::start_on(port, knobs).await.map_err(|error| {
            let ports = if port == 0 { String::new() } else { format!(" on ports {port} and {}", port + 1) };
            Failure::new(format!("the APIs cannot be served{ports}: {error}"))
                .help("--serve-api PORT takes another one")
        })
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
