//! The operator's command.

use rollcall::{command::Rollcall, failure::Failure, screen};
use std::process::ExitCode;

fn main() -> ExitCode {
    let command = Rollcall::typed();
    match run(command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            if failure.is_worth_telling() {
                screen::remark(&format!("error: {failure}"));
            }
            failure.exit_code()
        }
    }
}

fn run(command: Rollcall) -> Result<(), Failure> {
    // Only the first provider of a process counts, and this is the first.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::new(format!("no asynchronous runtime: {error}")))?;
    runtime.block_on(command.run(screen::Style::of_stdout()))
}
