//! The stack that `make up` started, as it wrote it down.

use crate::{escape, failure::Failure};
use serde::Deserialize;
use serde_json::{Map, Value};
use simulator::delivery::Secret;
use std::{
    fmt,
    path::{Path, PathBuf},
};

const USUAL: &str = ".local/outputs.json";

/// What `make up` writes down.
#[derive(Deserialize, Debug)]
pub(super) struct Outputs {
    pub(super) stack_name: String,
    pub(super) endpoint_url: String,
    pub(super) region: String,
    pub(super) function_url: String,
    pub(super) webhook_url: String,
    pub(super) table: String,
    pub(super) queue_url: String,
    pub(super) dlq_url: String,
    pub(super) commands_url: String,
    pub(super) commands_dlq_url: String,
    pub(super) bucket: String,
    pub(super) process_function: String,
    pub(super) api_port: Option<u16>,
    #[serde(flatten)]
    pub(super) routes: Routes,
}

/// URLs and credentials of routes, by name.
#[derive(Deserialize)]
#[serde(transparent)]
pub(super) struct Routes(Map<String, Value>);

impl fmt::Debug for Routes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[REDACTED]")
    }
}

impl Routes {
    pub(super) fn get(&self, name: &str) -> Result<Secret, Failure> {
        match self.0.get(name).and_then(Value::as_str) {
            Some("") => {
                Err(Failure::new(format!("{name} is empty in what `make up` wrote down, so that route is off"))
                    .help("`make up` of this version opens every route"))
            }
            Some(found) => Ok(Secret(found.to_owned())),
            None => Err(Failure::new(format!("there is no {name} in what `make up` wrote down"))
                .help("the stack is older than this command: `make up` deploys it again and writes that down anew")),
        }
    }
}

/// Reads the given file, or the usual one here or in a folder above.
pub(super) fn find(given: Option<&Path>) -> Result<Outputs, Failure> {
    let file = match given {
        Some(file) => file.to_owned(),
        None => {
            let here = std::env::current_dir()
                .map_err(|error| Failure::new(format!("the current folder cannot be read: {error}")))?;
            usual(&here)?
        }
    };
    read(&file)
}

fn usual(here: &Path) -> Result<PathBuf, Failure> {
    here.ancestors().map(|folder| folder.join(USUAL)).find(|file| file.is_file()).ok_or_else(|| {
        let here = escape::text(&here.to_string_lossy());
        Failure::new(format!("no local stack: there is no {USUAL} in {here} or in a folder above it"))
            .help("`make up` starts one; --outputs FILE names that file from elsewhere; --stack NAME connects to AWS")
    })
}

fn read(file: &Path) -> Result<Outputs, Failure> {
    let shown = escape::text(&file.to_string_lossy());
    let text = std::fs::read_to_string(file).map_err(|error| {
        Failure::new(format!("{shown} cannot be read: {error}"))
            .help("`make up` writes it; --outputs or ROLLCALL_OUTPUTS says where it is")
    })?;
    serde_json::from_str(&text).map_err(|error| {
        Failure::new(format!("{shown} does not describe a local stack: {error}")).help("`make up` writes it anew")
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    const COMPLETE: &str = r#"{
        "stack_name": "rollcall", "endpoint_url": "http://localhost:4566", "region": "us-east-1",
        "function_url": "f", "webhook_url": "w", "callback_url": "c", "meetstream_secret": "s", "table": "t",
        "queue_url": "q", "dlq_url": "d", "commands_url": "m", "commands_dlq_url": "n", "bucket": "b", "process_function": "p",
        "something_new": true
    }"#;

    #[test]
    fn the_nearest_file_above_is_found() {
        let checkout = tempfile::tempdir().unwrap();
        let below = checkout.path().join("a/b");
        fs::create_dir_all(&below).unwrap();
        fs::create_dir(checkout.path().join(".local")).unwrap();
        fs::write(checkout.path().join(USUAL), COMPLETE).unwrap();
        assert_eq!(read(&usual(&below).unwrap()).unwrap().table, "t");
    }

    #[test]
    fn errors_name_the_file_and_the_way_out() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("outputs.json");
        let told = |failure: Failure, parts: [&str; 2]| {
            let text = failure.to_string();
            assert!(parts.iter().all(|part| text.contains(part)), "{text}");
        };
        told(usual(folder.path()).unwrap_err(), [".local/outputs.json", "make up"]);
        told(find(Some(&file)).unwrap_err(), ["outputs.json cannot be read", "make up"]);
        fs::write(&file, "{}").unwrap();
        told(find(Some(&file)).unwrap_err(), ["missing field `stack_name`", "make up"]);
    }
}
