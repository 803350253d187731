//! `make cost`, and the measured part of `docs/COST.md`: what it costs today, with the reader's own numbers, and at the least.

use crate::bars::figure;
use crate::bill::{Setup, Usage, dashboard, floor_of_a_month, front_per_million, idle_month, number, per_million};
use crate::cost::{self, WEBHOOKS_OF_A_MEETING, Yours};
use crate::levers;
use crate::prices::{Amount, Line, Prices, total};
use crate::report::table;
use anyhow::Result;

/// Everything, in Markdown.
///
/// # Errors
/// If something is missing.
pub fn markdown(usages: &[Usage], yours: &Yours) -> Result<String> {
    let page = Page {
        usages,
        prices: cost::prices()?,
        today: cost::setup(&Yours::of_the_template())?,
        yours: cost::setup(yours)?,
    };
    Ok([
        page.meetings(yours.meetings)?,
        page.setups(),
        page.webhooks()?,
        "By traffic, all of it with everything as in the template:".to_owned(),
        page.traffic()?,
        "Fixed, for a month without any webhook:".to_owned(),
        page.fixed()?,
        "Levers, and what they save:".to_owned(),
        page.levers()?,
        page.measured(),
    ]
    .join("\n\n"))
}

struct Page<'a> {
    usages: &'a [Usage],
    prices: Prices,
    /// As the template sets it up.
    today: Setup,
    /// With the reader's own numbers.
    yours: Setup,
}

impl Page<'_> {
    /// The answer to how much so many meetings a month are.
    fn meetings(&self, meetings: u32) -> Result<String> {
        let webhooks = f64::from(meetings) * f64::from(WEBHOOKS_OF_A_MEETING);
        let (low, _) = cost::low_and_full(self.usages)?;
        let traffic = per_million(low, &self.yours).into_iter().map(|line| line.times(webhooks / 1e6));
        let month: Vec<Line> = idle_month(cost::idle()?, &self.yours).into_iter().chain(traffic).collect();
        Ok(format!(
            "**{} meetings a month, which are {} webhooks: ${:.2} at list price, ${:.2} in an account that uses nothing else.**",
            grouped(meetings),
            grouped(meetings.saturating_mul(WEBHOOKS_OF_A_MEETING)),
            total(&self.prices.at_list_price(&month)?),
            total(&self.prices.within_free_tiers(&month)?),
        ))
    }

    fn setups(&self) -> String {
        let pages: Vec<&str> = self.prices.pages().into_iter().collect();
        let mut text = format!(
            "Prices of {} as of {}, by AWS's pages {}. \"Today\" is the template's defaults: {}.",
            self.prices.region,
            self.prices.date,
            pages.iter().map(|page| format!("\"{page}\"")).collect::<Vec<_>>().join(", "),
            described(&self.today),
        );
        if self.yours != self.today {
            text.push_str(&format!(" \"Yours\" is {}.", described(&self.yours)));
        }
        text
    }

    /// A million webhooks: today, with the reader's numbers, and the floor.
    fn webhooks(&self) -> Result<String> {
        let (low, full) = cost::low_and_full(self.usages)?;
        let mut columns = Vec::new();
        for usage in [low, full] {
            let floor = per_million(&usage.floor(), &Setup::floor());
            for lines in [per_million(usage, &self.today), per_million(usage, &self.yours), floor] {
                columns.push(self.prices.at_list_price(&lines)?);
            }
        }
        let head =
            ["$ for a million webhooks", "low: today", "yours", "floor", "full batches: today", "yours", "floor"];
        Ok(table(&head, &rows(&columns)))
    }

    fn traffic(&self) -> Result<String> {
        let mut rows = Vec::new();
        for usage in self.usages {
            let sum = total(&self.prices.at_list_price(&per_million(usage, &self.today))?);
            rows.push(vec![usage.name.clone(), dollars(sum)]);
        }
        let front = total(&self.prices.at_list_price(&front_per_million())?);
        rows.push(vec!["with the optional front (`make front`), beside that".to_owned(), dollars(front)]);
        Ok(table(&["", "$ for a million webhooks"], &rows))
    }

    fn fixed(&self) -> Result<String> {
        let idle = cost::idle()?;
        let (today, yours) = (idle_month(idle, &self.today), idle_month(idle, &self.yours));
        let columns = [
            self.prices.at_list_price(&today)?,
            self.prices.at_list_price(&yours)?,
            self.prices.at_list_price(&floor_of_a_month(idle))?,
            self.prices.within_free_tiers(&today)?,
        ];
        let mut rows = rows(&columns);
        let list = dollars(total(&self.prices.at_list_price(&dashboard())?));
        let free = dollars(total(&self.prices.within_free_tiers(&dashboard())?));
        let name = "beside that, where the account has three others: the dashboard".to_owned();
        rows.push(vec![name, list.clone(), list, dollars(0.0), free]);
        Ok(table(&["", "list price: today", "yours", "floor", "within the free tiers: today"], &rows))
    }

    fn levers(&self) -> Result<String> {
        let mut rows = Vec::new();
        for lever in levers::all() {
            let saving = lever.saves(self.usages, &self.yours, &self.prices)?;
            let amounts = [saving.low, saving.full, saving.month].map(|amount| format!("${amount:.3}"));
            rows.push([vec![lever.set], amounts.to_vec(), vec![lever.gives_up.to_owned()]].concat());
        }
        Ok(table(&["lever", "a million, low", "a million, full batches", "a month", "what it gives up"], &rows))
    }

    fn measured(&self) -> String {
        let row = |name: &str, of: &dyn Fn(&Usage) -> f64| {
            let mut row = vec![name.to_owned()];
            row.extend(self.usages.iter().map(|usage| figure(of(usage))));
            row
        };
        let calls = |usage: &Usage, name: &str| {
            usage.process.per_delivery(number(usage.process.calls.get(name).copied().unwrap_or(0)))
        };
        let rows = [
            row("invocations of process", &|usage| usage.process.per_delivery(number(usage.process.invocations))),
            row("reads of a session", &|usage| calls(usage, "GetItem")),
            row("writes", &|usage| calls(usage, "PutItem")),
            row("write units, without indexes", &|usage| usage.process.per_delivery(number(usage.process.writes))),
            row("write units of indexes", &|usage| usage.process.per_delivery(number(usage.process.index_writes))),
            row("read units", &|usage| usage.process.per_delivery(number(usage.process.half_reads) / 2.0)),
            row("events published", &|usage| usage.process.per_delivery(number(usage.process.events.values().sum()))),
            row("log bytes of ingest", &|usage| usage.ingest.per_delivery(number(usage.ingest.log_bytes))),
            row("log bytes of process", &|usage| usage.process.per_delivery(number(usage.process.log_bytes))),
            row("ms of ingest, calls of 5 ms", &|usage| usage.ingest.per_delivery(usage.ingest.seconds) * 1e3),
            row("ms of process, calls of 5 ms", &|usage| usage.process.per_delivery(usage.process.seconds) * 1e3),
            row("bytes left in the table", &|usage| usage.stored_bytes),
        ];
        table(&["measured for one webhook", "low", "medium", "high", "high, talking"], &rows)
    }
}

/// One row for each line that is on any of the bills, and their sums. What comes to less than half a cent everywhere is left out.
fn rows(bills: &[Vec<Amount>]) -> Vec<Vec<String>> {
    let mut names: Vec<&str> = Vec::new();
    for (name, _) in bills.iter().flatten() {
        if !names.contains(name) {
            names.push(name);
        }
    }
    let of = |bill: &[Amount], name: &str| bill.iter().find(|(its, _)| *its == name).map_or(0.0, |(_, amount)| *amount);
    let mut rows = Vec::new();
    for name in names {
        let amounts: Vec<f64> = bills.iter().map(|bill| of(bill, name)).collect();
        if amounts.iter().any(|amount| *amount >= 0.005) || name.starts_with("Saved queries") {
            rows.push([vec![name.to_owned()], amounts.into_iter().map(dollars).collect()].concat());
        }
    }
    let sums = bills.iter().map(|bill| dollars(total(bill)));
    rows.push([vec!["**sum**".to_owned()], sums.collect()].concat());
    rows
}

fn described(setup: &Setup) -> String {
    let Setup { ingest_memory_mb, process_memory_mb, log_retention_days, session_retention_days, .. } = setup;
    let arm = if setup.arm64 { "arm64" } else { "x86_64" };
    let published = match &setup.published {
        None => "everything published".to_owned(),
        Some(kinds) if kinds.is_empty() => "nothing published".to_owned(),
        Some(kinds) => format!("only {} published", kinds.iter().cloned().collect::<Vec<_>>().join(", ")),
    };
    format!(
        "ingest {ingest_memory_mb} MB, process {process_memory_mb} MB, {arm}, logs kept {log_retention_days} days, sessions \
         {session_retention_days}, {published}"
    )
}

fn dollars(amount: f64) -> String {
    format!("${amount:.2}")
}

/// A number with a comma before every three digits.
fn grouped(number: u32) -> String {
    let digits = number.to_string();
    let groups: Vec<_> = digits.as_bytes().rchunks(3).rev().filter_map(|group| str::from_utf8(group).ok()).collect();
    groups.join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(yours: &Yours) -> String {
        markdown(&cost::kept().unwrap(), yours).unwrap()
    }

    #[test]
    fn numbers_have_a_comma_before_every_three_digits() {
        assert_eq!([7, 999, 5_000, 1_234_567].map(grouped), ["7", "999", "5,000", "1,234,567"]);
    }

    #[test]
    fn so_many_meetings_are_answered_in_one_line() {
        let first = |meetings| {
            let text = written(&Yours { meetings, ..Yours::of_the_template() });
            text.lines().next().unwrap_or_default().to_owned()
        };
        assert!(first(5000).starts_with("**5,000 meetings a month, which are 60,000 webhooks: $"), "{}", first(5000));
        let cost = |meetings| -> f64 {
            let line = first(meetings);
            line.split('$').nth(1).unwrap().split(' ').next().unwrap().parse().unwrap()
        };
        // A million more webhooks are what the table says a million are.
        let low = cost::low_and_full(&cost::kept().unwrap()).map(|(low, _)| low.clone()).unwrap();
        let setup = cost::setup(&Yours::of_the_template()).unwrap();
        let million = total(&cost::prices().unwrap().at_list_price(&per_million(&low, &setup)).unwrap());
        assert!((cost(500_000) - cost(250_000) - 3.0 * million).abs() < 0.02);
    }

    #[test]
    fn the_readers_numbers_have_columns_of_their_own() {
        let today = written(&Yours::of_the_template());
        assert!(!today.contains("\"Yours\" is"), "{today}");
        let yours =
            Yours { published: Some(vec!["meeting.ended".to_owned()]), arm64: true, ..Yours::of_the_template() };
        let text = written(&yours);
        assert!(text.contains("\"Yours\" is ingest 256 MB, process 512 MB, arm64"), "{text}");
        let row = |name: &str| -> Vec<String> {
            let row = text.lines().find(|line| line.contains(name)).unwrap();
            row.split('|').map(|cell| cell.trim().to_owned()).filter(|cell| !cell.is_empty()).collect()
        };
        let events = row("EventBridge events");
        assert!(events[1] > events[2] && events[3] == "$0.00", "{events:?}");
    }
}
