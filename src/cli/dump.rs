//! `orderd dump`

use std::path::Path;

use super::data_dir_args::DataDirArgs;
use super::exit::Failure;
use super::output::Output;
use crate::app;
use crate::contracts::Lsn;

/// Print the journal as lines of JSON, one a plan
///
/// Each line is {"lsn":…,"order":{…},"events":[{…}]}: the order after the change, and the events it raised. May run
/// beside the daemon. What retention has deleted is not there any more.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    orderd dump | head -n 3\n  \
    orderd dump --from 1000 | jq -c '.events[]'")]
pub struct DumpArgs {
    #[command(flatten)]
    store: DataDirArgs,
    /// Start with this plan
    #[arg(long, value_name = "LSN", default_value_t = 0)]
    from: u64,
}

pub(super) fn run(args: &DumpArgs, config: Option<&Path>) -> Result<(), Failure> {
    let data_dir = args.store.find(config)?;
    let mut output = Output::stdout();
    let dumped = app::dump_store(&data_dir, Lsn(args.from), &mut output);
    if output.reader_gone() {
        return Ok(());
    }
    output.finish()?;
    Ok(dumped?)
}
