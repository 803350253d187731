//! Finding the objects that a command is about.

use crate::{
    bucket::{Bucket, Stored},
    escape,
    failure::Failure,
    replay::selection::{Filter, Which, is_asked_for},
};
use futures_util::{StreamExt, TryStreamExt, stream};
use shared::bucket::{Folder, metadata};

/// How many objects are read or put back at a time.
pub(super) const CONCURRENT: usize = 8;

/// The objects of a folder that a filter lets through, the longest there first.
pub(super) async fn filtered(bucket: &Bucket<'_>, folder: Folder, filter: &Filter) -> Result<Vec<Stored>, Failure> {
    let prefix = match filter.whose.session()? {
        Some(session) => folder.prefix_of(&session.group()),
        None => folder.prefix(),
    };
    let mut found = bucket.list(&prefix).await?;
    if let Some(reason) = &filter.reason {
        let reading = stream::iter(found).map(|stored| async {
            let metadata = bucket.metadata(&stored.key).await?;
            let is_wanted = metadata.is_some_and(|all| all.get(metadata::REASON) == Some(reason));
            Ok::<_, Failure>(is_wanted.then_some(stored))
        });
        let read: Vec<_> = reading.buffered(CONCURRENT).try_collect().await?;
        found = read.into_iter().flatten().collect();
    }
    found.sort_by(|a, b| (a.stored_at, &a.key).cmp(&(b.stored_at, &b.key)));
    Ok(found)
}

/// The objects of a folder that were asked for.
pub(super) async fn selected(bucket: &Bucket<'_>, folder: Folder, which: &Which) -> Result<Vec<Stored>, Failure> {
    if which.keys.is_empty() {
        return filtered(bucket, folder, &which.filter).await;
    }
    let mut found: Vec<Stored> = Vec::new();
    for key in &which.keys {
        let new = by_key(bucket, folder, key).await?;
        found.extend(new.into_iter().filter(|stored| !found.contains(stored)).collect::<Vec<_>>());
    }
    Ok(found)
}

/// The object with this key or id; several, if a replay was interrupted that had it in hand.
pub(super) async fn by_key(bucket: &Bucket<'_>, folder: Folder, key: &str) -> Result<Vec<Stored>, Failure> {
    let shown = escape::text(key);
    let prefix = folder.prefix();
    let has_folder = key.contains('/');
    if has_folder && !key.starts_with(&prefix) {
        let folders = [(Folder::Parked, "parked"), (Folder::Quarantine, "quarantine"), (Folder::Spool, "spool")];
        let other = folders.into_iter().find(|(folder, _)| key.starts_with(&folder.prefix()));
        let failure = Failure::usage(format!("{shown} is not in {prefix}"));
        return Err(match other {
            Some((_, command)) => failure.help(format!("`rollcall {command}` is the command for it")),
            None => failure,
        });
    }
    let listed = bucket.list(if has_folder { key } else { &prefix }).await?;
    let found: Vec<_> = listed.into_iter().filter(|stored| is_asked_for(&stored.key, key)).collect();
    if found.is_empty() {
        return Err(Failure::not_found(format!("there is no {shown} in {prefix}"))
            .help(format!("`rollcall {} list` shows what there is", folder.as_str())));
    }
    Ok(found)
}
