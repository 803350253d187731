//! AWS's list prices and free tiers, from `testing/bench/prices.toml`, and what a bill comes to by them.

use anyhow::{Context, Result};
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// A line of a bill: so many units of something that has a price.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Line {
    /// What for. Lines of one name are shown as one.
    pub name: &'static str,
    /// The price's name in `testing/bench/prices.toml`.
    pub price: &'static str,
    /// How many units.
    pub units: f64,
}

impl Line {
    /// A line of a bill.
    #[must_use]
    pub fn new(name: &'static str, price: &'static str, units: f64) -> Self {
        Self { name, price, units }
    }

    /// So many times as much.
    #[must_use]
    pub fn times(self, factor: f64) -> Self {
        Self { units: self.units * factor, ..self }
    }
}

/// What something on a bill comes to, in dollars.
pub type Amount = (&'static str, f64);

/// AWS's list prices and free tiers.
#[derive(Clone, Debug, Deserialize)]
pub struct Prices {
    /// Of which region.
    pub region: String,
    /// As of when.
    pub date: String,
    price: BTreeMap<String, Price>,
    free: BTreeMap<String, Free>,
}

#[derive(Clone, Debug, Deserialize)]
struct Price {
    dollars: f64,
    per: f64,
    page: String,
}

/// What an account has for nothing in each month, of several prices together.
#[derive(Clone, Debug, Deserialize)]
struct Free {
    amount: f64,
    of: Vec<String>,
    page: String,
}

impl Prices {
    /// Reads the price list.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn load(path: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(path).with_context(|| format!("no prices in {}", path.display()))?;
        toml::from_str(&text).context("the price list cannot be read")
    }

    /// The pages of AWS that the prices and free tiers are from.
    #[must_use]
    pub fn pages(&self) -> BTreeSet<&str> {
        let prices = self.price.values().map(|price| price.page.as_str());
        prices.chain(self.free.values().map(|free| free.page.as_str())).collect()
    }

    /// A bill at list prices.
    ///
    /// # Errors
    /// If the price list lacks a price.
    pub fn at_list_price(&self, lines: &[Line]) -> Result<Vec<Amount>> {
        self.amounts(lines, |_| 1.0)
    }

    /// A bill in an account that uses nothing else: what is free each month is taken off.
    ///
    /// # Errors
    /// If the price list lacks a price.
    pub fn within_free_tiers(&self, lines: &[Line]) -> Result<Vec<Amount>> {
        self.amounts(lines, |price| {
            let Some(free) = self.free.values().find(|free| free.of.iter().any(|its| its == price)) else { return 1.0 };
            let together = lines.iter().filter(|line| free.of.iter().any(|its| its == line.price));
            let used: f64 = together.map(|line| line.units).sum();
            if used > free.amount { 1.0 - free.amount / used } else { 0.0 }
        })
    }

    fn amounts(&self, lines: &[Line], paid_share: impl Fn(&str) -> f64) -> Result<Vec<Amount>> {
        let mut amounts: Vec<Amount> = Vec::new();
        for line in lines {
            let price = self.price.get(line.price).with_context(|| format!("no price for {}", line.price))?;
            let dollars = line.units * price.dollars / price.per * paid_share(line.price);
            match amounts.iter_mut().find(|(name, _)| *name == line.name) {
                Some((_, sum)) => *sum += dollars,
                None => amounts.push((line.name, dollars)),
            }
        }
        Ok(amounts)
    }
}

/// The sum of a bill.
#[must_use]
pub fn total(amounts: &[Amount]) -> f64 {
    amounts.iter().map(|(_, dollars)| dollars).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn prices() -> Prices {
        Prices::load(&e2e::workspace().join("testing/bench/prices.toml")).unwrap()
    }

    #[test]
    fn every_price_and_free_tier_names_its_page_and_every_free_tier_its_prices() {
        let prices = prices();
        assert!(prices.pages().iter().all(|page| page.ends_with(" pricing") || page.contains(" pricing for ")));
        for (name, free) in &prices.free {
            assert!(free.of.iter().all(|price| prices.price.contains_key(price)), "{name}");
        }
    }

    #[test]
    fn lines_of_one_name_are_one_and_a_price_that_is_missing_is_said() {
        let lines =
            [Line::new("requests", "sqs_fifo_request", 2e6), Line::new("requests", "sqs_standard_request", 1e6)];
        assert_eq!(prices().at_list_price(&lines).unwrap(), [("requests", 1.4)]);
        let error = prices().at_list_price(&[Line::new("?", "of nothing", 1.0)]).unwrap_err();
        assert_eq!(error.to_string(), "no price for of nothing");
    }

    #[test]
    fn what_is_free_is_shared_by_all_that_it_is_free_for() {
        let requests = |fifo: f64, standard: f64| {
            let lines =
                [Line::new("fifo", "sqs_fifo_request", fifo), Line::new("standard", "sqs_standard_request", standard)];
            prices().within_free_tiers(&lines).unwrap()
        };
        assert_eq!(requests(0.6e6, 0.4e6), [("fifo", 0.0), ("standard", 0.0)], "a million of both");
        assert_eq!(requests(2e6, 2e6), [("fifo", 0.75), ("standard", 0.75 * 0.8)], "three quarters of both are paid");
        let write = [Line::new("write", "dynamodb_write_unit", 1e6)];
        assert_eq!(prices().within_free_tiers(&write).unwrap(), [("write", 0.625)], "none is free");
    }
}
