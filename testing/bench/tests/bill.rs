//! The bill's bars over what the functions take now: what calls, writes, publishes or logs more than it may fails here, and not only
//! when somebody measures anew. Times do not count: those of a test's binaries say nothing, so they are the measured ones.

use anyhow::Result;
use bench::bill::{Usage, per_million};
use bench::cost::{self, Yours};
use bench::pipeline::Taken;
use bench::prices::total;
use bench::sink::Sink;

fn with_times_of(now: Taken, measured: &Taken) -> Taken {
    Taken { seconds: measured.seconds, cpu_seconds: measured.cpu_seconds, ..now }
}

#[tokio::test]
async fn the_bill_holds_its_bars_with_what_the_functions_take_now() -> Result<()> {
    let measured = cost::kept()?;
    let now = cost::measure(&Sink::start().await?).await?;
    let pairs = now.into_iter().zip(&measured);
    let now: Vec<Usage> = pairs
        .map(|(now, measured)| {
            assert_eq!(now.name, measured.name);
            assert_eq!(now.process.invocations, measured.process.invocations, "{}", now.name);
            let ingest = with_times_of(now.ingest, &measured.ingest);
            Usage { ingest, process: with_times_of(now.process, &measured.process), ..now }
        })
        .collect();
    for bar in cost::bars(&now)? {
        assert!(bar.holds(), "{bar}");
    }

    let (prices, setup) = (cost::prices()?, cost::setup(&Yours::of_the_template())?);
    for (now, measured) in now.iter().zip(&measured) {
        let dollars = |usage| anyhow::Ok(total(&prices.at_list_price(&per_million(usage, &setup))?));
        let (now_dollars, said) = (dollars(now)?, dollars(measured)?);
        assert!(
            (now_dollars - said).abs() < 0.02 * said,
            "{}: docs/COST.md says ${said:.2} for a million webhooks, and it is ${now_dollars:.2} now: `make usage` measures anew",
            now.name
        );
    }
    Ok(())
}
