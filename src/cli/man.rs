//! `driftdeck man`: one manual page, every command with its options in it.

use super::{args::Cli, error::CliError, exit::Exit, output::write_out};
use clap::CommandFactory;
use clap_mangen::Man;

/// Prints the page.
///
/// # Errors
/// [`CliError::Output`].
pub fn run() -> Result<Exit, CliError> {
    write_out(&page().map_err(CliError::Output)?)?;
    Ok(Exit::Done)
}

fn page() -> std::io::Result<Vec<u8>> {
    let mut command = Cli::command();
    // filled in, every command knows its whole name and the flags of all
    command.build();
    let mut out = Vec::new();
    let man = Man::new(command.clone());
    man.render_title(&mut out)?;
    man.render_name_section(&mut out)?;
    man.render_synopsis_section(&mut out)?;
    man.render_description_section(&mut out)?;
    man.render_options_section(&mut out)?;
    for sub in command.get_subcommands().filter(|sub| !sub.is_hide_set() && sub.get_name() != "help") {
        // flags of every command are told once
        let own = sub.clone().mut_args(|argument| {
            let global = argument.is_global_set();
            if global { argument.hide(true) } else { argument }
        });
        let man = Man::new(own);
        let mut section = Vec::new();
        man.render_synopsis_section(&mut section)?;
        man.render_description_section(&mut section)?;
        man.render_options_section(&mut section)?;
        let section = String::from_utf8_lossy(&section).replace("\n.SH ", "\n.SS ");
        let section = section.strip_prefix(".SH ").map_or(section.clone(), |rest| format!(".SS {rest}"));
        out.extend_from_slice(format!(".SH \"DRIFTDECK {}\"\n", sub.get_name().to_uppercase()).as_bytes());
        out.extend_from_slice(section.as_bytes());
    }
    man.render_extra_section(&mut out)?;
    man.render_version_section(&mut out)?;
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_holds_every_command_and_its_flags_and_each_global_flag_once() {
        let page = String::from_utf8(page().unwrap()).unwrap();
        for command in Cli::command().get_subcommands().filter(|command| !command.is_hide_set()) {
            let title = format!(".SH \"DRIFTDECK {}\"", command.get_name().to_uppercase());
            assert!(page.contains(&title), "{title}");
        }
        assert!(page.contains("\\-\\-wait\\-for") && page.contains("\\-\\-approve"), "{page}");
        assert_eq!(page.matches("Kubeconfig context instead").count(), 1);
        assert!(page.contains("Exit codes"));
    }
}
