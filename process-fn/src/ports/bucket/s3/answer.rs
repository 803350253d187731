//! What an answer of S3 says.

use crate::ports::bucket::BucketError;
use platform::aws::{is_from_s3, log_failure};
use std::error::Error;

/// Logs that a call failed.
pub(super) fn failed<E: Error>(operation: &'static str) -> impl Fn(E) -> BucketError {
    move |error| {
        log_failure(operation, &error);
        BucketError
    }
}

/// Succeeds if the response has an `ETag`. A 200 without one did not come from S3 and proves nothing.
pub(super) fn given_by_s3(e_tag: Option<&str>) -> Result<(), BucketError> {
    if is_from_s3(e_tag) { Ok(()) } else { Err(BucketError) }
}
