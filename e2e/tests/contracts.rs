//! The table on the local AWS keeps the contract that the store in memory keeps.

use anyhow::{Context, Result};
use e2e::{local_aws::LocalAws, scratch::Scratch};
use process_fn::{DynamoStore, contract::store_contract};
use std::time::Duration;

#[tokio::test]
async fn the_table_keeps_the_contract() -> Result<()> {
    let scratch = Scratch::create(&LocalAws::from_env()?).await?;
    let outputs = &scratch.aws.outputs;
    let environment = |name: &str| {
        Some(match name {
            "AWS_REGION" => outputs.region.clone(),
            "AWS_ENDPOINT_URL" => outputs.endpoint_url.clone(),
            "AWS_ACCESS_KEY_ID" | "AWS_SECRET_ACCESS_KEY" => "test".to_owned(),
            _ => return None,
        })
    };
    let connection = edge::aws::connection(&environment, process_fn::AWS_CALL_BUDGET)?;
    let store = DynamoStore::new(&connection, scratch.table.clone(), Duration::from_secs(90 * 86_400));
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH)?;
    let now = i64::try_from(now.as_secs()).context("a clock in the far future")?;
    store_contract(&store, "contract", now).await;
    scratch.remove().await
}
