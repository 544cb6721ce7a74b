//! `orderd man`

use std::io;
use std::path::{Path, PathBuf};

use clap_mangen::Man;
use clap_mangen::roff::{Roff, roman};

use super::exit::Failure;
use super::output::print;

/// Print the manual page, or write all of them into a folder
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  orderd man | man -l -\n  orderd man /usr/local/share/man/man1")]
pub struct ManArgs {
    /// Where to write orderd.1, orderd-serve.1 and the others; made if it is not there
    dir: Option<PathBuf>,
}

pub(super) fn run(args: &ManArgs, command: clap::Command) -> Result<(), Failure> {
    let mut command = command.disable_help_subcommand(true);
    // Gives every subcommand its whole name.
    command.build();
    let Some(dir) = &args.dir else {
        let mut page = Vec::new();
        render(&command, &mut page).map_err(|error| Failure::io("cannot make the manual page", &error))?;
        return print(String::from_utf8_lossy(&page).trim_end());
    };
    std::fs::create_dir_all(dir)
        .and_then(|()| write_all(&command, dir))
        .map_err(|error| Failure::io(format!("cannot write the manual pages to {}", dir.display()), &error))
}

/// Writes a command's page and those of its subcommands: `orderd-sink-pause.1` beside `orderd-sink.1`.
fn write_all(command: &clap::Command, dir: &Path) -> io::Result<()> {
    let mut page = Vec::new();
    render(command, &mut page)?;
    let name = command.get_display_name().unwrap_or_else(|| command.get_name());
    std::fs::write(dir.join(format!("{name}.1")), page)?;
    command.get_subcommands().try_for_each(|subcommand| write_all(subcommand, dir))
}

fn render(command: &clap::Command, page: &mut Vec<u8>) -> io::Result<()> {
    let man = Man::new(command.clone());
    man.render_title(page)?;
    man.render_name_section(page)?;
    man.render_synopsis_section(page)?;
    man.render_description_section(page)?;
    man.render_options_section(page)?;
    if command.has_subcommands() {
        man.render_subcommands_section(page)?;
    }
    let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
    for (heading, paragraph) in sections(&help) {
        let mut section = Roff::new();
        section.control("SH", [heading]).control("nf", []).text([roman(paragraph)]).control("fi", []);
        section.to_writer(page)?;
    }
    if command.get_version().is_some() {
        man.render_version_section(page)?;
    }
    Ok(())
}

/// The paragraphs after the options, each under the heading that a manual page has for it.
fn sections(help: &str) -> Vec<(&'static str, String)> {
    let mut sections: Vec<(&'static str, String)> = Vec::new();
    for paragraph in help.split("\n\n").filter(|paragraph| !paragraph.trim().is_empty()) {
        let (heading, text) = match paragraph.split_once('\n') {
            Some((first, rest)) if first.starts_with("Example") => ("EXAMPLES", rest),
            _ if paragraph.contains("xit") => ("EXIT STATUS", paragraph),
            _ if paragraph.contains("$ORDERD_CONFIG") => ("FILES", paragraph),
            _ => ("NOTES", paragraph),
        };
        match sections.last_mut() {
            Some((last, said)) if *last == heading => {
                said.push_str("\n\n");
                said.push_str(text);
            }
            _ => sections.push((heading, text.to_owned())),
        }
    }
    sections
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_after_the_options_has_a_heading_of_its_own() {
        let help = "Examples:\n  orderd x\n  orderd y\n\nExits 0 for a sound store.\n\nMore.";
        let sections = sections(help);
        let headings: Vec<_> = sections.iter().map(|(heading, _)| *heading).collect();
        assert_eq!(headings, ["EXAMPLES", "EXIT STATUS", "NOTES"]);
        assert_eq!(sections[0].1, "  orderd x\n  orderd y");
    }
}
