//! What would make the bill smaller, by how much, and what is given up for it.

use crate::bill::{Setup, Usage, dashboard, idle_month, per_million};
use crate::cost::{self, LIMITED};
use crate::prices::{Line, Prices, total};
use anyhow::Result;

/// A setting that makes the bill smaller.
pub struct Lever {
    /// What is set, and to which value.
    pub set: String,
    /// What is given up.
    pub gives_up: &'static str,
    change: fn(&mut Setup),
    no_dashboard: bool,
}

/// What a lever saves, in dollars.
#[derive(Clone, Copy, Debug)]
pub struct Saving {
    /// For a million webhooks that come now and then.
    pub low: f64,
    /// For a million webhooks in full batches.
    pub full: f64,
    /// Each month, at list price, without any webhook.
    pub month: f64,
}

/// All levers that are parameters of the template.
#[must_use]
pub fn all() -> Vec<Lever> {
    let lever = |set: &str, gives_up, change| Lever { set: set.to_owned(), gives_up, change, no_dashboard: false };
    vec![
        lever(
            &format!("`PublishedKinds={}`", LIMITED.join(",")),
            "consumers do not hear of a bot's way into the meeting; its session and timeline have it all the same",
            |setup| setup.published = Some(cost::limited()),
        ),
        lever(
            "`SessionRetentionDays=30`",
            "timelines older than 30 days, and the recognition of duplicates of them",
            |setup| setup.session_retention_days = setup.session_retention_days.min(30.0),
        ),
        lever("`LogRetentionDays=7`", "queries over logs older than 7 days", |setup| {
            setup.log_retention_days = setup.log_retention_days.min(7.0);
        }),
        lever("`ARCH=arm64 make deploy`", "nothing; the binaries are built for another processor", |setup| {
            setup.arm64 = true;
        }),
        lever("`IngestMemoryMb=128`", "half of the processor: a body of 256 KB or more is answered later", |setup| {
            setup.ingest_memory_mb = setup.ingest_memory_mb.min(128.0)
        }),
        Lever {
            no_dashboard: true,
            ..lever(
                "`Dashboard=false`, where the account has three others",
                "the dashboard; alarms and saved queries stay",
                |_| {},
            )
        },
    ]
}

impl Lever {
    /// What it saves in a setup.
    ///
    /// # Errors
    /// If something is missing.
    pub fn saves(&self, usages: &[Usage], setup: &Setup, prices: &Prices) -> Result<Saving> {
        let mut changed = setup.clone();
        (self.change)(&mut changed);
        let difference = |before: Vec<Line>, after: Vec<Line>| {
            Ok::<_, anyhow::Error>(total(&prices.at_list_price(&before)?) - total(&prices.at_list_price(&after)?))
        };
        let (low, full) = cost::low_and_full(usages)?;
        let idle = cost::idle()?;
        let kept = if self.no_dashboard { Vec::new() } else { dashboard() };
        Ok(Saving {
            low: difference(per_million(low, setup), per_million(low, &changed))?,
            full: difference(per_million(full, setup), per_million(full, &changed))?,
            month: difference(
                [idle_month(idle, setup), dashboard()].concat(),
                [idle_month(idle, &changed), kept].concat(),
            )?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cost::Yours;
    use e2e::template::Template;

    #[test]
    fn every_lever_saves_something_and_is_a_setting_of_a_deploy() {
        let template = Template::load().unwrap();
        let (prices, usages) = (cost::prices().unwrap(), cost::kept().unwrap());
        let setup = cost::setup(&Yours::of_the_template()).unwrap();
        for lever in all() {
            let saving = lever.saves(&usages, &setup, &prices).unwrap();
            let (name, _) = lever.set.trim_start_matches('`').split_once('=').unwrap();
            let parameter = template.get(&format!("/Parameters/{name}/Type"));
            assert!(name == "ARCH" || parameter.is_string(), "{name} is no parameter of the template");
            assert!(saving.low > 0.0 || saving.month > 0.0, "{}: {saving:?}", lever.set);
            assert!(saving.low >= 0.0 && saving.full >= 0.0 && saving.month >= 0.0, "{}: {saving:?}", lever.set);
        }
    }
}
