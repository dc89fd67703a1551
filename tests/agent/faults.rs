//! A salvage that is killed, or whose disk fails, at any system call that writes; and the same of
//! what goes on from there.

mod ahead;

use std::path::{Path, PathBuf};
use std::process::Output;
use std::sync::OnceLock;

use crate::directory::{Everything, What, agent, damaged, everything, folder, json, run, timeless};
use crate::gaps::Between;

/// What a run that nothing disturbs makes of the damage, and the damage.
struct Expected {
    before: Everything,
    after: Everything,
}

fn broken() -> tempfile::TempDir {
    let folder = folder();
    damaged(folder.path());
    folder
}

fn expected() -> Expected {
    Expected::of(damaged)
}

fn words(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// A run killed before it wrote its manifest may leave the file of the lock, which nobody holds:
/// as a Prometheus that is killed leaves it, and a Prometheus that starts takes it over.
fn but_for_the_lock(mut all: Everything, said: bool) -> Everything {
    if !said {
        all.remove(Path::new("lock"));
    }
    all
}

/// Whether there is a manifest that says what was begun.
fn is_said(root: &Path) -> bool {
    everything(root).keys().any(|path| path.ends_with("manifest.json"))
}

impl Expected {
    fn of(damage: fn(&Path)) -> Expected {
        let folder = folder();
        damage(folder.path());
        let before = everything(folder.path());
        run(&["salvage"], folder.path(), 0);
        Expected { before, after: timeless(everything(folder.path())) }
    }

    /// However it was left, it can be finished, to the same bytes.
    fn can_be_finished(&self, root: &Path, why: &str) {
        let said = is_said(root);
        run(&["resume"], root, 0);
        // Where nothing was begun there was nothing to go on with.
        run(&["salvage"], root, 0);
        let mut after = but_for_the_lock(timeless(everything(root)), said);
        if !said {
            // It found the file of the lock that the killed run left.
            for (path, (.., bytes)) in &mut after {
                if let Some(bytes) = bytes.as_mut().filter(|_| path.ends_with("manifest.json")) {
                    let text = String::from_utf8(bytes.clone()).expect("JSON");
                    *bytes = text.replace("\"lockCreated\": false", "\"lockCreated\": true").into();
                }
            }
        }
        same(&after, &self.after, why);
    }

    /// However it was left, all can be put back.
    fn can_be_put_back(&self, root: &Path, why: &str) {
        let said = is_said(root);
        let output = agent("", &["restore"], root);
        let nothing = output.status.code() == Some(3) && words(&output).contains("nothing was");
        assert!(output.status.code() == Some(0) || nothing, "{why}: {}", words(&output));
        same(&but_for_the_lock(everything(root), said), &self.before, why);
    }
}

fn same(found: &Everything, wanted: &Everything, why: &str) {
    let differs = |(path, what)| (wanted.get(path) != Some(what)).then_some(path);
    let other: Vec<_> = found.iter().filter_map(differs).collect();
    let gone: Vec<_> = wanted.keys().filter(|path| !found.contains_key(*path)).collect();
    assert!(other.is_empty() && gone.is_empty(), "{why}: other {other:?}, gone {gone:?}");
}

/// What is on the disk in all.
fn bytes(root: &Path) -> usize {
    everything(root).into_values().filter_map(|(.., bytes)| bytes).map(|bytes| bytes.len()).sum()
}

/// Of the files that are written anew, and the manifest twice while it is written; far below the MiB
/// that is promised, for these are few files.
fn most_bytes() -> usize {
    static MOST: OnceLock<usize> = OnceLock::new();
    *MOST.get_or_init(|| {
        let folder = broken();
        let plan = json(&run(&["salvage", "--dry-run", "--json"], folder.path(), 2));
        let extra = plan["extraBytes"].as_u64().and_then(|extra| usize::try_from(extra).ok());
        bytes(folder.path()) + extra.expect("a number") + 40_000
    })
}

fn was_killed(output: &Output) -> bool {
    output.status.code().is_none()
}

/// Runs it once for each system call that it makes, killed before that one; `also` goes with it.
fn killed_everywhere(also: &str, words: &[&str], begin: fn(&Path), check: impl Fn(&Path, &str)) {
    // What comes before the swaps is the same with every file system.
    let first = if words == ["salvage"] && !also.is_empty() { calls() - 130 } else { 1 };
    let between = Between::of(words, |root| {
        damaged(root);
        begin(root);
    });
    assert!(between.stays() > 12, "{}", between.stays());
    for at in first.. {
        let folder = broken();
        begin(folder.path());
        let output = agent(&format!("abort:{at}{also}"), words, folder.path());
        if !was_killed(&output) {
            assert_eq!(output.status.code(), Some(0), "{}", self::words(&output));
            assert!(at > 20, "{words:?} made {at} calls only");
            return;
        }
        let why = format!("{words:?} killed before call {at}{also}");
        let (most, now) = (most_bytes(), bytes(folder.path()));
        assert!(now <= most, "{why}: {now} bytes, and not {most}");
        if also.is_empty() {
            between.check(folder.path(), &why);
        }
        check(folder.path(), &why);
    }
}

/// With swaps and, as on a file system that has none, without.
fn a_salvage_killed_anywhere(check: fn(&Expected, &Path, &str)) {
    let expected = expected();
    for also in ["", ",noexchange"] {
        killed_everywhere(also, &["salvage"], |_| {}, |root, why| check(&expected, root, why));
    }
}

#[test]
fn a_salvage_killed_anywhere_can_be_finished() {
    a_salvage_killed_anywhere(Expected::can_be_finished);
}

#[test]
fn a_salvage_killed_anywhere_can_be_put_back() {
    a_salvage_killed_anywhere(Expected::can_be_put_back);
}

#[test]
fn a_salvage_killed_anywhere_is_not_begun_again() {
    killed_everywhere(
        "",
        &["salvage"],
        |_| {},
        |root, why| {
            let manifest = |(path, (.., bytes)): (PathBuf, What)| {
                String::from_utf8(bytes.filter(|_| path.ends_with("manifest.json"))?).ok()
            };
            let manifest = everything(root).into_iter().find_map(manifest);
            if manifest.is_some_and(|text| !text.contains("\"phase\": \"done\"")) {
                let refused = run(&["salvage"], root, 3);
                let named = ["resume", "restore"].iter().all(|word| refused.contains(word));
                assert!(named, "{why}: {refused}");
            }
        },
    );
}

/// System calls of a salvage of this damage that write.
fn calls() -> u64 {
    static CALLS: OnceLock<u64> = OnceLock::new();
    *CALLS.get_or_init(|| {
        let lives = |at: &u64| {
            let folder = broken();
            !was_killed(&agent(&format!("abort:{at}"), &["salvage"], folder.path()))
        };
        (1..).step_by(10).find(lives).expect("it ends")
    })
}

/// Ends in the middle of making new files.
fn half_staged(root: &Path) {
    assert!(was_killed(&agent("abort:40", &["salvage"], root)));
}

/// Ends in the middle of swapping them in.
fn half_swapped(root: &Path) {
    assert!(was_killed(&agent(&format!("abort:{}", calls() - 50), &["salvage"], root)));
}

#[test]
fn a_resume_killed_anywhere_can_be_finished_or_put_back() {
    let expected = expected();
    for begin in [half_staged, half_swapped] {
        killed_everywhere("", &["resume"], begin, |root, why| {
            expected.can_be_finished(root, why);
        });
        killed_everywhere("", &["resume"], begin, |root, why| {
            expected.can_be_put_back(root, why);
        });
    }
}

#[test]
fn a_restore_killed_anywhere_can_be_finished() {
    let expected = expected();
    let salvaged = |root: &Path| {
        run(&["salvage"], root, 0);
    };
    for also in ["", ",noexchange"] {
        for word in ["restore", "resume"] {
            killed_everywhere(also, &["restore"], salvaged, |root, why| {
                let said = is_said(root);
                let output = agent("", &[word], root);
                assert!(matches!(output.status.code(), Some(0 | 3)), "{why}: {}", words(&output));
                let mut left = timeless(everything(root));
                left.retain(|path, _| {
                    !path.ends_with("lock") && !path.ends_with("manifest.json.tmp")
                });
                if word == "resume" && left == expected.after {
                    // It was killed before it began.
                    return;
                }
                same(&but_for_the_lock(everything(root), said), &expected.before, why);
            });
        }
    }
}

#[test]
fn a_cleanup_killed_anywhere_can_be_finished() {
    let salvaged = |root: &Path| {
        run(&["salvage"], root, 0);
    };
    let kept = |root: &Path| {
        let mut all = timeless(everything(root));
        all.retain(|path, _| !path.starts_with("prom-fix"));
        all
    };
    let whole = broken();
    salvaged(whole.path());
    let wanted = kept(whole.path());
    killed_everywhere("", &["cleanup", "--free"], salvaged, |root, why| {
        same(&kept(root), &wanted, why);
        let names =
            everything(root).into_keys().filter_map(|path| path.to_str().map(str::to_owned));
        let mut ours = names.filter(|name| name.starts_with("prom-fix-"));
        // The last call only syncs.
        let Some(name) = ours.next() else { return };
        let folder = name.split('/').next().expect("a name").to_owned();
        let told = run(&["cleanup", "--free", "--of", &folder], root, 0);
        assert!(!told.contains("\"ours\": false"), "{why}: {told}");
        let now = everything(root);
        assert!(!now.keys().any(|path| path.starts_with(&folder)), "{why}");
        same(&kept(root), &wanted, why);
    });
}

/// The same once more, to go another way from there.
fn copy(of: &Path) -> tempfile::TempDir {
    let folder = folder();
    let mut cp = std::process::Command::new("cp");
    cp.arg("-a").arg(of.join(".")).arg(folder.path());
    assert!(cp.status().expect("it starts").success());
    folder
}

/// What is of Prometheus: in the folder of a salvage that was begun, new files come and go.
fn but_for_ours(mut all: Everything) -> Everything {
    all.retain(|path, _| {
        !path.starts_with("lock") && !path.to_string_lossy().starts_with("prom-fix-")
    });
    all
}

/// Runs it once for each system call that it makes and that can fail, with a full disk and with a
/// failing one, that once or from there on; `check` gets what is left where it did not end well.
fn failed_everywhere(
    words: &[&str],
    begin: fn(&Path),
    ended: impl Fn(&Path, &str),
    check: impl Fn(&Path, &str),
) {
    for fault in ["enospc", "eio"] {
        for on in ["", "+"] {
            // What comes from a salvage was tried with both.
            if words != ["salvage"] && (fault == "eio") != on.is_empty() {
                continue;
            }
            for at in 1.. {
                let folder = broken();
                let root = folder.path();
                begin(root);
                let before = everything(root);
                let fault = format!("{fault}:{at}{on}");
                let why = format!("{words:?} {fault}");
                let output = agent(&fault, words, root);
                let told = self::words(&output);
                if output.status.code() == Some(0) {
                    ended(root, &why);
                    if at > 100 || at > 30 && words != ["salvage"] {
                        break;
                    }
                    continue;
                }
                let unfinished = output.status.code() == Some(5);
                assert!(unfinished || matches!(output.status.code(), Some(1 | 3)), "{why}: {told}");
                assert_eq!(told.contains("prom-fix-agent resume"), unfinished, "{why}: {told}");
                if !unfinished {
                    assert!(told.contains("nothing was changed"), "{why}: {told}");
                    same(&but_for_ours(everything(root)), &but_for_ours(before), &why);
                }
                check(root, &why);
            }
        }
    }
}

#[test]
fn a_disk_that_fails_anywhere_loses_nothing() {
    let expected = expected();
    let ended = |root: &Path, why: &str| {
        // What fails last, or is of no weight, is not told: the file of the lock.
        same(&but_for_the_lock(timeless(everything(root)), false), &expected.after, why);
    };
    failed_everywhere(
        &["salvage"],
        |_| {},
        ended,
        |root, why| {
            expected.can_be_put_back(copy(root).path(), why);
            expected.can_be_finished(root, why);
        },
    );
}

#[test]
fn a_disk_that_fails_anywhere_in_a_resume_loses_nothing() {
    let expected = expected();
    let ended = |root: &Path, why: &str| {
        same(&but_for_the_lock(timeless(everything(root)), false), &expected.after, why);
    };
    failed_everywhere(&["resume"], half_swapped, ended, |root, why| {
        expected.can_be_put_back(copy(root).path(), why);
        expected.can_be_finished(root, why);
    });
}

#[test]
fn a_disk_that_fails_anywhere_in_a_restore_loses_nothing() {
    let expected = expected();
    let salvaged = |root: &Path| {
        run(&["salvage"], root, 0);
    };
    let is_back = |root: &Path, why: &str| {
        same(&but_for_the_lock(everything(root), false), &expected.before, why);
    };
    failed_everywhere(&["restore"], salvaged, is_back, |root, why| {
        run(&["restore"], root, 0);
        is_back(root, why);
    });
}
