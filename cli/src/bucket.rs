//! The bucket, as far as an operator needs it.

use crate::{failure::Failure, stack::Stack};
use aws_sdk_s3::{
    Client,
    config::Builder,
    error::{ProvideErrorMetadata, SdkError},
    operation::{
        get_object::{GetObjectError, GetObjectOutput},
        head_object::HeadObjectError,
    },
    primitives::{ByteStream, DateTime},
};
use jiff::Timestamp;
use shared::hash::ContentHash;
use std::{
    collections::HashMap,
    io::{self, Write},
};

#[derive(Clone, Debug)]
pub struct Bucket<'a> {
    client: Client,
    stack: &'a Stack,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Stored {
    pub key: String,
    pub stored_at: Option<Timestamp>,
    pub size_bytes: u64,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Object {
    pub bytes: Vec<u8>,
    /// What stands beside them, by name.
    pub metadata: HashMap<String, String>,
}

/// What an object's bytes come to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Digest {
    pub size_bytes: u64,
    pub sha256: String,
}

pub fn client(stack: &Stack) -> Client {
    // A local AWS has no host name for each bucket.
    let path_style = stack.aws.config.endpoint_url().is_some();
    Client::from_conf(Builder::from(&stack.aws.config).force_path_style(path_style).build())
}

impl<'a> Bucket<'a> {
    pub fn of(stack: &'a Stack) -> Self {
        Self::with(client(stack), stack)
    }

    pub(crate) fn with(client: Client, stack: &'a Stack) -> Self {
        Self { client, stack }
    }

    /// The objects whose keys begin with `prefix`, in the order of their keys.
    pub async fn list(&self, prefix: &str) -> Result<Vec<Stored>, Failure> {
        let request = self.client.list_objects_v2().bucket(&self.stack.bucket).prefix(prefix);
        let mut pages = request.into_paginator().send();
        let mut listed = Vec::new();
        while let Some(page) = pages.next().await {
            let page = page.map_err(|error| self.failure(&format!("listing {prefix}"), &error))?;
            listed.extend(page.contents.unwrap_or_default().into_iter().filter_map(|object| {
                let seconds = object.last_modified.as_ref().map(DateTime::secs);
                let stored_at = seconds.and_then(|seconds| Timestamp::from_second(seconds).ok());
                let size_bytes = object.size.and_then(|size| u64::try_from(size).ok()).unwrap_or_default();
                Some(Stored { key: object.key?, stored_at, size_bytes })
            }));
        }
        Ok(listed)
    }

    /// An object; `None` if there is none for certain.
    pub async fn fetch(&self, key: &str) -> Result<Option<Object>, Failure> {
        let Some(found) = self.open(key).await? else { return Ok(None) };
        let metadata = found.metadata.unwrap_or_default();
        let bytes = found.body.collect().await.map_err(|error| broke_off(key, &error))?;
        Ok(Some(Object { bytes: bytes.to_vec(), metadata }))
    }

    /// Writes an object's bytes into `sink` and says what they come to; `None` if there is no such object for certain.
    pub async fn copy_into(&self, key: &str, sink: &mut impl Write) -> Result<Option<Digest>, Failure> {
        let Some(found) = self.open(key).await? else { return Ok(None) };
        let (mut body, mut hash, mut size_bytes) = (found.body, ContentHash::default(), 0);
        while let Some(piece) = body.next().await {
            let piece = piece.map_err(|error| broke_off(key, &error))?;
            sink.write_all(&piece).map_err(|error| Failure::new(format!("writing {key}: {error}")))?;
            hash.update(&piece);
            size_bytes += piece.len() as u64;
        }
        Ok(Some(Digest { size_bytes, sha256: hash.hex() }))
    }

    /// What an object's bytes come to; `None` if there is no such object for certain.
    pub async fn digest(&self, key: &str) -> Result<Option<Digest>, Failure> {
        self.copy_into(key, &mut io::sink()).await
    }

    /// Whatever else answers 200 on the way to S3 gives no entity tag, and what it gave must not be put back for a delivery.
    async fn open(&self, key: &str) -> Result<Option<GetObjectOutput>, Failure> {
        match self.client.get_object().bucket(&self.stack.bucket).key(key).send().await {
            Ok(found) if found.e_tag().is_some() => Ok(Some(found)),
            Ok(_) => Err(Failure::new(format!("reading {key}: the answer is not {}'s", self.stack.aws.name))),
            Err(error) if error.as_service_error().is_some_and(GetObjectError::is_no_such_key) => Ok(None),
            Err(error) => Err(self.failure(&format!("reading {key}"), &error)),
        }
    }

    /// An object's tag of this name; `None` if it has none, or there is no such object.
    pub async fn tag(&self, key: &str, name: &str) -> Result<Option<String>, Failure> {
        match self.client.get_object_tagging().bucket(&self.stack.bucket).key(key).send().await {
            Ok(found) => Ok(found.tag_set.into_iter().find(|tag| tag.key == name).map(|tag| tag.value)),
            Err(error) if error.code() == Some("NoSuchKey") => Ok(None),
            Err(error) => Err(self.failure(&format!("reading the tags of {key}"), &error)),
        }
    }

    /// What stands beside an object; `None` if there is none for certain.
    pub async fn metadata(&self, key: &str) -> Result<Option<HashMap<String, String>>, Failure> {
        match self.client.head_object().bucket(&self.stack.bucket).key(key).send().await {
            Ok(found) => Ok(Some(found.metadata.unwrap_or_default())),
            // The answer to HEAD has no body, so its code is made of the status.
            Err(error) if error.as_service_error().is_some_and(HeadObjectError::is_not_found) => Ok(None),
            Err(error) => Err(self.failure(&format!("reading {key}"), &error)),
        }
    }

    /// Stores an object. `Ok` means that it is there to stay.
    pub async fn put(&self, key: &str, bytes: Vec<u8>, metadata: &[(&'static str, String)]) -> Result<(), Failure> {
        let mut put =
            self.client.put_object().bucket(&self.stack.bucket).key(key).content_type("application/octet-stream");
        for (name, value) in metadata {
            put = put.metadata(*name, value);
        }
        let stored = put.body(ByteStream::from(bytes)).send().await;
        let stored = stored.map_err(|error| self.failure(&format!("storing {key}"), &error))?;
        self.confirmed(stored.e_tag(), key)
    }

    /// Copies an object with its metadata; `false` if it is not there any more.
    pub async fn copy(&self, from: &str, to: &str) -> Result<bool, Failure> {
        // Keys are made of characters that need no encoding.
        let source = format!("{}/{from}", self.stack.bucket);
        match self.client.copy_object().bucket(&self.stack.bucket).copy_source(source).key(to).send().await {
            Ok(copied) => {
                self.confirmed(copied.copy_object_result().and_then(|result| result.e_tag()), to)?;
                Ok(true)
            }
            Err(error) if error.code() == Some("NoSuchKey") => Ok(false),
            Err(error) => Err(self.failure(&format!("copying {from}"), &error)),
        }
    }

    /// Removes an object; one that is not there is removed already.
    pub async fn remove(&self, key: &str) -> Result<(), Failure> {
        let removed = self.client.delete_object().bucket(&self.stack.bucket).key(key).send().await;
        removed.map(drop).map_err(|error| self.failure(&format!("removing {key}"), &error))
    }

    /// Whatever else answers 200 on the way to S3 gives no entity tag.
    fn confirmed(&self, e_tag: Option<&str>, key: &str) -> Result<(), Failure> {
        let unconfirmed = || Failure::new(format!("storing {key}: no confirmation from {}", self.stack.aws.name));
        e_tag.map(drop).ok_or_else(unconfirmed)
    }

    fn failure<E, R>(&self, doing: &str, error: &SdkError<E, R>) -> Failure
    where
        E: ProvideErrorMetadata + std::error::Error + 'static,
        R: std::fmt::Debug + 'static,
    {
        self.stack.aws.failure(&format!("{doing} in the bucket {}", self.stack.bucket), error)
    }
}

fn broke_off(key: &str, error: &aws_sdk_s3::primitives::ByteStreamError) -> Failure {
    Failure::new(format!("{key} broke off: {error}"))
}

#[cfg(test)]
mod tests;
