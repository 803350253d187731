//! The function's settings.

use crate::{
    backoff::Backoff, deliveries::Policy, handler::Settings, jobs::JobSettings, ports::providers::ApiSettings,
};
use shared::{
    env::{self, ConfigError, Lookup},
    settings::PublishedKinds,
};
use std::time::Duration;

/// The environment variables that `template.yaml` sets.
#[derive(Debug)]
pub struct Config {
    pub table_name: String,
    pub bucket_name: String,
    pub events_queue_url: String,
    pub commands_queue_url: String,
    pub event_bus_name: String,
    /// Which events go to the bus.
    pub published_kinds: PublishedKinds,
    pub api: ApiSettings,
    /// How long a session is kept after its last change.
    pub session_retention: Duration,
    pub settings: Settings,
}

impl Config {
    /// Reads the settings.
    ///
    /// # Errors
    /// [`ConfigError`] for anything missing or out of range: the function must not start half configured.
    pub fn from_env(lookup: &impl Lookup) -> Result<Self, ConfigError> {
        let seconds = |name, default, range| env::number(lookup, name, default, range).map(u64::from);
        let retry_base = seconds("RETRY_BASE_SECONDS", 2, 0..=900)?;
        let retry_max = seconds("RETRY_MAX_SECONDS", 900, 0..=43_200)?;
        let days = seconds("SESSION_RETENTION_DAYS", 90, 8..=3650)?;
        let minutes = seconds("ARTIFACT_PATIENCE_MINUTES", 1440, 1..=43_200)?;
        let retry = Backoff { base: Duration::from_secs(retry_base), max: Duration::from_secs(retry_max) };
        let commands_queue_url = env::required(lookup, "COMMANDS_QUEUE_URL")?;
        Ok(Self {
            table_name: env::required(lookup, "TABLE_NAME")?,
            bucket_name: env::required(lookup, "BUCKET_NAME")?,
            events_queue_url: env::required(lookup, "EVENTS_QUEUE_URL")?,
            event_bus_name: env::required(lookup, "EVENT_BUS_NAME")?,
            published_kinds: PublishedKinds::from_env(lookup)?,
            api: ApiSettings::from_env(lookup)?,
            session_retention: Duration::from_secs(days * 86_400),
            settings: Settings {
                commands_queue_name: commands_queue_url.rsplit('/').next().unwrap_or_default().to_owned(),
                deliveries: Policy {
                    park_after_receives: env::number(lookup, "PARK_AFTER_RECEIVES", 20, 2..=1000)?,
                    park_after_age: Policy::PARK_AFTER_AGE,
                    retry,
                },
                jobs: JobSettings {
                    patience: Duration::from_secs(minutes * 60),
                    retry,
                    keeps_recordings: env::number(lookup, "KEEP_RECORDINGS", 0, 0..=1)? == 1,
                },
            },
            commands_queue_url,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::composer;

    const COMPLETE: [(&str, &str); 5] = [
        ("TABLE_NAME", "table"),
        ("BUCKET_NAME", "bucket"),
        ("EVENTS_QUEUE_URL", "https://sqs/1/events.fifo"),
        ("COMMANDS_QUEUE_URL", "https://sqs/1/commands"),
        ("EVENT_BUS_NAME", "bus"),
    ];

    fn config(settings: &[(&str, &str)]) -> Result<Config, ConfigError> {
        let find = |name: &str| settings.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned());
        Config::from_env(&find)
    }

    #[test]
    fn defaults_are_those_of_the_documents() {
        let Config { session_retention, settings, .. } = config(&COMPLETE).unwrap();
        assert_eq!(session_retention, Duration::from_secs(90 * 86_400));
        let Settings { commands_queue_name, deliveries, jobs } = settings;
        assert_eq!((commands_queue_name.as_str(), deliveries.park_after_receives), ("commands", 20));
        assert_eq!((jobs.patience.as_secs(), jobs.keeps_recordings), (24 * 3600, false));
        assert_eq!((deliveries.retry, jobs.retry), (composer::RETRY, composer::RETRY));
    }

    #[test]
    fn every_name_is_needed_and_every_number_is_bounded() {
        for (missing, _) in COMPLETE {
            let rest: Vec<_> = COMPLETE.into_iter().filter(|(name, _)| *name != missing).collect();
            assert_eq!(config(&rest).err(), Some(ConfigError::Missing(missing)));
        }
        for bad in [
            ("PARK_AFTER_RECEIVES", "1"),
            ("RETRY_MAX_SECONDS", "43201"),
            ("SESSION_RETENTION_DAYS", "7"),
            ("ARTIFACT_PATIENCE_MINUTES", "0"),
            ("PUBLISHED_KINDS", "meeting.over"),
        ] {
            assert!(config(&[&COMPLETE[..], &[bad]].concat()).is_err(), "{bad:?}");
        }
    }
}
