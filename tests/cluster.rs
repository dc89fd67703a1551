//! The plugin against a real Kubernetes: broken for real, diagnosed, repaired, proved, undone.
//! `tests/run` starts the cluster and runs these; each test makes a namespace of its own.

#[path = "cluster/agent.rs"]
mod agent;
#[path = "cluster/answers.rs"]
mod answers;
#[path = "cluster/api.rs"]
mod api;
#[path = "cluster/argo.rs"]
mod argo;
#[path = "cluster/audit.rs"]
mod audit;
#[path = "cluster/beside.rs"]
mod beside;
#[path = "cluster/bind.rs"]
mod bind;
#[path = "cluster/chaos.rs"]
mod chaos;
#[path = "cluster/cleanup.rs"]
mod cleanup;
#[path = "cluster/closed.rs"]
mod closed;
#[path = "cluster/controllers.rs"]
mod controllers;
#[path = "cluster/damage.rs"]
mod damage;
#[path = "cluster/definitions.rs"]
mod definitions;
#[path = "cluster/enforcer.rs"]
mod enforcer;
#[path = "cluster/flux.rs"]
mod flux;
#[path = "cluster/folder.rs"]
mod folder;
#[path = "cluster/foreign.rs"]
mod foreign;
#[path = "cluster/full.rs"]
mod full;
#[path = "cluster/grafana.rs"]
mod grafana;
#[path = "cluster/image.rs"]
mod image;
#[path = "cluster/install.rs"]
mod install;
#[path = "cluster/inventory.rs"]
mod inventory;
#[path = "cluster/keda.rs"]
mod keda;
#[path = "cluster/keeper.rs"]
mod keeper;
#[path = "cluster/kill.rs"]
mod kill;
#[path = "cluster/late.rs"]
mod late;
#[path = "cluster/left.rs"]
mod left;
#[path = "cluster/life.rs"]
mod life;
#[path = "cluster/locked.rs"]
mod locked;
#[path = "cluster/narrow.rs"]
mod narrow;
#[path = "cluster/newer.rs"]
mod newer;
#[path = "cluster/objects.rs"]
mod objects;
#[path = "cluster/oom.rs"]
mod oom;
#[path = "cluster/owners.rs"]
mod owners;
#[path = "cluster/perms.rs"]
mod perms;
#[path = "cluster/reach.rs"]
mod reach;
#[path = "cluster/refusals.rs"]
mod refusals;
#[path = "cluster/replay.rs"]
mod replay;
#[path = "cluster/replicas.rs"]
mod replicas;
#[path = "cluster/restarts.rs"]
mod restarts;
#[path = "cluster/rivals.rs"]
mod rivals;
#[path = "cluster/salvage.rs"]
mod salvage;
#[path = "cluster/scene.rs"]
mod scene;
#[path = "cluster/sibling.rs"]
mod sibling;
#[path = "cluster/sight.rs"]
mod sight;
#[path = "cluster/stand_in.rs"]
mod stand_in;
#[path = "cluster/terminal.rs"]
mod terminal;
#[path = "cluster/thanos.rs"]
mod thanos;
#[path = "cluster/turns.rs"]
mod turns;
#[path = "cluster/wal.rs"]
mod wal;
#[path = "cluster/wbl.rs"]
mod wbl;
#[path = "cluster/writable.rs"]
mod writable;
