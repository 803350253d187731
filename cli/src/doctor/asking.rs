//! What AWS's answers mean: that something exists, that it does not, or that the call failed.

use super::facts::Lookup;
use crate::stack::Aws;
use aws_sdk_cloudformation::error::{ProvideErrorMetadata, SdkError};
use std::{collections::BTreeMap, error::Error};

/// What AWS calls something that is not there.
const ABSENT: [&str; 11] = [
    "ResourceNotFoundException",
    "ResourceNotFound",
    "TableNotFoundException",
    "NotFound",
    "NotFoundException",
    "AWS.SimpleQueueService.NonExistentQueue",
    "QueueDoesNotExist",
    "NoSuchBucket",
    "NoSuchPublicAccessBlockConfiguration",
    "NoSuchLifecycleConfiguration",
    "NoSuchBucketPolicy",
];

/// What the local AWS calls a call that it does not know.
const NOT_LOCALLY: [&str; 5] =
    ["NotImplemented", "UnknownOperationException", "InvalidAction", "UnsupportedOperation", "UnknownOperation"];

/// What an answer of AWS says of something that may not be there. `lacks` is what the local AWS does not do.
pub(super) fn lookup<T, E, R>(
    aws: &Aws,
    doing: &str,
    lacks: &'static str,
    answer: Result<T, SdkError<E, R>>,
) -> Lookup<T>
where
    E: ProvideErrorMetadata + Error + 'static,
    R: std::fmt::Debug + 'static,
{
    match answer {
        Ok(found) => Lookup::Found(found),
        Err(error) => match error.code() {
            Some(code) if ABSENT.contains(&code) => Lookup::Absent,
            Some(code) if aws.is_local() && NOT_LOCALLY.contains(&code) => Lookup::NotLocally(lacks),
            _ => Lookup::Unknown(aws.failure(doing, &error)),
        },
    }
}

/// A JSON policy's statements.
pub(super) fn statements(policy: &str) -> Vec<serde_json::Value> {
    let policy: serde_json::Value = serde_json::from_str(policy).unwrap_or_default();
    policy.get("Statement").and_then(|statements| statements.as_array()).cloned().unwrap_or_default()
}

/// By name, of what an SDK has by enumerations.
pub(super) fn by_name<K: AsRef<str>>(attributes: impl IntoIterator<Item = (K, String)>) -> BTreeMap<String, String> {
    attributes.into_iter().map(|(name, value)| (name.as_ref().to_owned(), value)).collect()
}
