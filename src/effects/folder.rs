//! A helper on a folder of a node: made only where the pods of the plan's target mount that folder
//! themselves, as the target is now. Whoever wrote the plan, or a receipt, gets no other folder of a
//! node by it.

use serde_json::Value;

use super::cluster::Cluster;
use super::error::Error;
use super::send;
use crate::model::object::{ObjectExt, ObjectRef};

/// Refuses a pod with a folder of a node that the target does not have.
pub(super) async fn is_of_target(
    cluster: &Cluster,
    target: &ObjectRef,
    body: &Value,
) -> Result<(), Error> {
    let path = body.text("/spec/volumes/0/hostPath/path");
    if path.is_empty() {
        return Ok(());
    }
    let live = send::read(cluster, target).await?;
    if has(&live, path) {
        return Ok(());
    }
    Err(send::moved(target, format!("its pods do not have the folder {path} of their node")))
}

/// Of a workload its template says it, of an operator's resource itself.
fn has(target: &Value, path: &str) -> bool {
    let volumes = ["/spec/template/spec/volumes", "/spec/volumes"].map(|at| target.list(at));
    volumes.into_iter().flatten().any(|volume| volume.text("/hostPath/path") == path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::effects::tests::fake::World;
    use crate::effects::tests::{plans, run, set};
    use serde_json::json;

    #[test]
    fn only_a_folder_that_the_target_has_now_is_mounted() {
        run(async {
            let world = World::new();
            let helper = |path: &str| {
                let volume = json!({"name": "data", "hostPath": {"path": path}});
                json!({"spec": {"volumes": [volume]}})
            };
            let cluster = world.cluster();
            let asked = async |path: &str| is_of_target(&cluster, &set(), &helper(path)).await;
            let refused = asked("/srv/prometheus").await.expect_err("it has none").to_string();
            assert!(refused.contains("do not have the folder /srv/prometheus"), "{refused}");
            let mut workload = plans::workload();
            workload["spec"]["template"]["spec"]["volumes"] =
                json!([{"name": "d", "hostPath": {"path": "/srv/prometheus"}}]);
            world.put(&set(), workload);
            assert!(asked("/srv/prometheus").await.is_ok());
            assert!(asked("/srv").await.is_err());
            let claim = json!({"spec": {"volumes": [{"persistentVolumeClaim": {}}]}});
            assert!(is_of_target(&cluster, &set(), &claim).await.is_ok());
        });
    }
}
