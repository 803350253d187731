//! What can be typed.

use crate::{
    artifacts::Artifacts,
    delete::Delete,
    dlq::Dlq,
    doctor::Doctor,
    failure::Failure,
    screen::Style,
    send::Send,
    sessions::Sessions,
    set_aside::{Action, SpoolAction},
    settings::Settings,
    simulate::Simulate,
    stack::StackArgs,
    status::Status,
    timeline::Timeline,
    transcript::PrintTranscript,
    urls::Urls,
};
use clap::{ArgMatches, CommandFactory as _, FromArgMatches as _, Parser, Subcommand, parser::ValueSource};
use shared::bucket::Folder;

/// Rollcall receives the webhooks of meeting bots and accounts for every one of them.
///
/// This command sends deliveries as a provider would, shows what became of them, puts back what was set aside, and deletes a
/// bot's data. Without flags it works on the stack that `make up` started in this checkout; with --stack NAME on the one that
/// `make deploy` put on AWS. Lists are tables on a terminal, and tab-separated lines without a header elsewhere.
#[derive(Parser, Clone, Debug)]
#[command(
    name = "rollcall",
    version,
    propagate_version = true,
    disable_help_subcommand = true,
    after_help = "\
Examples:
  rollcall send meeting --serve-api              play a meeting through the local stack
  rollcall timeline meetstream <BOT ID>          see what became of it
  rollcall status                                what is waiting, and what was set aside
  rollcall send meeting --as meetingbaas-v2      the same from Meeting BaaS
  rollcall transcript meetstream <BOT ID>        read what was said
  rollcall artifacts meetstream <BOT ID>         what is stored of it, and where
  rollcall simulate --bots 40 --duplicate 0.1    play many at once, and count what became of them
  rollcall sessions --state in_call              which bots are in a meeting?
  rollcall parked replay --all --wait            put back what failed, once the cause is repaired
  rollcall urls --stack rollcall --region eu-central-1
  rollcall doctor --stack rollcall               is the deployment as it should be?

Exit codes: 0 done, 1 failed, 2 cannot be done as asked, 3 not found."
)]
pub struct Rollcall {
    #[command(flatten)]
    stack_args: StackArgs,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand, Clone, Debug)]
enum Command {
    /// Send deliveries as MeetStream or Meeting BaaS would, proved with the stack's own credentials
    #[command(subcommand)]
    Send(Box<Send>),
    Simulate(Box<Simulate>),
    Timeline(Timeline),
    Transcript(PrintTranscript),
    Artifacts(Artifacts),
    Delete(Delete),
    Sessions(Sessions),
    Status(Status),
    /// Deliveries that failed on every try: list them, look at them, put them back
    ///
    /// After about three hours of retries a delivery is parked with its bytes, and its bot's session lists it as missing (see
    /// `rollcall timeline`). When the cause is repaired, put it back: it is processed like any other and is missing no longer.
    #[command(
        subcommand,
        after_help = "\
Examples:
  rollcall parked list
  rollcall parked replay --all --dry-run
  rollcall parked replay --bot meetstream 7c1e4a92 --wait
  rollcall parked replay --reason store_unavailable"
    )]
    Parked(Action),
    /// Deliveries that cannot be read: list them, look at them, put them back
    ///
    /// They are authentic, were answered 200, and have no effect. Put them back once a version is deployed that can read them;
    /// before that they are quarantined again.
    #[command(
        subcommand,
        after_help = "\
Examples:
  rollcall quarantine list --reason no_event_name
  rollcall quarantine show 5f0c2a9e-…
  rollcall quarantine show 5f0c2a9e-… --raw > events/provider/meetstream/new.json
  rollcall quarantine replay --reason no_event_name --wait"
    )]
    Quarantine(Action),
    Dlq(Dlq),
    /// Deliveries that the queue refused: list them, put them into the queue
    ///
    /// The sweep does the same every fifth minute. This is for when it does not run.
    #[command(
        subcommand,
        after_help = "\
Examples:
  rollcall spool list
  rollcall spool drain --all"
    )]
    Spool(SpoolAction),
    Urls(Urls),
    /// Check the functions' settings before a deploy
    ///
    /// AWS deploys a version of a function whether or not that version can start. `make deploy` therefore asks this command first,
    /// which reads the settings with the code that the functions start with.
    #[command(subcommand)]
    Settings(Settings),
    Doctor(Doctor),
}

impl Rollcall {
    /// What was typed. Ends the process where that cannot be understood.
    pub fn typed() -> Self {
        let matches = Self::command().get_matches();
        Self::of(&matches).unwrap_or_else(|error| error.exit())
    }

    fn of(matches: &ArgMatches) -> Result<Self, clap::Error> {
        // In the environment --outputs is a default for commands without --stack, so clap itself must not call that a conflict.
        let is_typed = |name| matches.value_source(name) == Some(ValueSource::CommandLine);
        if is_typed("stack") && is_typed("outputs") {
            let told = "--stack names a stack on AWS and --outputs a local one: leave out one of them";
            return Err(Self::command().error(clap::error::ErrorKind::ArgumentConflict, told));
        }
        Self::from_arg_matches(matches)
    }

    pub async fn run(self, style: Style) -> Result<(), Failure> {
        match self.command {
            Command::Send(send) => send.run(&self.stack_args, style).await,
            Command::Simulate(simulate) => simulate.run(&self.stack_args, style).await,
            Command::Timeline(timeline) => timeline.run(&self.stack_args, style).await,
            Command::Transcript(transcript) => transcript.run(&self.stack_args).await,
            Command::Artifacts(artifacts) => artifacts.run(&self.stack_args, style).await,
            Command::Delete(delete) => delete.run(&self.stack_args, style).await,
            Command::Sessions(sessions) => sessions.run(&self.stack_args, style).await,
            Command::Status(status) => status.run(&self.stack_args, style).await,
            Command::Parked(action) => action.run(Folder::Parked, &self.stack_args, style).await,
            Command::Quarantine(action) => action.run(Folder::Quarantine, &self.stack_args, style).await,
            Command::Dlq(dlq) => dlq.run(&self.stack_args, style).await,
            Command::Spool(spool) => spool.run(&self.stack_args, style).await,
            Command::Urls(urls) => urls.run(&self.stack_args, style).await,
            Command::Settings(settings) => settings.run(),
            Command::Doctor(doctor) => doctor.run(&self.stack_args, style).await,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::error::ErrorKind;

    #[test]
    fn the_command_line_is_consistent() {
        Rollcall::command().debug_assert();
    }

    #[track_caller]
    fn check(line: &str, expected: Option<ErrorKind>) {
        let matches = Rollcall::command().try_get_matches_from(line.split_whitespace());
        let parsed = matches.and_then(|matches| Rollcall::of(&matches));
        assert_eq!(parsed.err().map(|error| error.kind()), expected, "{line}");
    }

    #[test]
    fn command_lines_are_read() {
        use ErrorKind as E;
        check("rollcall send event bot.kicked --bot-id b --era bot-event --repeat 2 --curl", None);
        check("rollcall send event --body - --callback", None);
        check("rollcall send event --forge bot.done --url http://h --secret s", None);
        check("rollcall send event", Some(E::MissingRequiredArgument));
        check("rollcall send event bot.done --body x", Some(E::ArgumentConflict));
        check("rollcall send event bot.done --timestamp x --no-timestamp", Some(E::ArgumentConflict));
        check("rollcall send event bot.done --attributes []", Some(E::ValueValidation));
        check("rollcall send event bot.done --repeat 0", Some(E::ValueValidation));
        check("rollcall send meeting --outcome not_admitted --deletion --shuffle --duplicates", None);
        check("rollcall send meeting --outcome unknown", Some(E::InvalidValue));
        check("rollcall send event joining_call --as meetingbaas-v2 --repeat 2 --forge --curl", None);
        check("rollcall send event bot.failed --as meetingbaas-callback --method put --error-code X", None);
        check("rollcall send meeting --as meetingbaas-legacy --outcome denied", None);
        check("rollcall send meeting --as zoom", Some(E::InvalidValue));
        check("rollcall send event --body x --calendar-id c", Some(E::ArgumentConflict));
        check("rollcall timeline meetstream b --json --wait done --timeout 5", None);
        check("rollcall timeline meetstream -- -b", None);
        check("rollcall timeline b", None);
        check("rollcall timeline", Some(E::MissingRequiredArgument));
        check("rollcall timeline meetingbaas --calendar c --json", None);
        check("rollcall timeline meetingbaas c --calendar --wait done", Some(E::ArgumentConflict));
        check("rollcall transcript meetingbaas b --vtt", None);
        check("rollcall transcript meetstream b --json --srt", Some(E::ArgumentConflict));
        check("rollcall transcript meetstream b --wait --timeout 5", None);
        check("rollcall transcript b --timeout 5", Some(E::MissingRequiredArgument));
        check("rollcall transcript", Some(E::MissingRequiredArgument));
        check("rollcall artifacts", None);
        check("rollcall artifacts meetingbaas --days 7 --limit 5 --json", None);
        check("rollcall artifacts meetstream b --kind video --kind audio --download x", None);
        check("rollcall artifacts --download x", Some(E::MissingRequiredArgument));
        check("rollcall artifacts meetstream b c", Some(E::UnknownArgument));
        check("rollcall artifacts meetstream b --kind manifest", Some(E::InvalidValue));
        check("rollcall delete meetstream b --yes --wait --timeout 5", None);
        check("rollcall delete meetstream b --dry-run", None);
        check("rollcall delete meetingbaas --calendar c --json", None);
        check("rollcall delete", Some(E::MissingRequiredArgument));
        check("rollcall delete meetstream b --dry-run --wait", Some(E::ArgumentConflict));
        check("rollcall delete meetstream b --timeout 5", Some(E::MissingRequiredArgument));
        check("rollcall timeline meetstream b --wait over", Some(E::InvalidValue));
        check("rollcall timeline meetstream b --timeout 5", Some(E::MissingRequiredArgument));
        check(
            "rollcall sessions meetingbaas --state in_call --attribute a=b --days 3 --limit 5 --json --stack s --region r --profile p",
            None,
        );
        check("rollcall sessions --attribute a", Some(E::ValueValidation));
        check("rollcall status --json", None);
        check("rollcall urls --stack s --outputs f", Some(E::ArgumentConflict));
        check("rollcall --outputs f urls --stack s", Some(E::ArgumentConflict));
        check("rollcall send event bot.done --bot-id= --json", Some(E::InvalidValue));
        check("rollcall send event bot.done --curl --json", Some(E::ArgumentConflict));
        check("rollcall send meeting --json", None);
        check(
            "rollcall simulate --bots 3 --drop 0.1 --duplicate 1 --reorder 0 --seed 7 --providers meetstream,meetingbaas",
            None,
        );
        check("rollcall simulate --routes meetingbaas-v1,meetstream-callback --serve-api 4800 --stay --json", None);
        check("rollcall simulate --drop 1.1", Some(E::ValueValidation));
        check("rollcall simulate --routes meetingbaas-legacy", Some(E::InvalidValue));
        check("rollcall simulate --providers meetstream --routes meetstream", Some(E::ArgumentConflict));
        check("rollcall simulate --api-faults 0.4 --sweep-every 3 --stay", None);
        check("rollcall simulate --without-api --stay", Some(E::ArgumentConflict));
        check("rollcall send meeting --bot-id b --serve-api", None);
        check("rollcall send meeting --serve-api --url http://h --secret s", Some(E::ArgumentConflict));
        check("rollcall --stack s urls", None);
        check("rollcall doctor --quick --ring --json --only alarms --only front.applied --stack s", None);
        check("rollcall doctor --only nothing", Some(E::ValueValidation));
        check("rollcall settings check --json", None);
        check("rollcall settings write", Some(E::InvalidSubcommand));
        for folder in ["parked", "quarantine"] {
            check(&format!("rollcall {folder} list --bot meetstream -b --reason r --limit 5 --json"), None);
            check(&format!("rollcall {folder} show k --raw"), None);
            check(&format!("rollcall {folder} show"), Some(E::MissingRequiredArgument));
            check(&format!("rollcall {folder} replay --all --dry-run"), None);
            check(&format!("rollcall {folder} replay --key a --key b --wait --timeout 5"), None);
            check(&format!("rollcall {folder} replay --calendar meetingbaas c --reason r"), None);
            check(&format!("rollcall {folder} replay"), Some(E::MissingRequiredArgument));
            check(&format!("rollcall {folder} replay --dry-run"), Some(E::MissingRequiredArgument));
            check(&format!("rollcall {folder} replay --all --reason r"), Some(E::ArgumentConflict));
            check(&format!("rollcall {folder} replay --key k --bot meetstream b"), Some(E::ArgumentConflict));
            check(&format!("rollcall {folder} replay --bot meetstream"), Some(E::WrongNumberOfValues));
            check(&format!("rollcall {folder} replay --all --dry-run --wait"), Some(E::ArgumentConflict));
        }
        check("rollcall spool list --json", None);
        check("rollcall spool drain --all", None);
        check("rollcall spool drain", Some(E::MissingRequiredArgument));
        check("rollcall dlq list --commands --json", None);
        check("rollcall dlq --commands replay --all", None);
        check("rollcall dlq show m --raw", None);
        check("rollcall dlq replay --id a --id b --wait", None);
        check("rollcall dlq replay --bot meetstream b --dry-run", None);
        check("rollcall dlq replay", Some(E::MissingRequiredArgument));
        check("rollcall dlq replay --commands", Some(E::MissingRequiredArgument));
        check("rollcall dlq replay --all --id m", Some(E::ArgumentConflict));
        check("rollcall --outputs x", Some(E::MissingSubcommand));
    }
}
