//! `model`: checks every world and prints what it came to.

use anyhow::{Result, bail};
use clap::Parser;
use model::{check, mutation::Mutation, scenario::Scenario, worlds};
use std::{io::Write, time::Instant};

/// Check the protocol in every state that it can come to
#[derive(Parser, Debug)]
struct Arguments {
    /// The worlds that the tests check, instead of the large ones
    #[arg(long)]
    small: bool,
    /// This world alone
    #[arg(long)]
    world: Option<String>,
    /// How many threads
    #[arg(long, default_value_t = 2)]
    threads: usize,
    /// Do each thing wrong, one after the other, and say in which of the small worlds that is found
    #[arg(long)]
    mutants: bool,
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let worlds = if arguments.small || arguments.mutants { worlds::small() } else { worlds::large() };
    let named = |world: &Scenario| arguments.world.as_ref().is_none_or(|name| name == world.name);
    let worlds: Vec<_> = worlds.into_iter().filter(named).collect();
    if worlds.is_empty() {
        bail!("there is no such world");
    }
    if arguments.mutants { mutants(&worlds) } else { check_all(worlds, arguments.threads) }
}

fn check_all(worlds: Vec<Scenario>, threads: usize) -> Result<()> {
    let mut out = std::io::stdout().lock();
    let mut total = 0;
    for world in worlds {
        let (name, began) = (world.name, Instant::now());
        let checked = check::exhaustively(world, threads);
        total += checked.states;
        let seconds = began.elapsed().as_secs();
        let (states, depth) = (checked.states, checked.depth);
        writeln!(out, "{name:10} {states:>10} states, up to {depth} steps deep, in {seconds} s")?;
        if let Some((property, steps)) = checked.violation {
            for step in &steps {
                writeln!(out, "  {step:?}")?;
            }
            bail!("violated after {} steps: {property}", steps.len());
        }
    }
    writeln!(out, "{total} states, and every property holds in each")?;
    Ok(())
}

fn mutants(worlds: &[Scenario]) -> Result<()> {
    let mut out = std::io::stdout().lock();
    let mut missed = 0;
    for mutation in Mutation::ALL {
        let found = worlds.iter().find_map(|world| {
            let violation = check::shortest(world.clone().with(mutation)).violation;
            violation.map(|(property, steps)| (world.name, property, steps.len()))
        });
        match found {
            Some((world, property, steps)) => writeln!(out, "{mutation:?}: {property} ({world}, {steps} steps)")?,
            None => {
                missed += 1;
                writeln!(out, "{mutation:?}: NOT FOUND")?;
            }
        }
    }
    if missed > 0 { bail!("{missed} mistakes are not found") } else { Ok(()) }
}
