//! The user's ssh: its command and kind as Git finds them, and options that keep it from asking on the terminal.

use super::{GitError, RepositoryUrl, child};
use gix::{protocol::transport::client::blocking_io::ssh::ProgramKind, url::ArgumentSafety};
use std::{
    ffi::{OsStr, OsString},
    path::Path,
    process::Command,
};

/// Options for OpenSSH, which takes the first value that it meets: the user's own command line comes before these.
const OPTIONS: &str =
    "-o BatchMode=yes -o ConnectTimeout=15 -o ServerAliveInterval=15 -o ServerAliveCountMax=3 -o SendEnv=GIT_PROTOCOL";

/// The ssh command with our options, and what kind of program it is.
pub(super) struct Ssh {
    command: OsString,
    kind: ProgramKind,
    /// `GIT_SSH` names a program, the others are shell text.
    shell: bool,
}

impl Ssh {
    /// Reads `GIT_SSH_COMMAND`, `core.sshCommand`, `GIT_SSH` and `ssh.variant` in Git's order. A program of an unknown
    /// name is taken for a wrapper of OpenSSH.
    pub(super) fn of(repo: &gix::Repository) -> gix::Result<Self> {
        let options = repo.ssh_connect_options()?;
        let shell = options.command.is_some() && !options.disallow_shell;
        let command = options.command.unwrap_or_else(|| "ssh".into());
        let kind = options.kind.unwrap_or_else(|| kind_of(&command));
        Ok(Self { command, kind, shell })
    }

    /// Returns the text for `GIT_SSH_COMMAND` of a git that we run.
    pub(super) fn for_git(&self) -> OsString {
        let mut text = if self.shell { self.command.clone() } else { quote(&self.command) };
        match self.kind {
            ProgramKind::Ssh => {
                text.push(" ");
                text.push(OPTIONS);
            }
            ProgramKind::Plink | ProgramKind::TortoisePlink => text.push(" -batch"),
            ProgramKind::Putty | ProgramKind::Simple => {}
        }
        text
    }

    /// Returns Git's name of the kind, so that a git that we run does not guess from our command.
    pub(super) fn variant(&self) -> &'static str {
        match self.kind {
            ProgramKind::Ssh => "ssh",
            ProgramKind::Plink => "plink",
            ProgramKind::Putty => "putty",
            ProgramKind::TortoisePlink => "tortoiseplink",
            ProgramKind::Simple => "simple",
        }
    }

    /// Returns the command that runs `git-upload-pack` on the server.
    pub(super) fn upload_pack(&self, shown: &RepositoryUrl, url: &gix::Url) -> Result<Command, GitError> {
        let bad = |reason: &str| GitError::BadUrl { url: shown.to_string(), reason: reason.to_owned() };
        let host = match (url.user_as_argument(), url.host_as_argument()) {
            (ArgumentSafety::Usable(user), ArgumentSafety::Usable(host)) => format!("{user}@{host}"),
            (ArgumentSafety::Absent, ArgumentSafety::Usable(host)) => host.to_owned(),
            _ => return Err(bad("host and user must not look like options")),
        };
        let path = gix::url::expand_path::for_shell(url.path.clone());
        if path.starts_with(b"-") {
            return Err(bad("the path must not look like an option"));
        }
        let mut command = child::command("sh");
        command.arg("-c");
        let mut script = self.for_git();
        script.push(" \"$@\"");
        command.arg(script).arg("sh");
        match (url.port, self.kind) {
            (None, _) => {}
            (Some(port), ProgramKind::Ssh) => {
                command.arg(format!("-p{port}"));
            }
            (Some(port), ProgramKind::Plink | ProgramKind::Putty | ProgramKind::TortoisePlink) => {
                command.arg("-P").arg(port.to_string());
            }
            (Some(_), ProgramKind::Simple) => return Err(bad("the ssh variant `simple` cannot set a port")),
        }
        let mut remote = OsString::from("git-upload-pack ");
        remote.push(quote(OsStr::new(&path.to_string())));
        command.arg(host).arg(remote);
        Ok(command)
    }
}

fn kind_of(command: &OsStr) -> ProgramKind {
    let text = command.to_string_lossy();
    let program = text.split_whitespace().next().unwrap_or_default();
    match Path::new(program).file_stem().and_then(OsStr::to_str).map(str::to_ascii_lowercase).as_deref() {
        Some("plink") => ProgramKind::Plink,
        Some("putty") => ProgramKind::Putty,
        Some("tortoiseplink") => ProgramKind::TortoisePlink,
        _ => ProgramKind::Ssh,
    }
}

/// Quotes for a POSIX shell, as Git does (`!` too, for csh on servers).
fn quote(text: &OsStr) -> OsString {
    let text = text.to_string_lossy();
    let mut out = String::with_capacity(text.len() + 2);
    out.push('\'');
    for c in text.chars() {
        match c {
            '\'' | '!' => {
                out.push_str("'\\");
                out.push(c);
                out.push('\'');
            }
            c => out.push(c),
        }
    }
    out.push('\'');
    out.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_users_ssh_command_keeps_its_options_and_gets_batch_mode() {
        let ssh = Ssh { command: "ssh -i ~/key".into(), kind: kind_of(OsStr::new("ssh -i ~/key")), shell: true };
        let text = ssh.for_git().into_string().unwrap();
        assert!(text.starts_with("ssh -i ~/key -o BatchMode=yes "), "{text}");
        assert_eq!(ssh.variant(), "ssh");
        let plink = Ssh { command: "/opt/plink.exe".into(), kind: kind_of(OsStr::new("/opt/plink.exe")), shell: false };
        assert_eq!(plink.for_git(), OsString::from("'/opt/plink.exe' -batch"));
    }

    #[test]
    fn a_path_reaches_the_servers_shell_as_one_word() {
        let ssh = Ssh { command: "ssh".into(), kind: ProgramKind::Ssh, shell: true };
        let shown = RepositoryUrl::parse("git@h:a'; id; '!b").unwrap();
        let url = gix::url::parse(shown.secret_text()).unwrap();
        let command = ssh.upload_pack(&shown, &url).unwrap();
        let last = command.get_args().last().unwrap().to_string_lossy().into_owned();
        assert_eq!(last, r"git-upload-pack '/a'\''; id; '\'''\!'b'");
    }
}
