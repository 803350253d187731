//! What there is to say of a bot's artifacts, from what its session knows and what the bucket has.

use crate::{bucket, words::milliseconds};
use jiff::Timestamp;
use serde::Serialize;
use shared::{
    Session, SessionId,
    artifacts::{self, KINDS, NORMALISED, RAW},
    event::{Artifact, ArtifactStatus},
    session::{Job, StoredCopy},
};
use std::{cmp::Reverse, collections::BTreeMap};

/// One artifact, or one version of it: the shape of `rollcall artifacts --json`. What is not known is `null`.
#[derive(Clone, PartialEq, Eq, Serialize, Debug, Default)]
pub struct Line {
    pub provider: &'static str,
    pub bot_id: String,
    /// `transcript`, `audio` or `video`.
    pub kind: &'static str,
    /// How it is, as `rollcall artifacts --help` lists them.
    pub state: &'static str,
    pub reason: Option<String>,
    /// When it is tried next.
    #[serde(serialize_with = "milliseconds")]
    pub due_at: Option<Timestamp>,
    pub attempts: Option<u32>,
    /// Which run of the transcription.
    pub version: Option<String>,
    /// Where it is in the bucket; of a transcript, as the provider wrote it.
    pub key: Option<String>,
    /// Where the same transcript is in one shape for all providers.
    pub normalised_key: Option<String>,
    pub size_bytes: Option<u64>,
    /// The SHA-256 of its bytes, in hexadecimal.
    pub sha256: Option<String>,
    /// What kind of content it is, by its host's word.
    pub content_type: Option<String>,
    #[serde(serialize_with = "milliseconds")]
    pub stored_at: Option<Timestamp>,
}

/// Everything there is to say. Without a list of the bucket's objects, as far as the session alone knows.
pub fn inventory(bot: &SessionId, session: Option<&Session>, listed: Option<&[bucket::Stored]>) -> Vec<Line> {
    KINDS.into_iter().flat_map(|kind| Kind { bot, kind, session, listed }.lines()).collect()
}

/// Everything that is known of one kind of artifact of one bot.
struct Kind<'a> {
    bot: &'a SessionId,
    kind: Artifact,
    session: Option<&'a Session>,
    listed: Option<&'a [bucket::Stored]>,
}

impl Kind<'_> {
    fn lines(&self) -> Vec<Line> {
        let copy = self.session.and_then(|session| session.copies().get(&self.kind));
        let mut lines = self.in_the_bucket();
        if let Some(StoredCopy::Stored(stored)) = copy {
            let known = Line {
                state: "stored",
                version: self.version(&stored.key),
                key: Some(stored.key.clone()),
                size_bytes: Some(stored.size_bytes),
                sha256: Some(stored.sha256.clone()),
                content_type: stored.content_type.clone(),
                stored_at: Timestamp::from_second(stored.stored_at).ok(),
                ..self.line()
            };
            match lines.iter_mut().find(|line| line.key == known.key) {
                // Its checksum is of what was stored then. Should the bucket have another size, the download says so.
                Some(line) => *line = Line { normalised_key: line.normalised_key.take(), ..known },
                None if self.listed.is_some() => lines.insert(0, Line { state: "missing", ..known }),
                None => lines.insert(0, known),
            }
        } else if let Some(newest) = lines.first_mut() {
            newest.state = "stored";
        }
        lines.sort_by_key(|line| line.state == "earlier");
        lines.extend(self.carried());
        lines.extend(self.outstanding(copy, !lines.is_empty()));
        lines
    }

    /// What is in its folder, the latest first: of a transcript the runs, of anything else the files.
    fn in_the_bucket(&self) -> Vec<Line> {
        let folder = artifacts::folder(self.bot, self.kind);
        let mut found: BTreeMap<&str, Line> = BTreeMap::new();
        for object in self.listed.unwrap_or_default() {
            let Some(rest) = object.key.strip_prefix(&folder) else { continue };
            let (version, name) = rest.split_once('/').unwrap_or((rest, rest));
            let line = found.entry(version).or_insert_with(|| Line { state: "earlier", ..self.line() });
            if self.kind == Artifact::Transcript && name == NORMALISED {
                line.normalised_key = Some(object.key.clone());
            } else if self.kind != Artifact::Transcript || name == RAW {
                line.version = self.version(&object.key);
                line.key = Some(object.key.clone());
                line.size_bytes = Some(object.size_bytes);
                line.stored_at = object.stored_at;
            }
        }
        let mut lines: Vec<_> = found.into_values().filter(|line| line.key.is_some()).collect();
        lines.sort_by_key(|line| Reverse(line.stored_at));
        lines
    }

    fn carried(&self) -> Vec<Line> {
        let folder = artifacts::carried_folder(self.bot);
        let is_carried =
            |object: &&bucket::Stored| self.kind == Artifact::Transcript && object.key.starts_with(&folder);
        let carried = self.listed.unwrap_or_default().iter().filter(is_carried);
        let line = |object: &bucket::Stored| Line {
            state: "carried",
            key: Some(object.key.clone()),
            size_bytes: Some(object.size_bytes),
            stored_at: object.stored_at,
            ..self.line()
        };
        carried.map(line).collect()
    }

    /// What is not there: because it is on its way, or will never come.
    fn outstanding(&self, copy: Option<&StoredCopy>, has_any: bool) -> Option<Line> {
        let session = self.session?;
        if let Some(progress) = Job::fetch(self.kind).and_then(|job| session.pending(job)) {
            return Some(Line {
                state: "pending",
                due_at: Timestamp::from_second(progress.due_at()).ok(),
                attempts: Some(progress.attempts()),
                ..self.line()
            });
        }
        if let Some(StoredCopy::Unavailable(reason)) = copy {
            return Some(Line { state: "unavailable", reason: Some(reason.clone()), ..self.line() });
        }
        let fact = session.artifacts().get(&self.kind).filter(|_| !has_any && !session.is_erased())?;
        Some(match fact.status {
            ArtifactStatus::Announced => Line { state: "not_kept", ..self.line() },
            status => {
                let reason = fact.reason.clone().unwrap_or_else(|| status.as_str().to_owned());
                Line { state: "unavailable", reason: Some(reason), ..self.line() }
            }
        })
    }

    /// The run of the transcription in a key.
    fn version(&self, key: &str) -> Option<String> {
        let folder = artifacts::folder(self.bot, self.kind);
        key.strip_prefix(&folder)?.split_once('/').map(|(version, _)| version.to_owned())
    }

    fn line(&self) -> Line {
        Line {
            provider: self.bot.provider.as_str(),
            bot_id: self.bot.id.as_sent().to_owned(),
            kind: self.kind.as_str(),
            ..Line::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};
    use shared::{Provider, SenderId};

    fn bot() -> SessionId {
        SessionId::bot(Provider::MeetStream, SenderId::try_from("b").unwrap())
    }

    fn listed(objects: &[(&str, i64)]) -> Vec<bucket::Stored> {
        let stored = |(key, seconds): &(&str, i64)| bucket::Stored {
            key: format!("meetstream/b/{key}"),
            stored_at: Timestamp::from_second(*seconds).ok(),
            size_bytes: 7,
        };
        objects.iter().map(stored).collect()
    }

    /// Kind, state and what tells most of each line.
    #[track_caller]
    fn check(name: &str, session: &Value, objects: Option<&[(&str, i64)]>, expected: &[(&str, &str, &str)]) {
        let mut document = json!({"id": bot(), "first_received_at": 0, "timeline": []});
        document.as_object_mut().unwrap().extend(session.as_object().cloned().unwrap_or_default());
        let session = session.is_object().then(|| serde_json::from_value::<Session>(document).unwrap());
        let objects = objects.map(listed);
        let lines = inventory(&bot(), session.as_ref(), objects.as_deref());
        let told: Vec<_> = lines
            .iter()
            .map(|line| {
                let key = line.key.as_deref().map(|key| key.trim_start_matches("meetstream/b/"));
                let due = line.due_at.map(|due_at| due_at.as_second().to_string()).unwrap_or_default();
                (line.kind, line.state, key.or(line.reason.as_deref()).map_or(due, str::to_owned))
            })
            .collect();
        let told: Vec<_> = told.iter().map(|(kind, state, detail)| (*kind, *state, detail.as_str())).collect();
        assert_eq!(told, expected, "{name}");
    }

    fn stored(key: &str) -> Value {
        json!({"stored": {"key": format!("meetstream/b/{key}"), "sha256": "ab", "size_bytes": 9, "stored_at": 5}})
    }

    #[test]
    fn artifacts_are_told_as_they_are() {
        let none = &json!({});
        let ready = |kind: &str| json!({kind: {"trust": "verified", "status": "announced"}});
        check("nothing", none, Some(&[]), &[]);
        check(
            "no session",
            &Value::Null,
            Some(&[("audio/recording.wav", 1)]),
            &[("audio", "stored", "audio/recording.wav")],
        );
        let one = json!({"copies": {"transcript": stored("transcript/r1/raw.json")}, "artifacts": ready("transcript")});
        let r1: &[_] = &[("transcript/r1/raw.json", 1), ("transcript/r1/normalised.json", 1)];
        check("stored", &one, Some(r1), &[("transcript", "stored", "transcript/r1/raw.json")]);
        check("the session alone", &one, None, &[("transcript", "stored", "transcript/r1/raw.json")]);
        check("removed by somebody", &one, Some(&[]), &[("transcript", "missing", "transcript/r1/raw.json")]);
        let r2 = [r1, &[("transcript/r0/raw.json", 0), ("transcript/r2/raw.json", 9)]].concat();
        check(
            "what the session names is current, however old",
            &one,
            Some(&r2),
            &[
                ("transcript", "stored", "transcript/r1/raw.json"),
                ("transcript", "earlier", "transcript/r2/raw.json"),
                ("transcript", "earlier", "transcript/r0/raw.json"),
            ],
        );
        let mut again = one.clone();
        let mark = json!({"moment": 60_000, "received_at": 60_000});
        again["jobs"] = json!({"fetch_transcript": {"wanted": mark, "attempts": 3, "retry_at": 90}});
        check(
            "made anew",
            &again,
            Some(r1),
            &[("transcript", "stored", "transcript/r1/raw.json"), ("transcript", "pending", "90")],
        );
        let waiting = json!({"jobs": {"fetch_transcript": {"wanted": mark}}});
        check(
            "came with its delivery",
            &waiting,
            Some(&[("carried/a1.json", 1)]),
            &[("transcript", "carried", "carried/a1.json"), ("transcript", "pending", "360")],
        );
        check(
            "given up",
            &json!({"copies": {"video": {"unavailable": "gone"}}, "artifacts": ready("video")}),
            Some(&[]),
            &[("video", "unavailable", "gone")],
        );
        check(
            "announced, no recordings kept",
            &json!({"artifacts": ready("audio")}),
            None,
            &[("audio", "not_kept", "")],
        );
        let failed = json!({"artifacts": {"transcript": {"trust": "verified", "status": "failed"}}});
        check("failed at the provider", &failed, None, &[("transcript", "unavailable", "failed")]);
        let mut erased = failed;
        erased["deleted"] = json!({"trust": "verified"});
        check("deleted", &erased, Some(&[]), &[]);
    }

    #[test]
    fn a_line_has_all_that_is_known() {
        let document = json!({
            "id": bot(), "first_received_at": 0, "timeline": [],
            "copies": {"transcript": stored("transcript/r1/raw.json")},
        });
        let session: Session = serde_json::from_value(document).unwrap();
        let objects = listed(&[("transcript/r1/normalised.json", 1), ("transcript/r1/raw.json", 1)]);
        let lines = inventory(&bot(), Some(&session), Some(&objects));
        let expected = json!([{
            "provider": "meetstream", "bot_id": "b", "kind": "transcript", "state": "stored", "reason": null, "due_at": null,
            "attempts": null, "version": "r1", "key": "meetstream/b/transcript/r1/raw.json",
            "normalised_key": "meetstream/b/transcript/r1/normalised.json", "size_bytes": 9, "sha256": "ab",
            "content_type": null, "stored_at": "1970-01-01T00:00:05.000Z",
        }]);
        assert_eq!(serde_json::to_value(&lines).unwrap(), expected);
    }
}
