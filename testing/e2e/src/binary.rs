//! Where the function binaries are, and whether they are what the sources say.

use anyhow::{Context, Result, ensure};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// The binary `name` of this workspace, in the profile the running program was built with.
///
/// `Err` means that it is missing, or older than one of its sources: a test that drives yesterday's binary proves
/// nothing, so it says what to build instead.
pub fn built(name: &str) -> Result<PathBuf> {
    let program = std::env::current_exe().context("the running program has no path")?;
    let profile = profile(&program).context("the running program is not in a target folder")?;
    let binary = profile.join(name);
    let built_at =
        modified(&binary).with_context(|| format!("{name} is not built: run `cargo build --workspace --bins`"))?;
    let inputs = fs::read_to_string(profile.join(format!("{name}.d")))
        .with_context(|| format!("{name} has no dependency list: run `cargo build --workspace --bins`"))?;
    for source in sources(&inputs) {
        let fresh = modified(&source).is_ok_and(|changed_at| changed_at <= built_at);
        ensure!(fresh, "{name} is older than {}: run `cargo build --workspace --bins`", source.display());
    }
    Ok(binary)
}

/// The folder of the profile that a program was built with: its own, or the one above if it is a test.
fn profile(program: &Path) -> Option<&Path> {
    let folder = program.parent()?;
    if folder.file_name()? == "deps" { folder.parent() } else { Some(folder) }
}

/// The files a binary was built from, out of the `binary: file file …` line that cargo leaves beside it.
fn sources(inputs: &str) -> Vec<PathBuf> {
    let Some((_, files)) = inputs.lines().next().unwrap_or_default().split_once(": ") else { return Vec::new() };
    files
        .replace("\\ ", "\0")
        .split_whitespace()
        .map(|file| PathBuf::from(file.replace('\0', " ")))
        .filter(|file| file.extension().is_some_and(|extension| extension == "rs"))
        .collect()
}

fn modified(path: &Path) -> Result<SystemTime> {
    Ok(fs::metadata(path)?.modified()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_sources_of_a_binary() {
        let inputs = "/t/debug/process-fn: /w/my\\ code/src/main.rs /w/shared/src/lib.rs /w/Cargo.toml\n";
        assert_eq!(sources(inputs), [Path::new("/w/my code/src/main.rs"), Path::new("/w/shared/src/lib.rs")]);
        assert!(sources("").is_empty());
    }

    #[test]
    fn tests_and_programs_have_the_same_profile() {
        for program in ["/t/debug/deps/binaries-0123", "/t/debug/soak"] {
            assert_eq!(profile(Path::new(program)), Some(Path::new("/t/debug")), "{program}");
        }
    }

    #[test]
    fn a_missing_binary_says_what_to_build() {
        let error = built("no-such-fn").expect_err("there is no such binary");
        assert!(error.to_string().contains("cargo build --workspace --bins"), "{error}");
    }
}
