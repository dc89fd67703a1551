//! `--helper-image`: a helper runs in another image, and one that has none says so at once.

use super::chaos::gap;
use super::kill::WAITS;
use super::left::nothing_is_left;
use super::life::text;

/// Another release than the one that is looked at, without a shell.
const OTHER: &str = "quay.io/prometheus/prometheus:v2.53.3-distroless";
/// By RFC 2606 no name server knows it.
const NONE: &str = "registry.invalid/none:1";

#[test]
#[ignore = "needs the cluster: tests/run"]
fn a_helper_runs_in_an_image_that_was_named() {
    let (scene, data, _) = gap("image");
    let look = ["wal", "sts/prom", "--inspect", "--helper-image"];
    let said = scene.plugin(&[&look[..], &["a b"]].concat()).expect(1);
    assert!(said.stderr.contains("no reference to an image"), "{}", said.stderr);

    let began = std::time::Instant::now();
    let none = scene.plugin(&[&look[..], &[NONE, "-o", "json"]].concat()).expect(2).json();
    let blocked = none["reports"][0]["blocked"].to_string();
    assert!(blocked.contains("cannot get the image registry.invalid/none:1"), "{blocked}");
    assert!(blocked.contains("--helper-image REF"), "{blocked}");
    assert!(began.elapsed().as_secs() < 60, "{:?}", began.elapsed());
    nothing_is_left(&scene);

    let args = [&look[..], &[OTHER]].concat();
    let shown = scene.plugin(&args).expect(2).stdout;
    let unwrapped = shown.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(unwrapped.contains(&format!("in the image {OTHER}")), "{shown}");
    assert!(unwrapped.contains(&format!("--helper-image {OTHER}")), "{shown}");
    let apply = [&args[..], &["--apply", "--yes", "-o", "json"], &WAITS[..]].concat();
    let report = scene.plugin(&apply).expect(0).json();
    let mut steps = report["reports"][0]["plan"]["steps"].as_array().into_iter().flatten();
    assert!(steps.any(|step| text(step, "/why").contains(OTHER)), "{report:#}");
    nothing_is_left(&scene);
    assert!(data.join("wal/00000001").exists(), "the missing segment is there");
}
