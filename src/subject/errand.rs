//! Helper pods: our agent in the image that is there already, or one that was named, on the node and the volume of a pod of
//! this Prometheus, with no more rights than its work needs. The agent comes in a ConfigMap, and its
//! report is its log: no registry, no shell, no exec.

mod agent;
mod machine;
mod room;
pub mod stand_in;

use serde_json::{Value, json};

use super::identity::{self, Who};
use super::volume::{Store, mount, store, sub_path};
use super::{Subject, hold, pod, repair};
use crate::model::inside::{AGENT, labels, no_mesh};
use crate::model::object::{Kind, ObjectExt, ObjectRef};
use crate::model::plan::{Action, Blocked, Look, Step, Tells, Undo, Until};
use crate::model::receipt::{MANAGED_BY, MANAGER};
use crate::model::{Need, Snapshot};

/// The volume of one pod, and where on it the data directory lies.
#[derive(Clone, Debug)]
pub struct Volume<'a> {
    pub pod: &'a Value,
    /// What it is known by: its claim; of a folder of a node, node and folder.
    pub claim: ObjectRef,
    /// The folder of its node that it is, as the pod's spec says it.
    folder: Option<&'a Value>,
    /// The image of Prometheus in the pod, which its node has.
    image: String,
    /// The data directory below the root of the volume; empty where it is the root.
    directory: String,
}

impl Volume<'_> {
    /// Where the data directory is for somebody who sees the volume at `root`.
    pub fn directory(&self, root: &str) -> String {
        match self.directory.as_str() {
            "" => root.to_owned(),
            below => format!("{}/{below}", root.trim_end_matches('/')),
        }
    }
}

/// The claim behind a pod's data directory.
pub fn volume<'a>(subject: &Subject, pod: &'a Value) -> Result<Volume<'a>, Blocked> {
    let spec = pod.get("spec").unwrap_or(&Value::Null);
    if let Store::EmptyDir { volume, in_memory } = store(subject, pod) {
        return Err(in_the_pod(pod, &volume, in_memory));
    }
    let (Store::Claim { claim, .. }, Some(mount)) = (store(subject, pod), mount(subject, spec))
    else {
        return Err(repair::elsewhere(
            subject,
            "its data directory is on no claim, and only a claim can be mounted beside the pod",
            &["look on its node, or from inside the pod"],
        ));
    };
    let directory = below(subject, mount)?;
    let claim = ObjectRef::new(Kind::PersistentVolumeClaim, pod.namespace(), &claim);
    let image = identity::image(spec, &subject.container).to_owned();
    Ok(Volume { pod, claim, folder: None, image, directory })
}

/// As [`volume`], or the folder of its node that the pod's own spec mounts.
pub fn volume_or_folder<'a>(subject: &Subject, pod: &'a Value) -> Result<Volume<'a>, Blocked> {
    let spec = pod.get("spec").unwrap_or(&Value::Null);
    let (Store::HostPath { volume: name, path }, Some(mount)) =
        (store(subject, pod), mount(subject, spec))
    else {
        return volume(subject, pod);
    };
    let node = pod.text("/spec/nodeName");
    let declared = spec.list("/volumes").iter().find(|v| v.text("/name") == name);
    let folder = declared.and_then(|volume| volume.get("hostPath"));
    let claim = ObjectRef::new(Kind::Node, "", &format!("{node}:{path}"));
    let directory = below(subject, mount)?;
    let image = identity::image(spec, &subject.container).to_owned();
    Ok(Volume { pod, claim, folder, image, directory })
}

/// Where on its volume the data directory lies.
fn below(subject: &Subject, mount: &Value) -> Result<String, Blocked> {
    let sub_path = sub_path(mount);
    if sub_path.contains("$(") {
        let why = format!("the sub path {sub_path} is made of variables");
        return Err(repair::elsewhere(subject, &why, &["look on its node, or inside the pod"]));
    }
    let data = subject.flags.data_dir(subject.agent);
    let below = data.strip_prefix(mount.text("/mountPath").trim_end_matches('/')).unwrap_or("");
    let parts: Vec<&str> =
        sub_path.split('/').chain(below.split('/')).filter(|part| !part.is_empty()).collect();
    Ok(parts.join("/"))
}

/// An emptyDir is nobody else's to mount, and goes with its pod.
fn in_the_pod(pod: &Value, volume: &str, in_memory: bool) -> Blocked {
    let name = pod.name();
    let why = format!(
        "its data directory is on no claim, but on the emptyDir {volume}: no other pod can mount that, and \
         all of it, blocks and log, goes when pod/{name} is deleted or evicted"
    );
    if name.is_empty() {
        return Blocked::no_safe_plan(why, &["there is no pod, and so nothing of it is left"]);
    }
    let on_node = match (pod.text("/spec/nodeName"), in_memory) {
        ("", _) => "it is on no node yet, and so has no data".to_owned(),
        (node, true) => format!(
            "it is in the memory of node {node}: a restart of the node loses it, too; copy it first"
        ),
        (node, false) => format!(
            "as root on node {node}, by the kubelet's default: \
             /var/lib/kubelet/pods/{}/volumes/kubernetes.io~empty-dir/{volume}",
            pod.uid()
        ),
    };
    Blocked::no_safe_plan(
        why,
        &[
            "do not delete the pod: the volume outlives its container, and not the pod",
            "kubectl exec and cp need a container that runs, which one that keeps ending is not",
            &on_node,
            "copy that, and give the copy to the same command with --data DIR",
        ],
    )
}

/// Who a helper is that only reads: whoever Prometheus is, or somebody with no rights where that is not
/// known. None runs as root.
pub fn reader(subject: &Subject, pod: &Value) -> Option<Who> {
    let spec = pod.get("spec").unwrap_or(&Value::Null);
    let who = identity::of(spec, &subject.container).unwrap_or_else(Who::nobody);
    (who.user != 0).then_some(who)
}

/// What has to be read to make a helper for a pod: which machine its node is, and what its namespace
/// allows a container.
pub fn needs(pod: &Value) -> Vec<Need> {
    let node = pod.text("/spec/nodeName");
    let mut out = vec![Need::list(Kind::LimitRange, pod.namespace())];
    out.extend((!node.is_empty()).then(|| Need::object(Kind::Node, "", node)));
    out
}

/// Why a helper would wait for ever beside a pod that is there: its claim is for one pod at a time.
pub fn waits_for(seen: &Snapshot, volume: &Volume<'_>) -> Option<Blocked> {
    let claim = seen.object(&volume.claim).known()?;
    let alone = claim.list("/spec/accessModes").iter().any(|mode| mode == "ReadWriteOncePod");
    let pod = volume.pod;
    if !alone || pod.name().is_empty() || hold::is_held(pod) {
        return None;
    }
    let short = pod::reference(pod).short();
    Some(Blocked::no_safe_plan(
        format!(
            "{} is ReadWriteOncePod: no helper is scheduled as long as {short} is there",
            volume.claim.short()
        ),
        &[&format!(
            "keep it from starting, which frees the claim; then the same again:  kubectl prom-fix \
             freeze {short} -n {}",
            pod.namespace()
        )],
    ))
}

/// One run of the agent.
#[derive(Clone, Debug)]
pub struct Errand<'a> {
    pub volume: &'a Volume<'a>,
    /// What it does, as part of the names of its objects: `look`.
    pub name: &'static str,
    /// The agent's command and what follows the directory.
    pub command: &'static str,
    pub arguments: Vec<String>,
    pub run_as: Who,
    /// The mount is made to be written; else the claim is read-only, so that the kubelet leaves
    /// owners and groups as they are.
    pub writes: bool,
    /// What our agent is told to take it back; none where there is nothing to take back.
    pub back: Option<Vec<String>>,
    pub why: String,
}

/// Its steps: agent, pod, the wait for its end, and both gone.
pub fn steps(seen: &Snapshot, errand: &Errand<'_>) -> Vec<Step> {
    let Errand { volume, name, why, .. } = errand;
    let sum = machine::agent(seen, volume.pod);
    let namespace = volume.pod.namespace();
    // A folder's path is no name of an object; the pod that mounts it has one.
    let named = if volume.folder.is_some() { volume.pod.name() } else { &volume.claim.name };
    let short: String = named.chars().take(180).collect();
    let short = short.trim_end_matches(['-', '.']);
    let carrier =
        ObjectRef::new(Kind::ConfigMap, namespace, &format!("prom-fix-agent-{name}-{short}"));
    let helper = ObjectRef::new(Kind::Pod, namespace, &format!("prom-fix-{name}-{short}"));
    let map = agent::carried(&carrier, &sum);
    let room = room::resources(seen, namespace, errand.command);
    let mut pod = helper_pod(errand, &helper.name, &carrier.name, room);
    let undo = errand.back.clone().map_or(Undo::Delete, Undo::Restore);
    let why = in_image(seen, &mut pod, why);
    run((carrier, map), (helper, pod), &why, undo)
}

/// Gives a helper the image that was asked for, and says so in what the step is for.
pub fn in_image(seen: &Snapshot, pod: &mut Value, why: &str) -> String {
    match (&seen.inside.image, pod.pointer_mut("/spec/containers/0/image")) {
        (Some(image), Some(place)) => {
            *place = json!(image);
            format!("{why}; in the image {image}")
        }
        (_, _) => why.to_owned(),
    }
}

/// Whether a pod is one of ours.
pub fn is_helper(pod: &Value) -> bool {
    pod.label(MANAGED_BY) == Some(MANAGER)
}

/// Agent, pod, the wait for its end, and both gone.
pub fn run(
    (carrier, map): (ObjectRef, Value),
    (helper, pod): (ObjectRef, Value),
    why: &str,
    undo: Undo,
) -> Vec<Step> {
    let step = |why: &str, action: Action, undo: Undo| Step { why: why.to_owned(), action, undo };
    let gone = || Undo::Words("it is removed by then".into());
    let delete = |object: &ObjectRef| Action::Delete {
        object: object.clone(),
        uid: String::new(),
        grace: None,
    };
    vec![
        step("our agent", Action::Create { object: carrier.clone(), body: map }, Undo::Delete),
        step(why, Action::Create { object: helper.clone(), body: pod }, undo),
        step(
            "until it has ended",
            Action::Wait { object: helper.clone(), until: Until::Completed },
            Undo::Words("nothing to take back".into()),
        ),
        step("the helper is done", delete(&helper), gone()),
        step("its agent is done", delete(&carrier), gone()),
    ]
}

/// A plan that only looks, and leaves nothing.
pub fn look(
    subject: &Subject,
    seen: &Snapshot,
    errand: &Errand<'_>,
    tells: Tells,
    why: String,
) -> Look {
    let claim = errand.volume.claim.clone();
    let mut plan = repair::beside(subject, seen, "look", &errand.why, steps(seen, errand));
    plan.impact.data = format!("untouched: {} is mounted read-only", claim.short());
    plan.undo = "nothing is left behind".into();
    let cannot = machine::lacks_agent(seen, errand.volume.pod);
    Look { claim, plan, tells, why, ways: Vec::new(), cannot, envelope: None }
}

fn helper_pod(errand: &Errand<'_>, name: &str, carrier: &str, room: Value) -> Value {
    let Errand { volume, writes, .. } = errand;
    let spec = volume.pod.get("spec").unwrap_or(&Value::Null);
    let copied = |field: &str| spec.get(field).cloned().unwrap_or(json!([]));
    json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {
            "name": name, "namespace": volume.pod.namespace(), "labels": labels(),
            "annotations": no_mesh(),
        },
        "spec": {
            "restartPolicy": "Never",
            "automountServiceAccountToken": false,
            "enableServiceLinks": false,
            "activeDeadlineSeconds": 3600,
            "terminationGracePeriodSeconds": 5,
            "affinity": beside(spec.text("/nodeName")),
            "tolerations": copied("tolerations"),
            "imagePullSecrets": copied("imagePullSecrets"),
            "securityContext": security(&errand.run_as, own_label(spec)),
            "containers": [container(errand, room)],
            "volumes": [
                data(volume, *writes),
                agent::volume(carrier),
            ],
        },
    })
}

fn data(volume: &Volume<'_>, writes: bool) -> Value {
    match volume.folder {
        Some(folder) => json!({"name": "data", "hostPath": folder}),
        None => json!({"name": "data", "persistentVolumeClaim":
            {"claimName": volume.claim.name, "readOnly": !writes}}),
    }
}

/// On the node of the pod, which has the volume and the image. Through the scheduler, so that a claim
/// that waits for its first consumer is bound.
fn beside(node: &str) -> Value {
    if node.is_empty() {
        return Value::Null;
    }
    let this = json!({"key": "metadata.name", "operator": "In", "values": [node]});
    json!({"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {
        "nodeSelectorTerms": [{"matchFields": [this]}],
    }}})
}

/// supplementalGroups, never fsGroup: the kubelet would change what the helper came to see.
fn security(run_as: &Who, label: Option<&Value>) -> Value {
    let mut security = json!({
        "runAsNonRoot": run_as.user != 0,
        "runAsUser": run_as.user,
        "runAsGroup": run_as.group,
        "supplementalGroups": run_as.groups,
        "seccompProfile": {"type": "RuntimeDefault"},
    });
    // A volume that is mounted with one label is not to be had with another.
    if let (Some(label), Some(security)) = (label, security.as_object_mut()) {
        security.insert("seLinuxOptions".into(), label.clone());
    }
    security
}

fn container(errand: &Errand<'_>, room: Value) -> Value {
    let Errand { volume, command, arguments, run_as, writes, .. } = errand;
    let mut words =
        vec![format!("/agent/{AGENT}"), (*command).to_owned(), volume.directory("/data")];
    words.extend(arguments.iter().cloned());
    words.push("--json".into());
    let capabilities = match writes {
        // To change an owner, and to reach what lies in folders of others.
        true if run_as.user == 0 => {
            json!({"drop": ["ALL"], "add": ["CHOWN", "DAC_OVERRIDE"]})
        }
        _ => json!({"drop": ["ALL"]}),
    };
    let data = json!({"name": "data", "mountPath": "/data", "readOnly": !writes});
    agent::in_container(&volume.image, &words, &room, &capabilities, Some(data))
}

/// The label of SELinux that the pod asks for.
pub fn own_label(spec: &Value) -> Option<&Value> {
    let of_containers = spec.list("/containers").iter();
    let mut found = of_containers.filter_map(|c| c.pointer("/securityContext/seLinuxOptions"));
    spec.pointer("/securityContext/seLinuxOptions").or_else(|| found.next())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_named_image_takes_the_place_of_prometheus_own_and_is_said() {
        let mut seen = Snapshot::new(jiff::Timestamp::UNIX_EPOCH);
        let own = json!({"spec": {"containers": [{"image": "a:1"}]}});
        let mut pod = own.clone();
        assert_eq!(in_image(&seen, &mut pod, "look"), "look");
        assert_eq!(pod, own);
        seen.inside.image = Some("b:2".into());
        assert_eq!(in_image(&seen, &mut pod, "look"), "look; in the image b:2");
        assert_eq!(pod.pointer("/spec/containers/0/image"), Some(&json!("b:2")));
    }
}
