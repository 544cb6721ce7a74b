//! `orderd verify`

use std::path::Path;

use super::data_dir_args::DataDirArgs;
use super::exit::Failure;
use super::output::Output;
use crate::app;

/// Read a whole store, change nothing, say what was found
///
/// Checks every checksum of journal, checkpoints and cursors, and that they fit together. May run beside the daemon.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    orderd verify                           the store of the configuration\n  \
    orderd verify --data-dir /backup/orderd  a copy\n\n\
    Exits 0 for a sound store and 65 for a damaged one; a damaged file is named with the offset.")]
pub struct VerifyArgs {
    #[command(flatten)]
    store: DataDirArgs,
}

pub(super) fn run(args: &VerifyArgs, config: Option<&Path>) -> Result<(), Failure> {
    let data_dir = args.store.find(config)?;
    let mut output = Output::stdout();
    let verified = app::verify_store(&data_dir, &mut output);
    if output.reader_gone() {
        return Ok(());
    }
    output.finish()?;
    Ok(verified?)
}
