//! Proves the test harness itself, on programs that are not driftdeck: what the suites see is what is there.

mod support;

use support::{Console, SHORT, Size, World, cluster, shop, until};

#[test]
fn commits_reach_the_server_with_the_same_id_everywhere() {
    let mut ids = Vec::new();
    for _ in 0..2 {
        let mut world = World::new();
        let repository = world.repository("platform");
        let first = shop::commit_first(&repository);
        let bump = shop::commit_bump(&repository);
        assert_eq!(repository.server_tip("main"), bump);
        assert_eq!(repository.on_server(&["rev-list", "--count", "main"]), "2");
        ids.push((first, bump));
    }
    assert_eq!(ids[0], ids[1], "commits are not reproducible");
}

#[test]
fn the_terminal_shows_text_styles_and_the_alternate_screen_and_takes_keys_and_sizes() {
    let script = r#"stty -echo; printf '\033[?1049h\033[2;3H\033[1;7mready\033[0m'; read -r line; printf '\033[4;1H%s %s' "$line" "$(stty size)"
        read -r line; printf '\033[?1049l'; exit 3"#;
    let world = World::new();
    let path = std::env::var_os("PATH").unwrap_or_default();
    let environment = [("PATH".into(), path), ("TERM".into(), "xterm-256color".into())];
    let shell = std::path::Path::new("/bin/sh");
    let mut console = Console::start(shell, &["-c", script], &environment, world.folder(), Size::SMALL);
    let screen = console.wait_for("ready");
    assert!(screen.is_alternate());
    assert_eq!(screen.find("ready"), Some((1, 2)));
    let cell = screen.cell_of("ready").expect("a cell");
    assert!(cell.bold && cell.reversed, "{cell:?}");
    console.resize(Size::DESIGN);
    console.press("typed<lt>tab><enter>");
    console.wait_for_row(&["typed<tab>", "36 120"], SHORT);
    console.press("<enter>");
    assert_eq!(console.wait_for_end().exit_code(), 3);
    assert!(!console.screen().is_alternate());
}

#[test]
#[should_panic(expected = "waited 0 s for the moon; at last:\nclouds")]
fn a_wait_that_ends_says_what_it_saw() {
    until("the moon", std::time::Duration::ZERO, || Err::<(), _>("clouds"));
}

#[test]
fn namespaces_go_away_with_their_test() {
    let Some(kubectl) = cluster(1, "namespace of the harness") else { return };
    let namespace = kubectl.namespace("harness");
    let name = namespace.name().to_owned();
    kubectl.run(&["create", "--namespace", &name, "configmap", "one", "--from-literal=a=b"]);
    assert_eq!(kubectl.field(&name, "configmap/one", "/data/a"), "b");
    assert_eq!(kubectl.get(&name, "configmap/two"), None);
    assert!(kubectl.versions(&name, "configmaps").iter().any(|(object, _)| object == "ConfigMap/one"));
    let denied = kubectl.as_user("viewer").output(&["delete", "--namespace", &name, "configmap", "one"], None);
    assert!(!denied.status.success(), "the viewer may delete");
    drop(namespace);
    until("the namespace's end", support::USUAL, || match kubectl.get("", &format!("namespace/{name}")) {
        None => Ok(()),
        Some(found) => Err(found),
    });
}
