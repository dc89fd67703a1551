//! What a salvage set aside is shown path by path, and freed while Prometheus serves: that, and nothing
//! else; a run that is killed meanwhile is finished.

use std::fs;
use std::path::PathBuf;

use super::audit::Mark;
use super::damage::{Damage, Server};
use super::install::{Install, Kind, ROOMY};
use super::keeper;
use super::left::nothing_is_left;
use super::life::first;
use super::scene::{Said, Scene};

fn says(said: &Said, words: &[&str]) {
    for word in words {
        let (out, err) = (&said.stdout, &said.stderr);
        assert!(out.contains(word) || err.contains(word), "{word}?\n{out}\n{err}");
    }
}

/// A program that fails the second time: the helper that looks is let be, and not the one that frees.
fn second_time() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().expect("a folder");
    let (file, been) = (folder.path().join("keeper"), folder.path().join("been"));
    keeper::write(&file, &format!("! [ -e {0} ] && touch {0}", been.display()));
    (folder, file)
}

#[test]
#[ignore = "needs the cluster: tests/run"]
fn what_was_set_aside_is_freed_while_it_serves() {
    let scene = Scene::new("cleanup");
    let (server, _) = Server::with_log(&scene, Install::new(Kind::Set, "v3.16.0", ROOMY));
    server.damage(Damage::Flip);
    let wal = ["wal", "sts/prom", "--inspect", "--apply", "--yes", "-o", "json"];
    let late = scene.plugin(&[&wal[..], &["--no-wait"]].concat()).expect(124).json();
    let mended = first(&late, "/plan/digest");
    scene.until_ready("prom-0", 60);
    let pod = || {
        let status = ".status.containerStatuses[0]";
        [".metadata.uid".to_owned(), format!("{status}.restartCount"), format!("{status}.ready")]
            .map(|path| scene.field("pod/prom-0", &path))
    };
    let before = pod();
    assert_eq!(before[2], "true");
    let aside = || -> Vec<PathBuf> {
        let names = fs::read_dir(&server.data).expect("the data").flatten().map(|one| one.path());
        names.filter(|path| path.to_string_lossy().contains("/prom-fix-")).collect()
    };
    let folder = aside()[0].clone();
    let old = folder.join("old/wal/00000001");
    let size = fs::metadata(&old).expect("the old file").len();

    // Nothing is made before somebody agreed to a look; and nothing is freed before it was shown.
    let mark = Mark::now();
    let asks = scene.plugin(&["cleanup", &mended]).expect(3);
    says(&asks, &["only a look inside tells", "--inspect"]);
    let look = ["cleanup", &mended, "--inspect", "--settle", "4s", "-o", "json"];
    let shown = scene.plugin(&look).expect(3);
    mark.only_our_own(&scene.ns);
    says(&shown, &["not proved yet", &size.to_string(), "old/wal/00000001"]);
    let shown = shown.json();
    assert_eq!(shown.pointer("/reports/0/blocked/reason"), Some(&"needs-consent".into()));
    let digest = first(&shown, "/plan/digest");
    assert!(old.exists());
    says(&scene.plugin(&["receipts", &mended]).expect(0), &["proved", "kubectl prom-fix cleanup"]);

    // Killed, it is busy; and whoever finishes it frees what was shown, and not what is not ours.
    fs::write(folder.join("notes"), "of somebody else").expect("written");
    let args = ["cleanup", &mended, "--inspect", "--confirm", &digest];
    let (_folder, keeper) = second_time();
    let keeper = keeper.to_str().expect("a plain path");
    let env = [("PROM_FIX_FAULT", "step-2-sent"), ("PROM_FIX_FAULT_RUN", keeper)];
    scene.plugin_with(&args, &env).expect(-1);
    says(&scene.plugin(&["cleanup", &mended, "--yes"]).expect(3), &[&digest, "is not finished"]);
    says(&scene.plugin(&["resume", &digest, "--yes"]).expect(0), &["FREED", "notes"]);
    assert!(folder.join("notes").exists() && !folder.join("old").exists());
    assert!(!folder.join("manifest.json").exists());
    nothing_is_left(&scene);
    assert_eq!(pod(), before, "it ran on");

    says(&scene.plugin(&["undo", &mended, "--yes", "--force"]).expect(3), &["were freed"]);
    says(&scene.plugin(&["receipts"]).expect(0), &["freed"]);
    says(&scene.plugin(&["cleanup", &mended, "--yes"]).expect(0), &["freed already"]);
    assert_eq!(pod(), before);
}
