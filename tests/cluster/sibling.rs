//! Whether others serve as long as one is mended.

use std::fs;

use jiff::{SignedDuration, Timestamp};

use super::damage::data_of;
use super::install::{Install, Kind, ROOMY};
use super::left::nothing_is_left;
use super::life::first;
use super::objects::FRONT;
use super::scene::Scene;

/// One of two is broken: the other is neither asked nor stopped, and whoever asks the Service of both
/// gets an answer all the while.
fn a_sibling_serves(kind: Kind, image: &str) {
    let scene = Scene::new("sibling");
    let install = Install { replicas: 2, scrapes: false, ..Install::new(kind, image, ROOMY) };
    install.apply(&scene);
    let label = install.selector().replace('=', ": ");
    let url = "http://front:9090/-/ready";
    scene.apply(&FRONT.replace("@LABEL@", &label).replace("@URL@", url));
    let of = if kind == Kind::Resource { "prometheus-prom" } else { "prom" };
    let (broken, well) = (format!("{of}-0"), format!("{of}-1"));
    for _ in 0..3 {
        scene.until_ready(&broken, 60);
        scene.kubectl(&["delete", "pod", &broken]).expect(0);
    }
    scene.until_ready(&broken, 60);
    scene.until_ready(&well, 60);
    let sibling = || {
        let status = ".status.containerStatuses[0]";
        let pod = format!("pod/{well}");
        [".metadata.uid".to_owned(), format!("{status}.restartCount"), format!("{status}.ready")]
            .map(|path| scene.field(&pod, &path))
    };
    let before = sibling();
    assert_eq!(before[2], "true");
    // The other serves: nobody has to agree to an outage.
    scene.plugin(&["freeze", &format!("pod/{broken}"), "--yes"]).expect(0);
    // kube-proxy may send some to it for a second more.
    let from = (Timestamp::now() + SignedDuration::from_secs(1)).to_string();
    fs::remove_file(data_of(&scene, &broken).join("wal/00000001")).expect("a segment");
    let args = ["wal", install.target(), "--inspect", "--apply", "--yes", "--settle", "4s"];
    let report = scene.plugin(&[&args[..], &["-o", "json"]].concat()).expect(0).json();
    let outage = first(&report, "/plan/impact/outage");
    assert!(outage.contains("another replica serves throughout"), "{outage}");
    assert_eq!(sibling(), before);
    let log = scene.kubectl(&["logs", "client"]).expect(0).stdout;
    let meanwhile: Vec<&str> = log.lines().filter(|line| *line > from.as_str()).collect();
    let failed: Vec<&&str> = meanwhile.iter().filter(|line| !line.contains(" 200 ")).collect();
    assert!(failed.is_empty(), "{} of {}: {failed:#?}", failed.len(), meanwhile.len());
    assert!(meanwhile.len() > 50, "the client asked: {}", meanwhile.len());
    nothing_is_left(&scene);
}

#[test]
#[ignore = "needs the cluster: tests/run"]
fn a_sibling_serves_throughout() {
    a_sibling_serves(Kind::Set, "v3.16.0");
}

#[test]
#[ignore = "needs the cluster: tests/run"]
fn a_sibling_of_a_resource_serves_throughout() {
    a_sibling_serves(Kind::Resource, "v2.53.3");
}
