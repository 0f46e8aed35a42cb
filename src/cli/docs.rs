//! `msnd completions` and `msnd man`: made from the same definitions as the help texts.

use super::{Cli, Failure, output};
use anyhow::Context as _;
use clap::{Args, Command, CommandFactory as _};
use clap_complete::Shell;
use clap_mangen::Man;
use std::io::{self, Write as _};

/// Print completions for a shell
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  msnd completions bash > /etc/bash_completion.d/msnd")]
pub(super) struct CompletionsArgs {
    /// Which shell
    shell: Shell,
}

/// Print a manual page with all commands
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  msnd man > /usr/local/share/man/man1/msnd.1")]
pub(super) struct ManArgs {}

/// Prints completions.
pub(super) fn completions(args: &CompletionsArgs) -> Result<(), Failure> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "msnd", &mut script);
    output::print(&String::from_utf8_lossy(&script))
}

/// Prints the manual page.
pub(super) fn man(_: &ManArgs) -> Result<(), Failure> {
    let page = page().context("cannot make the manual page")?;
    output::print(&String::from_utf8_lossy(&page))
}

fn page() -> io::Result<Vec<u8>> {
    let mut root = Cli::command();
    // Gives every command its full name, `msnd user add`.
    root.build();
    let mut page = Vec::new();
    let man = Man::new(root.clone()).manual("msnd");
    man.render_title(&mut page)?;
    man.render_name_section(&mut page)?;
    man.render_synopsis_section(&mut page)?;
    man.render_description_section(&mut page)?;
    man.render_options_section(&mut page)?;
    writeln!(page, ".SH NOTES")?;
    notes(&root, &mut page)?;
    commands(&root, &mut page)?;
    Ok(page)
}

/// A section for each command below `parent`, in the order of the help.
fn commands(parent: &Command, page: &mut Vec<u8>) -> io::Result<()> {
    for command in parent.get_subcommands().filter(|c| !c.is_hide_set() && c.get_name() != "help") {
        let name = command.get_bin_name().unwrap_or_default().to_uppercase();
        writeln!(page, ".SH \"{name}\"")?;
        let man = Man::new(command.clone());
        let mut section = Vec::new();
        man.render_description_section(&mut section)?;
        man.render_synopsis_section(&mut section)?;
        man.render_options_section(&mut section)?;
        // What is a section on a page of its own is a part of this one.
        page.write_all(String::from_utf8_lossy(&section).replace(".SH ", ".SS ").as_bytes())?;
        notes(command, page)?;
        commands(command, page)?;
    }
    Ok(())
}

/// The text below the options, line for line.
fn notes(command: &Command, page: &mut Vec<u8>) -> io::Result<()> {
    let Some(notes) = command.get_after_help() else { return Ok(()) };
    writeln!(page, ".PP\n.nf")?;
    for line in notes.to_string().lines() {
        // A dot or a quote at the beginning of a line would be an instruction.
        let guard = if line.starts_with(['.', '\'']) { "\\&" } else { "" };
        writeln!(page, "{guard}{}", line.replace('\\', "\\e").replace('-', "\\-"))?;
    }
    writeln!(page, ".fi")
}
