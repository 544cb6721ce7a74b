//! How a program of the proofs ends.

use std::fmt::Display;
use std::process::ExitCode;

/// Prints what came of many cases, and what is wrong with it.
pub fn conclude(summary: &impl Display, verdict: Result<(), String>) -> ExitCode {
    print!("{summary}");
    match verdict {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            println!("{problem}");
            ExitCode::FAILURE
        }
    }
}
