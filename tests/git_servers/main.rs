//! Mirrors against real Git servers: paths, `file://`, `git http-backend` over HTTPS, `git daemon` and `sshd`.

mod home;
mod http;

use driftdeck::git::{GitError, Mirror, RepositoryUrl, Reverted};
use home::{Home, Running, exec_path, free_port, start};
use http::{CERTIFICATE, HttpServer, PASSWORD, USER, proxy, serve};
use std::{
    fs,
    net::TcpStream,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::Command,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

static GO: AtomicBool = AtomicBool::new(false);

fn url(text: &str) -> RepositoryUrl {
    RepositoryUrl::parse(text).unwrap()
}

fn clone(home: &Home, text: &str) -> Result<Mirror, GitError> {
    let name = text.replace(|c: char| !c.is_ascii_alphanumeric(), "_");
    Mirror::clone_from(&url(text), &home.path().join("cache").join(name), &|_| {}, &GO)
}

fn refused(home: &Home, text: &str) -> GitError {
    let error = clone(home, text).unwrap_err();
    assert!(!error.to_string().contains(PASSWORD), "{error}");
    error
}

/// Everything that a server's repository goes through, seen by a mirror over `address`. `bare` and `work` are the server's
/// repository and a clone that others push from.
fn whole_life(home: &Home, address: &str, bare: &Path, work: &Path) {
    let mirror = clone(home, address).unwrap();
    let server = |args: &[&str]| home.git(bare, args);
    assert!(!mirror.poll(&GO).unwrap(), "nothing is new after a clone");

    // others push
    let second = home.commit(work, "a.yaml", "a: 2\n");
    home.git(work, &["tag", "-a", "v1", "-m", "one"]);
    home.git(work, &["push", "-q", "origin", "main", "v1", "main:topic"]);
    assert!(mirror.poll(&GO).unwrap(), "a push is seen");
    let report = mirror.fetch(&|_| {}, &GO).unwrap();
    assert_eq!(report.updated, ["main", "topic", "v1"]);
    assert_eq!(mirror.resolve(Some("v1")).unwrap().commit.to_string(), second);
    assert!(!mirror.poll(&GO).unwrap(), "nothing is new after a fetch");

    // a branch is forced, another deleted
    home.git(work, &["commit", "-q", "--amend", "-m", "amended"]);
    let amended = home.git(work, &["rev-parse", "HEAD"]);
    home.git(work, &["push", "-q", "--force", "origin", "main", ":topic"]);
    assert!(mirror.poll(&GO).unwrap());
    let report = mirror.fetch(&|_| {}, &GO).unwrap();
    let forced: Vec<String> = report.forced.iter().map(|(name, old, new)| format!("{name} {old} {new}")).collect();
    assert_eq!(forced, [format!("main {second} {amended}")]);
    assert_eq!(report.deleted, ["topic"]);
    assert_eq!(mirror.commit(second.parse().unwrap()).unwrap().id.to_string(), second);
    let error = mirror.resolve(Some("topic")).unwrap_err().to_string();
    assert!(error.contains("deleted on the server"), "{error}");

    // a revert is pushed, to a review branch and to the branch
    let tip = mirror.resolve(None).unwrap().commit;
    let Reverted::Committed(revert) = mirror.revert(tip, tip, None, None).unwrap() else { panic!("no revert") };
    let pushed = mirror.push(revert, "driftdeck/revert").unwrap();
    assert_eq!((pushed.branch.as_str(), pushed.url), ("driftdeck/revert", None));
    assert_eq!(server(&["rev-parse", "refs/heads/driftdeck/revert"]), revert.to_string());
    mirror.push(revert, "main").unwrap();
    assert_eq!(server(&["rev-parse", "main"]), revert.to_string());
    assert_eq!(server(&["show", "main:a.yaml"]), "a: 1");
    assert!(mirror.poll(&GO).unwrap());
    assert_eq!(mirror.fetch(&|_| {}, &GO).unwrap().updated, ["driftdeck/revert", "main"]);
    mirror.push(revert, "main").unwrap();

    // somebody was faster
    home.git(work, &["pull", "-q", "--ff-only"]);
    let faster = home.commit(work, "a.yaml", "a: 3\n");
    home.git(work, &["push", "-q", "origin", "main"]);
    let Reverted::Committed(late) = mirror.revert(revert, revert, None, None).unwrap() else { panic!("no revert") };
    let error = mirror.push(late, "main").unwrap_err();
    assert!(matches!(error, GitError::PushRefused { .. }), "{error}");
    assert!(error.to_string().contains("moved on the server"), "{error}");
    assert_eq!(server(&["rev-parse", "main"]), faster);
    assert_eq!(mirror.commit(late).unwrap().id, late, "the commit is kept");

    // the server has a rule
    let hook = bare.join("hooks/pre-receive");
    fs::write(&hook, "#!/bin/sh\nprintf 'no pushes \\033[31mon Fridays\\n' >&2\nexit 1\n").unwrap();
    fs::set_permissions(&hook, fs::Permissions::from_mode(0o755)).unwrap();
    let error = mirror.push(late, "other").unwrap_err();
    let text = error.to_string();
    assert!(matches!(error, GitError::PushRefused { .. }), "{text}");
    assert!(text.contains("pre-receive hook declined") && text.contains("no pushes ␛[31mon Fridays"), "{text}");
    fs::write(&hook, "#!/bin/sh\necho 'Open https://git.example.com/o/r/pull/new/other' >&2\n").unwrap();
    let pushed = mirror.push(late, "other").unwrap();
    assert_eq!(pushed.url.as_deref(), Some("https://git.example.com/o/r/pull/new/other"));
    fs::remove_file(hook).unwrap();

    // the mirror is found again
    let again = Mirror::open(mirror.path(), mirror.url()).unwrap().unwrap();
    again.fetch(&|_| {}, &GO).unwrap();
    assert_eq!(again.resolve(Some("main")).unwrap().commit.to_string(), faster);
    assert!(!again.poll(&GO).unwrap());
}

fn empty_and_missing(home: &Home, base: &str) {
    let empty = home.served().join("empty.git");
    fs::create_dir_all(&empty).unwrap();
    home.git(&empty, &["init", "-q", "--bare", "-b", "main"]);
    let mirror = clone(home, &format!("{base}/empty.git")).unwrap();
    assert!(!mirror.poll(&GO).unwrap());
    let error = mirror.resolve(None).unwrap_err();
    assert!(matches!(error, GitError::NoCommits { .. }), "{error}");
    let error = refused(home, &format!("{base}/missing.git"));
    assert!(matches!(error, GitError::NotFound { .. }), "{error}");
}

#[test]
fn a_path_and_a_file_address_live_through_everything() {
    Home::of("a_path_and_a_file_address_live_through_everything", |home| {
        // the user's own hooks are not run by our pushes
        let hooks = home.path().join("hooks");
        fs::create_dir_all(&hooks).unwrap();
        fs::write(hooks.join("pre-push"), "#!/bin/sh\ntouch $HOME/hook-ran\n").unwrap();
        fs::set_permissions(hooks.join("pre-push"), fs::Permissions::from_mode(0o755)).unwrap();
        for (name, scheme) in [("path.git", ""), ("file.git", "file://")] {
            let (bare, work) = home.repository(name);
            whole_life(home, &format!("{scheme}{}", bare.display()), &bare, &work);
        }
        home.configure("core.hooksPath", hooks.to_str().unwrap());
        let (bare, _) = home.repository("hooked.git");
        fs::remove_file(home.path().join("hook-ran")).unwrap();
        let mirror = clone(home, bare.to_str().unwrap()).unwrap();
        mirror.push(mirror.resolve(None).unwrap().commit, "new").unwrap();
        assert!(!home.path().join("hook-ran").exists());
        empty_and_missing(home, home.served().to_str().unwrap());
    });
}

#[test]
fn a_work_tree_is_mirrored_and_its_checked_out_branch_is_not_pushed_to() {
    Home::of("a_work_tree_is_mirrored_and_its_checked_out_branch_is_not_pushed_to", |home| {
        let (bare, work) = home.repository("app.git");
        let mirror = clone(home, work.to_str().unwrap()).unwrap();
        let tip = mirror.resolve(None).unwrap();
        assert_eq!(tip.branch.as_deref(), Some("main"));
        let Reverted::Committed(revert) = mirror.revert(tip.commit, tip.commit, None, Some(&work)).unwrap() else {
            panic!("no revert")
        };
        let text = mirror.push(revert, "main").unwrap_err().to_string();
        assert!(text.contains("checked out") && text.contains("review branch"), "{text}");
        assert_eq!(home.git(&work, &["rev-parse", "HEAD"]), tip.commit.to_string());
        assert_eq!(home.git(&work, &["status", "--porcelain"]), "");
        mirror.push(revert, "driftdeck/revert").unwrap();
        assert_eq!(home.git(&work, &["rev-parse", "driftdeck/revert"]), revert.to_string());

        // the upstream's name is everybody's; without one it is the root commit
        let root = home.git(&work, &["rev-list", "--max-parents=0", "main"]);
        assert_eq!(mirror.source_identity().unwrap(), format!("root:{root}"));
        home.git(&bare, &["remote", "add", "origin", "git@git.example.com:team/app.git"]);
        assert_eq!(mirror.source_identity().unwrap(), "git.example.com/team/app");
        let linked = home.path().join("linked");
        home.git(&work, &["worktree", "add", "-q", linked.to_str().unwrap(), "driftdeck/revert"]);
        let mirror = clone(home, linked.to_str().unwrap()).unwrap();
        assert_eq!(mirror.resolve(None).unwrap().branch.as_deref(), Some("driftdeck/revert"));
    });
}

#[test]
fn https_lives_through_everything_with_a_credential_helper() {
    Home::of("https_lives_through_everything_with_a_credential_helper", |home| {
        let (bare, work) = home.repository("app.git");
        let server = HttpServer::start(&home.served());
        let address = format!("https://127.0.0.1:{}", server.port);
        home.configure("http.sslCAInfo", CERTIFICATE);
        let store = home.path().join("credentials");
        fs::write(&store, format!("https://{USER}:{PASSWORD}@127.0.0.1%3a{}\n", server.port)).unwrap();
        home.configure("credential.helper", &format!("store --file={}", store.display()));
        whole_life(home, &format!("{address}/app.git"), &bare, &work);
        empty_and_missing(home, &address);
        let error = refused(home, &format!("{address}/forbidden.git"));
        assert!(matches!(error, GitError::Authentication { .. }), "{error}");

        let mirror = clone(home, &format!("{address}/app.git")).unwrap();
        let before = server.requests.load(Ordering::Relaxed);
        mirror.poll(&GO).unwrap();
        let requests = server.requests.load(Ordering::Relaxed) - before;
        // refused, handshake with credentials, list of refs
        assert!(requests <= 3, "{requests} requests for a poll");
        assert_eq!(mirror.source_identity().unwrap(), format!("127.0.0.1:{}/app", server.port));
    });
}

#[test]
fn https_credentials_in_the_address_work_and_are_never_shown_or_written() {
    Home::of("https_credentials_in_the_address_work_and_are_never_shown_or_written", |home| {
        home.repository("app.git");
        let server = HttpServer::start(&home.served());
        home.configure("http.sslCAInfo", CERTIFICATE);
        let mirror = clone(home, &format!("https://{USER}:{PASSWORD}@127.0.0.1:{}/app.git", server.port)).unwrap();
        assert!(!mirror.poll(&GO).unwrap());
        mirror.push(mirror.resolve(None).unwrap().commit, "new").unwrap();
        for file in walk(mirror.path()) {
            let content = fs::read(&file).unwrap();
            assert!(!content.windows(PASSWORD.len()).any(|part| part == PASSWORD.as_bytes()), "{}", file.display());
        }
        assert!(!format!("{mirror:?} {}", mirror.url()).contains(PASSWORD));
    });
}

fn walk(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).unwrap().flatten() {
        match entry.file_type().unwrap().is_dir() {
            true => files.extend(walk(&entry.path())),
            false => files.push(entry.path()),
        }
    }
    files
}

#[test]
fn https_without_or_with_wrong_credentials_says_so_without_asking() {
    Home::of("https_without_or_with_wrong_credentials_says_so_without_asking", |home| {
        home.repository("app.git");
        let server = HttpServer::start(&home.served());
        home.configure("http.sslCAInfo", CERTIFICATE);
        let address = format!("https://127.0.0.1:{}/app.git", server.port);
        let error = refused(home, &address);
        assert!(matches!(error, GitError::Authentication { .. }), "{error}");
        let error = refused(home, &format!("https://{USER}:wrong-password@127.0.0.1:{}/app.git", server.port));
        assert!(matches!(error, GitError::Authentication { .. }), "{error}");
        assert!(!error.to_string().contains("wrong-password"), "{error}");

        // credentials that expire later
        let store = home.path().join("credentials");
        let line = |password: &str| format!("https://{USER}:{password}@127.0.0.1%3a{}\n", server.port);
        fs::write(&store, line(PASSWORD)).unwrap();
        home.configure("credential.helper", &format!("store --file={}", store.display()));
        let mirror = clone(home, &address).unwrap();
        let tip = mirror.resolve(None).unwrap().commit;
        fs::write(&store, line("expired-password")).unwrap();
        let errors = [
            mirror.poll(&GO).unwrap_err(),
            mirror.fetch(&|_| {}, &GO).unwrap_err(),
            mirror.push(tip, "new").unwrap_err(),
        ];
        for error in errors {
            assert!(matches!(error, GitError::Authentication { .. }), "{error}");
            assert!(!error.to_string().contains("expired-password"), "{error}");
        }
        assert_eq!(mirror.resolve(None).unwrap().commit, tip, "the mirror stays usable");
    });
}

#[test]
fn https_takes_certificate_authorities_and_proxy_from_gits_configuration() {
    Home::of("https_takes_certificate_authorities_and_proxy_from_gits_configuration", |home| {
        home.repository("app.git");
        let server = HttpServer::start(&home.served());
        let address = format!("https://{USER}:{PASSWORD}@127.0.0.1:{}/app.git", server.port);
        home.configure("http.sslVerify", "false");
        let error = refused(home, &address);
        assert!(matches!(error, GitError::Unreachable { .. }), "an unknown authority is refused: {error}");
        assert!(error.to_string().to_lowercase().contains("certificate"), "{error}");
        home.configure("http.sslCAInfo", "/nonexistent/ca.pem");
        let error = refused(home, &address).to_string();
        assert!(error.contains("http.sslCAInfo") && error.contains("/nonexistent/ca.pem"), "{error}");
        home.configure("http.sslCAInfo", CERTIFICATE);
        let (port, tunnels) = proxy();
        home.configure("http.proxy", &format!("http://127.0.0.1:{port}"));
        clone(home, &address).unwrap();
        assert!(tunnels.load(Ordering::Relaxed) > 0, "the proxy was used");
        home.configure("http.proxy", &format!("http://me:proxy-password@127.0.0.1:{}", free_port()));
        let mirror = clone(home, &address).unwrap();
        let error = mirror.poll(&GO).unwrap_err();
        assert!(matches!(error, GitError::Unreachable { .. }), "{error}");
        assert!(!error.to_string().contains("proxy-password"), "{error}");
    });
}

#[test]
fn git_daemon_lives_through_everything() {
    Home::of("git_daemon_lives_through_everything", |home| {
        let (bare, work) = home.repository("app.git");
        let port = free_port();
        // not by `git daemon`, whose child would outlive it
        let mut daemon = Command::new(exec_path().join("git-daemon"));
        daemon.args(["--listen=127.0.0.1", "--reuseaddr", "--export-all", "--enable=receive-pack"]);
        daemon.arg(format!("--port={port}")).arg(format!("--base-path={}", home.served().display()));
        let Some(_running) = start(&mut daemon, port) else {
            println!("skipped: 1 test of git:// (git daemon does not start)");
            return;
        };
        whole_life(home, &format!("git://127.0.0.1:{port}/app.git"), &bare, &work);
        empty_and_missing(home, &format!("git://127.0.0.1:{port}"));
    });
}

/// Starts an ssh server for the test's own key.
fn sshd(home: &Home) -> Option<(u16, Running)> {
    let folder = home.path().join("ssh");
    fs::create_dir(&folder).unwrap();
    for key in ["host", "user", "stranger"] {
        let key = folder.join(key);
        let mut command = Command::new("ssh-keygen");
        command.args(["-q", "-t", "ed25519", "-N", "", "-f"]).arg(key);
        if !command.status().is_ok_and(|status| status.success()) {
            return None;
        }
    }
    let port = free_port();
    fs::copy(folder.join("user.pub"), folder.join("authorized_keys")).unwrap();
    let host = fs::read_to_string(folder.join("host.pub")).unwrap();
    fs::write(folder.join("known_hosts"), format!("[127.0.0.1]:{port} {host}")).unwrap();
    let show = |name: &str| folder.join(name).display().to_string();
    let config = format!(
        "Port {port}\nListenAddress 127.0.0.1\nHostKey {}\nAuthorizedKeysFile {}\nPidFile none\nStrictModes no\n\
         UsePAM no\nPasswordAuthentication no\nKbdInteractiveAuthentication no\nAcceptEnv GIT_PROTOCOL\n\
         PermitRootLogin yes\nBanner {}\n",
        show("host"),
        show("authorized_keys"),
        show("banner")
    );
    fs::write(folder.join("banner"), "\u{1b}[2Jwelcome\n").unwrap();
    fs::write(folder.join("sshd_config"), config).unwrap();
    client(home, "user");
    // where Debian's service has made it; only root needs it and only root can make it
    let _ = fs::create_dir_all("/run/sshd");
    let mut command = Command::new("/usr/sbin/sshd");
    command.args(["-D", "-f"]).arg(folder.join("sshd_config"));
    Some((port, start(&mut command, port)?))
}

fn client(home: &Home, key: &str) {
    let folder = home.path().join("ssh");
    let config = format!(
        "Host *\n IdentityFile {0}/{key}\n IdentitiesOnly yes\n UserKnownHostsFile {0}/known_hosts\n\
         \x20GlobalKnownHostsFile none\n StrictHostKeyChecking ask\n",
        folder.display()
    );
    fs::write(home.path().join("ssh_config"), config).unwrap();
}

#[test]
fn ssh_lives_through_everything_and_never_asks() {
    Home::of("ssh_lives_through_everything_and_never_asks", |home| {
        let (bare, work) = home.repository("app.git");
        let Some((port, _running)) = sshd(home) else {
            println!("skipped: 1 test of ssh (sshd or ssh-keygen is not installed or does not start)");
            return;
        };
        let user = String::from_utf8(Command::new("id").arg("-un").output().unwrap().stdout).unwrap();
        let base = format!("ssh://{}@127.0.0.1:{port}{}", user.trim(), home.served().display());
        let address = format!("{base}/app.git");
        whole_life(home, &address, &bare, &work);
        empty_and_missing(home, &base);
        let mirror = clone(home, &address).unwrap();
        let tip = mirror.resolve(None).unwrap().commit;

        client(home, "stranger");
        for error in [mirror.poll(&GO).unwrap_err(), mirror.push(tip, "new").unwrap_err()] {
            assert!(matches!(error, GitError::Authentication { .. }), "{error}");
            assert!(error.to_string().contains("Permission denied"), "{error}");
        }
        client(home, "user");
        let known = home.path().join("ssh/known_hosts");
        let stranger = fs::read_to_string(home.path().join("ssh/stranger.pub")).unwrap();
        fs::write(&known, format!("[127.0.0.1]:{port} {stranger}")).unwrap();
        let error = mirror.poll(&GO).unwrap_err();
        assert!(matches!(error, GitError::HostKey { .. }), "a changed host key: {error}");
        assert!(error.to_string().contains("is not the one that ssh knows"), "{error}");
        fs::write(&known, "").unwrap();
        let error = mirror.poll(&GO).unwrap_err();
        assert!(matches!(error, GitError::HostKey { .. }), "an unknown host is not asked about: {error}");
        assert!(error.to_string().contains("ssh does not know the server's host key"), "{error}");
    });
}

#[test]
fn a_port_where_nobody_listens_is_unreachable_and_the_mirror_stays_usable() {
    Home::of("a_port_where_nobody_listens_is_unreachable_and_the_mirror_stays_usable", |home| {
        let port = free_port();
        fs::write(home.path().join("ssh_config"), "").unwrap();
        for scheme in ["https", "http", "git", "ssh"] {
            let error = refused(home, &format!("{scheme}://127.0.0.1:{port}/app.git"));
            assert!(matches!(error, GitError::Unreachable { .. }), "{scheme}: {error}");
            assert!(error.to_string().to_lowercase().contains("refused"), "{scheme}: {error}");
        }
        for scheme in ["https", "git", "ssh"] {
            let error = refused(home, &format!("{scheme}://no-such-host.invalid/app.git"));
            assert!(matches!(error, GitError::Unreachable { .. }), "{scheme}: {error}");
        }
    });
}

#[test]
fn a_server_that_says_nothing_can_be_left_at_any_time() {
    Home::of("a_server_that_says_nothing_can_be_left_at_any_time", |home| {
        let held = Arc::new(Mutex::new(Vec::<TcpStream>::new()));
        let holder = held.clone();
        let port = serve(move |stream| holder.lock().unwrap().push(stream));
        fs::write(home.path().join("ssh_config"), "").unwrap();
        for scheme in ["git", "ssh"] {
            let address = url(&format!("{scheme}://127.0.0.1:{port}/app.git"));
            let (stop, begun) = (AtomicBool::new(false), Instant::now());
            let connected = held.lock().unwrap().len();
            let dir = home.path().join("cache").join(scheme);
            let error = std::thread::scope(|scope| {
                let clone = scope.spawn(|| Mirror::clone_from(&address, &dir, &|_| {}, &stop).unwrap_err());
                while held.lock().unwrap().len() == connected {
                    assert!(begun.elapsed() < Duration::from_secs(20), "{scheme}: no connection");
                    std::thread::sleep(Duration::from_millis(10));
                }
                stop.store(true, Ordering::Relaxed);
                clone.join().unwrap()
            });
            assert!(matches!(error, GitError::Interrupted), "{scheme}: {error}");
            assert!(begun.elapsed() < Duration::from_secs(10), "{scheme}");
        }
    });
}

#[test]
fn an_address_that_configuration_rewrites_to_another_transport_is_refused() {
    Home::of("an_address_that_configuration_rewrites_to_another_transport_is_refused", |home| {
        let marker = home.path().join("ran");
        home.configure(&format!("url.ext::sh -c touch% {} .insteadOf", marker.display()), "https://evil.example.com/");
        let error = refused(home, "https://evil.example.com/app.git");
        assert!(matches!(error, GitError::BadUrl { .. } | GitError::Unreachable { .. }), "{error}");
        assert!(!marker.exists());
        // and one that it rewrites to a path is that path
        let (bare, _) = home.repository("app.git");
        home.configure(&format!("url.{}.insteadOf", bare.display()), "https://inside.example.com/app.git");
        let mirror = clone(home, "https://inside.example.com/app.git").unwrap();
        assert_eq!(mirror.resolve(None).unwrap().branch.as_deref(), Some("main"));
    });
}
