//! What can only be found out by sending something: invented bots' deliveries, through the front door.

mod bodies;
mod door;
mod observe;
mod retry;
mod sender;

pub(super) use sender::{Front, could_not};

use super::finding::{Check, Finding};
use crate::{delete, failure::Failure, screen, words::many};
use shared::Provider;
use std::time::Duration;

/// How long the functions have to erase what was sent.
const ERASED_WITHIN: Duration = Duration::from_secs(90);

impl Front<'_> {
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
