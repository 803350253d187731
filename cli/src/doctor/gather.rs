//! Asks AWS. What is found is not judged here.

mod functions;
mod providers;
mod queues;
mod stores;
mod watch;

pub(super) use providers::open;
pub(crate) use watch::{last_sweep, oldest_message};

use super::facts::{Backlog, BucketFacts, Facts, Heap, Lookup, StackFacts, TableFacts};
use crate::{bucket::Bucket, failure::Failure, queue::Queue, stack::Stack};
use aws_sdk_cloudformation::Client;
use jiff::Timestamp;
use shared::bucket::Folder;

/// Everything that can be found out without sending anything.
///
/// # Errors
/// When `CloudFormation` does not describe the stack: then there is nothing to compare with.
pub async fn gather(stack: &Stack) -> Result<Facts, Failure> {
    let described = described(stack).await?;
    let (ingest, process) = (described.physical("IngestFunction"), described.physical("ProcessFunction"));
    let lambda = functions::Lambda::of(stack);
    let (account, ingest, process, invoked, loops, url, permissions) = tokio::join!(
        lambda.account(),
        lambda.function(ingest),
        lambda.function(process),
        lambda.invoked(process),
        watch::loops(stack, process),
        lambda.url(ingest),
        lambda.permissions(ingest),
    );
    let (secret, events, commands, table, bucket, bus) = tokio::join!(
        functions::secret(stack, described.parameter("SecretName"), [&ingest, &process]),
        queues::source(stack, &lambda, &stack.queue_url, &stack.dlq_url),
        queues::source(stack, &lambda, &stack.commands_url, &stack.commands_dlq_url),
        table(stack),
        bucket(stack),
        stores::bus(stack, described.physical("EventBus")),
    );
    let (alarms, subscriptions, schedule, last_sweep, backlog) = tokio::join!(
        watch::alarms(stack, &described),
        watch::subscriptions(stack, &described),
        watch::schedule(stack, &described),
        watch::last_sweep(stack, &process.name),
        backlog(stack),
    );
    let (apis, routes, rejected) = tokio::join!(
        providers::apis(stack, &described),
        providers::routes(stack),
        providers::rejected(stack, &ingest.name)
    );
    Ok(Facts {
        stack: described,
        account,
        ingest,
        process,
        invoked,
        loops,
        url,
        permissions,
        secret,
        events,
        commands,
        table,
        bucket,
        bus,
        alarms,
        subscriptions,
        schedule,
        last_sweep,
        backlog,
        apis,
        routes,
        rejected,
    })
}

async fn described(stack: &Stack) -> Result<StackFacts, Failure> {
    let client = Client::new(&stack.aws.config);
    let (stacks, resources) = tokio::join!(
        client.describe_stacks().stack_name(&stack.name).send(),
        client.describe_stack_resources().stack_name(&stack.name).send()
    );
    let stacks = stacks.map_err(|error| stack.aws.failure("describing the CloudFormation stack", &error))?;
    let resources = resources.map_err(|error| stack.aws.failure("listing the resources of the stack", &error))?;
    let found =
        stacks.stacks().first().ok_or_else(|| Failure::not_found(format!("there is no stack {}", stack.name)))?;
    let changed = found.last_updated_time().or_else(|| found.creation_time()).map_or(0, |time| time.secs());
    let parameters = found.parameters().iter().filter_map(|parameter| {
        Some((parameter.parameter_key()?.to_owned(), parameter.parameter_value().unwrap_or_default().to_owned()))
    });
    let resources = resources.stack_resources.unwrap_or_default().into_iter().filter_map(|resource| {
        Some((resource.logical_resource_id?, (resource.resource_type?, resource.physical_resource_id?)))
    });
    Ok(StackFacts {
        name: stack.name.clone(),
        is_local: stack.aws.is_local(),
        status: found.stack_status().map(|status| status.as_str().to_owned()).unwrap_or_default(),
        age_seconds: Timestamp::now().as_second() - changed,
        parameters: parameters.collect(),
        resources: resources.collect(),
    })
}

async fn table(stack: &Stack) -> TableFacts {
    let client = aws_sdk_dynamodb::Client::new(&stack.aws.config);
    let (description, ttl, backup_days) = tokio::join!(
        stores::description(stack, &client),
        stores::ttl(stack, &client),
        stores::backup_days(stack, &client)
    );
    TableFacts { description, ttl, backup_days }
}

async fn bucket(stack: &Stack) -> BucketFacts {
    let client = crate::bucket::client(stack);
    let (open, statements, encryption, rules, is_versioned) = tokio::join!(
        stores::open(stack, &client),
        stores::statements_of(stack, &client),
        stores::encryption(stack, &client),
        stores::rules(stack, &client),
        stores::is_versioned(stack, &client)
    );
    BucketFacts { open, statements, encryption, rules, is_versioned }
}

async fn backlog(stack: &Stack) -> Backlog {
    let bucket = Bucket::of(stack);
    let (deliveries, commands) = (Queue::events_dlq(stack), Queue::commands_dlq(stack));
    let (dead_deliveries, dead_commands, spool, parked, quarantine) = tokio::join!(
        depth(&deliveries),
        depth(&commands),
        heap(&bucket, Folder::Spool),
        heap(&bucket, Folder::Parked),
        heap(&bucket, Folder::Quarantine)
    );
    Backlog { dead_deliveries, dead_commands, spool, parked, quarantine }
}

async fn depth(queue: &Queue<'_>) -> Lookup<usize> {
    Lookup::from(queue.depth().await).map(|depth| depth.visible + depth.hidden)
}

pub(crate) async fn heap(bucket: &Bucket<'_>, folder: Folder) -> Lookup<Heap> {
    Lookup::from(bucket.list(&folder.prefix()).await).map(|listed| {
        let oldest = listed.iter().filter_map(|stored| stored.stored_at).min();
        let age = |oldest: Timestamp| (Timestamp::now().as_second() - oldest.as_second()).max(0);
        Heap {
            count: listed.len(),
            bytes: listed.iter().map(|stored| stored.size_bytes).sum(),
            oldest_seconds: oldest.map_or(0, age),
        }
    })
}
