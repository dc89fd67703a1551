//! The way to a user's machine: the archive, its manifest, and what kubectl makes of the names.
//! The debug binary stands in for the release; it is the layout that is tested.

use std::path::Path;
use std::process::{Command, Output};

#[test]
fn an_installed_archive_answers_by_each_of_its_names() {
    if !kubectl_is_here() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let built = build(Path::new(env!("CARGO_BIN_EXE_kubectl-prom-fix")), folder.path());
    let (sum, name) = built.trim().split_once("  ").unwrap();
    let archive = folder.path().join(name);

    let manifest = folder.path().join("prom-fix.yaml");
    let rendered = krew("render", &[archive.to_str().unwrap()]);
    assert!(rendered.contains(sum), "{rendered}");
    std::fs::write(&manifest, rendered).unwrap();

    let said = krew("check", &[archive.to_str().unwrap(), manifest.to_str().unwrap()]);
    let said: Vec<&str> = said.lines().collect();
    for (name, said) in ["prom-fix", "prom_fix", "prom fix"].iter().zip(&said) {
        assert!(said.starts_with(&format!("kubectl {name} --version: ")), "{said}");
        assert!(said.ends_with(env!("CARGO_PKG_VERSION")), "{said}");
    }
    assert_eq!(said.len(), 3, "{said:?}");
}

#[cfg(unix)]
#[test]
fn the_same_input_gives_the_same_archive() {
    use std::os::unix::fs::PermissionsExt;

    let folder = tempfile::tempdir().unwrap();
    let program = folder.path().join("program");
    std::fs::write(&program, "#!/bin/sh\necho \"$@\"\n").unwrap();
    std::fs::set_permissions(&program, PermissionsExt::from_mode(0o700)).unwrap();
    let [one, two] = ["one", "two"].map(|name| folder.path().join(name));
    let built = build(&program, &one);
    assert_eq!(built, build(&program, &two));

    let archive = one.join(built.trim().split_once("  ").unwrap().1);
    let bytes = flate2::read::GzDecoder::new(std::fs::File::open(archive).unwrap());
    let mut archive = tar::Archive::new(bytes);
    let inside: Vec<(String, u32, u64)> = archive
        .entries()
        .unwrap()
        .map(|entry| {
            let entry = entry.unwrap();
            let path = entry.path().unwrap().display().to_string();
            (path, entry.header().mode().unwrap(), entry.header().uid().unwrap())
        })
        .collect();
    let expected = [
        ("LICENSE", 0o644),
        ("README.md", 0o644),
        ("completions/", 0o755),
        ("completions/kubectl-prom_fix.bash", 0o644),
        ("completions/kubectl-prom_fix.fish", 0o644),
        ("completions/kubectl-prom_fix.powershell", 0o644),
        ("completions/kubectl-prom_fix.zsh", 0o644),
        ("kubectl-prom_fix", 0o755),
    ];
    assert_eq!(inside, expected.map(|(path, mode)| (path.to_owned(), mode, 0)));
}

/// Sums aside, which only a release knows, the manifest in the tree is what the template gives.
#[test]
fn the_manifest_in_the_tree_agrees_with_the_template() {
    let in_tree = std::fs::read_to_string(root().join("plugin-manifest/prom-fix.yaml")).unwrap();
    let template = krew("render", &["--unreleased"]);
    let but_sums = |text: &str| -> Vec<String> {
        let varies = |line: &&str| line.starts_with('#') || line.contains("sha256:");
        text.lines().filter(|line| !varies(line)).map(str::to_owned).collect()
    };
    assert_eq!(but_sums(&in_tree), but_sums(&template));
    if kubectl_is_here() {
        krew("check", &["--manifest", "plugin-manifest/prom-fix.yaml"]);
    }
}

/// What krew would refuse: what is written instead of what, and what is said about it.
const REFUSED: &[(&str, &str, &str)] = &[
    ("name: prom-fix", "name: promfix", "named 'promfix' in prom-fix.yaml"),
    ("kind: Plugin", "kind: Plug", "kind Plugin"),
    ("version: v", "version: ", "not v and a semver"),
    ("a broken Prometheus", "a Prometheus that is broken for any of five causes", "at most 50"),
    ("Diagnose and repair", "kubectl plugin for", "go without saying"),
    ("os: linux", "os: plan9", "not a platform krew knows"),
    ("os: darwin", "os: linux", "platforms overlap"),
    ("'0000", "'ABCD", "64 lower-case hex digits"),
    ("bin: kubectl-prom_fix", "files: []", "bin must be set"),
    ("    bin:", "    files: []\n    bin:", "files must be left out or hold something"),
    ("    bin:", "    files: [{from: a, to: b/../c}]\n    bin:", "is not clean"),
    ("    bin:", "    files: [{from: a, to: ../c}]\n    bin:", "leads out"),
];

#[test]
fn a_manifest_that_krew_would_refuse_is_refused() {
    if !kubectl_is_here() {
        return;
    }
    let good = krew("render", &["--unreleased"]);
    let folder = tempfile::tempdir().unwrap();
    let manifest = folder.path().join("prom-fix.yaml");
    for (from, to, says) in REFUSED {
        let bad = good.replace(from, to);
        assert_ne!(bad, good, "{from} is not in the manifest");
        std::fs::write(&manifest, bad).unwrap();
        let Output { status, stderr, .. } =
            run("check", &["--manifest", manifest.to_str().unwrap()]);
        let said = String::from_utf8_lossy(&stderr);
        assert!(!status.success() && said.contains(says), "{to}: {said:?} does not say {says:?}");
    }
}

/// Packs `program` into `out`; gives "SHA256  NAME".
fn build(program: &Path, out: &Path) -> String {
    krew("build", &["--binary", program.to_str().unwrap(), "--out", out.to_str().unwrap()])
}

/// What a tool of `krew/` prints, once it has ended well.
fn krew(tool: &str, args: &[&str]) -> String {
    let Output { status, stdout, stderr } = run(tool, args);
    assert!(status.success(), "krew/{tool} {args:?}: {}", String::from_utf8_lossy(&stderr));
    String::from_utf8(stdout).unwrap()
}

fn run(tool: &str, args: &[&str]) -> Output {
    Command::new(root().join("krew").join(tool)).args(args).current_dir(root()).output().unwrap()
}

/// `tests/run` brings a kubectl; elsewhere there may be none, and then this says so.
fn kubectl_is_here() -> bool {
    let here = Command::new("kubectl").args(["version", "--client"]).output().is_ok();
    if !here {
        eprintln!("skipped: no kubectl on PATH");
    }
    here
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}
