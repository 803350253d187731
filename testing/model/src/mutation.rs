//! Mistakes that somebody might make in the protocol. Each has a test that sees it found (`tests/mutants.rs`).

/// One thing done wrong.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Mutation {
    /// The sender is answered 200 before the queue has confirmed its delivery.
    AcknowledgeBeforeEnqueue,
    /// When the queue refuses, the sender is answered 200 though the bucket has refused as well.
    SpoolWithoutWaiting,
    /// A body that is too large for the queue is not stored, and the claim to it is sent all the same.
    ClaimWithoutBody,
    /// Unverified deliveries of a bot share the message group of its verified ones.
    OneGroupForBothTrusts,
    /// A message becomes visible again while the invocation that has it is still running.
    VisibilityShorterThanInvocation,
    /// What is in the spool is removed before the queue has confirmed that it has it.
    SweepRemovesFirst,
    /// Nobody looks for intents whose command got lost.
    SweepForgetsJobs,
    /// Events are published after the session is saved.
    PublishAfterSave,
    /// A delivery is marked as seen in a write before the one that changes the session.
    MarkBeforeChange,
    /// A conflicting save counts as saved.
    OverwriteWhatOthersSaved,
    /// The end is the one that was heard of last.
    LastOneWins,
    /// Of a group that failed only the first record is reported.
    ForgetTheFailedGroup,
    /// One failing group fails the whole batch.
    FailTheWholeBatch,
    /// A record is parked without its bytes.
    ParkWithoutBytes,
    /// A record is quarantined without its bytes.
    QuarantineWithoutBytes,
    /// A parked delivery that has taken effect since is still shown as missing.
    KeepTheMissing,
    /// A large body is removed when it was read, before what it says is saved.
    RemoveTheClaimOnReading,
    /// A fetch is carried out without asking the session whether it is wanted.
    FetchWithoutLooking,
    /// A fetch does not read the session again when it has stored what it fetched.
    FetchDoesNotLookAgain,
    /// A fetch is given up at its first setback, as if it had been tried for a day.
    GiveUpAtTheFirstSetback,
    /// Which trigger of a fetch is the latest goes by the sender's clock alone, whoever sent it.
    UnverifiedTimeHidesVerified,
    /// What a slower fetch brings replaces what a later one has brought.
    OlderCopyReplacesNewer,
    /// A 404 proves a deletion that an unsigned delivery claims.
    NotFoundProvesDeletion,
    /// Everything is erased once, and not again after the longest fetch.
    EraseOnce,
    /// The second round of erasing does not wait for what was under way.
    EraseAgainAtOnce,
    /// Only the folders of the bot's verified group are erased.
    EraseForgetsTheUnverifiedGroup,
    /// Bytes that are set aside of an erased bot do not ask for another erasure.
    KeptBytesOfTheErased,
    /// Where the session cannot be told of bytes that were kept, nobody tells it later.
    KeptBytesUnnoticed,
    /// What an earlier try of a delivery may have kept is forgotten when a later one takes effect.
    EarlierTriesForgotten,
    /// An erasure also settles what was asked for while it was under way.
    ErasureSettlesWhatCameLater,
    /// `data.deleted` is published with the tombstone.
    DeletedToldAtOnce,
    /// A person's replay removes what it puts back before the queue has confirmed it.
    ReplayRemovesFirst,
    /// A person's replay removes the key that the delivery had, which it may have again by then.
    ReplayRemovesTheOldKey,
    /// A person's replay sends under the dedup id that the delivery had when it was accepted.
    ReplayUnderTheOldDedupId,
    /// A dead letter is deleted when it is looked at.
    DeadLetterConsumed,
    /// A command is sent at once for a job that rests on unverified deliveries alone.
    UnverifiedSentAtOnce,
    /// A sweep sends what rests on unverified deliveries alone for however many bots there are.
    SweepSendsForAllStrangers,
    /// A provider is asked although it failed a moment ago.
    AskedWhileItRests,
    /// A job that finds its provider resting is given up.
    GivenUpWhileItRests,
    /// What a person wants again is no new reason to fetch it.
    RefetchWantsNothingNew,
}

impl Mutation {
    /// Every mistake there is.
    pub const ALL: [Self; 40] = [
        Self::AcknowledgeBeforeEnqueue,
        Self::SpoolWithoutWaiting,
        Self::ClaimWithoutBody,
        Self::OneGroupForBothTrusts,
        Self::VisibilityShorterThanInvocation,
        Self::SweepRemovesFirst,
        Self::SweepForgetsJobs,
        Self::PublishAfterSave,
        Self::MarkBeforeChange,
        Self::OverwriteWhatOthersSaved,
        Self::LastOneWins,
        Self::ForgetTheFailedGroup,
        Self::FailTheWholeBatch,
        Self::ParkWithoutBytes,
        Self::QuarantineWithoutBytes,
        Self::KeepTheMissing,
        Self::RemoveTheClaimOnReading,
        Self::FetchWithoutLooking,
        Self::FetchDoesNotLookAgain,
        Self::GiveUpAtTheFirstSetback,
        Self::UnverifiedTimeHidesVerified,
        Self::OlderCopyReplacesNewer,
        Self::NotFoundProvesDeletion,
        Self::EraseOnce,
        Self::EraseAgainAtOnce,
        Self::EraseForgetsTheUnverifiedGroup,
        Self::KeptBytesOfTheErased,
        Self::KeptBytesUnnoticed,
        Self::EarlierTriesForgotten,
        Self::ErasureSettlesWhatCameLater,
        Self::DeletedToldAtOnce,
        Self::ReplayRemovesFirst,
        Self::ReplayRemovesTheOldKey,
        Self::ReplayUnderTheOldDedupId,
        Self::DeadLetterConsumed,
        Self::UnverifiedSentAtOnce,
        Self::SweepSendsForAllStrangers,
        Self::AskedWhileItRests,
        Self::GivenUpWhileItRests,
        Self::RefetchWantsNothingNew,
    ];
}
