//! What a proof by samples does not show: whether the process may write all of its data directory, not
//! only what it writes these seconds. The kernel is asked, as the user and the groups of its pod.

use std::path::Path;
use std::process::Command;

use serde_json::Value;

use super::scene::{Scene, run};

/// Of each pod of Prometheus and its claim.
#[track_caller]
pub fn all_may_be_written(scene: &Scene) {
    let pods = scene.get("pod");
    let mut asked = 0;
    for pod in pods["items"].as_array().into_iter().flatten() {
        let Some(who) = Who::of(pod) else { continue };
        for volume in pod["spec"]["volumes"].as_array().into_iter().flatten() {
            let claim = volume["persistentVolumeClaim"]["claimName"].as_str();
            let Some(claim) = claim else { continue };
            who.may_write(&scene.folder(claim));
            asked += 1;
        }
    }
    assert!(asked > 0, "no pod with a claim: {pods:#}");
}

struct Who {
    user: i64,
    group: i64,
    more: Vec<String>,
}

impl Who {
    /// `None` of a pod that is no Prometheus.
    fn of(pod: &Value) -> Option<Who> {
        let containers = pod["spec"]["containers"].as_array()?;
        let own = containers.iter().find(|one| {
            one["image"].as_str().is_some_and(|image| image.contains("/prometheus:"))
        })?;
        let image = if own["image"].as_str()?.ends_with("distroless") { 65532 } else { 65534 };
        let of_pod = &pod["spec"]["securityContext"];
        let set = |name: &str| own["securityContext"][name].as_i64().or(of_pod[name].as_i64());
        let user = set("runAsUser").unwrap_or(image);
        // A user that the image does not know has no group of its own there.
        let own_group = if user == image { image } else { 0 };
        let more = of_pod["supplementalGroups"].as_array().into_iter().flatten();
        let more = more.chain(of_pod.get("fsGroup")).map(Value::to_string).collect();
        Some(Who { user, group: set("runAsGroup").unwrap_or(own_group), more })
    }

    #[track_caller]
    fn may_write(&self, volume: &Path) {
        // The operator mounts a folder of the volume.
        let below = volume.join("prometheus-db");
        let data = if below.is_dir() { below } else { volume.to_owned() };
        let groups = match self.more.as_slice() {
            [] => "--clear-groups".to_owned(),
            all => format!("--groups={}", all.join(",")),
        };
        let mut ask = Command::new("setpriv");
        ask.arg(format!("--reuid={}", self.user)).arg(format!("--regid={}", self.group));
        ask.args([&groups, "--bounding-set=-all", "--inh-caps=-all", "find", "."]);
        // From within: the folders above it are not for everybody on each machine.
        // What we set aside there, a manifest of owners say, is none of its.
        ask.current_dir(&data).args([
            "-path",
            "./prom-fix-*",
            "-prune",
            "-o",
            "(",
            "!",
            "-readable",
            "-o",
            "!",
            "-writable",
            ")",
            "-print",
        ]);
        // What Prometheus takes away meanwhile is no matter.
        ask.args(["-ignore_readdir_race"]);
        let said = run(&mut ask, "").expect(0);
        assert_eq!(said.stdout, "", "not for {}:{} {groups}", self.user, self.group);
    }
}
