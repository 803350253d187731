//! Everything that there is at one moment: queues, bucket, table, who is at work, and what a person could say of it.

use crate::{
    scenario::{Bot, Delivery, Id, PerBot, Says, Scenario},
    session::{Session, StoredCopy},
    set::Set,
};

/// A message of the events queue.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Message {
    /// Which delivery it carries.
    pub id: Id,
    /// How often it was received.
    pub receives: u8,
}

/// What an invocation is about to do for one of its groups.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Phase {
    /// To read the next record, or the next few, and the session.
    Reading,
    /// To save what so many records make of the session; `is_stale` if somebody else saved it since it was read.
    Saving {
        /// How many.
        records: u8,
        /// Whether it would conflict.
        is_stale: bool,
    },
    /// To publish what it saved. Only a mistake comes here.
    Telling {
        /// Of how many records.
        records: u8,
    },
    /// To keep the bytes of a record on its last receive.
    Parking,
    /// To note in the session that it is missing.
    Marking,
    /// To note beside the session what was quarantined.
    Noting,
    /// Nothing: what is not done is to be reported as failed.
    Over,
}

/// One group of an invocation's batch.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Run {
    /// Its records, in order.
    pub messages: Vec<Message>,
    /// How many of them have met their end.
    pub done: u8,
    /// What comes next.
    pub phase: Phase,
    /// Whether one of them was parked.
    pub has_parked: bool,
    /// Whether it was under way when its bot was erased for the first time.
    pub is_old: bool,
}

impl Run {
    /// The records that have not met their end.
    pub(crate) fn rest(&self) -> &[Message] {
        self.messages.get(usize::from(self.done)..).unwrap_or_default()
    }

    pub(crate) fn goes_on(&mut self, records: u8) {
        self.done += records;
        self.phase = if self.rest().is_empty() { Phase::Over } else { Phase::Reading };
    }
}

/// One invocation for deliveries.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Invocation {
    /// Its groups.
    pub runs: Vec<Run>,
    /// Whether its messages became visible again while it was running.
    pub has_expired: bool,
}

/// What is to be done for a session apart from any delivery.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Job {
    Fetch,
    Confirm,
    Erase,
    EraseAgain,
    /// To tell the session of bytes that were kept when it could not be told.
    Note,
}

/// A command: what is to be done for whom.
pub type Command = (Bot, Job);

/// How far a command is that is being carried out.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Stage {
    /// The session was read, and the provider or the bucket is to be asked.
    Begun,
    /// A copy of this run is in the bucket, and the session is to be read again.
    Stored(u8),
    /// The bot was erased meanwhile, and the copy is to be removed.
    Undoing,
    /// The provider said whether the data is gone, and that is to be saved.
    Heard {
        /// Whether it is gone.
        is_gone: bool,
    },
    /// The artifacts are removed, and what was set aside is next.
    ArtifactsGone,
    /// What was set aside is removed, and what is beside the session is next.
    BytesGone,
    /// Everything is removed, and that is to be told and saved.
    AllGone,
}

/// An invocation that carries out a command, or the part of a sweep that erases.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Worker {
    /// What it does for whom.
    pub command: Command,
    /// The reason that it knows.
    pub trigger: u8,
    /// How far it is.
    pub at: Stage,
    /// Whether a message brought the command, which comes again if this fails.
    pub is_from_queue: bool,
    /// Whether it was under way when its bot was erased for the first time.
    pub is_old: bool,
}

/// Where a person takes something from.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Shelf {
    Parked,
    Quarantine,
    InHand,
    DeadLetters,
}

/// What a person's command is about to do with one delivery.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Replay {
    /// To remove the key from which it was taken in hand.
    TakingInHand(Shelf, Id),
    /// To send it.
    Sending(Shelf, Id),
    /// To remove what was sent.
    Removing(Shelf, Id),
}

impl Replay {
    /// Whether it has received a delivery's dead letter, which is invisible until it is deleted or comes back.
    pub(crate) fn has_letter(self, id: Id) -> bool {
        let (Self::TakingInHand(shelf, of) | Self::Sending(shelf, of) | Self::Removing(shelf, of)) = self;
        shelf == Shelf::DeadLetters && of == id
    }
}

/// Everything that there is.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub struct State {
    /// Deliveries that their sender has sent.
    pub sent: Set,
    /// Those that were answered 200.
    pub acknowledged: Set,
    /// Those that the queue has taken under their accept id.
    pub was_queued: Set,
    /// The events queue: its groups in any fixed order, each in the order of its messages.
    pub queue: Vec<Message>,
    /// Who is at work on deliveries.
    pub invocations: Vec<Invocation>,
    /// The dead-letter queue.
    pub dead: Set,
    /// `spool/`.
    pub spool: Set,
    /// `claims/`.
    pub claims: Set,
    /// `parked/`.
    pub parked: Set,
    /// `quarantine/`.
    pub quarantined: Set,
    /// What persons have in hand, in the folder it was taken from.
    pub in_hand: Set,
    /// Runs of a bot's transcript in the bucket.
    pub artifacts: PerBot<Set>,
    /// Deliveries that are on record beside a session.
    pub beside: Set,
    /// Those of them that were recorded with somebody's words.
    pub worded: Set,
    /// The table.
    pub sessions: PerBot<Session>,
    /// The `commands` queue, which has no order.
    pub commands: Vec<Command>,
    /// Who carries out commands.
    pub workers: Vec<Worker>,
    /// What the sweep has sent and is about to remove.
    pub sweeping: Option<Id>,
    /// What a person is doing.
    pub replay: Option<Replay>,
    /// Bots of which commands were sent in this minute because of unverified deliveries alone.
    pub strangers: Set,
    /// Whether the provider is given a rest, because it failed a moment ago.
    pub is_resting: bool,
    /// Whether it was asked all the same.
    pub was_disturbed: bool,
    /// Bots whose transcript a person wants again, and that the provider had when that was said.
    pub wanted_again: Set,
    /// Whether a person has asked for one again.
    pub was_refetched: bool,
    /// The latest run of the transcript that the provider has made.
    pub made: PerBot<u8>,
    /// Deliveries whose effect was published.
    pub published: Set,
    /// Bots of which `data.deleted` was published.
    pub told_deleted: Set,
    /// Whether the bug is fixed.
    pub is_fixed: bool,
    /// Faults so far.
    pub faults: u8,
    /// Replays so far.
    pub replays: u8,
    /// Bots that a person has deleted.
    pub asked_to_delete: Set,
    /// Deliveries whose bytes an erasure has removed.
    pub erased: Set,
    /// Proper groups of which a record failed, or with which a process died.
    pub troubled: Set,
    /// Whether `data.deleted` was published while there was something left that it was said of.
    pub was_told_too_early: bool,
}

impl State {
    pub(crate) fn session(&self, bot: Bot) -> &Session {
        self.sessions.of(bot)
    }

    /// Changes a session, which everybody who has read it before will notice.
    pub(crate) fn save(&mut self, bot: Bot, scenario: &Scenario, change: impl FnOnce(&mut Session)) {
        change(self.sessions.of_mut(bot));
        for run in self.invocations.iter_mut().flat_map(|invocation| &mut invocation.runs) {
            let is_of_bot = run.messages.first().is_some_and(|message| scenario.delivery(message.id).bot == bot);
            if let (true, Phase::Saving { is_stale, .. }) = (is_of_bot, &mut run.phase) {
                *is_stale = true;
            }
        }
    }

    /// Puts a message at the end of its group.
    pub(crate) fn enqueue(&mut self, id: Id, scenario: &Scenario) {
        let group = scenario.group(id);
        let at = self.queue.partition_point(|message| scenario.group(message.id) <= group);
        self.queue.insert(at, Message { id, receives: 0 });
    }

    /// Gives messages back, to the front of their group and in their order. The queue gives up those that it has tried too often.
    pub(crate) fn give_back(&mut self, messages: &[Message], scenario: &Scenario) {
        for message in messages.iter().rev() {
            if message.receives >= scenario.dead_after {
                self.dead.insert(message.id);
                continue;
            }
            let group = scenario.group(message.id);
            let at = self.queue.partition_point(|other| scenario.group(other.id) < group);
            self.queue.insert(at, *message);
        }
    }

    /// Whether an invocation has messages of a group that are not visible.
    pub(crate) fn is_held(&self, group: u8, scenario: &Scenario) -> bool {
        let holding = self.invocations.iter().filter(|invocation| !invocation.has_expired);
        let mut held = holding.flat_map(|invocation| &invocation.runs).filter_map(|run| run.messages.first());
        held.any(|message| scenario.group(message.id) == group)
    }

    pub(crate) fn send(&mut self, command: Command) {
        self.commands.push(command);
    }

    /// What is left of a bot's data in table and bucket. Queues are no part of it: what is in them runs out by itself.
    #[must_use]
    pub fn remains(&self, bot: Bot, scenario: &Scenario) -> bool {
        let session = self.session(bot);
        session.has_words || session.copy != StoredCopy::None || !self.artifacts.of(bot).is_empty() || {
            let kept = self.parked.or(self.quarantined).or(self.in_hand).or(self.spool).or(self.claims).or(self.worded);
            !kept.and(scenario.of_bot(bot)).is_empty()
        }
    }

    /// Whether a fetch for the bot is under way, which may have stored something.
    #[must_use]
    pub fn is_fetching(&self, bot: Bot) -> bool {
        self.workers.iter().any(|worker| worker.command == (bot, Job::Fetch))
    }

    /// Whether nothing is under way and nothing is to be done that nobody was asked to do.
    #[must_use]
    pub fn is_quiet(&self, scenario: &Scenario) -> bool {
        let wants_nothing = |bot: &Bot| {
            let session = self.session(*bot);
            ![Job::Fetch, Job::Confirm, Job::Erase, Job::EraseAgain].into_iter().any(|job| session.wants(job))
        };
        self.sent == Set::of(scenario.ids())
            && self.queue.is_empty()
            && self.invocations.is_empty()
            && self.spool.is_empty()
            && self.commands.is_empty()
            && self.workers.is_empty()
            && self.sweeping.is_none()
            && self.replay.is_none()
            && Bot::ALL.iter().all(wants_nothing)
    }

    /// Whether what an acknowledged delivery said is somewhere: on its way, in effect, on record, or kept as bytes; or it was
    /// erased because its bot was deleted.
    #[must_use]
    pub fn is_accounted_for(&self, id: Id, scenario: &Scenario) -> bool {
        let Delivery { bot, is_large, says, .. } = scenario.delivery(id);
        let session = self.session(*bot);
        let has_ended = match says {
            Says::Gibberish => false,
            Says::Chat => self.beside.has(id),
            _ => session.applied.has(id) || self.beside.has(id),
        };
        let in_flight = self.invocations.iter().flat_map(|invocation| &invocation.runs);
        let is_carried = self.dead.has(id)
            || self.spool.has(id)
            || self.queue.iter().any(|message| message.id == id)
            || in_flight.flat_map(Run::rest).any(|message| message.id == id);
        has_ended
            || self.parked.has(id)
            || self.quarantined.has(id)
            || self.in_hand.has(id)
            || self.replay.is_some_and(|replay| replay.has_letter(id))
            || self.erased.has(id)
            || (is_carried && (!is_large || self.claims.has(id)))
    }
}
