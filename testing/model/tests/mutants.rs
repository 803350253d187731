//! Each mistake in the protocol is found: by which property, in which world, and in how many steps.

use anyhow::{Context as _, Result, bail, ensure};
use model::{check, mutation::Mutation, worlds};

/// A test for each mistake, and a list of all that have one.
macro_rules! found {
    ($($test:ident: $mutation:ident in $world:literal breaks $property:literal;)*) => {
        $(#[test]
        fn $test() -> Result<()> {
            find(Mutation::$mutation, $world, $property)
        })*

        const FOUND: &[Mutation] = &[$(Mutation::$mutation),*];
    };
}

fn find(mutation: Mutation, world: &str, property: &str) -> Result<()> {
    let world = worlds::small().into_iter().find(|known| known.name == world).context("no world has this name")?;
    let found = check::shortest(world.with(mutation));
    let Some((violated, steps)) = found.violation else {
        bail!("{mutation:?} is not found in {} states", found.states);
    };
    eprintln!("{mutation:?}: {violated}, shown by {} steps; {} states were seen", steps.len(), found.states);
    ensure!(violated == property, "{mutation:?} breaks another property, {violated}: {steps:#?}");
    Ok(())
}

#[test]
fn every_mistake_has_a_test() {
    assert_eq!(FOUND, Mutation::ALL);
}

found! {
    acknowledge_before_enqueue: AcknowledgeBeforeEnqueue in "failing" breaks "nothing acknowledged is lost";
    spool_without_waiting: SpoolWithoutWaiting in "failing" breaks "nothing acknowledged is lost";
    claim_without_body: ClaimWithoutBody in "large" breaks "nothing acknowledged is lost";
    one_group_for_both_trusts: OneGroupForBothTrusts in "failing" breaks "a record holds up its own group only";
    visibility_shorter_than_invocation: VisibilityShorterThanInvocation in "failing" breaks "a group is with one invocation at a time";
    sweep_removes_first: SweepRemovesFirst in "large" breaks "nothing acknowledged is lost";
    sweep_forgets_jobs: SweepForgetsJobs in "failing" breaks "every wait ends";
    publish_after_save: PublishAfterSave in "failing" breaks "what took effect was published";
    mark_before_change: MarkBeforeChange in "failing" breaks "a session is what its deliveries make of it";
    overwrite_what_others_saved: OverwriteWhatOthersSaved in "failing" breaks "nothing acknowledged is lost";
    last_one_wins: LastOneWins in "failing" breaks "a session is what its deliveries make of it";
    forget_the_failed_group: ForgetTheFailedGroup in "neighbours" breaks "nothing acknowledged is lost";
    fail_the_whole_batch: FailTheWholeBatch in "failing" breaks "a record holds up its own group only";
    park_without_bytes: ParkWithoutBytes in "failing" breaks "nothing acknowledged is lost";
    quarantine_without_bytes: QuarantineWithoutBytes in "unreadable" breaks "nothing acknowledged is lost";
    keep_the_missing: KeepTheMissing in "failing" breaks "a session misses only what is missing";
    remove_the_claim_on_reading: RemoveTheClaimOnReading in "large" breaks "nothing acknowledged is lost";
    fetch_without_looking: FetchWithoutLooking in "gone" breaks "a fetch leaves nothing of an erased bot behind";
    fetch_does_not_look_again: FetchDoesNotLookAgain in "gone" breaks "a fetch leaves nothing of an erased bot behind";
    give_up_at_the_first_setback: GiveUpAtTheFirstSetback in "runs" breaks "what a signature announces is fetched";
    unverified_time_hides_verified: UnverifiedTimeHidesVerified in "claims" breaks "what a signature announces is fetched";
    older_copy_replaces_newer: OlderCopyReplacesNewer in "runs" breaks "what a signature announces is fetched";
    not_found_proves_deletion: NotFoundProvesDeletion in "forged" breaks "only a deletion that is proved erases";
    erase_once: EraseOnce in "gone" breaks "data.deleted is told after the erasure";
    erase_again_at_once: EraseAgainAtOnce in "gone" breaks "data.deleted is told after the erasure";
    erase_forgets_the_unverified_group: EraseForgetsTheUnverifiedGroup in "bytes" breaks "nothing of an erased bot survives";
    kept_bytes_of_the_erased: KeptBytesOfTheErased in "bytes" breaks "nothing of an erased bot survives";
    kept_bytes_unnoticed: KeptBytesUnnoticed in "late" breaks "nothing of an erased bot survives";
    earlier_tries_forgotten: EarlierTriesForgotten in "late" breaks "nothing of an erased bot survives";
    erasure_settles_what_came_later: ErasureSettlesWhatCameLater in "bytes" breaks "nothing of an erased bot survives";
    deleted_told_at_once: DeletedToldAtOnce in "deletion" breaks "data.deleted is told after the erasure";
    replay_removes_first: ReplayRemovesFirst in "failing" breaks "nothing acknowledged is lost";
    replay_removes_the_old_key: ReplayRemovesTheOldKey in "failing" breaks "nothing acknowledged is lost";
    replay_under_the_old_dedup_id: ReplayUnderTheOldDedupId in "failing" breaks "nothing acknowledged is lost";
    dead_letter_consumed: DeadLetterConsumed in "killing" breaks "nothing acknowledged is lost";
    unverified_sent_at_once: UnverifiedSentAtOnce in "strangers" breaks "strangers have few asked after in a minute";
    sweep_sends_for_all_strangers: SweepSendsForAllStrangers in "strangers" breaks "strangers have few asked after in a minute";
    asked_while_it_rests: AskedWhileItRests in "runs" breaks "a provider that rests is not asked";
    given_up_while_it_rests: GivenUpWhileItRests in "runs" breaks "what a signature announces is fetched";
    refetch_wants_nothing_new: RefetchWantsNothingNew in "again" breaks "what a person wants again is fetched";
}
