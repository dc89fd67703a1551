//! What a person at a terminal sees and is asked, by `script` of util-linux, which gives the plugin one.

use std::process::Command;

use super::left::nothing_is_left;
use super::scene::{Said, Scene, run};
use super::wal::with_gap;

/// Runs the plugin on a terminal of 100 columns, on which `typed` is typed, and then nothing more.
/// All that it shows is in `stdout`.
pub fn on_a_terminal(scene: &Scene, args: &[&str], typed: &str) -> Said {
    let mut words = vec![env!("CARGO_BIN_EXE_kubectl-prom-fix")];
    words.extend(args.iter().chain(&["-n", scene.ns.as_str()]));
    assert!(
        words.iter().all(|word| !word.contains([' ', '\''])),
        "no word needs quotes: {words:?}"
    );
    let line = format!("stty cols 100; {}", words.join(" "));
    let mut script = Command::new("script");
    script.args(["--quiet", "--return", "--command", &line, "/dev/null"]);
    run(script.envs(scene.places()).env("TERM", "xterm-256color"), typed)
}

#[test]
#[ignore = "needs the cluster: tests/run"]
fn a_person_is_asked_and_only_a_yes_does_it() {
    let scene = Scene::new("terminal");
    let data = with_gap(&scene, false);
    let uid = || scene.field("pod/prom-0", ".metadata.uid");
    super::life::until_told(&scene, "sts/prom", &["wal/gap"]);
    let before = uid();
    let args = ["wal", "sts/prom", "--inspect", "--apply", "--settle", "4s"];
    for typed in ["n\n", "\n", "yess\n", ""] {
        let said = on_a_terminal(&scene, &args, typed);
        assert_eq!(said.code, 3, "{typed:?}: {}", said.stdout);
        assert!(said.stdout.contains("Carry out these steps (10)? (y/N)"), "{}", said.stdout);
        assert_eq!(uid(), before, "{typed:?} is no yes");
        assert!(!data.join("wal/00000001").exists(), "{typed:?} is no yes");
    }
    let said = on_a_terminal(&scene, &args, "y\n").expect(0).stdout;
    // A spinner turns where one waits; what has ended stands as a line.
    assert!(said.contains("\u{1b}[") && said.contains("created pod/prom-fix-salvage"), "{said}");
    assert_ne!(uid(), before);
    assert!(data.join("wal/00000001").exists(), "it was mended");
    nothing_is_left(&scene);
}
