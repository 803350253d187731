//! The benchmark's command. `make bench`, `make cost` and `make test` call it.

use anyhow::{Context, Result, bail, ensure};
use bench::bars::Bar;
use bench::cost::Yours;
use bench::instructions::{self, Counted};
use bench::program::{Program, Valgrind};
use bench::results::{Exact, Results};
use bench::scale::Point;
use bench::sink::Sink;
use bench::{bill_page, chart, cost, events, exact, judge, pipeline, report, rounds, scale};
use clap::{Parser, Subcommand};
use e2e::workspace;
use std::io::Write;

/// How fast, how small and how dear the functions are
#[derive(Parser)]
struct Command {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    /// The bars that need neither Node nor Python, and nothing that load disturbs
    Bars,
    /// Only the programs side by side
    Side {
        /// How often every program is started
        #[arg(long, default_value_t = 3)]
        rounds: usize,
        /// Warm webhooks in each of its lives
        #[arg(long, default_value_t = 500)]
        warm: usize,
    },
    /// Everything: the table, the documents, the chart
    All {
        /// How often every program is started
        #[arg(long, default_value_t = 7)]
        rounds: usize,
        /// Warm webhooks in each of its lives
        #[arg(long, default_value_t = 500)]
        warm: usize,
        /// The largest backlog to drain
        #[arg(long, default_value_t = 100_000)]
        backlog: usize,
        /// How many forbidden crates the dependency trees have, as `make lint` counted
        #[arg(long)]
        forbidden: usize,
    },
    /// Where the instructions of a function go: `make profile` builds it with its symbols and calls this
    Profile {
        /// ingest, ingest-large, ingest-forged or process
        #[arg(default_value = "ingest")]
        function: String,
    },
    /// The bill for your own numbers, from what was measured last
    Cost {
        #[command(flatten)]
        yours: Yours,
        /// Write the table into docs/COST.md
        #[arg(long)]
        write: bool,
    },
    /// Measure what the bill is reckoned from, and write it into docs/COST.md
    Usage,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    match Command::parse().what {
        What::Bars => bars().await,
        What::Side { rounds, warm } => side(rounds, warm).await,
        What::All { rounds, warm, backlog, forbidden } => all(rounds, warm, backlog, forbidden).await,
        What::Profile { function } => profile(&function).await,
        What::Cost { yours, write } => bill(&yours, write),
        What::Usage => usage().await,
    }
}

/// Measures only what the bill is reckoned from, and writes the bill.
async fn usage() -> Result<()> {
    cost::keep(&cost::measure(&Sink::start().await?).await?)?;
    bill(&Yours::of_the_template(), true)
}

async fn bars() -> Result<()> {
    let sink = Sink::start().await?;
    let rows = rounds::rows(&sink, &[Program::Ingest], 7, 300).await?;
    let mut found = Exact { sizes: exact::sizes(&[Program::Ingest])?, ..Exact::default() };
    match Valgrind::find() {
        Some(valgrind) => {
            exact::instructions(&sink, &valgrind, &mut found).await?;
            exact::allocations(&sink, &valgrind, &mut found).await?;
        }
        None => say("!! SKIPPED: the bars on instructions, for there is no valgrind")?,
    }
    say(&report::exact(&found))?;
    let bars: Vec<_> = rows.iter().flat_map(|row| judge::alone(row, &found)).collect();
    verdict(&bars)
}

async fn profile(function: &str) -> Result<()> {
    let valgrind = Valgrind::find().context("there is no valgrind")?;
    let sink = Sink::start().await?;
    let out = workspace().join(".local/bench").join(format!("{function}.callgrind"));
    let (program, events) = match function {
        "ingest" => (Program::Ingest, vec![events::signed(&events::typical()?)?]),
        "ingest-large" => (Program::Ingest, vec![events::signed(&events::of_size(256 * 1024)?)?]),
        "ingest-forged" => (Program::Ingest, vec![events::forged(&events::typical()?)?]),
        "process" => {
            let bots = (0..400).map(|bot| events::meeting(&format!("bot-{bot}"), 3)).collect::<Result<Vec<_>>>()?;
            let messages = pipeline::queued(&sink, &bots.concat()).await?;
            (Program::Process, messages.chunks(10).map(events::batch).collect())
        }
        _ => bail!("there is no function {function}"),
    };
    // From the start on: counters that are set back in the middle know no callers.
    let counted = instructions::Events { before: 0, counted: 100 };
    instructions::run(program, &sink, &valgrind, Counted::Instructions, &events, counted, &out).await?;
    say(&out.display().to_string())
}

async fn side(rounds: usize, warm: usize) -> Result<()> {
    let sink = Sink::start().await?;
    let rows = rounds::rows(&sink, &Program::all(), rounds, warm).await?;
    say(&report::programs(&rows))
}

async fn all(rounds: usize, warm: usize, backlog: usize, forbidden: usize) -> Result<()> {
    let sink = Sink::start().await?;
    let mut results = Results { machine: machine(), rounds, ..Results::default() };
    results.exact.forbidden = forbidden;
    results.exact.sizes = exact::sizes(&[Program::Hello, Program::HelloHttp, Program::Ingest, Program::Process])?;

    say("programs side by side")?;
    results.rows = rounds::rows(&sink, &Program::all(), rounds, warm).await?;
    say("small functions")?;
    let small = [Program::Ingest, Program::Node20Handler, Program::Node20Express, Program::PythonReceiver];
    match rounds::small_functions(&sink, &small, rounds).await {
        Ok(shares) => results.shares = shares,
        Err(reason) => say(&format!("!! SKIPPED: small functions ({reason:#})"))?,
    }
    say("instructions and calls")?;
    let valgrind = Valgrind::find().ok_or_else(|| anyhow::anyhow!("there is no valgrind"))?;
    exact::instructions(&sink, &valgrind, &mut results.exact).await?;
    exact::allocations(&sink, &valgrind, &mut results.exact).await?;
    exact::calls(&sink, &mut results.exact).await?;
    say("growth")?;
    curves(&sink, &mut results, backlog).await?;
    say("the bill")?;
    results.usages = cost::measure(&sink).await?;

    let bars = judge::all(&results);
    write(&results, &bars)?;
    verdict(&bars)
}

async fn curves(sink: &Sink, results: &mut Results, backlog: usize) -> Result<()> {
    let curves = &mut results.curves;
    let (prices, setup) = (cost::prices()?, cost::setup(&Yours::of_the_template())?);
    for events in [10, 30, 100, 300, 1000] {
        let taken = scale::events_per_bot(sink, events).await?;
        let point = |took| Point { work: e2e::statistics::as_f64(events), took };
        curves.cpu_per_event.push(point(taken.per_delivery(taken.cpu_seconds) * 1e3));
        curves.writes_per_event.push(point(taken.per_delivery(taken.units())));
        curves.dollars_per_million.push(point(cost::dollars_per_million(taken, &setup, &prices)?));
    }
    curves.batch = scale::bots_per_batch(sink, bench::sink::CALL, 15).await?;
    for bytes in [250, 1_000, 4_000, 16_000, 64_000, 256_000, 500_000, 1_000_000] {
        curves.body.push(scale::body_size(sink, bytes, 60).await?);
    }
    for deliveries in [1_000, 10_000, 100_000].into_iter().filter(|deliveries| *deliveries <= backlog) {
        curves.backlog.push(scale::backlog(sink, deliveries).await?);
    }
    Ok(())
}

fn write(results: &Results, bars: &[Bar]) -> Result<()> {
    let docs = workspace().join("docs");
    let text = report::markdown(results, bars);
    say(&format!("\n{text}\n"))?;
    report::insert(&docs.join("PERFORMANCE.md"), "measured", &text)?;
    chart::draw(results, &docs.join("performance.svg"))?;
    cost::keep(&results.usages)?;
    let bill = bill_page::markdown(&results.usages, &Yours::of_the_template())?;
    report::insert(&docs.join("COST.md"), "measured", &bill)?;
    say(&bill)
}

fn bill(yours: &Yours, write: bool) -> Result<()> {
    let bill = bill_page::markdown(&cost::kept()?, yours)?;
    if write {
        report::insert(&workspace().join("docs/COST.md"), "measured", &bill)?;
    }
    say(&bill)
}

fn verdict(bars: &[Bar]) -> Result<()> {
    for bar in bars {
        say(&bar.to_string())?;
    }
    let failed = bars.iter().filter(|bar| !bar.holds()).count();
    ensure!(failed == 0, "{failed} of {} bars fail", bars.len());
    say(&format!("all {} bars hold", bars.len()))
}

fn machine() -> String {
    let info = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = info.lines().find_map(|line| line.strip_prefix("model name")).unwrap_or("an unknown processor");
    let processors = info.lines().filter(|line| line.starts_with("processor")).count();
    format!("{processors} processors of {}", model.trim_start_matches([' ', '\t', ':']))
}

fn say(text: &str) -> Result<()> {
    Ok(writeln!(std::io::stdout(), "{text}")?)
}
